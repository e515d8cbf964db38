"""Kratos' APIs as a client sees them: flows with a browser's cookies or an app's session token; the admin API."""

from __future__ import annotations

import contextlib
import http.client
import http.cookiejar
import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from kratosctl.stack.inbox import Login

_TIMEOUT = 30.0
Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def messages(self) -> str:
        """What Kratos says of it, in words; never a value somebody typed."""
        return "; ".join(dict.fromkeys(_messages(self.body))) or f"HTTP {self.status}"


def connect(url: str, timeout: float = _TIMEOUT, authority: Path | None = None) -> http.client.HTTPConnection:
    """A connection to where an address points; opened by the first request.

    Args:
        url: the address; the rest of it does not count.
        timeout: seconds that Kratos may be silent.
        authority: a certificate that vouches for https addresses, beside those this host trusts.
    """
    parts = urlsplit(url)
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.netloc, timeout=timeout)
    import ssl

    trusted = ssl.create_default_context()
    if authority:
        trusted.load_verify_locations(authority)
    return http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=trusted)


class Client:
    """One person at a browser, or one native application. As a context manager it keeps its connections open, for one
    thread.

    Args:
        public: URL of the public API, as people open it.
        browser: keep cookies as a browser does; otherwise hold a session token, as an app does.
        timeout: seconds that Kratos may be silent.
        authority: a certificate that vouches for https addresses, beside those this host trusts.
        login: what the mail inbox asks for; for a client of nothing else.
        here: send forms to `public`, though they name whom people come by: Kratos' own configuration may say that it
            is a proxy, or where another Kratos listens.
    """

    def __init__(
        self,
        public: str,
        browser: bool,
        timeout: float = _TIMEOUT,
        authority: Path | None = None,
        login: Login | None = None,
        here: bool = False,
    ) -> None:
        self.public, self.browser, self.timeout, self.authority = public.rstrip("/"), browser, timeout, authority
        self.login, self.here, self.token = login, here, ""
        self.cookies = http.cookiejar.CookieJar()
        self._keeps_open = False
        self._open: dict[tuple[str, str], http.client.HTTPConnection] = {}

    def __enter__(self) -> Self:
        self._keeps_open = True
        return self

    def __exit__(self, *_: object) -> None:
        self._keeps_open = False
        self._close()

    def begin(self, flow: str) -> Answer:
        """Starts a flow: registration, login, verification, recovery or settings."""
        return self.get(f"{self.public}/self-service/{flow}/{'browser' if self.browser else 'api'}")

    def submit(self, flow: Json, values: Mapping[str, Any]) -> Answer:
        """Submits a flow's form, with its CSRF token. What answers without being Kratos has status 0."""
        path, action = "/self-service/", flow["ui"]["action"]
        where = f"{self.public}{path}{action.partition(path)[2]}" if self.here else action
        answer = self.post(where, {**values, **_csrf(flow)})
        if answer.ok and not isinstance(answer.body, dict):
            # such as an application that shows its page for every address
            return Answer(0, "something else than Kratos answers at the form's address")
        if isinstance(answer.body, dict) and answer.body.get("session_token"):
            self.token = answer.body["session_token"]
        return answer

    def whoami(self) -> Answer:
        """Who is signed in."""
        return self.get(f"{self.public}/sessions/whoami")

    def sign_out(self) -> Answer:
        """Ends the session."""
        if not self.browser:
            return self.request("DELETE", f"{self.public}/self-service/logout/api", {"session_token": self.token})
        begun = self.get(f"{self.public}/self-service/logout/browser")
        if not begun.ok:
            return begun
        return self.get(f"{self.public}/self-service/logout?token={begun.body['logout_token']}")

    def get(self, url: str) -> Answer:
        return self.request("GET", url)

    def post(self, url: str, body: Mapping[str, Any]) -> Answer:
        return self.request("POST", url, body)

    def request(self, method: str, url: str, body: Any = None) -> Answer:
        """One request. An answer that is no JSON has its text as body; no answer at all has status 0.

        Args:
            method: the HTTP method.
            url: the whole URL.
            body: JSON-able data, its bytes, or None.
        """
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.token:
            headers["X-Session-Token"] = self.token
        if self.login:
            headers["Authorization"] = self.login.header
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        try:
            return self._exchange(urllib.request.Request(url, data, headers, method=method))
        except (OSError, http.client.HTTPException) as error:
            self._close()
            return Answer(0, str(error) or type(error).__name__)

    def _exchange(self, request: urllib.request.Request) -> Answer:
        """Sends a request and reads its answer. No proxy: Kratos is on this host; a redirect is an answer."""
        self.cookies.add_cookie_header(request)
        if not self._keeps_open:
            # this request's alone: several threads may ask at once
            with contextlib.closing(connect(request.full_url, self.timeout, self.authority)) as own:
                return self._over(own, request)
        parts = urlsplit(request.full_url)
        place = (parts.scheme, parts.netloc)
        connection = self._open.get(place)
        if connection is not None:
            # Kratos may have closed it in the meantime
            with contextlib.suppress(ConnectionError):
                return self._over(connection, request)
            connection.close()
        self._open[place] = connect(request.full_url, self.timeout, self.authority)
        return self._over(self._open[place], request)

    def _over(self, connection: http.client.HTTPConnection, request: urllib.request.Request) -> Answer:
        sent: Any = request.data
        connection.request(request.get_method(), request.selector, sent, dict(request.header_items()))
        response = connection.getresponse()
        parsed = _parsed(response.read())
        self.cookies.extract_cookies(response, request)
        return Answer(response.status, parsed)

    def _close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()


class Admin:
    """The admin API. As a context manager it keeps its connection open.

    Args:
        url: where this host reaches it.
        timeout: seconds that Kratos may be silent.
    """

    def __init__(self, url: str, timeout: float = _TIMEOUT) -> None:
        self.url = url.rstrip("/")
        self._client = Client(url, browser=False, timeout=timeout)

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.__exit__()

    def is_ready(self) -> bool:
        """Whether Kratos and its database answer."""
        return self._client.get(f"{self.url}/admin/health/ready").ok

    def create(self, identity: Json) -> Answer:
        """Creates one identity; 409 where its identifier is taken."""
        return self._client.post(f"{self.url}/admin/identities", identity)

    def delete(self, identity: str) -> Answer:
        return self._client.request("DELETE", f"{self.url}/admin/identities/{identity}")

    def create_many(self, identities: Sequence[bytes]) -> Answer:
        """Creates many identities at once; the limits are Kratos' (1000 a request, 200 with clear-text passwords).

        Args:
            identities: each as JSON.
        """
        patches = b",".join(b'{"create":%s}' % identity for identity in identities)
        return self._client.request("PATCH", f"{self.url}/admin/identities", b'{"identities":[%s]}' % patches)

    def messages(self, recipient: str) -> Answer:
        """The newest messages to an address, sent or waiting; their text only under `--dev`: not behind TLS."""
        from urllib.parse import quote

        return self._client.get(f"{self.url}/admin/courier/messages?recipient={quote(recipient, safe='')}")

    def has_unsent(self) -> bool:
        """Whether one of the newest messages waits to be sent, or is being sent."""
        found = self._client.get(f"{self.url}/admin/courier/messages")
        messages = found.body if found.ok and isinstance(found.body, list) else []
        return any(message["status"] in ("queued", "processing") for message in messages)

    def find(self, identifier: str) -> Json | None:
        """The identity that signs in with an identifier."""
        from urllib.parse import quote

        found = self._client.get(f"{self.url}/admin/identities?credentials_identifier={quote(identifier, safe='')}")
        return found.body[0] if found.ok and found.body else None


def _csrf(flow: Json) -> dict[str, str]:
    for node in flow["ui"]["nodes"]:
        if node["attributes"].get("name") == "csrf_token":
            return {"csrf_token": node["attributes"]["value"]}
    return {}


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data) if data else {}
    except ValueError:
        return data.decode(errors="replace")


def _messages(body: Any) -> Iterator[str]:
    if isinstance(body, str):
        yield _short(body)
    if not isinstance(body, dict):
        return
    error = body.get("error")
    if isinstance(error, dict):
        yield _short(str(error.get("reason") or error.get("message") or ""))
    ui = body.get("ui") or {}
    for message in ui.get("messages") or []:
        yield str(message["text"])
    for node in ui.get("nodes") or []:
        for message in node.get("messages") or []:
            yield f"{node['attributes'].get('name', '?')}: {message['text']}"


def _short(text: str) -> str:
    return " ".join(text.split())[:200]

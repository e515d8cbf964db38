"""Kratos' APIs as a client sees them: flows with a browser's cookies or an app's session token; the admin API."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


class Client:
    """One person at a browser, or one native application.

    Args:
        public: URL of the public API, as people open it.
        browser: keep cookies as a browser does; otherwise hold a session token, as an app does.
    """

    def __init__(self, public: str, browser: bool) -> None:
        self.public, self.browser = public.rstrip("/"), browser
        self.token = ""
        self.cookies = http.cookiejar.CookieJar()
        # never through a proxy: Kratos is on this host
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies), _NoRedirect())
        self._opener = urllib.request.build_opener(*handlers)

    def begin(self, flow: str) -> Answer:
        """Starts a flow: registration, login, verification, recovery or settings."""
        return self.get(f"{self.public}/self-service/{flow}/{'browser' if self.browser else 'api'}")

    def submit(self, flow: Json, values: Mapping[str, Any]) -> Answer:
        """Submits a flow's form, with its CSRF token."""
        answer = self.post(flow["ui"]["action"], {**values, **_csrf(flow)})
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
            body: JSON-able data, or None.
        """
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.token:
            headers["X-Session-Token"] = self.token
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                return Answer(response.status, _parsed(response.read()))
        except urllib.error.HTTPError as error:
            return Answer(error.code, _parsed(error.read()))
        except OSError as error:
            return Answer(0, str(getattr(error, "reason", error)))


class Admin:
    """The admin API.

    Args:
        url: where this host reaches it.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client = Client(url, browser=False)

    def create(self, identity: Json) -> Answer:
        """Creates one identity; 409 where its identifier is taken."""
        return self._client.post(f"{self.url}/admin/identities", identity)

    def delete(self, identity: str) -> Answer:
        return self._client.request("DELETE", f"{self.url}/admin/identities/{identity}")

    def patch(self, patches: Sequence[Json]) -> Answer:
        """Creates many identities at once; the limits are Kratos' (1000 a request, 200 with clear-text passwords)."""
        return self._client.request("PATCH", f"{self.url}/admin/identities", {"identities": list(patches)})

    def messages(self, recipient: str) -> Answer:
        """The newest messages to an address, sent or waiting; their text only under `--dev`, which kratosctl sets."""
        from urllib.parse import quote

        return self._client.get(f"{self.url}/admin/courier/messages?recipient={quote(recipient, safe='')}")

    def find(self, identifier: str) -> Json | None:
        """The identity that signs in with an identifier."""
        from urllib.parse import quote

        found = self._client.get(f"{self.url}/admin/identities?credentials_identifier={quote(identifier, safe='')}")
        return found.body[0] if found.ok and found.body else None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: following it would leave Kratos."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


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
        yield body[:200]
    if not isinstance(body, dict):
        return
    error = body.get("error")
    if isinstance(error, dict):
        yield str(error.get("reason") or error.get("message") or "")[:200]
    ui = body.get("ui") or {}
    for message in ui.get("messages") or []:
        yield str(message["text"])
    for node in ui.get("nodes") or []:
        for message in node.get("messages") or []:
            yield f"{node['attributes'].get('name', '?')}: {message['text']}"

"""What people and applications do with Kratos: sign up and ask who they are, by API and in a browser."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

PASSWORD = "correct-horse-3-battery"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


def answers(public: str) -> bool:
    """Whether Kratos says that it is ready."""
    try:
        return request("GET", f"{public}/health/ready").status == 200
    except (OSError, http.client.HTTPException):
        return False


def request(
    method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, form: bool = False
) -> Answer:
    """Sends one request: JSON unless it is a form. Redirections are not followed."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    sent = None if body is None else urlencode(body) if form else json.dumps(body)
    try:
        connection.request(
            method,
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            sent,
            {"Accept": "application/json", **({"Content-Type": kind} if sent is not None else {}), **(headers or {})},
        )
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode("utf-8", "replace"))
    finally:
        connection.close()


def sign_up(public: str, email: str, password: str = PASSWORD) -> str:
    """Signs a person up through the API flow, and returns the token of the session."""
    flow = request("GET", f"{public}/self-service/registration/api")
    assert flow.status == 200, flow.text
    body = {"method": "password", "password": password, "traits": {"email": email}}
    done = request("POST", flow.json()["ui"]["action"], body)
    assert done.status == 200, done.text
    return str(done.json()["session_token"])


def sign_in(public: str, email: str, password: str = PASSWORD) -> bool:
    """Whether a person can sign in through the API flow."""
    flow = request("GET", f"{public}/self-service/login/api")
    assert flow.status == 200, flow.text
    body = {"method": "password", "identifier": email, "password": password}
    done = request("POST", flow.json()["ui"]["action"], body)
    assert done.status in (200, 400), done.text
    return done.status == 200


def whoami(public: str, token: str) -> str | None:
    """The e-mail address behind a session token; None where Kratos does not know it."""
    answer = request("GET", f"{public}/sessions/whoami", headers={"X-Session-Token": token})
    assert answer.status in (200, 401), answer.text
    return str(answer.json()["identity"]["traits"]["email"]) if answer.status == 200 else None


def sign_up_and_ask(public: str, email: str = "someone@example.org") -> str:
    """Signs a person up, sees that Kratos then knows them, and returns the session's token."""
    token = sign_up(public, email)
    assert whoami(public, token) == email
    return token


@dataclass
class Browser:
    """Keeps cookies by host name, as browsers do: whatever the port."""

    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def get(self, url: str, accept: str = "text/html") -> Answer:
        """Opens an address, and follows redirections."""
        for _ in range(10):
            answer = self._send("GET", url, None, accept)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            url = urljoin(url, str(answer.headers["Location"]))
        raise AssertionError(f"redirected in circles: {url}")

    def sign_up(self, public: str, email: str, password: str = PASSWORD) -> None:
        """Signs up as a page of an application does, with fetch."""
        flow = self.get(f"{public}/self-service/registration/browser", "application/json")
        assert flow.status == 200, flow.text
        ui = flow.json()["ui"]
        csrf = next(n["attributes"]["value"] for n in ui["nodes"] if n["attributes"].get("name") == "csrf_token")
        body = {"method": "password", "csrf_token": csrf, "password": password, "traits": {"email": email}}
        done = self._send("POST", ui["action"], body, "application/json")
        assert done.status == 200, done.text

    def whoami(self, public: str) -> str | None:
        """The e-mail address of who is signed in; None for nobody."""
        answer = self.get(f"{public}/sessions/whoami", "application/json")
        assert answer.status in (200, 401), answer.text
        return str(answer.json()["identity"]["traits"]["email"]) if answer.status == 200 else None

    def _send(self, method: str, url: str, body: Any, accept: str) -> Answer:
        jar = self.cookies.setdefault(urlsplit(url).hostname or "", {})
        sent = {"Accept": accept, "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        answer = request(method, url, body, sent)
        for header in answer.headers.get_all("Set-Cookie") or []:
            for name, cookie in SimpleCookie(header).items():
                jar[name] = cookie.value
        return answer


class Repeatedly:
    """Does something again and again, while a block runs."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(0.1):
            self._do()

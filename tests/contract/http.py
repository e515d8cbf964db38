"""Requests of tests: no redirect is followed, no status is an exception."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def cookies(self) -> dict[str, str]:
        pairs = (header.split(";")[0].partition("=") for header in self.headers.get_all("Set-Cookie", []))
        return {name: value for name, _, value in pairs}


def request(
    method: str,
    port: int,
    path: str,
    body: Any = None,
    *,
    form: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    cookies: dict[str, str] | None = None,
) -> Answer:
    sent = dict(headers or {})
    payload: str | None = None
    if form is not None:
        payload, sent["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
    elif body is not None:
        payload, sent["Content-Type"] = json.dumps(body), "application/json"
    if cookies:
        sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, payload, sent)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def answers(port: int, path: str) -> int:
    """The status, or 0 while nothing answers."""
    try:
        return request("GET", port, path).status
    except (OSError, http.client.HTTPException):
        return 0

"""A small HTTP server: a table of routes, and requests and responses as plain values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    remote: str = ""

    def cookie(self, name: str) -> str | None:
        found = SimpleCookie(self.headers.get("cookie", "")).get(name)
        return found.value if found else None

    @property
    def wants_json(self) -> bool:
        return "application/json" in self.headers.get("accept", "")

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        return _single(self.body.decode())

    @property
    def has_json_body(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/json")


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)

    def with_cookie(self, cookie: str) -> Response:
        return self.with_headers(("Set-Cookie", cookie))

    def with_headers(self, *headers: tuple[str, str]) -> Response:
        return Response(self.status, self.body, [*self.headers, *headers])


Handler = Callable[[Request], Response]
Route = tuple[str, str, Callable[..., Response]]


def json_response(status: int, value: Any, *headers: tuple[str, str]) -> Response:
    body = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    return Response(status, body, [("Content-Type", "application/json; charset=utf-8"), *headers])


def html_response(status: int, page: str) -> Response:
    return Response(status, page.encode(), [("Content-Type", "text/html; charset=utf-8")])


def redirect(location: str, status: int = 303) -> Response:
    return Response(status, b"", [("Location", location)])


def not_found(_: Request) -> Response:
    return Response(404, b"404 page not found\n", [("Content-Type", "text/plain; charset=utf-8")])


def router(routes: list[Route], otherwise: Handler = not_found) -> Handler:
    """Send a request to the first route of its method and path; `{name}` in a path is passed on by position."""
    table = [(method, re.compile(re.sub(r"{\w+}", "([^/]+)", path)), call) for method, path, call in routes]

    def handle(request: Request) -> Response:
        for method, pattern, call in table:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                return call(request, *match.groups())
        return otherwise(request)

    return handle


def server(address: str, port: int, handle: Handler) -> ThreadingHTTPServer:
    """Bind a server; the caller runs `serve_forever` on it."""

    class Connection(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One write for headers and body: two would wait for each other's acknowledgement.
        wbufsize = -1
        timeout = 60

        def answer(self) -> None:
            request = self.read_request()
            response = handle(request)
            self.send_response(response.status)
            for name, value in response.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            if request.method != "HEAD":
                self.wfile.write(response.body)

        def read_request(self) -> Request:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            return Request(
                method=self.command,
                path=parts.path,
                query=_single(parts.query),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
                remote=":".join(map(str, self.client_address[:2])),
            )

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """The programs write their own request log."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    return Server((address, port), Connection)


def _single(query: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}

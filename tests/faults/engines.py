"""Engines that are not as they should be, behind sockets of their own."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.e2e import engine


class _Answers(BaseHTTPRequestHandler):
    """Answers as an engine with nothing on it does."""

    version: str
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.endswith("/version"):
            real = json.loads(engine.docker("version", "--format", "{{json .Server}}"))
            components = [{**part, "Version": self.version} for part in real["Components"][:1]]
            self._send({**real, "Version": self.version, "Components": components})
        else:
            self._send([] if "json" in self.path or "s?" in self.path else {})

    def do_HEAD(self) -> None:
        self._send({})

    def _send(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Api-Version", "1.41")
        self.send_header("OSType", "linux")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def address_string(self) -> str:
        return ""

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class _OnSocket(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class _OnPort(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True


@contextlib.contextmanager
def with_version(version: str, socket: Path | None = None) -> Iterator[str]:
    """An engine that says it has a version.

    Args:
        version: what it says.
        socket: where it listens; on a port of this host without.

    Yields:
        What DOCKER_HOST is to hold.
    """
    handler = type("Answers", (_Answers,), {"version": version})
    server: socketserver.BaseServer
    if socket:
        server, address = _OnSocket(str(socket), handler), f"unix://{socket}"
    else:
        server = _OnPort(("127.0.0.1", 0), handler)
        address = f"tcp://127.0.0.1:{server.server_address[1]}"
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield address
        server.shutdown()

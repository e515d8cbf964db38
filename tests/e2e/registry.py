"""A small image registry on this host, with as much of the distribution protocol as `docker push` and `pull` need."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

_BLOB = re.compile(r"/v2/.+/blobs/(sha256:[0-9a-f]{64})")
_UPLOAD = re.compile(r"/v2/.+/blobs/uploads/([0-9a-f]*)(?:\?digest=(.+))?")
_MANIFEST = re.compile(r"/v2/(.+/manifests)/(.+)")


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    rbufsize = 1 << 20
    # by path or digest: content type and content
    kept: dict[str, tuple[str, bytes]]
    uploads: dict[str, bytes]

    def do_GET(self) -> None:
        blob, manifest = _BLOB.fullmatch(self.path), _MANIFEST.fullmatch(self.path)
        if self.path.rstrip("/") == "/v2":
            self._answer(200)
        elif blob and blob[1] in self.kept:
            self._give(blob[1])
        elif manifest and f"{manifest[1]}/{manifest[2]}" in self.kept:
            self._give(f"{manifest[1]}/{manifest[2]}")
        else:
            self._answer(404)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self._body()
        upload = uuid4().hex
        self.uploads[upload] = b""
        self._answer(202, ("Location", f"{self.path.partition('?')[0]}{upload}"), ("Docker-Upload-UUID", upload))

    def do_PATCH(self) -> None:
        upload = _UPLOAD.fullmatch(self.path)
        assert upload
        self.uploads[upload[1]] += self._body()
        self._answer(202, ("Location", self.path), ("Range", f"0-{len(self.uploads[upload[1]]) - 1}"))

    def do_PUT(self) -> None:
        upload, manifest = _UPLOAD.fullmatch(self.path), _MANIFEST.fullmatch(self.path)
        body = self._body()
        if upload:
            content = self.uploads.pop(upload[1]) + body
            self.kept[_digest(content)] = ("application/octet-stream", content)
        elif manifest:
            kind = self.headers.get("Content-Type", "")
            for name in (manifest[2], _digest(body)):
                self.kept[f"{manifest[1]}/{name}"] = (kind, body)
        self._answer(201, ("Location", self.path.partition("?")[0]), ("Docker-Content-Digest", _digest(body)))

    def _give(self, key: str) -> None:
        kind, content = self.kept[key]
        digest = ("Docker-Content-Digest", _digest(content))
        self._answer(200, ("Content-Type", kind), digest, content=content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, status: int, *headers: tuple[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (("Docker-Distribution-API-Version", "registry/2.0"), *headers):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Runs a registry until the block ends.

    Yields:
        Its address, which the engine takes for an insecure registry because it is on loopback.
    """
    handler = type("Connection", (_Connection,), {"kept": {}, "uploads": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()

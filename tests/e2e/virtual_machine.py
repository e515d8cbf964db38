"""An engine in a virtual machine, as far as a client can tell: the real one, behind a socket, with another kernel."""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

_REAL = Path("/var/run/docker.sock")
_KERNEL = os.uname().release.encode()
# as long as the real one, so that answers keep their length
_OTHER = b"7" * len(_KERNEL)


class _Through(socketserver.BaseRequestHandler):
    """Hands on what client and engine say, all but the kernel's release."""

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as engine, contextlib.suppress(OSError):
            engine.connect(str(_REAL))
            threading.Thread(target=self._ask, args=(engine,), daemon=True).start()
            while said := engine.recv(1 << 16):
                said = said.replace(b'"KernelVersion":"' + _KERNEL, b'"KernelVersion":"' + _OTHER)
                self.request.sendall(said)
            self.request.shutdown(socket.SHUT_WR)

    def _ask(self, engine: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while asked := self.request.recv(1 << 16):
                engine.sendall(asked)
            engine.shutdown(socket.SHUT_WR)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextlib.contextmanager
def running(path: Path) -> Iterator[dict[str, str]]:
    """The engine, for a block.

    Args:
        path: where its socket is made.

    Yields:
        The environment variables by which docker finds it.
    """
    with _Server(str(path), _Through) as server:
        path.chmod(0o666)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"DOCKER_HOST": f"unix://{path}"}
        server.shutdown()

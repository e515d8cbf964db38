"""`workshop board`: a page of this host that shows every seat, live, and resets or restarts one."""

from __future__ import annotations

import json
import os
import re
import sys
import webbrowser
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kratosctl.answers import workshop_file
from kratosctl.engine import reading, window
from kratosctl.errors import ConfigurationInvalid, EnvironmentBusy, KratosctlError, NotRunning, PortTaken, UsageError
from kratosctl.host import ports
from kratosctl.kratos import log_lines
from kratosctl.workshop.board_acts import Acts
from kratosctl.workshop.door import Door, is_loopback
from kratosctl.workshop.observe import Observer
from kratosctl.workshop.watch import Watch, told

ADDRESS = "127.0.0.1"
PORT = 4400
_PORTS = 20  # tried where none was asked for
_PAGE = Path(__file__).parent / "page"
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = ("board.css", "board.js", "board.svg", "enter.js")
_PATIENCE = 20.0  # seconds a page waits for something new
_LINES = 200
_MOST = 4096  # bytes of a request's body, which nobody reads
_ROUTE = re.compile(r"/api/seats/([A-Za-z0-9][A-Za-z0-9._-]*)/([a-z]+)")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_ENTERED = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="token" content="{token}"><title>Board</title>
<script src="/enter.js"></script><noscript><meta http-equiv="refresh" content="0; url=/"></noscript></head></html>
"""
_PRINTED = "open the address that `kratosctl workshop board` printed, with all that follows ?"
_NOT_LET_IN = UsageError("this board needs its key", "", _PRINTED)
_MAY_NOT_ACT = UsageError("only a page that was opened with the board's key may do that", "", _PRINTED)
_STATUS = {UsageError: HTTPStatus.NOT_FOUND, EnvironmentBusy: HTTPStatus.CONFLICT, NotRunning: HTTPStatus.CONFLICT}


class Board(ThreadingHTTPServer):
    """The server. It leaves nothing behind, however it ends."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, directory: Path, port: int | None) -> None:
        """
        Args:
            directory: where workshop.yaml lies.
            port: where to listen; None takes the first free one.

        Raises:
            PortTaken: something else listens there.
            KratosctlError: workshop.yaml or the engine cannot be read.
        """
        workshop_file.load(directory)
        engine = reading.engine(timeout=20)
        self._window = window.opened(engine)
        self._listen(port)
        self.door = Door(self.port)
        self._observer = Observer(directory, self._window, engine.local)
        self._acts = Acts(directory, self._acted)
        self.watch = Watch(self._observer.look, self._acts.data)

    def _listen(self, port: int | None) -> None:
        for candidate in range(PORT, PORT + _PORTS) if port is None else [port]:
            try:
                super().__init__((ADDRESS, candidate), _Handler)
            except PermissionError as error:
                fix = "choose one above 1023: --port N"
                raise ConfigurationInvalid(f"port {candidate} cannot be used", error.strerror or "", fix) from None
            except OSError:
                continue
            return
        if port is None:
            super().__init__((ADDRESS, 0), _Handler)
            return
        fix = "stop it, or choose another port: --port N"
        raise PortTaken(f"port {port} is taken by {ports.holder(port)}", "the board was asked to listen there", fix)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def url(self, key: str) -> str:
        """The address that opens it."""
        return f"http://{ADDRESS}:{self.port}/?key={key}"

    def serve(self) -> None:
        """Serves until Ctrl-C."""
        self.watch.start()
        try:
            self.serve_forever(poll_interval=0.2)
        finally:
            self._acts.end()
            self.server_close()

    def act(self, seat: str, doing: str) -> None:
        """Begins to reset or restart a seat. Raises UsageError, EnvironmentBusy."""
        picture = self.watch.picture
        self._check_known(seat)
        self._acts.begin(seat, doing, bool(picture and seat in picture.whole))

    def log(self, seat: str) -> list[str]:
        """The last lines of a seat's Kratos.

        Raises:
            UsageError: there is no such seat.
            NotRunning: it has no Kratos.
        """
        self._check_known(seat)
        kratos = self._observer.kratos(seat)
        if not kratos:
            raise NotRunning(f"{seat} has no Kratos, so no log", "it was not brought up", "restart it")
        return [log_lines.shown(line) for line in self._window.logs(kratos, _LINES).splitlines()]

    def _check_known(self, seat: str) -> None:
        picture = self.watch.picture
        if not picture or all(one.seat != seat for one in picture.seats):
            raise UsageError(f"there is no seat {seat!r}")

    def _acted(self, seat: str, ended: bool) -> None:
        if ended:
            self._observer.forget(seat)
        self.watch.tell(look=ended)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that was closed is no error; nobody reads of any other on a terminal that shows a class."""


def open_page(board: Board) -> None:
    """Opens the board in the person's browser, where there is a desktop; one in the terminal would hide it."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(board.url(board.door.once()))


class _Handler(BaseHTTPRequestHandler):
    server: Board
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "kratosctl", ""
    timeout = 60

    def do_GET(self) -> None:
        self._handle(self._get)

    def do_POST(self) -> None:
        self._handle(self._post)

    def _handle(self, answer: Any) -> None:
        """Answers one request: errors of ours with what, why and fix, and all that was not expected as such."""
        try:
            if not is_loopback(self.headers.get("Host") or ""):
                self._refuse(HTTPStatus.MISDIRECTED_REQUEST, ConfigurationInvalid("this is a board of another host"))
                return
            answer(urlsplit(self.path))
        except KratosctlError as error:
            self._refuse(_STATUS.get(type(error), HTTPStatus.BAD_GATEWAY), error)
        except OSError:
            # the page was closed
            self.close_connection = True
        except Exception as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, KratosctlError("the board failed", type(error).__name__))

    def _get(self, url: Any) -> None:
        key = parse_qs(url.query).get("key", [""])[0] if url.path == "/" else ""
        if key and self.server.door.opens(key):
            # a page of its own: a cookie of this kind is not sent where another page has led here
            entered = _ENTERED.format(token=self.server.door.token).encode()
            self._answer(HTTPStatus.OK, entered, ".html", {"Set-Cookie": self.server.door.cookie()})
        elif not self.server.door.knows(self.headers):  # type: ignore[arg-type]
            self._refuse(HTTPStatus.UNAUTHORIZED, _NOT_LET_IN)
        elif url.path == "/":
            self._answer(HTTPStatus.OK, (_PAGE / "board.html").read_bytes(), ".html")
        elif url.path[1:] in _FILES:
            self._answer(HTTPStatus.OK, (_PAGE / url.path[1:]).read_bytes(), Path(url.path).suffix)
        elif url.path == "/api/seats":
            self._tell()
        elif (route := _ROUTE.fullmatch(url.path)) and route[2] == "log":
            self._json(HTTPStatus.OK, {"seat": route[1], "lines": self.server.log(route[1])})
        else:
            raise UsageError("there is no such page")

    def _tell(self) -> None:
        """The seats; to who knows them already, once something is new."""
        known = (self.headers.get("If-None-Match") or "").strip('"')
        waits = "wait" in (self.headers.get("Prefer") or "")
        said = self.server.watch.said(known, _PATIENCE if waits else 0.0)
        tag = {"ETag": f'"{said.tag}"'}
        if said.tag == known:
            self._answer(HTTPStatus.NOT_MODIFIED, b"", "", tag)
        else:
            self._answer(HTTPStatus.OK, said.body, ".json", tag)

    def _post(self, url: Any) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > _MOST or self.headers.get("Transfer-Encoding"):
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, UsageError("the request is too long"))
            return
        self.rfile.read(int(length))
        door, headers = self.server.door, self.headers
        if not door.knows(headers):  # type: ignore[arg-type]
            self._refuse(HTTPStatus.UNAUTHORIZED, _NOT_LET_IN)
        elif not door.may_act(headers):  # type: ignore[arg-type]
            self._refuse(HTTPStatus.FORBIDDEN, _MAY_NOT_ACT)
        elif route := _ROUTE.fullmatch(url.path):
            self.server.act(route[1], route[2])
            self._json(HTTPStatus.ACCEPTED, {"seat": route[1]})
        else:
            raise UsageError("there is no such page")

    def _refuse(self, status: HTTPStatus, error: KratosctlError) -> None:
        # what else such a one sends on this connection is not read
        self.close_connection = True
        if self.path.startswith("/api/"):
            self._json(status, {"error": told(error)})
        else:
            self._answer(status, "\n".join(error.lines()).encode(), ".txt")

    def _json(self, status: HTTPStatus, data: Mapping[str, Any]) -> None:
        self._answer(status, json.dumps(data, ensure_ascii=False).encode(), ".json")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, **(headers or {})}.items():
            self.send_header(name, value)
        if status != HTTPStatus.NOT_MODIFIED:
            plain = "application/json" if kind == ".json" else "text/plain"
            self.send_header("Content-Type", f"{_KINDS.get(kind, plain)}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal shows the address, and nothing moves it away."""

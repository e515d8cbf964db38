"""`mailpit` serves; `mailpit readyz` is the health check of Mailpit's image."""

from __future__ import annotations

import http.client
import os
import signal
import sys
import threading
from html import escape
from typing import NoReturn

from ..web import Handler, Request, Response, html_response, json_response, not_found, router, server
from . import access, smtp
from .inbox import Inbox, Message

SMTP_PORT = 1025
WEB_PORT = 8025

_PAGE = """<!doctype html>
<title>Mail</title>
<h1>Mail</h1>
<p>This program stands in for Mailpit, whose image could not be had here.</p>
{messages}
"""


def main(arguments: list[str]) -> NoReturn:
    if arguments == ["readyz"]:
        sys.exit(_readyz())
    inbox = Inbox()
    pages = access.guarded(web(inbox), _entries())
    for each in (smtp.server(SMTP_PORT, inbox.add), server("0.0.0.0", WEB_PORT, pages)):
        threading.Thread(target=each.serve_forever, daemon=True).start()
    print(f"stand-in for Mailpit: SMTP on port {SMTP_PORT}, inbox on port {WEB_PORT}", flush=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    sys.exit(0)


def _entries() -> dict[str, str]:
    path = os.environ.get("MP_UI_AUTH_FILE")
    try:
        return access.read(path) if path else {}
    except OSError:
        print(f"[ui] HTTP password file not found or readable: {path}", file=sys.stderr)
        sys.exit(1)


def web(inbox: Inbox) -> Handler:
    def messages(_: Request) -> Response:
        found = [message.summary() for message in inbox.all()]
        return json_response(200, {"total": len(found), "messages_count": len(found), "messages": found})

    def message(request: Request, key: str) -> Response:
        found = inbox.find(key)
        if found is None:
            return not_found(request)
        return json_response(200, found.summary() | {"Text": found.text(), "HTML": found.html()})

    def delete(request: Request) -> Response:
        inbox.delete(request.json().get("IDs", []) if request.body else [])
        return _ok(request)

    def page(_: Request) -> Response:
        shown = "".join(map(_shown, inbox.all())) or "<p>No mail yet.</p>"
        return html_response(200, _PAGE.format(messages=shown))

    return router(
        [
            ("GET", "/", page),
            ("GET", "/livez", _ok),
            ("GET", "/readyz", _ok),
            ("GET", "/api/v1/messages", messages),
            ("DELETE", "/api/v1/messages", delete),
            ("GET", "/api/v1/message/{id}", message),
        ]
    )


def _ok(_: Request) -> Response:
    return Response(200, b"ok", [("Content-Type", "text/plain")])


def _shown(message: Message) -> str:
    heading = f"{escape(message.content.get('Subject', ''))} &mdash; {escape(', '.join(message.recipients))}"
    return f"<article><h2>{heading}</h2><p>{message.received}</p><pre>{escape(message.text())}</pre></article>\n"


def _readyz() -> int:
    connection = http.client.HTTPConnection("127.0.0.1", WEB_PORT, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1

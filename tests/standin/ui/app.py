"""The pages. Kratos' flows are fetched here, server to server, and posted by the browser, to Kratos itself."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import threading
from html import escape
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

from ..web import Request, Response, html_response, json_response, redirect, router, server

_PAGE = """<!doctype html>
<title>{title}</title>
<h1>{title}</h1>
{content}
<p><a href="/login">Sign in</a> <a href="/registration">Sign up</a> <a href="/welcome">Who am I?</a></p>
<hr>
<p>This program stands in for Ory's self-service UI, whose image could not be had here.</p>
"""
_TITLES = {"login": "Sign in", "registration": "Sign up"}


def main() -> NoReturn:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    missing = [name for name in ("COOKIE_SECRET", "CSRF_COOKIE_NAME", "CSRF_COOKIE_SECRET") if not os.environ.get(name)]
    if missing:
        # The real one, too, says so and calls it a success.
        for name in missing:
            print(f"{name} must be set", file=sys.stderr)
        sys.exit(0)
    port = int(os.environ.get("PORT", "3000"))
    pages = server("0.0.0.0", port, _routes())
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    print(f"Listening on http://0.0.0.0:{port}", flush=True)
    stop.wait()
    sys.exit(0)


def _routes() -> Any:
    return router(
        [
            ("GET", "/", lambda request: redirect("/welcome")),
            ("GET", "/health/alive", lambda request: json_response(200, {"status": "ok"})),
            ("GET", "/health/ready", _ready),
            ("GET", "/welcome", _welcome),
            ("GET", "/error", lambda request: _page(400, "Error", "<p>That did not work. Start again.</p>")),
            ("GET", "/login", lambda request: _form("login", request)),
            ("GET", "/registration", lambda request: _form("registration", request)),
        ]
    )


def _ready(_: Request) -> Response:
    status, _body = _kratos("/health/ready")
    return json_response(200, {"status": "ok"}) if status == 200 else json_response(503, {"status": "not ready"})


def _welcome(request: Request) -> Response:
    status, session = _kratos("/sessions/whoami", request)
    if status != 200:
        return _page(200, "Welcome", "<p>You are not signed in.</p>")
    return _page(200, "Welcome", f"<pre>{escape(json.dumps(session['identity']['traits'], indent=2))}</pre>")


def _form(kind: str, request: Request) -> Response:
    """The form of the flow in the address; without one, Kratos is asked to start one."""
    flow = request.query.get("flow")
    start = f"{os.environ['KRATOS_BROWSER_URL'].rstrip('/')}/self-service/{kind}/browser"
    if not flow:
        return redirect(start)
    status, body = _kratos(f"/self-service/{kind}/flows?id={quote(flow)}", request)
    if status != 200:
        return redirect(start)
    ui = body["ui"]
    messages = "".join(f"<p><strong>{escape(message['text'])}</strong></p>" for message in ui.get("messages", []))
    fields = "".join(_field(node["attributes"]) for node in ui["nodes"])
    form = f'<form action="{escape(ui["action"])}" method="{ui["method"].lower()}">{fields}</form>'
    return _page(200, _TITLES[kind], messages + form)


def _field(attributes: dict[str, Any]) -> str:
    name, kind, value = (escape(str(attributes.get(key, ""))) for key in ("name", "type", "value"))
    if kind == "submit":
        return f'<p><button type="submit" name="{name}" value="{value}">Submit</button></p>'
    field = f'<input type="{kind}" name="{name}" value="{value}">'
    return field if kind == "hidden" else f"<p><label>{name} {field}</label></p>"


def _page(status: int, title: str, content: str) -> Response:
    return html_response(status, _PAGE.format(title=title, content=content))


def _kratos(path: str, request: Request | None = None) -> tuple[int, Any]:
    """Ask Kratos' public API, with the browser's cookies."""
    url = urlsplit(os.environ["KRATOS_PUBLIC_URL"])
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=5)
    headers = {"Accept": "application/json", "Cookie": request.headers.get("cookie", "") if request else ""}
    try:
        connection.request("GET", url.path.rstrip("/") + path, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    except OSError:
        return 502, None

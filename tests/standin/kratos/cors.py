"""Cross-origin requests: which pages of other origins may read an answer, told before and with it."""

from __future__ import annotations

from collections.abc import Callable

from ..web import Handler, Request, Response
from .config import Config


def shared(handle: Handler, config: Callable[[], Config]) -> Handler:
    """The handler, with what `serve.public.cors` says of the origin that asks."""

    def answer(request: Request) -> Response:
        cors = config().get("serve.public.cors") or {}
        asked = request.method == "OPTIONS" and "access-control-request-method" in request.headers
        if not cors.get("enabled"):
            return handle(request)
        response = Response(204) if asked else handle(request)
        allowed = _allowed(request.headers.get("origin", ""), cors.get("allowed_origins") or ["*"])
        if not allowed:
            return response
        headers = [("Access-Control-Allow-Origin", allowed), ("Access-Control-Allow-Credentials", "true")]
        if asked:
            headers.append(("Access-Control-Allow-Methods", request.headers["access-control-request-method"]))
        return response.with_headers(*headers)

    return answer


def _allowed(origin: str, patterns: list[str]) -> str:
    if not origin or "*" in patterns:
        return "*" if origin else ""
    for pattern in patterns:
        before, star, after = pattern.partition("*")
        if origin == pattern or (star and origin.startswith(before) and origin.endswith(after)):
            return origin
    return ""

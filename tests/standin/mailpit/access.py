"""The htpasswd file of MP_UI_AUTH_FILE: who may open the inbox. Plain and {SHA} entries are understood."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

from ..web import Handler, Request, Response

_OPEN_TO_ALL = ("/livez", "/readyz")


def read(path: str) -> dict[str, str]:
    """The entries by name.

    Raises:
        OSError: it cannot be read.
    """
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return dict(line.split(":", 1) for line in lines if ":" in line)


def guarded(handle: Handler, entries: dict[str, str]) -> Handler:
    """Asks for a name and a password; like the real one it asks nobody where there is no entry."""
    if not entries:
        return handle

    def answer(request: Request) -> Response:
        if request.path in _OPEN_TO_ALL or _knows(entries, request.headers.get("authorization", "")):
            return handle(request)
        return Response(
            401,
            b"Unauthorized.\n",
            [("Www-Authenticate", 'Basic realm="Login"'), ("Content-Type", "text/plain; charset=utf-8")],
        )

    return answer


def _knows(entries: dict[str, str], header: str) -> bool:
    scheme, _, encoded = header.partition(" ")
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return False
    kept = entries.get(user)
    if scheme.lower() != "basic" or kept is None:
        return False
    if kept.startswith("{SHA}"):
        password = "{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
    return hmac.compare_digest(kept.encode(), password.encode())

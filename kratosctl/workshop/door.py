"""Who may look at a board. It is served on loopback, where every program and every web page of this host can knock."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN_HEADER = "X-Kratosctl-Token"


class Door:
    """The keys of one run of a board. None of them outlives it.

    The key in the printed address is exchanged for a cookie, which no script can read, and for a token beside it, which
    whatever changes anything needs. The page keeps that where no other port can read it: the cookie is sent to every
    server of this host that the browser visits, whose owner can then look, but not act.
    """

    def __init__(self, port: int) -> None:
        self.key = secrets.token_urlsafe(24)
        self.token = secrets.token_urlsafe(24)
        self._cookie = secrets.token_urlsafe(24)
        self._name = f"kratosctl-board-{port}"
        self._once: set[str] = set()

    def once(self) -> str:
        """A key that opens once: it is in a browser's command line, which every user of this host can read."""
        key = secrets.token_urlsafe(24)
        self._once.add(key)
        return key

    def opens(self, key: str) -> bool:
        """Whether a key from an address is one of ours."""
        for one in list(self._once):
            if _same(key, one):
                self._once.discard(one)
                return True
        return _same(key, self.key)

    def cookie(self) -> str:
        """What a browser is given to keep."""
        return f"{self._name}={self._cookie}; Path=/; HttpOnly; SameSite=Strict"

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from a browser that was let in."""
        # not SimpleCookie: it reads none where another server of this host has set one of its own kind, such as JSON
        pairs = (pair.strip().partition("=") for pair in (headers.get("Cookie") or "").split(";"))
        return any(name == self._name and _same(value, self._cookie) for name, _, value in pairs)

    def may_act(self, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from the board's own page: its origin, and its token."""
        origin = urlsplit(headers.get("Origin") or "")
        own = origin.scheme == "http" and origin.netloc == (headers.get("Host") or "")
        return own and _same(headers.get(TOKEN_HEADER) or "", self.token)


def is_loopback(host: str) -> bool:
    """Whether a Host header names this host's loopback: a name of somebody's that leads here is none of ours."""
    try:
        return urlsplit(f"//{host}").hostname in _LOOPBACK
    except ValueError:
        return False


def _same(given: str, ours: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), ours.encode())

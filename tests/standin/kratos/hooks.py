"""Web hooks: a request to somebody else, who has to take it. Neither its body nor its answer means anything here."""

from __future__ import annotations

from collections.abc import Iterable

from .identities import Record

_TRIES = 3


class Failed(Exception):
    """Nobody took it."""


def run_web_hooks(hooks: Iterable[Record]) -> None:
    """Calls them one after the other."""
    for hook in hooks:
        if hook.get("hook") == "web_hook":
            _call(hook["config"])


def _call(config: Record) -> None:
    import urllib.request  # slow to import, and seldom needed

    url, method = config["url"], config.get("method", "POST")
    for left in reversed(range(_TRIES)):
        try:
            urllib.request.urlopen(urllib.request.Request(url, b"{}", method=method), timeout=5).close()
        except OSError as error:
            if not left:
                said = getattr(error, "reason", error)
                raise Failed(f'{method} {url} giving up after {_TRIES} attempt(s): {method} "{url}": {said}') from error
        else:
            return

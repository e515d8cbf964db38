"""What Kratos says of an identity it refuses, in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_LONGEST = 300
# I[#/traits/email] S[#/properties/…] "x" is not valid "email"
_VIOLATION = re.compile(r"\s*I\[#/?([^\]]*)\] S\[[^\]]*\] (.*)")


def in_words(error: Any, secrets: Iterable[str] = ()) -> str:
    """Kratos' reason in one line.

    Args:
        error: the `error` of an answer.
        secrets: what must not be shown, should Kratos quote it.
    """
    found = error if isinstance(error, dict) else {}
    said = str(found.get("reason") or found.get("message") or error or "no reason given")
    lines = [_violation(line) for line in said.splitlines()]
    # the first line says only that the others follow
    telling = [line for line in lines if line and not line.endswith("validation failed")] or lines
    text = "; ".join(dict.fromkeys(" ".join(line.split()) for line in telling))
    for secret in secrets:
        text = text.replace(secret, "…")
    text = "".join(letter if letter.isprintable() else "\ufffd" for letter in text.removeprefix("json: "))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _violation(line: str) -> str:
    match = _VIOLATION.fullmatch(line)
    return f"{match[1].replace('/', '.')}: {match[2]}" if match else line

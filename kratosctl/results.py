"""What a command found or did: one shape, rendered for a person or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kratosctl import __version__
from kratosctl.errors import KratosctlError

ENVELOPE = 1


@dataclass(frozen=True)
class Result:
    """
    Attributes:
        command: the command's name.
        data: what was found, as JSON-able data; never a secret.
        text: renders the same for a person, without a trailing line break.
        warnings: what a person should know, one line each.
        exit_code: 0, or 1 where a check found something wrong.
        after: what nobody has to wait for, done once the result is said; it raises nothing.
    """

    command: str
    data: Mapping[str, Any]
    text: Callable[[], str] = lambda: ""
    warnings: Sequence[str] = field(default=())
    exit_code: int = 0
    after: Callable[[], None] | None = None

    def json(self) -> str:
        """The envelope that scripts read."""
        return _envelope(self.command, self.exit_code == 0, self.data, self.warnings, None)


def error_json(command: str, error: KratosctlError) -> str:
    """The envelope of a failure."""
    said = {
        "code": error.code,
        "exit_code": error.exit_code,
        "what": error.what,
        "why": error.why,
        "fix": error.fix,
    }
    return _envelope(command, False, {}, (), said)


def _envelope(
    command: str, ok: bool, data: Mapping[str, Any], warnings: Sequence[str], error: Mapping[str, Any] | None
) -> str:
    envelope = {
        "envelope": ENVELOPE,
        "kratosctl": __version__,
        "command": command,
        "ok": ok,
        "data": data,
        "warnings": list(warnings),
        "error": error,
    }
    return json.dumps(envelope, indent=2, ensure_ascii=False)


def counted(number: int, word: str, many: str = "") -> str:
    """`1 seat`, `2 seats`; `many` is the word for several where an s does not make it."""
    return f"{number} {word if number == 1 else many or word + 's'}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their widest cell, for people and for `cut`."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )

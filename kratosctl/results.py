"""What a command found or did: one shape, rendered for a person or as JSON."""

from __future__ import annotations

import codecs
import itertools
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kratosctl import __version__
from kratosctl.errors import KratosctlError

ENVELOPE = 1
_GAP = "  "
_LEAST_LAST = 20
# keys of data under which there is what to do next
_TYPED = ("next", "fix")


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

    def json(self, told: Callable[[str], str] = str) -> str:
        """The envelope that scripts read; `told` completes the commands that there are to type."""
        data, warnings = _completed(self.data, told), [told(line) for line in self.warnings]
        return _envelope(self.command, self.exit_code == 0, data, warnings, None)


def error_json(command: str, error: KratosctlError, told: Callable[[str], str] = str) -> str:
    """The envelope of a failure."""
    said = {
        "code": error.code,
        "exit_code": error.exit_code,
        "what": told(error.what),
        "why": told(error.why),
        "fix": told(error.fix),
    }
    return _envelope(command, False, {}, (), said)


def _completed(data: Any, told: Callable[[str], str], typed: bool = False) -> Any:
    """Data in which the commands of `next` and `fix` are completed, and all else is as it was found."""
    if isinstance(data, Mapping):
        return {key: _completed(value, told, key in _TYPED) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_completed(value, told, typed) for value in data]
    return told(data) if typed and isinstance(data, str) else data


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
    # what another encoding lacks would be escaped in a way that JSON does not know
    plain = codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"
    text = json.dumps(envelope, indent=2, ensure_ascii=plain)
    # JSON lets these stand as they are; a terminal would obey them
    return re.sub("[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text)


def counted(number: int, word: str, many: str = "") -> str:
    """`1 seat`, `2 seats`; `many` is the word for several where an s does not make it."""
    return f"{number} {word if number == 1 else many or word + 's'}"


def sized(number: int) -> str:
    """Bytes for people: `96 KiB`, `1.5 MiB`, `640 MiB`, `2.1 GiB`."""
    mebibytes = number / (1 << 20)
    if mebibytes < 1:
        return f"{-(-number // 1024)} KiB"
    if mebibytes < 1000:
        return f"{mebibytes:.{1 if mebibytes < 10 else 0}f} MiB"
    return f"{mebibytes / 1024:.1f} GiB"


def table(head: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None) -> str:
    """Columns as wide as their widest cell, for people and for `cut`; on a terminal no wider than that.

    Args:
        head: the columns' names.
        rows: their cells.
        width: what there is room for, in characters; None is the terminal's, or any where none is printed on.
    """
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    room = (width or terminal_width() or sum(widths) + len(_GAP) * len(widths)) - len(_GAP) * (len(widths) - 1)
    least = [max(len(word) for row in cells for word in row[column].split() or [""]) for column in range(len(head))]
    # a path at the end of a line is longer than any room, and may run over
    least[-1] = min(least[-1], _LEAST_LAST)
    if sum(least) > room:
        return _blocks(cells)
    while sum(widths) > room:
        widest = max(range(len(widths)), key=lambda column: (widths[column] > least[column], widths[column]))
        widths[widest] -= 1
    return "\n".join(line for row in cells for line in _lines(row, widths))


def terminal_width() -> int | None:
    """Characters of a line of the terminal that results are printed on; None where they go elsewhere."""
    if not sys.stdout.isatty():
        return None
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(1).columns)
    except (OSError, ValueError):
        return None


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """One row: a line, or several where a cell is longer than its column."""
    wrapped = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    lines = itertools.zip_longest(*wrapped, fillvalue="")
    return [_GAP.join(part.ljust(width) for part, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _wrapped(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _blocks(cells: Sequence[Sequence[str]]) -> str:
    """For a terminal that is too narrow for columns: each row's cells below each other, with their names."""
    head, *rows = cells
    longest = max(map(len, head))
    lines = []
    for first, *others in rows:
        lines.append(first)
        lines += [f"{_GAP}{name:<{longest}}{_GAP}{cell}" for name, cell in zip(head[1:], others, strict=True) if cell]
    return "\n".join(lines)

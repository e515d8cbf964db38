"""Rows of JSON: an array, `{"identities": [...]}`, or objects one after another, as JSON lines. Read as a stream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any

from kratosctl.seeding.rows import Bad, Row

_CHUNK = 1 << 16
# Kratos takes no more in one request
_LONGEST = 5 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
_WRAPPED = re.compile(r'\{[ \t\r\n]*"identities"[ \t\r\n]*:[ \t\r\n]*\[')
_REST = "the rest of the file was not read"


def read(file: IO[str], name: str) -> Iterator[Row | Bad]:
    """Reads the rows of a JSON text.

    Args:
        file: the text; bytes that are not UTF-8 as surrogates.
        name: its name, for the places of rows.
    """
    text = _Text(file)
    text.fill()
    text.skip("\ufeff")
    text.space()
    if text.opens(_WRAPPED):
        yield from _array(text, name, closing="}")
    elif text.skip("["):
        yield from _array(text, name)
    else:
        yield from _one_after_another(text, name)


class _NotJson(Exception):
    """Where the text stops to be JSON, and why; nothing of the text is quoted."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line, self.why = line, why


class _Text:
    """The part of a text that was read and not yet consumed, and the line it begins in."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._decoder = file, json.JSONDecoder()
        self._at, self._buffer, self._ended = 0, "", False
        self.line = 1

    def fill(self) -> bool:
        """Reads on; says whether there was more."""
        chunk = "" if self._ended else self._file.read(_CHUNK)
        self._ended = not chunk
        self._buffer, self._at = self._buffer[self._at :] + chunk, 0
        return bool(chunk)

    def space(self) -> bool:
        """Consumes white space; says whether anything follows it."""
        while True:
            match = _SPACE.match(self._buffer, self._at)
            self._consume(match.end() if match else self._at)
            if self._at < len(self._buffer) or not self.fill():
                return self._at < len(self._buffer)

    def skip(self, expected: str) -> bool:
        """Consumes a character, if it comes next."""
        if not self._buffer.startswith(expected, self._at):
            return False
        self._consume(self._at + len(expected))
        return True

    def opens(self, pattern: re.Pattern[str]) -> bool:
        """Consumes what matches a pattern, if that comes next."""
        match = pattern.match(self._buffer, self._at)
        if match:
            self._consume(match.end())
        return bool(match)

    def value(self) -> Any:
        """Consumes one JSON value.

        Raises:
            _NotJson: there is none, or it is longer than Kratos takes; nothing was consumed.
        """
        while True:
            try:
                found, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                # it may only not have been read to its end
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self._buffer) - 8
                if cut and len(self._buffer) - self._at < _LONGEST and self.fill():
                    continue
                line = self.line + self._buffer.count("\n", self._at, error.pos)
                raise _NotJson(line, f"not JSON: {error.msg[0].lower()}{error.msg[1:]}") from None
            except RecursionError:
                raise _NotJson(self.line, "it is nested too deeply") from None
            except ValueError:
                raise _NotJson(self.line, "it holds a number that is too long") from None
            # a number may go on
            if end == len(self._buffer) and self.fill():
                continue
            self._consume(end)
            return found

    @property
    def begins_object(self) -> bool:
        """Whether an object comes next."""
        return self._buffer.startswith("{", self._at)

    def next_line(self) -> None:
        """Consumes the rest of a line."""
        while (end := self._buffer.find("\n", self._at)) < 0:
            self._at = len(self._buffer)
            if not self.fill():
                return
        self._consume(end + 1)

    def _consume(self, end: int) -> None:
        self.line += self._buffer.count("\n", self._at, end)
        self._at = end


def _array(text: _Text, name: str, closing: str = "") -> Iterator[Row | Bad]:
    first = True
    while text.space():
        if text.skip("]"):
            if closing and not (text.space() and text.skip(closing)):
                yield Bad(name, text.line, f"not JSON: expected {closing} behind the array; {_REST}")
            elif text.space():
                yield Bad(name, text.line, f"not JSON: something follows its end; {_REST}")
            return
        if not first and not (text.skip(",") and text.space()):
            yield Bad(name, text.line, f"not JSON: expected a comma; {_REST}")
            return
        first = False
        line = text.line
        try:
            value = text.value()
        except _NotJson as error:
            yield Bad(name, error.line, f"{error.why}; {_REST}")
            return
        yield _row(name, line, value)
    yield Bad(name, text.line, "not JSON: the array has no end")


def _one_after_another(text: _Text, name: str) -> Iterator[Row | Bad]:
    """Objects, each on a line or spread over several. One that is wrong is skipped where each has its line."""
    while text.space():
        line = text.line
        try:
            value = text.value()
        except _NotJson as error:
            text.next_line()
            if text.space() and not text.begins_object:
                yield Bad(name, error.line, f"{error.why}; {_REST}")
                return
            yield Bad(name, line, error.why)
            continue
        if isinstance(value, dict) and isinstance(value.get("identities"), list):
            yield from (_row(name, line, one) for one in value["identities"])
        else:
            yield _row(name, line, value)


def _row(name: str, line: int, value: Any) -> Row | Bad:
    return Row(name, line, value) if isinstance(value, dict) else Bad(name, line, "expected an object")

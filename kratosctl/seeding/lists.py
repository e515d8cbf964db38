"""Rows of YAML: a list, `identities:` with a list, or one document after another. Read event by event, as a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any

import yaml

from kratosctl.seeding.rows import Bad, BadRow, Row

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 50
# of one row; aliases count as what they stand for
_MOST_VALUES = 100_000
_NULL = re.compile("|~|null|Null|NULL")
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_INTEGER = re.compile("-?(?:0|[1-9][0-9]{0,300})")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,300})\.[0-9]{1,300}(?:[eE][-+]?[0-9]{1,3})?")
_QUOTED = re.compile("(['\"]).*\\1")


def read(file: IO[bytes], name: str) -> Iterator[Row | Bad]:
    """Reads the rows of a YAML text, in constant memory but for its anchors.

    Texts that YAML 1.1 reads as dates, octal numbers or `yes` stay the texts they are.

    Args:
        file: the text.
        name: its name, for the places of rows.
    """
    events = _Events(file)
    try:
        yield from _documents(events, name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else events.line
        # a word in quotation marks may be of a password
        said = _QUOTED.sub("…", error.problem or "it ends too early")
        yield Bad(name, line, f"not YAML: {said}; the rest of the file was not read")
    except RecursionError:
        yield Bad(name, events.line, "it is nested too deeply; the rest of the file was not read")
    except yaml.YAMLError:
        yield Bad(name, events.line, "not YAML: it is no UTF-8 text; the rest of the file was not read")


class _Events:
    """The events of a YAML text, and the values they make."""

    def __init__(self, file: IO[bytes]) -> None:
        self._parser = _LOADER(file)
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._made, self._problem = 0, ""
        self.line = 1

    def next(self) -> yaml.Event:
        event: yaml.Event = self._parser.get_event()
        self.line = event.start_mark.line + 1 if event.start_mark else self.line
        if isinstance(event, yaml.DocumentStartEvent):
            self._anchors.clear()
        return event

    def value(self, event: yaml.Event) -> Any:
        """The value that begins with an event.

        Raises:
            BadRow: it holds what makes no value; it was read to its end all the same.
        """
        self._made, self._problem = 0, ""
        value = self._value(event, 0)
        self._raise()
        return value

    def mapping(self, list_at: str = "") -> tuple[dict[str, Any], bool]:
        """The mapping whose begin was read, or what stands of it before a list at a key.

        Returns:
            The items, and whether that list comes next.

        Raises:
            BadRow: as `value` does.
        """
        self._made, self._problem = 0, ""
        found, stopped = self._mapping(0, list_at)
        self._raise()
        return found, stopped

    def _raise(self) -> None:
        if self._problem:
            raise BadRow(self._problem)

    def _value(self, event: yaml.Event, depth: int) -> Any:
        before = self._made
        self._made += 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                self._wrong("an alias (*) that stands for nothing: put what begins with * in quotes")
                return None
            value, size = self._anchors[event.anchor]
            self._made += size
        elif isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(depth)
        else:
            value, _ = self._mapping(depth, "")
        if depth > _DEEPEST:
            self._wrong("it is nested too deeply")
        if self._made > _MOST_VALUES:
            self._wrong("it holds too many values")
        if isinstance(event, yaml.NodeEvent) and event.anchor and not isinstance(event, yaml.AliasEvent):
            self._anchors[event.anchor] = (value, self._made - before)
        return value

    def _sequence(self, depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            found.append(self._value(event, depth + 1))
        return found

    def _mapping(self, depth: int, list_at: str) -> tuple[dict[str, Any], bool]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            scalar = event if isinstance(event, yaml.ScalarEvent) else None
            key = scalar.value if scalar else None
            if key is None:
                self._wrong("a key that is no text")
                self._value(event, depth + 1)
            elif key == list_at and isinstance(self._parser.peek_event(), yaml.SequenceStartEvent):
                return {**merged, **found}, True
            value = self._value(self.next(), depth + 1)
            if scalar and key == "<<" and scalar.implicit[0]:
                for one in reversed(value if isinstance(value, list) else [value]):
                    merged |= one if isinstance(one, dict) else {}
            elif key in found:
                self._wrong(f"{key[:40]!r} stands here twice")
            elif key is not None:
                found[key] = value
        return {**merged, **found}, False

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        """A scalar as JSON would have it."""
        text = event.value
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            self._wrong("a value with a tag (!): put what begins with ! in quotes")
        if not event.implicit[0] or event.tag:
            return text
        if _NULL.fullmatch(text):
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _wrong(self, problem: str) -> None:
        self._problem = self._problem or problem


def _documents(events: _Events, name: str) -> Iterator[Row | Bad]:
    while not isinstance(event := events.next(), yaml.StreamEndEvent):
        if isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent | yaml.DocumentEndEvent):
            continue
        if isinstance(event, yaml.SequenceStartEvent):
            yield from _items(events, name)
        elif isinstance(event, yaml.MappingStartEvent):
            yield from _mapping(events, name)
        elif not (isinstance(event, yaml.ScalarEvent) and _NULL.fullmatch(event.value)):
            yield Bad(name, events.line, "expected a list of mappings")


def _items(events: _Events, name: str) -> Iterator[Row | Bad]:
    while not isinstance(event := events.next(), yaml.SequenceEndEvent):
        line = events.line
        try:
            value = events.value(event)
        except BadRow as error:
            yield Bad(name, line, str(error))
            continue
        yield Row(name, line, value) if isinstance(value, dict) else Bad(name, line, "expected a mapping")


def _mapping(events: _Events, name: str) -> Iterator[Row | Bad]:
    """A document that is a mapping: one identity, or `identities:` with a list, beside which anchors may stand."""
    line, lists, more = events.line, False, True
    while more:
        try:
            found, more = events.mapping("identities")
        except BadRow as error:
            yield Bad(name, line, str(error))
            return
        if more:
            lists = True
            events.next()
            yield from _items(events, name)
    if not lists:
        yield Row(name, line, found)

"""YAML texts of users: read into nodes that know their positions, and changed in one place with all else left alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kratosctl.errors import ConfigurationInvalid

BYTE_ORDER_MARK = "\ufeff"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 100
# libyaml from 0.2.6 on reads ahead, and says this of 1,000 open lists before it gives the first of them.
_NESTED_FOR_LIBYAML = "exceeded maximum nesting depth"
_MOST_VALUES = 1_000_000
_NOT_TEXT = yaml.reader.Reader.NON_PRINTABLE
_TO_LINE_END = re.compile("[^\n\r\x85\u2028\u2029]*")
_REST_OF_LINE = re.compile(_TO_LINE_END.pattern + "(?:\r\n|[\n\r\x85\u2028\u2029])?")
_COLON = re.compile(r"[ \t]*:")


def read_text(path: Path) -> str:
    """Reads a user's file as UTF-8, with its line ends and byte order mark as they are.

    Raises:
        ConfigurationInvalid: it cannot be read, or is not text.
    """
    try:
        data = path.read_bytes()
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = position(data[: error.start].decode("utf-8"), error.start)
        raise ConfigurationInvalid(f"{path.name}:{line}:{column}: not UTF-8 text") from error
    except OSError as error:
        fix = "check its permissions" if isinstance(error, PermissionError) else ""
        raise ConfigurationInvalid(f"{path}: cannot be read", error.strerror or "", fix) from error


def parse(text: str, where: str) -> yaml.Node | None:
    """Parses YAML into nodes.

    Args:
        text: the file's text; of a byte order mark nothing is seen in positions.
        where: the file's name for error messages.

    Returns:
        The root; None where there are only comments.

    Raises:
        ConfigurationInvalid: the text is not YAML, or not what a person would write; with line and column.
    """
    text = text.removeprefix(BYTE_ORDER_MARK)
    odd = _NOT_TEXT.search(text) or re.search(BYTE_ORDER_MARK, text)
    if odd:
        line, column = position(text, odd.start())
        raise ConfigurationInvalid(
            f"{where}:{line}:{column}: not valid YAML: U+{ord(odd[0]):04X} cannot stand in a text"
        )
    try:
        _refuse_deep(text, where)
        node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, where) from error
    except yaml.YAMLError as error:
        raise ConfigurationInvalid(f"{where}: not valid YAML: {str(error).splitlines()[0]}") from error
    if node is not None and _size(node, {}) > _MOST_VALUES:
        raise ConfigurationInvalid(f"{where}: its aliases make more than {_MOST_VALUES} values of it")
    return node


def load(text: str, where: str) -> Any:
    """Parses YAML into Python's own types.

    Args:
        text: the file's text.
        where: the file's name for error messages.

    Returns:
        The data; None where there are only comments.

    Raises:
        ConfigurationInvalid: as `parse`, and for values that are not what their tag says.
    """
    parse(text, where)
    try:
        return yaml.load(text.removeprefix(BYTE_ORDER_MARK), Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, where) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationInvalid(f"{where}: not valid YAML: {str(error)[:120]}") from error


def _not_yaml(error: yaml.MarkedYAMLError, where: str) -> ConfigurationInvalid:
    place = _place(where, error.problem_mark or error.context_mark)
    if error.problem == _NESTED_FOR_LIBYAML:
        return _nested(place)
    return ConfigurationInvalid(f"{place}: not valid YAML: {error.problem or error.context}")


def _nested(place: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(f"{place}: nested more than {_DEEPEST} levels deep")


def _place(where: str, mark: Any) -> str:
    return f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where


def items(node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    """The items of a mapping, whatever their tags; none where the node is no mapping."""
    return [(str(key.value), value) for key, value in node.value] if isinstance(node, yaml.MappingNode) else []


def value_of(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value of a mapping's key; None where there is none."""
    return next((value for name, value in items(node) if name == key), None)


def position(text: str, index: int) -> tuple[int, int]:
    """Line and column of a character, both from 1, as editors count them."""
    before = re.split("\r\n|[\n\r\x85\u2028\u2029]", text[:index])
    return len(before), len(before[-1]) + 1


def _refuse_deep(text: str, where: str) -> None:
    """The parser's C code recurses, and would overflow its stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise _nested(_place(where, event.start_mark))


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for once its aliases are followed; one that holds itself counts as too many."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = _MOST_VALUES + 1
        below = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
        known[id(node)] = 1 + sum(_size(part, known) for part in below)
    return known[id(node)]


def flow(value: Any) -> str:
    """A value on one line, as people write it: `{release: v26.2.0, ui: true}`. It can stand among others."""
    text: str = yaml.safe_dump([value], default_flow_style=True, sort_keys=False, width=1_000_000, allow_unicode=True)
    return text.strip()[1:-1]


def put(
    text: str, node: yaml.Node | None, path: Sequence[str], value: Any, show: Callable[[Any], str] = flow
) -> str | None:
    """Sets one value, and leaves all else as it is.

    Args:
        text: what the node was parsed from.
        node: a mapping.
        path: the keys that lead from it to the value; those that are not there are made.
        value: scalars, lists and mappings.
        show: writes a value on one line.

    Returns:
        The new text; None where it is written in a way that cannot be added to, such as an alias. Whoever calls
        parses the new text and sees whether it says what it should.
    """
    for depth, key in enumerate(path):
        rest = path[depth + 1 :]
        found = find(node, key) if isinstance(node, yaml.MappingNode) else None
        if found is None:
            return append(text, node, {key: _below(rest, value)}) if node else None
        key_node, inner = found
        if is_alias(key_node, inner):
            return None
        if inner.start_mark.index == inner.end_mark.index or (rest and is_null(inner)):
            return fill(text, key_node, inner, " " + show(_below(rest, value)))
        if not rest:
            return text[: inner.start_mark.index] + show(value) + text[end_of(key_node, inner) :]
        node = inner
    return None


def _below(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def append(text: str, mapping: yaml.Node, items: Mapping[str, Any]) -> str | None:
    """Adds items behind the last one."""
    if not isinstance(mapping, yaml.MappingNode) or not items:
        return None
    pairs = [f"{key}: {flow(value)}" for key, value in items.items()]
    if not mapping.value:
        opened = text.find("{", mapping.start_mark.index, mapping.end_mark.index) + 1
        return f"{text[:opened]}{', '.join(pairs)}{text[opened:]}" if opened else None
    end = end_of(*mapping.value[-1])
    if mapping.flow_style:
        return f"{text[:end]}, {', '.join(pairs)}{text[end:]}"
    found = _REST_OF_LINE.match(text, end)
    end = found.end() if found else len(text)
    indent = " " * mapping.value[0][0].start_mark.column
    lines = "".join(f"{indent}{pair}{line_break(text)}" for pair in pairs)
    return f"{text[:end]}{_break_missing(text[:end])}{lines}{text[end:]}"


def fill(text: str, key: yaml.Node, null: yaml.Node, said: str) -> str | None:
    """Puts a value where there is none, or null. A comment behind the key stays there."""
    colon = _COLON.match(text, key.end_mark.index)
    if not colon:
        return None
    text = text[: colon.end()] + text[max(colon.end(), null.end_mark.index) :]
    after = colon.end()
    if said.startswith(("\n", "\r")):
        rest = _TO_LINE_END.match(text, after)
        after = rest.end() if rest else after
    return text[:after] + said + text[after:]


def find(mapping: yaml.MappingNode, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """The item of a mapping's key: the key's node and the value's."""
    return next((item for item in mapping.value if item[0].value == key), None)


def end_of(key: yaml.Node, value: yaml.Node) -> int:
    """Where the text of an item ends. A block mapping itself ends where the next token starts, far below."""
    if is_alias(key, value):
        return int(key.end_mark.index)
    if isinstance(value, yaml.CollectionNode) and not value.flow_style and value.value:
        last = value.value[-1]
        return end_of(*last) if isinstance(last, tuple) else end_of(key, last)
    return int(max(key.end_mark.index, value.end_mark.index))


def is_alias(key: yaml.Node, value: yaml.Node) -> bool:
    """An alias stands for a node that was written before its key."""
    return bool(value.start_mark.index < key.start_mark.index)


def is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def line_break(text: str) -> str:
    """How lines of a text end."""
    return "\r\n" if "\r\n" in text else "\n"


def _break_missing(text: str) -> str:
    return "" if not text or text.endswith(("\n", "\r", "\x85", "\u2028", "\u2029")) else line_break(text)

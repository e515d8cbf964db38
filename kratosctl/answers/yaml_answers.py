"""What people answered in a YAML file: keys of the table of questions, each refused with the place where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from kratosctl import questions
from kratosctl.errors import ConfigurationInvalid, KratosctlError

# beside kratosctl.yaml: who sits where in a class, and what every seat is
WORKSHOP_FILE = "workshop.yaml"


def answers(node: yaml.Node, where: str) -> dict[str, Any]:
    """The answers of a mapping by key, each in its proper type; none where the node is empty.

    Args:
        node: the mapping.
        where: the file's name, for errors.

    Raises:
        ConfigurationInvalid, UnknownKey: with file, line, column and what was expected.
    """
    answers: dict[str, Any] = {}
    if is_empty(node):
        return answers
    for key_node, value in items(node, where, tuple(questions.BY_KEY), "a mapping of keys to values"):
        question = questions.BY_KEY[key_node.value]
        try:
            if not is_plain(value):
                raise ConfigurationInvalid(
                    f"{question.key}: expected {questions.expected(question)}, found {found(value)}"
                )
            answers[question.key] = questions.check_value(question, value.value)
        except KratosctlError as error:
            error.what = f"{place(value, where)}: {error.what}"
            raise
    return answers


def name(key: yaml.Node, where: str) -> str:
    """The name of an environment that a key gives.

    Raises:
        NameInvalid: it cannot be one.
    """
    try:
        return questions.check_name(key.value)
    except KratosctlError as error:
        error.what = f"{place(key, where)}: {error.what}"
        raise


def items(
    node: yaml.Node, where: str, known: tuple[str, ...] | None, expected: str
) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """The items of a mapping; refuses other nodes, repeated keys and, given known keys, all others."""
    if not isinstance(node, yaml.MappingNode):
        raise ConfigurationInvalid(f"{place(node, where)}: expected {expected}, found {found(node)}")
    seen: set[str] = set()
    for key_node, value in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigurationInvalid(f"{place(key_node, where)}: expected a name, found {found(key_node)}")
        key = key_node.value
        if key_node.tag == "tag:yaml.org,2002:merge":
            raise ConfigurationInvalid(
                f"{place(key_node, where)}: merge keys (<<) are not read here",
                fix="write the values out, or use an alias",
            )
        if key in seen:
            raise ConfigurationInvalid(f"{place(key_node, where)}: {key[:60]!r} stands here a second time")
        if known is not None and key not in known:
            raise questions.unknown_key(key, list(known), place(key_node, where))
        seen.add(key)
        yield key_node, value


def is_plain(node: yaml.Node) -> bool:
    """True for a scalar whose text is its value: no null, and no tag of somebody's own."""
    plain = ("str", "bool", "int", "float", "timestamp")
    return isinstance(node, yaml.ScalarNode) and node.tag in [f"tag:yaml.org,2002:{tag}" for tag in plain]


def is_empty(node: yaml.Node) -> bool:
    """Nothing was written there."""
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def found(node: yaml.Node) -> str:
    """What stands there, in words."""
    if is_empty(node):
        return "nothing"
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value[:60]) if is_plain(node) else f"a value tagged {node.tag[:60]}"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def place(node: yaml.Node, where: str) -> str:
    """File, line and column, as editors count them."""
    return f"{where}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"

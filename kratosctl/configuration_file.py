"""kratosctl.yaml: what people asked for. Read with exact error positions; written without touching what they wrote."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from kratosctl import questions, yaml_text
from kratosctl.atomic import write_atomically
from kratosctl.errors import ConfigurationInvalid, KratosctlError

FILE_NAME = "kratosctl.yaml"
_HEADER = """\
# What `kratosctl up` makes. Yours to edit and commit; `kratosctl schema` prints the JSON Schema of this file.
environments:
"""


def load(directory: Path) -> dict[str, dict[str, Any]]:
    """Reads the answers of each environment; an absent file is an empty one.

    Args:
        directory: where kratosctl.yaml lies.

    Raises:
        ConfigurationInvalid, UnknownKey, NameInvalid: with file, line, column and what was expected.
    """
    return parse(_text(directory))


def _text(directory: Path) -> str:
    path = directory / FILE_NAME
    return yaml_text.read_text(path) if os.path.lexists(path) else ""


def parse(text: str) -> dict[str, dict[str, Any]]:
    """Reads the answers of each environment from the text of kratosctl.yaml; raises what `load` raises."""
    root = yaml_text.parse(text, FILE_NAME)
    if root is None or _is_empty(root):
        return {}
    found: dict[str, dict[str, Any]] = {}
    for _, node in _items(root, ("environments",), "a mapping with `environments:`"):
        if not _is_empty(node):
            for name, answers in _items(node, None, "a mapping of names to environments"):
                found[_checked_name(name)] = {} if _is_empty(answers) else _answers(answers)
    return found


def add(text: str, name: str, answers: Mapping[str, Any]) -> str:
    """Returns the text of kratosctl.yaml with answers of one environment set, and all else as it was written.

    Args:
        text: a text that `parse` accepts.
        name: the environment; it is added if it is not there.
        answers: values by key.

    Raises:
        ConfigurationInvalid: the text is not valid, or written in a way that cannot be added to, such as an alias.
    """
    if text.startswith(yaml_text.BYTE_ORDER_MARK):
        return text[0] + add(text[1:], name, answers)
    before = parse(text)
    there = before.get(name, {})
    changed = {key: value for key, value in answers.items() if key not in there or there[key] != value}
    if name in before and not changed:
        return text
    root = yaml_text.parse(text, FILE_NAME)
    if isinstance(root, yaml.MappingNode):
        added = yaml_text.put(text, root, "environments", name, changed)
    else:
        # nothing but comments
        head = text if not text or text.endswith("\n") else text + "\n"
        added = f"{head}{_HEADER}  {name}: {yaml_text.flow(changed)}\n"
    with contextlib.suppress(KratosctlError):
        if added is not None and parse(added) == before | {name: there | changed}:
            return added
    raise ConfigurationInvalid(
        f"{FILE_NAME}: kratosctl cannot add to environment {name}",
        "it does not reformat what you wrote",
        f"put this in yourself: {name}: {yaml_text.flow(changed)}",
    )


def save(directory: Path, name: str, answers: Mapping[str, Any]) -> None:
    """Writes answers of one environment to kratosctl.yaml. Those who write others at the same time do not undo it.

    Args:
        directory: where kratosctl.yaml lies, or will lie.
        name: the environment.
        answers: values by key; what is not among them stays as it was written.

    Raises:
        ConfigurationInvalid, DiskFull, DirectoryReadOnly: nothing was changed.
    """
    with _one_writer(directory):
        for remains in directory.glob(f".{FILE_NAME}.*.tmp"):
            # of one that was killed: nobody else writes now
            with contextlib.suppress(OSError):
                remains.unlink()
        before = _text(directory)
        after = add(before, name, answers)
        if after != before:
            write_atomically(directory / FILE_NAME, after)


@contextlib.contextmanager
def _one_writer(directory: Path) -> Iterator[None]:
    """Holds a lock on the directory itself: it leaves nothing behind."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        # some network file systems have no such locks
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _answers(node: yaml.Node) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for key_node, value in _items(node, tuple(questions.BY_KEY), "a mapping of keys to values"):
        question = questions.BY_KEY[key_node.value]
        try:
            if not _is_plain(value):
                raise ConfigurationInvalid(
                    f"{question.key}: expected {questions.expected(question)}, found {_found(value)}"
                )
            answers[question.key] = questions.check_value(question, value.value)
        except KratosctlError as error:
            error.what = f"{_place(value)}: {error.what}"
            raise
    return answers


def _checked_name(key: yaml.Node) -> str:
    try:
        return questions.check_name(key.value)
    except KratosctlError as error:
        error.what = f"{_place(key)}: {error.what}"
        raise


def _items(node: yaml.Node, known: tuple[str, ...] | None, expected: str) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """The items of a mapping; refuses other nodes, repeated keys and, given known keys, all others."""
    if not isinstance(node, yaml.MappingNode):
        raise ConfigurationInvalid(f"{_place(node)}: expected {expected}, found {_found(node)}")
    seen: set[str] = set()
    for key_node, value in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigurationInvalid(f"{_place(key_node)}: expected a name, found {_found(key_node)}")
        key = key_node.value
        if key_node.tag == "tag:yaml.org,2002:merge":
            raise ConfigurationInvalid(
                f"{_place(key_node)}: merge keys (<<) are not read here", fix="write the values out, or use an alias"
            )
        if key in seen:
            raise ConfigurationInvalid(f"{_place(key_node)}: {key[:60]!r} stands here a second time")
        if known is not None and key not in known:
            raise questions.unknown_key(key, list(known), _place(key_node))
        seen.add(key)
        yield key_node, value


def _is_plain(node: yaml.Node) -> bool:
    """True for a scalar whose text is its value: no null, and no tag of somebody's own."""
    plain = ("str", "bool", "int", "float", "timestamp")
    return isinstance(node, yaml.ScalarNode) and node.tag in [f"tag:yaml.org,2002:{tag}" for tag in plain]


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _found(node: yaml.Node) -> str:
    if _is_empty(node):
        return "nothing"
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value[:60]) if _is_plain(node) else f"a value tagged {node.tag[:60]}"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def _place(node: yaml.Node) -> str:
    return f"{FILE_NAME}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"

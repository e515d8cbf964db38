"""kratosctl.yaml: what people asked for. Read with exact error positions; written without touching what they wrote."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from kratosctl import questions
from kratosctl.errors import ConfigurationInvalid, KratosctlError
from kratosctl.workspace import write_atomically

FILE_NAME = "kratosctl.yaml"
_HEADER = """\
# What `kratosctl up` makes. Yours to edit and commit; `kratosctl schema` prints the JSON Schema of this file.
environments:
"""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml_node(text: str, where: str) -> yaml.Node | None:
    """Parses YAML into nodes, which know their positions.

    Args:
        text: the file's text.
        where: the file's name for error messages.

    Raises:
        ConfigurationInvalid: the text is not YAML, with line and column.
    """
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise ConfigurationInvalid(f"{place}: not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigurationInvalid(f"{where}: not valid YAML: {str(error).splitlines()[0]}") from error
    return node


def read_text(path: Path) -> str:
    """Reads a user's file as UTF-8.

    Raises:
        ConfigurationInvalid: it cannot be read, or is not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationInvalid(f"{path.name}: byte {error.start + 1} is not UTF-8 text") from error
    except OSError as error:
        raise ConfigurationInvalid(f"{path}: cannot be read", error.strerror or "", "check its permissions") from error


def load(directory: Path) -> dict[str, dict[str, Any]]:
    """Reads the answers of each environment; an absent file is an empty one.

    Args:
        directory: where kratosctl.yaml lies.

    Raises:
        ConfigurationInvalid, UnknownKey, NameInvalid: with file, line, column and what was expected.
    """
    path = directory / FILE_NAME
    if not path.exists():
        return {}
    return parse(read_text(path))


def parse(text: str) -> dict[str, dict[str, Any]]:
    """Reads the answers of each environment from the text of kratosctl.yaml; raises what `load` raises."""
    root = load_yaml_node(text, FILE_NAME)
    if root is None:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for key, node in _items(root, ("environments",), "a mapping with `environments:`"):
        if key == "environments" and not _is_empty(node):
            for name, answers in _items(node, None, "a mapping of names to environments"):
                found[_checked_name(name, node)] = {} if _is_empty(answers) else _answers(answers)
    return found


def add(directory: Path, name: str, answers: Mapping[str, Any]) -> str:
    """Returns the text of kratosctl.yaml with one environment added or replaced, comments and all else kept.

    Args:
        directory: where kratosctl.yaml lies, or will lie.
        name: the environment.
        answers: its values by key.
    """
    line = _flow({name: dict(answers)})
    path = directory / FILE_NAME
    if not path.exists() or load_yaml_node(text := read_text(path), FILE_NAME) is None:
        return _HEADER + line
    environments = _environments_node(text)
    if environments is None:
        return text.rstrip("\n") + "\nenvironments:\n" + line
    if environments.flow_style or not environments.value:
        raise ConfigurationInvalid(
            f"{FILE_NAME}: `environments` is not written one to a line",
            "kratosctl does not reformat what you wrote",
            f"add this yourself: {line.strip()}",
        )
    return _insert(text, environments, name, line)


def add_key(text: str, name: str, key: str, value: Any) -> str:
    """Returns the text of kratosctl.yaml with one more key in an environment; all else stays as it was written.

    Args:
        text: a text that `parse` accepts, with this environment and without this key in it.
        name: the environment.
        key: the key.
        value: its value.

    Raises:
        ConfigurationInvalid: it is written in a way that cannot be added to, such as an alias.
    """
    environments = _environments_node(text)
    assert environments is not None
    node = next(found for found_name, found in environments.value if found_name.value == name)
    pair = yaml.safe_dump({key: value}, default_flow_style=True, width=10_000, allow_unicode=True).strip()[1:-1]
    wanted = parse(text)
    wanted[name] = {**wanted[name], key: value}
    try:
        added = _with_pair(text, node, pair)
        if parse(added) == wanted:
            return added
    except KratosctlError:
        pass
    raise ConfigurationInvalid(
        f"{_place(node)}: kratosctl cannot add a key to environment {name}",
        "it does not reformat what you wrote",
        f"add this to it yourself: {pair}",
    )


def _with_pair(text: str, node: yaml.Node, pair: str) -> str:
    lines = text.splitlines(keepends=True)
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        last = _last_line(node)
        lines[last] = lines[last].rstrip("\n") + "\n" + " " * node.start_mark.column + pair + "\n"
        return "".join(lines)
    if isinstance(node, yaml.MappingNode) and node.value:
        mark, pair = node.value[-1][1].end_mark, f", {pair}"
        line, start, end = mark.line, mark.column, mark.column
    elif isinstance(node, yaml.MappingNode):
        line, start, end = node.start_mark.line, node.start_mark.column + 1, node.start_mark.column + 1
    else:
        # a name with nothing, or null, behind it
        line, start, end = node.start_mark.line, node.start_mark.column, node.end_mark.column
        pair = f" {{{pair}}}"
    lines[line] = lines[line][:start] + pair + lines[line][end:]
    return "".join(lines)


def save(directory: Path, name: str, answers: Mapping[str, Any], only: str = "") -> None:
    """Writes one environment to kratosctl.yaml. Those who write others at the same time do not undo it.

    Args:
        directory: where kratosctl.yaml lies, or will lie.
        name: the environment.
        answers: its values by key.
        only: the one key that is new; the rest of what is there stays as it was written.

    Raises:
        DiskFull, DirectoryReadOnly: nothing was changed.
    """
    path = directory / FILE_NAME
    with _one_writer(directory):
        text = add_key(read_text(path), name, only, answers[only]) if only else add(directory, name, answers)
        write_atomically(path, text)


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


def _insert(text: str, environments: yaml.MappingNode, name: str, line: str) -> str:
    """Puts the line in place of the environment of that name, or behind the last one."""
    lines = text.splitlines(keepends=True)
    indent = " " * environments.start_mark.column
    new = indent + line.lstrip()
    for key, value in environments.value:
        if key.value == name:
            return "".join(lines[: key.start_mark.line]) + new + "".join(lines[_last_line(value) + 1 :])
    last = _last_line(environments.value[-1][1])
    if not lines[last].endswith("\n"):
        lines[last] += "\n"
    return "".join(lines[: last + 1]) + new + "".join(lines[last + 1 :])


def _last_line(node: yaml.Node) -> int:
    """The last line a value has text on. Block collections end where the next token starts, which may be far below."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1])
    if node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line:
        return int(node.end_mark.line - 1)
    return int(node.end_mark.line)


def _environments_node(text: str) -> yaml.MappingNode | None:
    root = load_yaml_node(text, FILE_NAME)
    assert isinstance(root, yaml.MappingNode)
    for key, value in root.value:
        if key.value == "environments" and isinstance(value, yaml.MappingNode):
            return value
    return None


def _flow(mapping: dict[str, Any]) -> str:
    """One environment on one line, as people write it: `  dev: {release: v26.2.0, ui: true}`."""
    ((name, answers),) = mapping.items()
    inner = yaml.safe_dump(answers, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return f"  {name}: {inner.strip()}\n"


def _answers(node: yaml.Node) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for key, value in _items(node, tuple(questions.BY_KEY), "a mapping of keys to values"):
        try:
            answers[key] = questions.check_value(questions.BY_KEY[key], _scalar(value))
        except KratosctlError as error:
            error.what = f"{_place(value)}: {error.what}"
            raise
    return answers


def _checked_name(name: str, node: yaml.Node) -> str:
    try:
        return questions.check_name(name)
    except KratosctlError as error:
        error.what = f"{_place(node)}: {error.what}"
        raise


def _items(node: yaml.Node, known: tuple[str, ...] | None, expected: str) -> Iterator[tuple[str, yaml.Node]]:
    """The items of a mapping; refuses other nodes, repeated keys and, given known keys, all others."""
    if not isinstance(node, yaml.MappingNode):
        raise ConfigurationInvalid(f"{_place(node)}: expected {expected}, found {_found(node)}")
    seen: set[str] = set()
    for key_node, value in node.value:
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
        if key in seen:
            raise ConfigurationInvalid(f"{_place(key_node)}: {key!r} stands here a second time")
        if known is not None and key not in known:
            raise questions.unknown_key(key, list(known), _place(key_node))
        seen.add(key)
        yield key, value


def _scalar(node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        return _found(node)
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    finally:
        loader.dispose()


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _found(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value[:60])
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def _place(node: yaml.Node) -> str:
    return f"{FILE_NAME}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"

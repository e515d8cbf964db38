"""kratosctl.yaml: what people asked for. Read with exact error positions; written without touching what they wrote."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from kratosctl.answers import yaml_answers
from kratosctl.errors import ConfigurationInvalid, KratosctlError
from kratosctl.files import yaml_text
from kratosctl.files.atomic import one_writer, write_atomically

FILE_NAME = "kratosctl.yaml"
_HEADER = """\
# What `kratosctl up` makes. Yours to edit and commit; `kratosctl schema` prints the JSON Schema of this file.
environments:
"""


def load(directory: Path) -> dict[str, dict[str, Any]]:
    """Reads the answers of each environment, and of each seat of workshop.yaml; an absent file is an empty one.

    Args:
        directory: where kratosctl.yaml lies.

    Raises:
        ConfigurationInvalid, UnknownKey, NameInvalid: with file, line, column and what was expected.
    """
    found = parse(_text(directory))
    if os.path.lexists(directory / yaml_answers.WORKSHOP_FILE):
        from kratosctl.answers import workshop_file

        # what is said of one seat goes before what is said of all
        seats = workshop_file.load(directory).environments()
        return {**found, **{name: {**answers, **found.get(name, {})} for name, answers in seats.items()}}
    return found


def _text(directory: Path) -> str:
    path = directory / FILE_NAME
    return yaml_text.read_text(path) if os.path.lexists(path) else ""


def parse(text: str) -> dict[str, dict[str, Any]]:
    """Reads the answers of each environment from the text of kratosctl.yaml; raises what `load` raises."""
    root = yaml_text.parse(text, FILE_NAME)
    if root is None or yaml_answers.is_empty(root):
        return {}
    found: dict[str, dict[str, Any]] = {}
    for _, node in yaml_answers.items(root, FILE_NAME, ("environments",), "a mapping with `environments:`"):
        if not yaml_answers.is_empty(node):
            for name, answers in yaml_answers.items(node, FILE_NAME, None, "a mapping of names to environments"):
                found[yaml_answers.name(name, FILE_NAME)] = yaml_answers.answers(answers, FILE_NAME)
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
    with contextlib.suppress(KratosctlError):
        added = _added(text, name, changed, name in before)
        if added is not None and parse(added) == before | {name: there | changed}:
            return added
    raise ConfigurationInvalid(
        f"{FILE_NAME}: kratosctl cannot add to environment {name}",
        "it does not reformat what you wrote",
        f"put this in yourself: {name}: {yaml_text.flow(changed)}",
    )


def _added(text: str, name: str, changed: Mapping[str, Any], known: bool) -> str | None:
    root = yaml_text.parse(text, FILE_NAME)
    if not isinstance(root, yaml.MappingNode):
        # nothing but comments
        head = text if not text or text.endswith("\n") else text + "\n"
        return f"{head}{_HEADER}  {name}: {yaml_text.flow(changed)}\n"
    environments = yaml_text.find(root, "environments")
    if environments is None:
        return None
    if yaml_text.is_null(environments[1]):
        return yaml_text.fill(text, *environments, f"{yaml_text.line_break(text)}  {name}: {yaml_text.flow(changed)}")
    if not known:
        return yaml_text.put(text, root, ("environments", name), changed)
    for key, value in changed.items():
        added = yaml_text.put(text, yaml_text.parse(text, FILE_NAME), ("environments", name, key), value)
        if added is None:
            return None
        text = added
    return text


def save(directory: Path, name: str, answers: Mapping[str, Any]) -> None:
    """Writes answers of one environment to kratosctl.yaml. Those who write others at the same time do not undo it.

    Args:
        directory: where kratosctl.yaml lies, or will lie.
        name: the environment.
        answers: values by key; what is not among them stays as it was written.

    Raises:
        ConfigurationInvalid, DiskFull, DirectoryReadOnly: nothing was changed.
    """
    with one_writer(directory):
        for remains in directory.glob(f".{FILE_NAME}.*.tmp"):
            # of one that was killed: nobody else writes now
            with contextlib.suppress(OSError):
                remains.unlink()
        before = _text(directory)
        after = add(before, name, answers)
        if after != before:
            write_atomically(directory / FILE_NAME, after)

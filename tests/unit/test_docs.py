"""The reference in docs/ names what there is, whatever is added."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from kratosctl import testing
from kratosctl.cli import kratosctl
from kratosctl.commands import catalog_table, status
from kratosctl.engine.objects import Container
from kratosctl.snapshots.store import Snapshot
from kratosctl.workshop import capacity
from tests.unit import stacks

ROOT = Path(__file__).parents[2]


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that is shown, by its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        if command is not None and not command.hidden:
            yield " ".join((*words, name)), command


REPORTING = [name for name, command in commands(kratosctl) if any("--json" in each.opts for each in command.params)]


def test_there_are_commands_of_groups_among_those_that_report() -> None:
    assert {"up", "doctor", "secrets rotate", "workshop up"} <= set(REPORTING)
    assert "completion" not in REPORTING


def documented() -> set[str]:
    """The commands that docs/json.md has a row for; `snapshot save`, `show` are two of one group."""
    found = set()
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    text = text.partition("`data` by command:")[2].partition("What stands in them:")[0]
    for cell in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE):
        group = ""
        for name in re.findall(r"`([a-z ]+?)(?: --[a-z-]+)?`", cell):
            found.add(name if " " in name else f"{group}{name}")
            group = f"{name.split()[0]} " if " " in name else group
    return found


@pytest.mark.parametrize("name", REPORTING)
def test_what_each_command_reports_is_documented(name: str) -> None:
    assert name in documented()


def test_no_command_is_documented_that_there_is_not() -> None:
    assert documented() <= set(REPORTING)


def inside() -> Iterator[tuple[str, set[str]]]:
    """What stands in the data of commands, by the words that begin its row in docs/json.md, and its keys."""
    container = Container("1", "k", "kratos", "p", "running", "", "", None, "i", {}, {})
    yield "`services` of `status`", set(status._service(container))
    yield "`snapshot`, `snapshots`", {field.name for field in fields(Snapshot)}
    for part in ("releases", "variants", "presets"):
        yield f"`{part}` of `catalog`", set(catalog_table.show().data[part][0])
    seat = capacity.plan(stacks.environment(), 1, capacity.Host(10**12, 2, 10**12, 600, 600, 128)).data
    yield "`needs`, `free`, `a_seat`", {*seat["needs"], *seat["free"], *seat["a_seat"]}


@pytest.mark.parametrize(("row", "keys"), list(inside()))
def test_what_stands_in_the_data_of_commands_is_documented(row: str, keys: set[str]) -> None:
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {row}")]
    assert [key for key in sorted(keys) if f"`{key}`" not in line.partition(row)[2]] == []


def test_all_that_a_kratos_of_tests_has_is_documented() -> None:
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    can = {name for name in vars(testing.Kratos) if not name.startswith("_")}
    has = set(re.findall(r"^ {8}(\w+): ", testing.Kratos.__doc__ or "", re.MULTILINE))
    asked = set(inspect.signature(testing.kratos).parameters) - {"asked"}
    of_people = {field.name for field in fields(testing.Identity)}
    assert {"reset", "public_url", "keep"} <= can | has | asked
    assert [name for name in sorted(can | has | asked | of_people) if not re.search(rf"`{name}\b", text)] == []


def finding_something() -> set[str]:
    """The commands whose result can have an exit code of its own, as the code says it."""
    found = set()
    for path in (ROOT / "kratosctl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Result":
                name = node.args[0]
                if isinstance(name, ast.Constant) and any(each.arg == "exit_code" for each in node.keywords):
                    found.add(str(name.value))
    return found


def test_whoever_finds_something_is_named_with_exit_code_1() -> None:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("| 1 |")]
    assert {"doctor", "workshop up"} <= finding_something()
    assert [name for name in finding_something() if not re.search(f"`{name}[ `]", line)] == []


def test_every_phony_target_of_the_makefile_is_one() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    assert set(phony[1].split()) == targets


def test_every_variable_that_kratosctl_reads_is_told_to_its_users() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "kratosctl").rglob("*.py"))
    read = set(re.findall(r'"(KRATOSCTL_[A-Z_]*[A-Z])"', source))
    assert {"KRATOSCTL_YES", "KRATOSCTL_TRACEBACK"} <= read
    told = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    assert [name for name in sorted(read) if not re.search(rf"\b{name}\b", told)] == []

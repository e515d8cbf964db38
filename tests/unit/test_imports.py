"""What the command line imports before it works: every module costs milliseconds, some hundreds of them."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kratosctl.cli import COMMANDS

SOURCE = Path(__file__).parents[2] / "kratosctl"
BEFORE_A_COMMAND = {"kratosctl", "kratosctl.cli", "kratosctl.cli.session", "kratosctl.errors", "kratosctl.main"}
# of the standard library: what costs more than a few milliseconds
SLOW = {
    "argparse",
    "asyncio",
    "concurrent",
    "email",
    "http",
    "logging",
    "multiprocessing",
    "sqlite3",
    "ssl",
    "subprocess",
}
PROBE = """
import atexit, json, os, sys
before = set(sys.modules)
atexit.register(lambda: os.write(2, json.dumps(sorted(set(sys.modules) - before)).encode()))
from kratosctl.main import main
sys.exit(main(sys.argv[1:]))
"""


def imported(*words: str, **variables: str) -> set[str]:
    """The modules that a run of the program imports beyond those that Python itself does."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("KRATOSCTL", "_KRATOSCTL"))}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stderr))


def tops(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


def theirs(modules: set[str]) -> set[str]:
    """The packages that are not the standard library's."""
    return {name for name in tops(modules) - set(sys.stdlib_module_names) if not name.startswith("_")}


def completing(words: str, number: int) -> Mapping[str, str]:
    return {"_KRATOSCTL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}


@pytest.mark.parametrize("words", [["--version"], ["--help"]])
def test_version_and_help_import_click_and_nothing_else(words: list[str]) -> None:
    found = imported(*words)

    assert {name for name in found if name.startswith("kratosctl")} == BEFORE_A_COMMAND
    assert theirs(found) == {"click", "kratosctl"}
    assert not tops(found) & SLOW


def test_completing_a_command_imports_no_command() -> None:
    found = imported(**completing("kratosctl s", 1))

    assert {name for name in found if name.startswith("kratosctl")} == BEFORE_A_COMMAND
    assert theirs(found) == {"click", "kratosctl"}
    assert not tops(found) & SLOW


@pytest.mark.parametrize("words", ["kratosctl up --preset ", "kratosctl up --release v2", "kratosctl down --v"])
def test_completing_a_flag_or_its_value_imports_no_library(words: str) -> None:
    found = imported(**completing(words, len(words.split(" ")) - 1))

    assert theirs(found) == {"click", "kratosctl"}
    assert not tops(found) & SLOW


def test_completing_an_environment_reads_yaml_and_nothing_else() -> None:
    found = imported(**completing("kratosctl up ", 2))

    assert theirs(found) - {"cython_runtime"} == {"click", "kratosctl", "yaml"}
    assert not tops(found) & SLOW


@pytest.mark.parametrize("command", list(COMMANDS))
def test_help_of_a_command_imports_no_library(command: str) -> None:
    found = imported(command, "--help")

    assert theirs(found) == {"click", "kratosctl"}
    assert not tops(found) & SLOW


def test_the_catalogue_needs_neither_engine_nor_prompts() -> None:
    found = theirs(imported("catalog")) - {"cython_runtime"}

    assert found == {"click", "kratosctl", "yaml"}


@pytest.mark.parametrize(
    ("library", "module"), [("python_on_whales", "engine/client.py"), ("questionary", "answers/prompting.py")]
)
def test_each_of_these_libraries_is_used_in_one_module(library: str, module: str) -> None:
    users = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if library in _imports(path)}

    assert users == {module}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found

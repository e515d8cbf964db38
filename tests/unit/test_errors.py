"""Commands that errors and results tell people to type act on the environment they are about, not on `dev`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from kratosctl.errors import NotReady
from kratosctl.files.workspace import Workspace

SOURCE = Path(__file__).parents[2] / "kratosctl"
# these take an environment; followed by none they mean dev, or ask which
COMMAND = re.compile(
    r"kratosctl (logs|up|down|restart|status|migrate|verify|reset|upgrade|seed|open|kratos|secrets"
    r"|snapshot \w+|image \w+|lesson (?!list)\w+)\b([^`;,]*)"
)
NAMED = re.compile(r"\{|--env|FILE")
# there is no environment yet, none is meant, or whichever is in another directory
WITHOUT = (
    "make one: kratosctl up",
    "no environments; make one: kratosctl up",
    "kratosctl up'",
    "kratosctl snapshot list shows them",
    "kratosctl snapshot export makes one",
    "`kratosctl seed` takes --format",
    "use `kratosctl list`, and `kratosctl up`, `status`, `logs` or `down` with a name",
    "The environments that `kratosctl up` makes.",
    "# What `kratosctl up` makes.",
    "seeds are not filled in there: `kratosctl seed` speaks to environments of this host",
    "make one for lessons: kratosctl up classroom",
    "Secret, and kept across `up`: without these everybody is logged out.",
)


def _texts(path: Path) -> list[str]:
    """The strings of a module with what they are filled with in braces, docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in inside | alone
    ]


def test_every_command_that_is_told_names_its_environment() -> None:
    unnamed = [
        (path.relative_to(SOURCE).as_posix(), text)
        for path in SOURCE.rglob("*.py")
        for text in _texts(path)
        for command in COMMAND.finditer(text)
        if not NAMED.search(command[2]) and not text.removeprefix("f")[1:].startswith(WITHOUT)
    ]

    assert not unnamed


def test_who_holds_the_lock_of_an_environment_is_who_an_error_is_about(tmp_path: Path) -> None:
    with pytest.raises(NotReady) as caught, Workspace(tmp_path, "ci").locked("up", 1, print):
        raise NotReady("it is not ready", fix="see `kratosctl logs {env} kratos`")

    assert caught.value.lines() == ["it is not ready", "see `kratosctl logs ci kratos`"]


@pytest.mark.parametrize(
    "way", ["kratosctl snapshot list --env {env}; or not", "kratosctl snapshot list {env}; or not"]
)
def test_where_nobody_knows_which_no_flag_is_left_without_it(way: str) -> None:
    assert NotReady("it is not ready", fix=way).fix == "kratosctl snapshot list; or not"


def test_where_nobody_knows_which_the_command_is_whole() -> None:
    assert NotReady("it is not ready", fix="see `kratosctl logs {env} kratos`").fix == "see `kratosctl logs kratos`"

"""A first `up`, killed anywhere: the next one ends with a correct stack, and no secret is lost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import engine, people
from tests.e2e.program import Directory
from tests.faults.killing import CASES, FLAGS, Lasts, kill, moment
from tests.faults.soundness import assert_no_remains_in, assert_sound, secrets

pytestmark = pytest.mark.engine

Make = Callable[[str], Directory]


@pytest.mark.parametrize(("database", "point"), CASES)
def test_a_first_up_that_was_killed_is_finished_by_the_next(
    directory: Directory, lasts: dict[str, Lasts], database: str, point: int
) -> None:
    after = moment(lasts[database].first, database, point)

    kill(directory, after, point, "up", "--database", database, *FLAGS)
    before = secrets(directory)

    told = directory.run("up", "--database", database, *FLAGS).data
    assert_sound(directory, told)
    # a secret that was written may have been used
    assert {name: text for name, text in secrets(directory).items() if name in before} == before


def test_a_first_up_that_was_killed_and_put_down_comes_up_again(directory: Directory, lasts: dict[str, Lasts]) -> None:
    words = ("up", "--database", "postgres", *FLAGS)
    kill(directory, lasts["postgres"].first / 2, 0, *words)

    # stops PostgreSQL while it makes its files; what it made stays
    directory.down()

    assert_sound(directory, directory.run(*words).data)


@pytest.mark.parametrize("point", range(3))
def test_the_template_of_an_image_is_never_half_made(make_directory: Make, tmp_path: Path, point: int) -> None:
    killed, after = make_directory("killed"), make_directory("after")
    killed.cache = after.cache = tmp_path / "cache"

    kill(killed, moment(2.0, "template", point, 3), point, "up", *FLAGS)

    told = after.run("up", *FLAGS).data
    assert_sound(after, told)
    assert_sound(killed, killed.run("up", *FLAGS).data)


def test_what_a_killed_process_left_in_the_cache_is_cleared_away(directory: Directory, tmp_path: Path) -> None:
    directory.cache = tmp_path / "cache"
    remains = directory.cache / "templates/.making-long-ago"
    remains.parent.mkdir(parents=True)
    remains.write_text("half")
    os.utime(remains, (0, 0))

    directory.up()

    assert_no_remains_in(directory.cache)


@pytest.mark.parametrize(
    ("after", "how"),
    [(0.3, "initialised"), (2.5, "initialised"), (0.2, "copied")],
)
def test_a_database_that_was_killed_at_its_first_start_is_made_anew(
    directory: Directory, tmp_path: Path, after: float, how: str
) -> None:
    if how == "initialised":
        directory.cache = tmp_path / "cache"
    words = ("up", "--database", "postgres", *FLAGS)
    directory.choose()
    up = directory.start(*words, heard=False)
    postgres = engine.until(lambda: _postgres(directory), why="PostgreSQL runs")
    with contextlib.suppress(subprocess.TimeoutExpired):
        up.wait(after)

    # as when the machine loses its power
    if up.poll() is None:
        os.killpg(up.pid, signal.SIGKILL)
        up.wait()
    engine.docker("kill", postgres)

    assert_sound(directory, directory.run(*words).data)


def test_a_database_that_holds_somebody_is_never_made_anew(directory: Directory) -> None:
    told = directory.up(database="postgres")
    token = people.sign_up_and_ask(told["endpoints"]["public"])
    directory.down()
    note_a_first_start(directory)

    again = directory.run("up", *FLAGS).data

    assert people.whoami(again["endpoints"]["public"], token) == "someone@example.org"


def test_a_database_that_does_not_say_who_is_in_it_is_never_made_anew(directory: Directory) -> None:
    told = directory.up(database="postgres")
    token = people.sign_up_and_ask(told["endpoints"]["public"])
    allow(directory, told["project"], "false")
    directory.down()
    note_a_first_start(directory)

    refused = directory.run("up", *FLAGS, "--database-timeout", "3", code=53).error
    assert "not currently accepting connections" in refused["why"]

    allow(directory, told["project"], "true")
    again = directory.run("up", *FLAGS).data
    assert people.whoami(again["endpoints"]["public"], token) == "someone@example.org"


def note_a_first_start(directory: Directory) -> None:
    """Makes a database that was served from look as if its first start had been cut short."""
    state = directory.home() / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "first_start": True, "migrated": {}}))


def allow(directory: Directory, project: str, connections: str) -> None:
    """Has PostgreSQL take connections to the database, or refuse them."""
    script = f"ALTER DATABASE kratos ALLOW_CONNECTIONS {connections}"
    engine.docker("exec", f"{project}-postgres-1", "psql", "-U", "kratos", "-d", "postgres", "-c", script)


def _postgres(directory: Directory) -> str:
    """The running PostgreSQL container of a directory, if there is one."""
    labels = (f"label={engine.LABEL}directory={directory.path}", "label=com.docker.compose.service=postgres")
    filters = [word for label in labels for word in ("--filter", label)]
    return engine.docker("ps", "--quiet", *filters).strip()

"""Killed anywhere when people have signed up: the next command finishes it, and nobody is lost or logged out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import people
from tests.e2e.people import Browser
from tests.e2e.program import Directory
from tests.faults.killing import CASES, FLAGS, POINTS, Lasts, kill, moment
from tests.faults.soundness import assert_files_whole, assert_sound, secrets

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[dict[str, tuple[Directory, Browser]]]:
    """An environment by database that somebody is signed in to."""
    found: dict[str, tuple[Directory, Browser]] = {}
    for database in POINTS:
        directory = Directory(tmp_path_factory.mktemp(f"running-{database}"), cache)
        told = directory.run("up", "--database", database, *FLAGS).data
        found[database] = (directory, Browser())
        found[database][1].sign_up(told["endpoints"]["public"], "stays@example.org")
    yield found
    for directory, _ in found.values():
        directory.wipe()


@pytest.mark.parametrize(("database", "point"), CASES)
def test_an_up_of_what_was_down_that_was_killed_is_finished_by_the_next(
    running: dict[str, tuple[Directory, Browser]],
    lasts: dict[str, Lasts],
    database: str,
    point: int,
) -> None:
    directory, browser = running[database]
    before = secrets(directory)
    directory.down()

    kill(directory, moment(lasts[database].again, database, point), point, "up", *FLAGS)

    _assert_nothing_lost(directory, browser, directory.run("up", *FLAGS).data, before)


@pytest.mark.parametrize("point", range(4))
def test_a_change_that_was_killed_is_finished_by_the_next(
    running: dict[str, tuple[Directory, Browser]], lasts: dict[str, Lasts], point: int
) -> None:
    directory, browser = running["sqlite"]
    before = secrets(directory)
    # another host name changes every address, so files and containers
    words = ("up", "--host", "127.0.0.1" if point % 2 else "localhost", "--save", *FLAGS)

    kill(directory, moment(lasts["sqlite"].again, "change", point, 4), point, *words)

    _assert_nothing_lost(directory, browser, directory.run(*words).data, before)


@pytest.mark.parametrize("point", range(2))
@pytest.mark.parametrize("data", [False, True], ids=["down", "down --volumes"])
def test_a_down_that_was_killed_is_finished_by_the_next(directory: Directory, data: bool, point: int) -> None:
    token = people.sign_up(directory.up()["endpoints"]["public"], "one@example.org")
    words = ("down", *(["--volumes"] if data else []), "--yes")

    kill(directory, moment(0.9, "down", point, 2), point, *words)

    directory.run(*words)
    assert_files_whole(directory)
    told = directory.run("up", *FLAGS).data
    assert_sound(directory, told)
    assert people.whoami(told["endpoints"]["public"], token) == (None if data else "one@example.org")


def _assert_nothing_lost(directory: Directory, browser: Browser, told: dict[str, Any], before: dict[str, str]) -> None:
    assert_sound(directory, told)
    assert secrets(directory) == before
    port = told["endpoints"]["public"].rpartition(":")[2]
    assert browser.whoami(f"http://localhost:{port}") == "stays@example.org"

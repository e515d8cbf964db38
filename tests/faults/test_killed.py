"""Killed anywhere, then `up`: a correct stack, and nobody is logged out."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import engine, people
from tests.e2e.people import Browser
from tests.e2e.program import Directory
from tests.faults.soundness import assert_files_whole, assert_no_remains_in, assert_sound, secrets

pytestmark = pytest.mark.engine

FLAGS = ("--yes", "--no-ui", "--no-mail", "--json")
POINTS = {"sqlite": 12, "postgres": 8}
CASES = [(database, point) for database, points in POINTS.items() for point in range(points)]

Make = Callable[[str], Directory]


@dataclass(frozen=True)
class Lasts:
    """How many seconds an `up` takes here: the first, and one after `down`."""

    first: float
    again: float


@pytest.fixture(scope="module")
def lasts(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> dict[str, Lasts]:
    """In which span to kill, by database."""
    found: dict[str, Lasts] = {}
    for database in POINTS:
        # the first of all makes the template
        for number in range(2):
            directory = Directory(tmp_path_factory.mktemp(f"lasts-{database}-{number}"), cache)
            first = _seconds(directory, "up", "--database", database, *FLAGS)
            directory.down()
            found[database] = Lasts(first, _seconds(directory, "up", *FLAGS))
            directory.wipe()
    return found


@pytest.mark.parametrize(("database", "point"), CASES)
def test_a_first_up_that_was_killed_is_finished_by_the_next(
    directory: Directory, lasts: dict[str, Lasts], database: str, point: int
) -> None:
    after = _moment(lasts[database].first, database, point)

    _kill(directory, after, point, "up", "--database", database, *FLAGS)
    before = secrets(directory)

    told = directory.run("up", "--database", database, *FLAGS).data
    assert_sound(directory, told)
    # a secret that was written may have been used
    assert {name: text for name, text in secrets(directory).items() if name in before} == before


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

    _kill(directory, _moment(lasts[database].again, database, point), point, "up", *FLAGS)

    _assert_nothing_lost(directory, browser, directory.run("up", *FLAGS).data, before)


@pytest.mark.parametrize("point", range(4))
def test_a_change_that_was_killed_is_finished_by_the_next(
    running: dict[str, tuple[Directory, Browser]], lasts: dict[str, Lasts], point: int
) -> None:
    directory, browser = running["sqlite"]
    before = secrets(directory)
    # another host name changes every address, so files and containers
    words = ("up", "--host", "127.0.0.1" if point % 2 else "localhost", "--save", *FLAGS)

    _kill(directory, _moment(lasts["sqlite"].again, "change", point), point, *words)

    _assert_nothing_lost(directory, browser, directory.run(*words).data, before)


@pytest.mark.parametrize("point", range(3))
def test_the_template_of_an_image_is_never_half_made(make_directory: Make, tmp_path: Path, point: int) -> None:
    killed, after = make_directory("killed"), make_directory("after")
    killed.cache = after.cache = tmp_path / "cache"

    _kill(killed, _moment(2.0, "template", point), point, "up", *FLAGS)

    told = after.run("up", *FLAGS).data
    assert_sound(after, told)
    assert_sound(killed, killed.run("up", *FLAGS).data)


def test_what_a_killed_process_left_in_the_cache_is_cleared_away(directory: Directory, tmp_path: Path) -> None:
    directory.cache = tmp_path / "cache"
    remains = directory.cache / "templates/.making-long-ago"
    remains.mkdir(parents=True)
    (remains / "db.sqlite").write_text("half")
    os.utime(remains, (0, 0))

    directory.up()

    assert_no_remains_in(directory.cache)


@pytest.mark.parametrize("point", range(6))
def test_ctrl_c_ends_up_at_once_with_130_and_the_next_goes_on(
    directory: Directory, lasts: dict[str, Lasts], point: int
) -> None:
    directory.choose()
    up = directory.start("up", *FLAGS[:-1])
    time.sleep(max(0.2, _moment(lasts["sqlite"].first, "interrupt", point)))
    # as a terminal does: to kratosctl and to all that it runs
    os.killpg(up.pid, signal.SIGINT)
    out, said = up.communicate(timeout=60)
    before = secrets(directory)

    if up.returncode != 0:
        assert up.returncode == 130, said
        assert out == ""
        assert "Traceback" not in said
        assert "error: interrupted" in said
        # once anything was made, it says how to go on
        assert ("kratosctl up dev" in said) == directory.home().exists()
    told = directory.run("up", *FLAGS).data
    assert_sound(directory, told)
    assert {name: text for name, text in secrets(directory).items() if name in before} == before


@pytest.mark.parametrize("point", range(3))
@pytest.mark.parametrize("data", [False, True], ids=["down", "down --volumes"])
def test_a_down_that_was_killed_is_finished_by_the_next(directory: Directory, data: bool, point: int) -> None:
    token = people.sign_up(directory.up()["endpoints"]["public"], "one@example.org")
    words = ("down", *(["--volumes"] if data else []), "--yes")

    _kill(directory, _moment(0.9, "down", point), point, *words)

    directory.run(*words)
    assert_files_whole(directory)
    told = directory.run("up", *FLAGS).data
    assert_sound(directory, told)
    assert people.whoami(told["endpoints"]["public"], token) == (None if data else "one@example.org")


@pytest.mark.parametrize("after", [0.0, 0.3, 0.8, 1.5, 2.5])
def test_a_database_that_was_killed_at_its_first_start_is_made_anew(directory: Directory, after: float) -> None:
    words = ("up", "--database", "postgres", *FLAGS)
    directory.choose()
    up = directory.start(*words, heard=False)
    postgres = engine.until(lambda: _postgres(directory), why="PostgreSQL runs")
    with contextlib.suppress(subprocess.TimeoutExpired):
        up.wait(after)

    # as when the machine loses its power
    os.killpg(up.pid, signal.SIGKILL)
    up.wait()
    engine.docker("kill", postgres)

    assert_sound(directory, directory.run(*words).data)


def test_a_database_that_holds_somebody_is_never_made_anew(directory: Directory) -> None:
    told = directory.up(database="postgres")
    token = people.sign_up_and_ask(told["endpoints"]["public"])
    directory.down()
    state = directory.home() / "state.json"
    # as if it had been cut short, and served by others
    state.write_text(json.dumps({**json.loads(state.read_text()), "first_start": True}))

    again = directory.run("up", *FLAGS).data

    assert people.whoami(again["endpoints"]["public"], token) == "someone@example.org"


def _postgres(directory: Directory) -> str:
    """The running PostgreSQL container of a directory, if there is one."""
    labels = (f"label={engine.LABEL}directory={directory.path}", "label=com.docker.compose.service=postgres")
    filters = [word for label in labels for word in ("--filter", label)]
    return engine.docker("ps", "--quiet", *filters).strip()


def _assert_nothing_lost(directory: Directory, browser: Browser, told: dict[str, Any], before: dict[str, str]) -> None:
    assert_sound(directory, told)
    assert secrets(directory) == before
    port = told["endpoints"]["public"].rpartition(":")[2]
    assert browser.whoami(f"http://localhost:{port}") == "stays@example.org"


def _kill(directory: Directory, after: float, point: int, *words: str) -> None:
    """Starts kratosctl and kills it: alone, as the kernel does, or with all it runs, as a closed terminal does."""
    directory.choose()
    process = directory.start(*words, heard=False)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        if point % 2:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


def _moment(lasts: float, case: str, point: int) -> float:
    """A moment of a run: another one at each point, the same in each run of the tests."""
    points = POINTS.get(case, 6)
    return lasts * (point + random.Random(f"{case} {point}").random()) / points


def _seconds(directory: Directory, *words: str) -> float:
    began = time.monotonic()
    directory.run(*words)
    return time.monotonic() - began


@pytest.mark.parametrize("point", range(3))
def test_a_first_up_that_was_killed_and_put_down_comes_up_again(
    directory: Directory, lasts: dict[str, Lasts], point: int
) -> None:
    words = ("up", "--database", "postgres", *FLAGS)
    _kill(directory, lasts["postgres"].first * (2 + point) / 7, 0, *words)

    # stops PostgreSQL while it makes its files; what it made stays
    directory.down()

    assert_sound(directory, directory.run(*words).data)

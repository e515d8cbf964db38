"""Killed while it seeds: run again, everybody is there once; what was all or nothing is undone by the next command."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.errors import KratosctlError
from kratosctl.kratos.api import Admin
from tests.e2e import engine
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

MANY = 700


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def serving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> Iterator[Directory]:
    """An environment that runs, one for each database, and files with few and many people."""
    directory = Directory(tmp_path_factory.mktemp(f"seed-killed-{request.param}"), cache)
    write(directory)
    directory.up(database=request.param)
    yield directory
    directory.wipe()


def write(directory: Directory) -> None:
    (directory.path / "one.csv").write_text("email\nbefore@example.org\n")
    (directory.path / "many.csv").write_text("email\n" + "".join(f"p{n}@example.org\n" for n in range(MANY)))


def people(directory: Directory) -> list[str]:
    """Who is there, page by page."""
    api = Admin(running.find(directory.path, "dev").admin_url())
    found: list[str] = []
    token = ""
    while True:
        answer = api._client.get(f"{api.url}/admin/identities?page_size=500&page_token={token}")
        assert answer.ok, answer
        found += [one["traits"]["email"] for one in answer.body]
        if len(answer.body) < 500:
            return found
        token = answer.body[-1]["id"]


def some_are_there(directory: Directory, number: int) -> Callable[[], bool]:
    """Whether seeding has come as far as that."""
    found: list[Admin] = []

    def look() -> bool:
        with contextlib.suppress(KratosctlError):
            if not found:
                found.append(Admin(running.find(directory.path, "dev").admin_url()))
            answer = found[0]._client.get(f"{found[0].url}/admin/identities?page_size={number}&per_page={number}")
            return answer.ok and len(answer.body) == number
        return False

    return look


def kill_when(condition: Callable[[], bool], directory: Directory, *words: str) -> None:
    """Starts kratosctl, and kills it and all it runs once a condition holds."""
    process = directory.start(*words, heard=False)
    try:
        engine.until(condition, 120, "the seed has begun")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    # else nothing was interrupted
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("number", [1, 250])
def test_run_again_everybody_is_there_once(serving: Directory, number: int) -> None:
    serving.run("reset")
    kill_when(some_are_there(serving, number), serving, "seed", "many.csv")

    data = serving.run("seed", "many.csv", "--json").data

    assert data["created"] < MANY
    assert data["created"] + data["already_there"] == MANY
    found = people(serving)
    assert len(found) == len({*found}) == MANY


def test_an_atomic_seed_is_undone_by_the_next_command_which_says_so(serving: Directory) -> None:
    serving.run("reset")
    serving.run("seed", "one.csv")
    kill_when(some_are_there(serving, 250), serving, "seed", "many.csv", "--atomic")
    assert len(people(serving)) > 1

    done = serving.run("snapshot", "save", "afterwards", "--overwrite")

    assert "a seed was interrupted: undone" in done.err
    assert people(serving) == ["before@example.org"]
    assert serving.run("seed", "many.csv", "--atomic", "--json").data["created"] == MANY


def test_a_reset_that_was_killed_while_it_seeds_gives_back_what_was_there(serving: Directory) -> None:
    serving.run("reset")
    serving.run("seed", "one.csv")
    # the key in kratosctl.yaml, as a person adds it
    file = serving.path / "kratosctl.yaml"
    plain = file.read_text()
    file.write_text(plain.replace("mail: false", "mail: false, seed: many.csv"))
    kill_when(some_are_there(serving, 250), serving, "reset")

    told = serving.run("up", "--yes")

    assert "a reset was interrupted: undone" in told.err
    assert people(serving) == ["before@example.org"]
    serving.run("reset")
    assert len(people(serving)) == MANY
    file.write_text(plain)


def test_a_first_up_that_was_killed_while_it_seeds_is_finished_by_the_next(directory: Directory) -> None:
    write(directory)
    words = ("up", "--seed", "many.csv", "--no-ui", "--no-mail", "--yes", "--json")
    directory.choose()
    kill_when(some_are_there(directory, 250), directory, *words)

    seeded = directory.run(*words).data["seeded"]

    assert seeded["created"] + seeded["already_there"] == MANY
    found = people(directory)
    assert len(found) == len({*found}) == MANY

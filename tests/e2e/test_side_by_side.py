"""Several environments on one host, copies and moved directories: none harms another."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.e2e import engine, people
from tests.e2e.people import Browser
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

Make = Callable[[str], Directory]


def test_environments_of_same_named_directories_and_of_one_directory_run_side_by_side(make_directory: Make) -> None:
    one, two = make_directory("one/app"), make_directory("two/app")
    told = [one.up(), one.up("ci", database="memory"), two.up()]

    assert len({row["project"] for row in told}) == 3
    urls = [row["endpoints"]["public"] for row in told]
    assert len(set(urls)) == 3
    tokens = [people.sign_up_and_ask(url, f"{number}@example.org") for number, url in enumerate(urls)]
    browser = Browser()
    for number, url in enumerate(urls):
        browser.sign_up(url, f"browser-{number}@example.org")
    for number, url in enumerate(urls):
        assert browser.whoami(url) == f"browser-{number}@example.org", "signing in elsewhere signed out here"
        others = [token for index, token in enumerate(tokens) if index != number]
        assert [people.whoami(url, token) for token in others] == [None, None]


def test_ports_are_kept_across_down_and_up_even_when_lower_ones_are_free_again(make_directory: Make) -> None:
    first, second = make_directory("first"), make_directory("second")
    first.up()
    urls = second.up()["endpoints"]
    second.down()
    first.down()

    again = second.run("up", "--json")

    # or it is told who took it: other tests may run at the same time
    assert again.data["endpoints"] == urls or "is taken by" in again.err


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_deleting_the_data_of_a_copy_leaves_the_original_alone(make_directory: Make, database: str) -> None:
    original = make_directory("original")
    told = original.up(database=database)
    token = people.sign_up_and_ask(told["endpoints"]["public"])
    before = engine.containers(told["project"])

    copy = make_directory("copy")
    shutil.copytree(original.path, copy.path, dirs_exist_ok=True)
    copy.run("down", "--volumes", "--yes")

    assert engine.containers(told["project"]) == before
    assert people.whoami(told["endpoints"]["public"], token) == "someone@example.org"
    copied = copy.run("up", "--json").data
    assert copied["project"] != told["project"]
    assert copied["endpoints"] != told["endpoints"]
    copy.run("down", "--volumes", "--yes")
    assert original.run("up", "--json").data["changed"] is False
    assert people.whoami(told["endpoints"]["public"], token) == "someone@example.org"


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_moved_directory_keeps_its_project_and_its_data(make_directory: Make, database: str) -> None:
    there = make_directory("there")
    told = there.up(database=database)
    token = people.sign_up_and_ask(told["endpoints"]["public"])

    here = make_directory("here")
    here.path.rmdir()
    there.path.rename(here.path)
    moved = here.run("up", "--json").data

    assert moved["project"] == told["project"]
    assert moved["endpoints"] == told["endpoints"]
    assert people.whoami(told["endpoints"]["public"], token) == "someone@example.org"
    assert here.status()["directory"] == str(here.path)


@pytest.fixture
def foreign(directory: Directory) -> Iterator[str]:
    """A Compose project of somebody else that has the name this directory's would have."""
    plan = directory.run("up", "--yes", "--dry-run", "--json").data
    project = next(line for line in plan["diff"].splitlines() if line.startswith("+name: ")).removeprefix("+name: ")
    file = directory.path.parent / "theirs.yaml"
    file.write_text(
        f"services:\n  web:\n    image: {directory.variables['KRATOSCTL_POSTGRES_IMAGE']}\n"
        "    entrypoint: [sleep, infinity]\n    init: true\n    volumes: [data:/data]\nvolumes: {data: {}}\n"
    )
    words = ("compose", "--project-name", project, "--file", str(file))
    engine.docker(*words, "up", "--detach")
    yield project
    engine.docker(*words, "down", "--volumes")


def test_a_project_of_somebody_else_is_left_alone(directory: Directory, foreign: str) -> None:
    before = engine.containers(foreign)

    (directory.path / "kratosctl.yaml").write_text("environments:\n  dev: {ui: false, mail: false}\n")

    for words in (("up",), ("down",), ("down", "--volumes", "--yes"), ("restart",)):
        assert "somebody else" in directory.run(*words, code=40).said
    assert engine.containers(foreign) == before
    assert engine.running(foreign) == {"web"}
    assert f"{foreign}_data" in engine.volumes()

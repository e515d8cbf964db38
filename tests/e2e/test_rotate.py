"""`secrets rotate` on a real Kratos: nobody is logged out, and no secret is lost (test_safe.py: or shown)."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
import yaml

from tests.e2e import engine, images, people
from tests.e2e.people import Browser
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine


def secrets(directory: Directory) -> dict[str, list[str]]:
    """The secrets Kratos is given, by kind."""
    content: dict[str, Any] = yaml.safe_load((directory.home() / "secrets" / "kratos.yml").read_text())
    return dict(content["secrets"])


@pytest.mark.parametrize(("release", "database"), [("v1.1.0", "sqlite"), ("v26.2.0", "postgres")])
def test_sessions_stay_valid(directory: Directory, release: str, database: str) -> None:
    told = directory.up(release=release, database=database)
    public, before = told["endpoints"]["public"], secrets(directory)
    token = people.sign_up_and_ask(public, "api@example.org")
    browser = Browser()
    browser.sign_up(public, "browser@example.org")

    for _ in range(2):
        done = directory.run("secrets", "rotate", "--json")
        assert done.data["kratos_runs_with_them"] is True
        assert people.whoami(public, token) == "api@example.org"
        assert browser.whoami(public) == "browser@example.org"

    after = secrets(directory)
    assert {kind: len(known) for kind, known in after.items()} == dict.fromkeys(before, 3)
    assert all(after[kind][-1] == before[kind][0] for kind in before)
    people.sign_up_and_ask(public, "later@example.org")
    assert directory.run("up", "--yes", "--json").data["changed"] is False


@pytest.mark.skipif(images.are_standins(), reason="only a real Kratos signs its cookies")
def test_it_is_the_old_secret_that_keeps_people_in(directory: Directory) -> None:
    """The test above would pass with any Kratos that does not look at its secrets."""
    told = directory.up()
    browser = Browser()
    browser.sign_up(told["endpoints"]["public"], "browser@example.org")
    directory.run("secrets", "rotate", "--kind", "cookie")
    file = directory.home() / "secrets" / "kratos.yml"
    content = yaml.safe_load(file.read_text())
    content["secrets"]["cookie"] = content["secrets"]["cookie"][:1]
    file.write_text(yaml.safe_dump(content))

    directory.run("restart", "kratos")

    assert browser.whoami(told["endpoints"]["public"]) is None


def test_killed_anywhere_it_loses_nothing_and_up_goes_on(directory: Directory) -> None:
    told = directory.up()
    public, first = told["endpoints"]["public"], secrets(directory)
    browser = Browser()
    browser.sign_up(public, "browser@example.org")

    for number in range(8):
        rotating = directory.start("secrets", "rotate")
        time.sleep(0.12 * number)
        os.killpg(rotating.pid, signal.SIGKILL)
        rotating.communicate()
        known = secrets(directory)
        assert all(known[kind][-1] == first[kind][0] for kind in first)

    again = directory.run("up", "--yes", "--json").data
    # its port is free for others while a rotation that was killed has left no Kratos
    assert browser.whoami(again["endpoints"]["public"]) == "browser@example.org"
    assert directory.run("up", "--yes", "--json").data["changed"] is False
    assert engine.running(again["project"]) == {"kratos"}


def test_two_at_once_both_rotate(directory: Directory) -> None:
    directory.up()

    for rotating in [directory.start("secrets", "rotate") for _ in range(3)]:
        said = rotating.communicate(timeout=120)
        assert rotating.returncode == 0, said

    assert {len(known) for known in secrets(directory).values()} == {4}
    assert directory.run("up", "--yes", "--json").data["changed"] is False


def test_a_stopped_environment_gets_them_with_the_next_up(directory: Directory) -> None:
    told = directory.up()
    browser = Browser()
    browser.sign_up(told["endpoints"]["public"], "browser@example.org")
    directory.down()

    assert directory.run("secrets", "rotate", "--json").data["kratos_runs_with_them"] is False
    assert engine.containers(told["project"]) == {}

    # somebody else may have taken the port meanwhile
    again = directory.run("up", "--yes", "--json").data
    assert browser.whoami(again["endpoints"]["public"]) == "browser@example.org"
    assert {len(known) for known in secrets(directory).values()} == {2}


def test_without_an_environment_there_is_nothing_to_rotate(directory: Directory) -> None:
    assert "make one: kratosctl up" in directory.run("secrets", "rotate", code=2).said

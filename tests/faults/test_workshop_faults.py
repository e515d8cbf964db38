"""A class on its way up while something goes wrong: whoever is there stays, the next `workshop up` mends the rest."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import engine, people
from tests.e2e.program import Directory
from tests.faults.soundness import assert_one_error
from tests.faults.test_host import fill, needs_root, small_disk

pytestmark = pytest.mark.engine


def make(directory: Directory, *words: str) -> None:
    directory.choose()
    directory.run("workshop", "init", "--no-ui", "--no-mail", "--yes", *words)


def up(directory: Directory) -> dict[str, str]:
    """Brings the class up; the address of each seat's public API."""
    rows = directory.run("workshop", "up", "--json").data["seats"]
    assert all(row["ready"] for row in rows), rows
    return {row["seat"]: row["endpoints"]["public"] for row in rows}


def containers(directory: Directory, service: str, seat: str = "") -> list[dict[str, Any]]:
    """The containers of a service that run now."""
    found = engine.of_directory(directory.path).get("container", [])
    with contextlib.suppress(subprocess.CalledProcessError):
        return [
            row
            for row in (engine.inspect(*found) if found else [])
            if row["State"]["Running"]
            and row["Config"]["Labels"]["com.docker.compose.service"] == service
            and seat in ("", row["Config"]["Labels"]["dev.kratosctl.environment"])
        ]
    return []


@pytest.mark.parametrize("service", ["postgres", "kratos"])
def test_what_is_killed_while_the_class_comes_up_is_there_in_the_end_and_nobody_is_lost(
    directory: Directory, service: str
) -> None:
    make(directory, "--seats", "1", "--database", "postgres")
    token = people.sign_up_and_ask(up(directory)["seat-01"])
    directory.run("workshop", "add", "--seats", "2")
    process = directory.start("workshop", "up", "--json")
    victim = engine.until(lambda: containers(directory, service, "seat-02"))[0]["Id"]
    engine.docker("kill", victim)
    # it may have seen it, and tried again, or have been done with that seat
    process.communicate(timeout=150)

    urls = up(directory)

    assert len(set(urls.values())) == 3
    assert people.whoami(urls["seat-01"], token) == "someone@example.org"
    for seat in ("seat-02", "seat-03"):
        people.sign_up_and_ask(urls[seat])


@needs_root
@pytest.mark.parametrize("left", [0, 24, 300])
def test_a_disk_that_fills_up_stops_the_class_with_one_error_and_loses_nobody(
    make_directory: Callable[[str], Directory], left: int
) -> None:
    directory = make_directory("small")
    with small_disk(directory.path, 40_000):
        make(directory, "--seats", "1")
        token = people.sign_up_and_ask(up(directory)["seat-01"])
        directory.run("workshop", "add", "--seats", "3")
        fill(directory.path / "filler", left)

        assert_one_error(directory.run("workshop", "up", code=None), 20)

        (directory.path / "filler").unlink()
        urls = up(directory)
        assert len(urls) == 4
        assert people.whoami(urls["seat-01"], token) == "someone@example.org"
        directory.wipe()


def test_a_seat_whose_port_was_taken_overnight_moves_and_the_teacher_is_told(directory: Directory) -> None:
    make(directory, "--seats", "2")
    before = up(directory)
    token = people.sign_up_and_ask(before["seat-02"])
    directory.run("workshop", "down")
    port = int(before["seat-02"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        said = directory.run("workshop", "up", "--json").envelope

    now = {row["seat"]: row["endpoints"]["public"] for row in said["data"]["seats"]}
    assert now["seat-01"] == before["seat-01"]
    assert now["seat-02"] != before["seat-02"]
    assert people.whoami(now["seat-02"], token) == "someone@example.org"
    assert f"seat-02: port {port} is taken by" in said["warnings"][0]
    assert f"process {os.getpid()}" in json.dumps(said["warnings"])
    assert "workshop handout" in said["warnings"][-1]

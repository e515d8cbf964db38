"""A class on its way up while something goes wrong: whoever is there stays, the next `workshop up` mends the rest."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import signal
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


def test_a_seat_that_somebody_brings_up_while_the_class_comes_up_keeps_the_address_on_its_handout(
    directory: Directory,
) -> None:
    make(directory, "--seats", "4")
    before = up(directory)
    directory.run("workshop", "down")
    process = directory.start("workshop", "up", "--json", "--at-once", "1")
    engine.until(lambda: containers(directory, "kratos"))

    alone = directory.run("up", "seat-04", "--json").data["endpoints"]["public"]

    rows = json.loads(process.communicate(timeout=150)[0])["data"]["seats"]
    assert {row["seat"]: row["endpoints"]["public"] for row in rows} == before
    assert alone == before["seat-04"]


@pytest.mark.parametrize("damaged", ["configuration", "secrets/kratos.yml", "state.json"])
def test_what_is_damaged_at_one_seat_stops_nobody_elses(directory: Directory, damaged: str) -> None:
    make(directory, "--seats", "3")
    (directory.path / "kratosctl.yaml").write_text("environments: {seat-02: {config_dir: ./kratos-seat-02}}\n")
    configuration = directory.path / "kratos-seat-02"
    configuration.mkdir()
    (configuration / "kratos.yml").write_text("serve: {\n" if damaged == "configuration" else "{}\n")
    if damaged != "configuration":
        (directory.home("seat-02") / damaged).parent.mkdir(parents=True)
        (directory.home("seat-02") / damaged).write_text("{")

    rows = directory.run("workshop", "up", "--json", code=1).envelope["data"]["seats"]

    assert [row["ready"] for row in rows] == [True, False, True]
    assert rows[1]["error"] == "configuration-invalid"
    assert "seat-02" in rows[1]["what"]


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        ("serve: {\n", 30, "kratos/kratos.yml:"),
        ("unknown_key: 1\n", 52, "Kratos refuses its configuration"),
    ],
)
def test_what_is_wrong_with_the_configuration_of_all_seats_is_one_error(
    directory: Directory, wrong: str, code: int, said: str
) -> None:
    make(directory, "--seats", "3")
    directory.run("init", "dev", "--no-ui", "--no-mail", "--yes")
    kratos_yml = directory.path / "kratos" / "kratos.yml"
    kratos_yml.write_text(kratos_yml.read_text() + wrong)
    workshop = directory.path / "workshop.yaml"
    workshop.write_text(workshop.read_text().replace("environment: {", "environment: {config_dir: ./kratos, "))

    done = directory.run("workshop", "up", code=code)

    assert done.said.startswith(f"error: {said}")
    assert "seat-" not in done.said
    # each of the two tries, and the end
    assert done.err.count(said) <= 3


def test_a_class_goes_down_but_for_the_seat_whose_state_is_damaged_which_is_named(directory: Directory) -> None:
    make(directory, "--seats", "3")
    up(directory)
    state = directory.home("seat-02") / "state.json"
    whole = state.read_text()
    state.write_text("{")

    said = directory.run("workshop", "down", code=30).said

    assert said.startswith("error: seat-02: ")
    assert "(the other 2 seats are down)" in said
    assert [len(containers(directory, "kratos", f"seat-{number:02d}")) for number in (1, 2, 3)] == [0, 1, 0]
    state.write_text(whole)
    directory.run("workshop", "down")
    assert not containers(directory, "kratos")


def test_what_is_damaged_at_one_seat_keeps_nobody_else_from_a_page_and_their_data(directory: Directory) -> None:
    make(directory, "--seats", "3")
    up(directory)
    directory.run("workshop", "handout")
    state = directory.home("seat-02") / "state.json"
    whole = state.read_text()
    state.write_text("{")

    handed = directory.run("workshop", "handout", "--json").envelope
    taken = directory.run("workshop", "down", "--export", "taken", code=30).said

    assert handed["data"]["pages"] == ["all.html", "index.html", "seat-01.html", "seat-03.html"]
    assert handed["warnings"][0].startswith("no page for seat-02: ")
    assert (directory.path / "handouts" / "seat-02.html").exists()
    assert taken.startswith("error: seat-02: ")
    assert sorted(path.name[:7] for path in (directory.path / "taken").iterdir()) == ["seat-01", "seat-03"]
    state.write_text(whole)


def test_a_seat_that_cannot_be_what_it_is_asked_to_be_fails_alone_and_is_stopped_all_the_same(
    directory: Directory,
) -> None:
    make(directory, "--seats", "3")
    up(directory)
    (directory.path / "kratosctl.yaml").write_text("environments: {seat-02: {variant: distroless}}\n")

    rows = directory.run("workshop", "up", "--json", code=1).envelope["data"]["seats"]
    seen = directory.run("workshop", "status", "--json").data["seats"]
    reset = directory.run("workshop", "reset", "--all", "--json", code=1).envelope["data"]["seats"]
    handed = directory.run("workshop", "handout", "--json").envelope

    assert [row["ready"] for row in rows] == [True, False, True]
    assert rows[1]["error"] == reset[1]["error"] == "choice-impossible"
    assert [row["ok"] for row in reset] == [True, False, True]
    assert [seat["state"] for seat in seen] == ["ready", "broken", "ready"]
    assert seen[1]["error"] == "the distroless image cannot use SQLite"
    assert handed["warnings"][0].startswith("no page for seat-02: the distroless image cannot use SQLite")
    directory.run("workshop", "down")
    assert not containers(directory, "kratos")


def ends(directory: Directory, moment: datetime.datetime) -> None:
    """Has the class end at a time."""
    path = directory.path / "workshop.yaml"
    lines = [line for line in path.read_text().splitlines(keepends=True) if not line.startswith("ends:")]
    path.write_text("".join(lines) + f"ends: {moment:%Y-%m-%d %H:%M:%S}\n")


def test_a_class_that_was_interrupted_on_its_way_up_ends_at_its_time_all_the_same(directory: Directory) -> None:
    make(directory, "--seats", "4")
    ends(directory, datetime.datetime.now() + datetime.timedelta(days=1))
    process = directory.start("workshop", "up", "--at-once", "1", heard=False)
    engine.until(lambda: containers(directory, "kratos"))

    os.killpg(process.pid, signal.SIGINT)

    process.wait(timeout=150)
    assert containers(directory, "kratos")
    assert directory.run("workshop", "status", "--json").envelope["warnings"] == []
    ends(directory, datetime.datetime.now())
    engine.until(lambda: not engine.of_directory(directory.path).get("container"), 90)


def test_an_end_that_is_written_later_is_said_to_wait_for_the_next_up(directory: Directory) -> None:
    make(directory, "--seats", "1")
    up(directory)
    ends(directory, datetime.datetime.now() + datetime.timedelta(days=1))

    (said,) = directory.run("workshop", "status", "--json").envelope["warnings"]
    up(directory)

    assert "does not end by itself" in said
    assert "kratosctl workshop up" in said
    assert directory.run("workshop", "status", "--json").envelope["warnings"] == []


def test_seats_that_are_not_written_one_to_a_line_come_up_and_who_cannot_be_moved_is_named(
    directory: Directory,
) -> None:
    make(directory, "--seats", "1")
    text = (directory.path / "workshop.yaml").read_text().partition("seats:")[0]
    (directory.path / "workshop.yaml").write_text(text + "seats: {seat-01: Ada, seat-02: }\n")
    directory.home("seat-01").mkdir(parents=True)
    (directory.home("seat-01") / "compose.yaml").write_text("services: {}\n")

    said = directory.run("workshop", "up", "--json", code=1).envelope

    assert [(row["attendee"], row["ready"]) for row in said["data"]["seats"]] == [("Ada", False), (None, True)]
    assert "kratosctl cannot change its seats" in said["warnings"][0]
    assert "seat-02: Ada" in said["warnings"][0]

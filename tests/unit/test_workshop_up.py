"""Bringing a class up: what is decided before and after its seats. Without an engine."""

from __future__ import annotations

import fcntl
import shutil
import socket
import sqlite3
import subprocess
from ipaddress import IPv4Network
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.console import Console
from kratosctl.engine import program
from kratosctl.engine.objects import Container, Engine
from kratosctl.errors import HostTooSmall, NotReady
from kratosctl.files.state import State
from kratosctl.host import networks, ports, watchers
from kratosctl.main import main
from kratosctl.stages import assemble
from kratosctl.workshop import allot, init, moving, seats, up
from kratosctl.workshop.seats import Seat
from kratosctl.workshop.up import Came, Shared

CAME = Came({}, changed=True, seconds=1.0)


def classroom(directory: Path, **people: int | None) -> None:
    """A class of seats by name, with so many identities at each; None: no database yet."""
    named = {name.replace("_", "-"): count for name, count in people.items()}
    who = {name: "Ada" if name == "seat-01" else "" for name in named}
    workshop_file.write(directory, Workshop("class", {"database": "sqlite"}, who))
    for name, count in named.items():
        if count is not None:
            home = directory / ".kratosctl" / name / "database"
            home.mkdir(parents=True)
            connection = sqlite3.connect(home / "db.sqlite")
            with connection:
                connection.execute("CREATE TABLE identities (id)")
                connection.executemany("INSERT INTO identities VALUES (?)", [(number,) for number in range(count)])
            connection.close()


@pytest.mark.parametrize(
    ("others", "moved"),
    [
        ({"seat_02": 3}, None),
        ({"seat_02": 3, "seat_03": 0}, "seat-03"),
        # its seed is all that is there
        ({"seat_02": 3, "spare_01": 3}, "spare-01"),
        ({"seat_02": 0, "spare_01": 0}, "spare-01"),
    ],
)
def test_who_moves_to_a_free_seat_finds_nobody_elses_work_there(
    tmp_path: Path, others: dict[str, int], moved: str | None
) -> None:
    classroom(tmp_path, seat_01=None, **others)
    workshop, everyone = seats.chosen(tmp_path, (), everybody=True)
    outcomes = {seat.name: NotReady("Kratos is not ready") if seat.attendee else CAME for seat in everyone}

    found, _ = moving.move(tmp_path, workshop, everyone, outcomes)

    assert found == ({"seat-01": moved} if moved else {})
    sits = {who: name for name, who in workshop_file.load(tmp_path).seats.items() if who}
    assert sits == {"Ada": moved or "seat-01"}


def test_who_stays_at_a_seat_that_fails_is_named_where_they_could_have_moved(tmp_path: Path) -> None:
    classroom(tmp_path, seat_01=1, spare_01=0)
    workshop, everyone = seats.chosen(tmp_path, (), everybody=True)

    def move(spare: object) -> tuple[dict[str, str], list[str]]:
        outcomes = {"seat-01": NotReady("Kratos is not ready"), "spare-01": spare}
        return moving.move(tmp_path, workshop, everyone, outcomes)

    said = "not moved to a free seat, as something may have been made there: seat-01 (Ada)"
    assert move(CAME) == ({}, [said])
    assert move(NotReady("Kratos is not ready")) == ({}, [])


def test_what_to_do_about_a_seat_that_fails_stands_below_the_table(tmp_path: Path) -> None:
    classroom(tmp_path, seat_01=1, seat_02=0)
    _, everyone = seats.chosen(tmp_path, (), everybody=True)
    came = Came({"public": "http://localhost:4533"}, changed=True, seconds=1.0)
    fails = NotReady("Kratos is not ready", "it migrates", "see: kratosctl logs seat-02 kratos")

    told = up._result(tmp_path, everyone, {"seat-01": came, "seat-02": fails}, {}, [], 1.0).text()
    all_came = up._result(tmp_path, everyone, {"seat-01": came, "seat-02": came}, {}, [], 1.0).text()

    assert told.splitlines()[-1] == "seat-02: it migrates; see: kratosctl logs seat-02 kratos"
    assert all_came.splitlines()[-1].startswith("seat-02  -         ready")


def test_who_is_added_gets_a_seat_where_nobody_has_begun_before_one_where_somebody_has(tmp_path: Path) -> None:
    classroom(tmp_path, seat_02=2, seat_03=0)

    first, second = (init.add(tmp_path, [name], 0, None, Console(quiet=True)) for name in ("Grace", "Bob"))

    assert dict(workshop_file.load(tmp_path).seats) == {"seat-02": "Bob", "seat-03": "Grace"}
    assert first.warnings == []
    assert second.warnings == ["seat-02 (Bob) has identities: somebody sat there already"]


class TestNetworks:
    """A range for sixteen, as somebody who manages a company's network gives it."""

    @pytest.fixture(autouse=True)
    def roomy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A host on which nothing else runs out."""
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**12))
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**12))
        monkeypatch.setattr(watchers, "free", lambda: None)
        monkeypatch.setattr(program, "docker", lambda *_, **__: subprocess.CompletedProcess((), 0, "", ""))

    def begin(self, directory: Path, allotted: int, number: int, runs: bool = False) -> None:
        """Brings a class up."""
        everyone, taken, containers = self.make(directory, allotted, number, runs)
        shared = Shared(Engine("27", "linux/amd64", True, False, "local"), containers)
        up._refuse_too_many(everyone, shared, lambda: taken)

    def make(
        self, directory: Path, allotted: int, number: int, runs: bool
    ) -> tuple[list[Seat], list[IPv4Network], dict[str, list[Container]]]:
        """Makes a class of which some were up before, or are: Docker has their networks, and so has the host."""
        names = [f"seat-{each:02d}" for each in range(1, number + 1)]
        environment = {"database": "sqlite", "subnets": "10.214.0.0/24", "ui": False, "mail": False}
        workshop_file.write(directory, Workshop("class", environment, dict.fromkeys(names, "")))
        _, everyone = seats.chosen(directory, (), everybody=True)
        there = list(IPv4Network("10.214.0.0/24").subnets(new_prefix=28))[:allotted]
        containers: dict[str, list[Container]] = {}
        for seat, network in zip(everyone, there, strict=False):
            seat.workspace.save_state(State(project=seat.name, directory=str(directory), subnet=str(network)))
            labels = {"directory": str(directory), "environment": seat.name}
            one = Container("id", "c", "kratos", seat.name, "running", "Up", "", None, "kratos", {}, labels)
            containers |= {seat.name: [one]} if runs else {}
        return everyone, [*there, *there], containers

    @pytest.mark.parametrize(
        ("allotted", "runs", "said"),
        [
            (12, False, "16 seats of kratos fit this host"),
            # as many as `workshop up` would start
            (12, True, "4 seats of kratos fit this host"),
            (16, True, "0 seats of kratos fit this host"),
        ],
    )
    def test_the_plan_says_what_up_would_do(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        allotted: int,
        runs: bool,
        said: str,
    ) -> None:
        _, taken, containers = self.make(tmp_path, allotted, 16, runs)
        monkeypatch.setattr(networks, "taken", lambda: taken)
        monkeypatch.setattr(seats, "by_project", lambda: containers)

        code = main(["workshop", "plan", "--directory", str(tmp_path)])

        told = capsys.readouterr()
        assert (code, told.out.splitlines()[0]) == (0, said)
        assert (f"{allotted} seats of this workshop are there already" in told.err) == runs

    @pytest.mark.parametrize(
        ("variable", "value"), [("DATABASE", "postgres"), ("PUBLIC_PORT", "4533"), ("MAIL", "yes")]
    )
    def test_the_plan_is_about_the_seats_that_up_would_start_whatever_variables_say(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        variable: str,
        value: str,
    ) -> None:
        self.make(tmp_path, 0, 2, False)
        monkeypatch.setattr(networks, "taken", list)
        monkeypatch.setattr(seats, "by_project", dict)
        monkeypatch.setenv(f"KRATOSCTL_{variable}", value)

        assert main(["workshop", "plan", "--directory", str(tmp_path)]) == 0
        assert capsys.readouterr().out.startswith("2 seats of kratos fit this host\n")

    def test_a_class_that_went_down_for_the_night_fits_the_next_morning(self, tmp_path: Path) -> None:
        self.begin(tmp_path, allotted=12, number=12)

    def test_there_is_room_for_as_many_as_have_none_yet(self, tmp_path: Path) -> None:
        self.begin(tmp_path, allotted=4, number=16)

    def test_there_is_room_for_more_beside_those_that_run(self, tmp_path: Path) -> None:
        self.begin(tmp_path, allotted=12, number=16, runs=True)

    def test_there_is_none_for_more(self, tmp_path: Path) -> None:
        with pytest.raises(HostTooSmall, match="17 further seats"):
            self.begin(tmp_path, allotted=4, number=17)


def test_a_port_that_one_seat_was_to_have_and_that_is_taken_keeps_no_other_from_coming_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRATOSCTL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(ports, "holder", lambda _: "another program")
    names = ("seat-01", "seat-02", "seat-03")
    workshop_file.write(tmp_path, Workshop("class", {"ui": False, "mail": False}, dict.fromkeys(names, "")))
    with socket.create_server(("127.0.0.1", 0)) as listens:
        taken = listens.getsockname()[1]
        (tmp_path / "kratosctl.yaml").write_text(f"environments: {{seat-02: {{public_port: {taken}}}}}\n")
        _, everyone = seats.chosen(tmp_path, (), everybody=True)

        notes, failed = allot.allot(everyone, lambda *_: set(), list)

    assert notes == []
    assert {name: error.what for name, error in failed.items()} == {
        "seat-02": f"port {taken} is taken by another program"
    }
    assert ["public" in seats.state_of(seat).ports for seat in everyone] == [True, False, True]


def test_a_port_that_all_seats_were_to_have_is_said_to_be_another_seats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not another program's: nothing listens there that somebody could stop."""
    monkeypatch.setenv("KRATOSCTL_CACHE_DIR", str(tmp_path / "cache"))
    with socket.create_server(("127.0.0.1", 0)) as listens:
        free = listens.getsockname()[1]
    asked = {"ui": False, "mail": False, "public_port": free}
    workshop_file.write(tmp_path, Workshop("class", asked, dict.fromkeys(("seat-01", "seat-02"), "")))

    _, failed = allot.allot(seats.chosen(tmp_path, (), everybody=True)[1], lambda *_: set(), list)

    assert {name: error.what for name, error in failed.items()} == {"seat-02": f"port {free} is taken by another seat"}


def test_a_seat_that_is_brought_up_alone_while_the_class_is_keeps_its_ports_and_so_it_does_in_the_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRATOSCTL_CACHE_DIR", str(tmp_path / "cache"))
    workshop_file.write(tmp_path, Workshop("class", {"ui": False, "mail": False}, {"seat-01": "Ada"}))
    _, (seat,) = seats.chosen(tmp_path, (), everybody=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        state = State(project="class-seat-01", directory=str(tmp_path), ports={"public": free.getsockname()[1]})
    seat.workspace.save_state(state)
    claimed = tmp_path / "cache" / "ports" / str(state.ports["public"])
    claimed.parent.mkdir(parents=True)

    with claimed.open("w") as other_run:
        fcntl.flock(other_run, fcntl.LOCK_EX)
        alone = assemble.assemble(seat.environment, seat.workspace, state, None, set(), {})
        notes, failed = allot.allot([seat], lambda *_: set(), None)

    assert (dict(alone.place.ports), alone.notes) == (state.ports, ())
    assert (seats.state_of(seat).ports, notes, failed) == (state.ports, [], {})


@pytest.mark.parametrize(
    ("host", "strange"),
    [
        ("localhost", False),
        ("class.test", False),
        ("127.0.0.1", False),
        ("127.0.1.1", False),
        ("192.168.1.10", False),
        # of the machine that the class was made on, or of yesterday
        ("192.168.1.99", True),
        ("[2001:db8::7]", True),
    ],
)
def test_an_address_that_leads_attendees_to_another_host_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, strange: bool
) -> None:
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": [SimpleNamespace(address="192.168.1.10")]})
    workshop_file.write(tmp_path, Workshop("class", {"host": host, "bind": "0.0.0.0"}, {"seat-01": "", "seat-02": ""}))

    said = seats.of_another_host(seats.chosen(tmp_path, (), everybody=True)[1])

    assert len(said) == strange
    assert all(f"attendees are given {host}" in one for one in said)

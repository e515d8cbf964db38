"""Looking at all seats: what changed is asked for, what did not is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from kratosctl import ownership
from kratosctl.engine.objects import Container
from kratosctl.errors import EngineFailed
from kratosctl.files.workspace import Workspace
from kratosctl.kratos import readiness
from kratosctl.workshop.observe import Observer

ERROR = "time=2026-11-24T13:29:22Z level=error msg=it broke service_name=Ory Kratos\n"
EARLY, LATE = "2026-11-24T13:00:00.5Z", "2026-11-24T13:05:00.5Z"
NEVER = "0001-01-01T00:00:00Z"


@dataclass
class Window:
    """An engine on which containers are as they are put; it counts what it is asked."""

    there: list[Container] = field(default_factory=list)
    started: str = EARLY
    said: str = ""
    asked: list[str] = field(default_factory=list)

    def containers(self) -> tuple[Container, ...]:
        return tuple(self.there)

    def moments(self, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        return dict.fromkeys(ids, (self.started, NEVER))

    def logs(self, container: str, lines: int, since: float = 0) -> str:
        self.asked.append(f"log {container} {since:.1f}")
        return self.said

    def run(self, container: str, words: Sequence[str]) -> str:
        raise EngineFailed("it hangs")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "workshop.yaml").write_text("name: class\nseats:\n  seat-01: Ada\n  seat-02:\n")
    return tmp_path


@pytest.fixture
def window(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Window:
    found = Window()

    def is_ready(address: str, port: int, path: str = "", patience: float = 5) -> bool:
        found.asked.append(f"ready {port}")
        return True

    monkeypatch.setattr(readiness, "is_ready", is_ready)
    found.there = [kratos(directory, seat, port) for seat, port in (("seat-01", 4533), ("seat-02", 4633))]
    return found


def kratos(directory: Path, seat: str, port: int) -> Container:
    project = ownership.settled_state(Workspace(directory, seat)).project
    published = {f"127.0.0.1:{port}": 4433}
    labels = {"environment": seat, "release": "v26.2.0", "database": "sqlite"}
    return Container(seat, seat, "kratos", project, "running", "Up", "healthy", None, "image", published, labels)


def test_a_proxy_that_does_not_run_is_said_while_a_seat_does(directory: Path, window: Window) -> None:
    text = "name: class\nenvironment: {https: true, bind: 192.168.1.10}\nseats:\n  seat-01: Ada\n"
    (directory / "workshop.yaml").write_text(text)
    home = Workspace(directory, ".proxy")
    home.save_state(replace(ownership.settled_state(home), ports={"certificate": 4480}))
    project = ownership.settled_state(home).project
    caddy = Container("c", "c", "proxy", project, "running", "Up", "", None, "caddy")
    seat = window.there[0]

    def warned(*there: Container) -> list[str]:
        window.there = list(there)
        return [said.partition(":")[0] for said in Observer(directory, window, local=True).look().warnings]

    assert warned(seat, caddy) == []
    assert warned(seat) == warned(seat, replace(caddy, state="exited")) == ["the TLS proxy does not run"]
    assert warned() == []


@pytest.mark.parametrize("local", [True, False])
def test_an_address_that_this_host_has_no_longer_is_said_while_a_seat_runs(
    directory: Path, window: Window, local: bool
) -> None:
    """A laptop that slept has another address in the next room, and attendees reach nothing."""
    text = "name: class\nenvironment: {host: 192.0.2.7, bind: 0.0.0.0}\nseats:\n  seat-01: Ada\n"
    (directory / "workshop.yaml").write_text(text)

    def warned() -> tuple[str, ...]:
        return Observer(directory, window, local).look().warnings

    # an engine in a virtual machine has another host's addresses
    assert len(warned()) == local
    assert all("192.0.2.7, which is no address of this host" in said for said in warned())
    window.there = []
    assert warned() == ()


def test_each_seat_is_told_of(directory: Path, window: Window) -> None:
    ada, free = Observer(directory, window, local=True).look().seats

    assert (ada.seat, ada.attendee, ada.state, ada.release) == ("seat-01", "Ada", "ready", "v26.2.0")
    assert (ada.address, ada.since) == ("http://localhost:4533", "2026-11-24T13:00:00+00:00")
    assert (free.attendee, free.state, free.address) == (None, "ready", "http://localhost:4633")


def test_seats_that_are_as_they_were_are_asked_only_in_their_turn(directory: Path, window: Window) -> None:
    observer = Observer(directory, window, local=True)
    observer.look()
    window.asked.clear()

    for _ in range(15):
        observer.look()

    assert sorted(one.rpartition(" ")[0] if one.startswith("log") else one for one in window.asked) == [
        "log seat-01",
        "log seat-02",
        "ready 4533",
        "ready 4633",
    ]


def test_a_seat_that_died_is_broken_at_the_next_look(directory: Path, window: Window) -> None:
    observer = Observer(directory, window, local=True)
    observer.look()
    window.there[1] = replace(window.there[1], state="exited", exit_code=137, health="", published={})

    ada, died = observer.look().seats

    assert (ada.state, died.state, died.error, died.address) == ("ready", "broken", "kratos was killed", None)


def test_an_error_is_told_until_kratos_is_started_anew(directory: Path, window: Window) -> None:
    observer = Observer(directory, window, local=True)
    window.said = ERROR
    before = observer.look().seats[0]
    window.said, window.started = "", LATE
    window.there[0] = replace(window.there[0], health="starting")

    after = observer.look().seats[0]

    assert (before.error, before.error_at) == ("it broke", "2026-11-24T13:29:22Z")
    assert (after.error, after.error_at) == ("", None)


def test_a_damaged_file_of_one_seat_hides_no_other(directory: Path, window: Window) -> None:
    state = directory / ".kratosctl" / "seat-02" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text("{")

    ada, damaged = Observer(directory, window, local=True).look().seats

    assert ada.state == "ready"
    assert damaged.state == "broken"
    assert "state.json is not readable" in damaged.error


def test_a_seat_that_comes_into_the_file_is_seen_and_one_that_goes_is_not(directory: Path, window: Window) -> None:
    observer = Observer(directory, window, local=True)
    observer.look()
    (directory / "workshop.yaml").write_text("name: class\nseats:\n  seat-01: Bob\n  seat-09: Eve\n")

    assert [(seat.seat, seat.attendee, seat.state) for seat in observer.look().seats] == [
        ("seat-01", "Bob", "ready"),
        ("seat-09", "Eve", "absent"),
    ]


def test_a_postgresql_that_hangs_keeps_no_seat_from_being_seen(directory: Path, window: Window) -> None:
    answers = "{database: postgres}"
    (directory / "workshop.yaml").write_text(f"name: class\nenvironment: {answers}\nseats:\n  seat-01:\n")
    window.there.append(replace(window.there[0], id="db", name="db", service="postgres", published={}))

    (seat,) = Observer(directory, window, local=True).look(everything=True).seats

    assert (seat.state, seat.identities) == ("ready", None)

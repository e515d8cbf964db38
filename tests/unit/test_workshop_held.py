"""What is done to a seat is done to it as it is when its lock is free, not as it was when somebody asked for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kratosctl import ownership, running
from kratosctl.answers import configuration_file, workshop_file
from kratosctl.answers.wishes import Wishes
from kratosctl.answers.workshop_file import Workshop
from kratosctl.commands import restart as restarts
from kratosctl.console import Console
from kratosctl.engine.objects import Container, Engine
from kratosctl.environment import Environment
from kratosctl.errors import ChoiceImpossible, KratosctlError
from kratosctl.files.workspace import Workspace
from kratosctl.results import Result
from kratosctl.running import Found
from kratosctl.snapshots import handing, resetting, saving
from kratosctl.snapshots.subject import Subject
from kratosctl.stages import converge
from kratosctl.stages.look import Look
from kratosctl.workshop import acts, seats, takeaway, up
from kratosctl.workshop.seats import Seat
from kratosctl.workshop.up import Shared

SILENT = Console(quiet=True)
NEW = Container("new", "new", "kratos", "class-seat-07", "running", "Up", "healthy", None, "kratos", {})


def reset(directory: Path) -> None:
    acts.reset(*seats.chosen(directory, ["seat-07"], everybody=False), SILENT, {})


def take_away(directory: Path) -> None:
    _, chosen = seats.chosen(directory, ["seat-07"], everybody=False)
    takeaway.write(chosen, directory / "taken", SILENT, {})


ACTS = pytest.mark.parametrize("act", [reset, take_away])


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A class with one seat, which has a database."""
    workshop_file.write(tmp_path, Workshop("class", {"release": "v1.3.1", "database": "sqlite"}, {"seat-07": "Ada"}))
    workspace = Workspace(tmp_path, "seat-07")
    workspace.home.mkdir(parents=True)
    state = ownership.settled_state(workspace)
    state.releases["sqlite"] = "v1.3.1"
    workspace.save_state(state)
    monkeypatch.setattr(seats, "by_project", dict)
    return tmp_path


@pytest.fixture
def acted_on(monkeypatch: pytest.MonkeyPatch) -> list[Subject]:
    """The seats whose data is saved, as they are taken for."""
    found: list[Subject] = []

    def act(subject: Subject, *_: Any) -> Result:
        found.append(subject)
        return Result("", {}, str)

    monkeypatch.setattr(resetting, "reset", act)
    monkeypatch.setattr(saving, "keep", act)
    monkeypatch.setattr(handing, "export", lambda *_: Result("", {}, str))
    return found


@pytest.fixture
def waited_for(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of the seat, which has its lock and made another container."""
    locked = Workspace.locked

    @contextlib.contextmanager
    def after_an_upgrade(self: Workspace, command: str, timeout: float, say: Callable[[str], None]) -> Iterator[None]:
        with locked(self, command, timeout, say):
            say("waiting for `kratosctl upgrade seat-07`")
            configuration_file.save(directory, "seat-07", {"release": "v26.2.0"})
            yield

    monkeypatch.setattr(Workspace, "locked", after_an_upgrade)
    monkeypatch.setattr(
        running, "find", lambda at, name: Found(Workspace(at, name), Workspace(at, name).state(), (NEW,))
    )


@ACTS
@pytest.mark.usefixtures("waited_for")
def test_who_waited_for_an_upgrade_acts_on_the_new_release(
    directory: Path, acted_on: list[Subject], act: Callable[[Path], None]
) -> None:
    act(directory)

    assert [(subject.release, subject.found.containers) for subject in acted_on] == [("v26.2.0", (NEW,))]


@pytest.mark.usefixtures("waited_for")
def test_who_waited_for_an_upgrade_restarts_what_it_made(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restarted: list[Found] = []

    def restart(found: Found, *_: Any) -> Result:
        restarted.append(found)
        return Result("", {}, str)

    monkeypatch.setattr(restarts, "restart", restart)

    acts.restart(*seats.chosen(directory, ["seat-07"], everybody=False), 60, SILENT)

    assert [found.containers for found in restarted] == [(NEW,)]


@pytest.mark.parametrize("waited", [True, False])
def test_a_seat_comes_up_as_it_is_by_then_not_as_it_was_when_the_class_was_looked_at(
    directory: Path, monkeypatch: pytest.MonkeyPatch, waited: bool, request: pytest.FixtureRequest
) -> None:
    _, (seat,) = seats.chosen(directory, (), everybody=True)
    if waited:
        request.getfixturevalue("waited_for")
    else:
        # an `up` of this seat alone, which came and went before its turn
        monkeypatch.setattr(running, "find", lambda *_: Found(seat.workspace, seat.workspace.state(), (NEW,)))
    came: list[tuple[str, Sequence[Container] | None]] = []

    def bring_up(environment: Environment, *words: object) -> Result:
        look = words[-1]
        came.append((environment.release, look.containers() if isinstance(look, Look) else None))
        return Result("up", {"endpoints": {}, "changed": False}, str)

    monkeypatch.setattr(converge, "converge", bring_up)
    nothing_ran_then = Shared(Engine("27", "linux/amd64", True, False, "local"), {})

    up._come_up(seat, nothing_ran_then, Wishes(), {})

    # of another release it is looked for anew, with its images
    assert came == [("v26.2.0", None) if waited else ("v1.3.1", (NEW,))]


@ACTS
def test_where_nobody_was_waited_for_the_engine_is_not_asked_again(
    directory: Path, acted_on: list[Subject], monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(running, "find", lambda *_: pytest.fail("it is known what the engine has"))

    act(directory)

    assert [subject.release for subject in acted_on] == ["v1.3.1"]


def test_data_in_a_database_that_is_asked_for_no_more_is_not_left_out_in_silence(
    directory: Path, acted_on: list[Subject]
) -> None:
    workshop_file.write(directory, Workshop("class", {"database": "postgres"}, {"seat-07": "Ada"}))

    with pytest.raises(ChoiceImpossible) as refused:
        take_away(directory)

    assert refused.value.what == "seat-07: what was made there is in sqlite"
    assert "`database: sqlite`" in refused.value.fix
    assert acted_on == []


def test_a_seat_that_is_named_twice_is_acted_on_once(directory: Path, acted_on: list[Subject]) -> None:
    told = acts.reset(*seats.chosen(directory, ["seat-07", "Ada", "seat-07"], everybody=False), SILENT, {})

    assert [subject.found.name for subject in acted_on] == ["seat-07"]
    assert len(told.data["seats"]) == 1


def test_who_is_done_is_told_of_while_the_first_seat_is_still_waited_for(tmp_path: Path) -> None:
    first, second = (Seat(name, "", {}, Workspace(tmp_path, name)) for name in ("seat-01", "seat-02"))
    told_of_second = threading.Event()

    def done(seat: Seat, _: bool | KratosctlError) -> None:
        if seat is second:
            told_of_second.set()

    outcomes = seats.each([first, second], 2, lambda seat: seat is second or told_of_second.wait(10), done)

    assert list(outcomes.items()) == [("seat-01", True), ("seat-02", True)]


@pytest.mark.usefixtures("acted_on")
def test_what_two_people_made_never_has_one_name(directory: Path) -> None:
    workshop_file.change(directory, {"seat-07": "1", "seat-07-1": ""})
    other = Workspace(directory, "seat-07-1")
    other.home.mkdir(parents=True)
    state = ownership.settled_state(other)
    state.releases["sqlite"] = "v1.3.1"
    other.save_state(state)
    _, chosen = seats.chosen(directory, [], everybody=True)

    taken = takeaway.write(chosen, directory / "taken", SILENT, {})

    assert [file.name for file in taken.files] == ["seat-07_1.kratos.zip", "seat-07-1.kratos.zip"]

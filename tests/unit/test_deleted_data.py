"""What goes with the data, whichever command deletes it. Without an engine."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from kratosctl import running
from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.commands import down, upgrade
from kratosctl.console import Console
from kratosctl.database.data import Data
from kratosctl.engine import reading
from kratosctl.engine.objects import Container
from kratosctl.errors import ConfigurationInvalid, EnvironmentBusy, NotReady, UsageError
from kratosctl.files.state import State
from kratosctl.files.workspace import CONTENT_NOTE, PROXY, RESTORE_NOTE, UPGRADE_CLONE, UPGRADE_NOTE, Workspace
from kratosctl.main import main
from kratosctl.results import Result
from kratosctl.running import Found
from kratosctl.snapshots import resetting
from kratosctl.snapshots.subject import Subject
from kratosctl.workshop import acts, init, seats
from kratosctl.workshop import down as workshop_down

QUIET = Console(quiet=True)
DATA = Data()
NOTES = (UPGRADE_NOTE, RESTORE_NOTE, CONTENT_NOTE)


def interrupted(workspace: Workspace) -> Workspace:
    """An environment at which everything that can be interrupted was."""
    for note in NOTES:
        workspace.write_note(note, {"stage": "swapping"})
    (workspace.home / UPGRADE_CLONE).mkdir()
    return workspace


@pytest.fixture
def classroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workshop of two seats on an engine that has nothing of them."""
    workshop_file.write(tmp_path, Workshop("class", seats={"seat-01": "Ada", "seat-02": ""}))
    monkeypatch.setattr(reading, "of_compose", lambda oneoff=False: ())
    monkeypatch.setattr(reading, "remove_networks", lambda projects: None)
    return tmp_path


def test_with_the_data_of_an_environment_goes_what_interrupted_work_left(tmp_path: Path) -> None:
    workspace = interrupted(Workspace(tmp_path, "dev"))

    down.delete(Found(workspace, State(), ()), DATA)

    assert not workspace.has_unfinished


def test_nothing_that_was_known_of_deleted_data_is_believed_of_what_takes_its_place(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "dev")
    state = State(project="p", directory="/a", migrated={"image": "i"}, releases={"postgres": "v1.3.1"})
    workspace.save_state(replace(state, postgres_major=17, first_start=True, copying=True))

    down.delete(Found(workspace, State(), ()), DATA)

    assert workspace.state() == State(project="p", directory="/a")


def test_a_workshop_whose_data_is_deleted_has_nothing_to_settle_at_the_next_up(classroom: Path) -> None:
    _, everyone = seats.chosen(classroom, (), everybody=True)
    interrupted(everyone[0].workspace)
    work = workshop_down.Work({seat.name: DATA for seat in everyone}, 0)

    workshop_down.stop(everyone, work, QUIET)

    assert not everyone[0].workspace.has_unfinished


def test_whoever_deletes_what_a_class_made_is_told_which_snapshots_stay(
    classroom: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, everyone = seats.chosen(classroom, (), everybody=True)
    for seat, name in zip(everyone, ("mine", "taken-away"), strict=True):
        (seat.workspace.home / "snapshots" / name).mkdir(parents=True)
        (seat.workspace.home / "database").mkdir()
    monkeypatch.setattr(reading, "project_volumes", lambda project: {})

    assert main(["workshop", "down", "--volumes", "-C", str(classroom)]) == 38
    assert "It cannot be brought back, but for what stays in 2 snapshots." in capsys.readouterr().err
    assert main(["workshop", "remove", "seat-01", "-C", str(classroom)]) == 38
    assert "deleting 1 database with 0 identities and 1 snapshot?" in capsys.readouterr().err

    told = workshop_down.stop_all(classroom, True, None, QUIET, {})
    assert "their data is deleted; kept: 2 snapshots of them: kratosctl snapshot list --env SEAT" in told.text()


def test_a_seat_at_which_a_command_hangs_keeps_no_other_from_going_down(
    classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, everyone = seats.chosen(classroom, (), everybody=True)
    gone: list[str] = []
    monkeypatch.setattr(workshop_down, "LOCK_WAIT", 0.2)
    monkeypatch.setattr(down, "remove_clone", lambda workspace: gone.append(workspace.name))
    everyone[0].workspace.home.mkdir(parents=True)

    with FileLock(everyone[0].workspace.home / "lock"), pytest.raises(EnvironmentBusy) as caught:
        workshop_down.stop_all(classroom, False, None, QUIET, {})

    assert gone == ["seat-02"]
    assert caught.value.what.startswith("seat-01: environment seat-01 is held by")
    assert caught.value.what.endswith("(the other 1 seat is down)")


def test_a_proxy_whose_state_is_damaged_keeps_no_seat_from_going_down(
    classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[str] = []
    monkeypatch.setattr(down, "remove_clone", lambda workspace: gone.append(workspace.name))
    Workspace(classroom, PROXY).write("state.json", "not what kratosctl wrote")

    with pytest.raises(ConfigurationInvalid, match="not readable as kratosctl's state"):
        workshop_down.stop_all(classroom, False, None, QUIET, {})

    assert gone == ["seat-01", "seat-02"]


def test_many_at_which_commands_hang_are_not_waited_for_one_after_the_other(
    classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five of them would keep a class from ending for the better part of an hour, and the workshop locked."""
    _, everyone = seats.chosen(classroom, (), everybody=True)
    now, waited = [0.0], []

    def hangs(_: Workspace, _command: str, timeout: float, _say: Callable[[str], None]) -> None:
        waited.append(timeout)
        now[0] += timeout
        raise EnvironmentBusy("it is held")

    monkeypatch.setattr(Workspace, "locked", hangs)
    monkeypatch.setattr(seats, "time", SimpleNamespace(monotonic=lambda: now[0]))

    with seats.all_locked(everyone, "workshop down", 600, lambda _: None) as busy:
        assert list(busy) == ["seat-01", "seat-02"]
    assert waited == [600, 0]


def test_a_workshop_that_goes_down_for_the_night_keeps_what_is_to_be_settled_but_no_clone(classroom: Path) -> None:
    _, everyone = seats.chosen(classroom, (), everybody=True)
    seat = interrupted(everyone[0].workspace)

    workshop_down.stop(everyone, None, QUIET)

    assert all(seat.note(name) for name in NOTES)
    assert not down.clone_directory(seat).exists()


def test_of_seats_that_are_removed_one_that_fails_is_named_and_the_others_are_gone_as_a_whole(
    classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seat whose data is deleted would still be in workshop.yaml, and its attendee find an empty one."""
    _, (ada, other) = seats.chosen(classroom, (), everybody=True)
    for seat in (ada, other):
        (seat.workspace.home / "database").mkdir(parents=True)
    (other.workspace.home / "state.json").write_text("not what kratosctl wrote")

    with pytest.raises(ConfigurationInvalid) as caught:
        acts.remove(classroom, ["Ada", "seat-02"], QUIET)

    assert caught.value.what.startswith("seat-02: ")
    assert caught.value.what.endswith("(the other 1 seat is gone)")
    assert dict(workshop_file.load(classroom).seats) == {"seat-02": ""}
    assert not ada.workspace.home.exists()
    assert (other.workspace.home / "database").exists()


def test_with_a_seat_that_is_removed_the_clone_of_its_upgrade_is_taken_down(
    classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, chosen = seats.chosen(classroom, ["seat-01"], everybody=False)
    clone = down.clone_directory(interrupted(chosen[0].workspace))
    Workspace(clone, "seat-01").save_state(State(project="clone"))
    gone: list[Path] = []
    monkeypatch.setattr(running, "find", lambda directory, name: Found(Workspace(directory, name), State(), ()))
    for room in (down, workshop_down):
        monkeypatch.setattr(room, "data_of", lambda found: DATA)
    monkeypatch.setattr(down, "down", lambda found, data, console: gone.append(found.workspace.directory))

    acts.remove(classroom, ["Ada"], QUIET)

    assert gone == [clone]
    assert not chosen[0].workspace.home.exists()


def test_what_a_removed_seat_leaves_to_the_next_of_its_name_is_said(classroom: Path) -> None:
    (classroom / "kratosctl.yaml").write_text("environments: {seat-01: {config_dir: ./kratos-seat-01}}\n")

    told = acts.remove(classroom, ["Ada", "seat-02"], QUIET)

    assert told.warnings == [
        "kratosctl.yaml still says what seat-01 is, and the next seat of that name would be it: take it out"
    ]


def test_a_reset_goes_on_where_the_interrupted_work_of_one_seat_cannot_be_settled(
    classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop, everyone = seats.chosen(classroom, (), everybody=True)
    everyone[0].workspace.write_note(RESTORE_NOTE, {})

    def settle(*_: object) -> None:
        raise NotReady("Kratos is not ready")

    done: list[str] = []

    def reset(subject: Subject, *_: object) -> Result:
        done.append(subject.found.name)
        return Result("reset", {})

    monkeypatch.setattr(upgrade, "settle", settle)
    monkeypatch.setattr(resetting, "reset", reset)

    told = acts.reset(workshop, everyone, QUIET, {})

    assert done == ["seat-02"]
    assert [(row["seat"], row["ok"]) for row in told.data["seats"]] == [("seat-01", False), ("seat-02", True)]


def down_for_good(directory: Path) -> None:
    workshop_down.stop_all(directory, True, None, QUIET, {})


def remove(directory: Path) -> None:
    acts.remove(directory, ["seat-01"], QUIET)


def add(directory: Path) -> None:
    init.add(directory, ["Grace"], 0, None, QUIET)


@pytest.mark.parametrize("change", [down_for_good, remove, add])
def test_nobody_changes_a_class_while_it_comes_up(
    classroom: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    before = workshop_file.load(classroom)
    monkeypatch.setattr(seats, "PATIENCE", 0.1)

    with (
        seats.locked(classroom, "workshop up", QUIET),
        ThreadPoolExecutor() as somebody_else,
        pytest.raises(EnvironmentBusy, match="the workshop is held by"),
    ):
        somebody_else.submit(change, classroom).result()

    assert workshop_file.load(classroom) == before


def test_where_there_is_no_workshop_nothing_is_generated(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        down_for_good(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_seat_that_cannot_be_taken_out_of_the_file_keeps_its_data(
    classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (classroom / workshop_file.FILE_NAME).write_text("seats: {seat-01: Ada, seat-02: }\n")
    monkeypatch.setattr(workshop_down, "stop", lambda *_: pytest.fail("it is stopped, and its data deleted"))

    with pytest.raises(ConfigurationInvalid) as caught:
        remove(classroom)

    assert caught.value.fix == "change it yourself: take seat-01 out"


def test_services_that_people_add_belong_to_the_seat_whose_project_they_are_in(
    classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, everyone = seats.chosen(classroom, (), everybody=True)
    project = seats.state_of(everyone[0]).project
    ours = Container("1", "1", "kratos", project, "running", "", "", None, "i", labels={"directory": str(classroom)})
    theirs = Container("2", "2", "app", project, "running", "", "", None, "i")
    other = Container("3", "3", "web", "other", "running", "", "", None, "i")
    monkeypatch.setattr(reading, "of_compose", lambda oneoff=False: (ours, theirs, other))

    assert everyone[0].found(seats.by_project()).containers == (ours, theirs)

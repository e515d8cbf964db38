"""The end of a workshop: it comes when workshop.yaml says, once, and is tried until it works."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.console import Console
from kratosctl.errors import DaemonDown, UsageError
from kratosctl.workshop import keeper, seats

NOON = datetime.datetime(2026, 12, 1, 12)


class Clock:
    """A time that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = NOON
        self.slept = 0

    def now(self) -> datetime.datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        assert self.slept < 2000, "it does not end"
        self.time += datetime.timedelta(seconds=seconds)


@pytest.fixture
def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workshop that ends in an hour, one of whose seats runs."""
    workshop_file.write(tmp_path, Workshop("class", seats={"seat-01": ""}, ends=NOON + datetime.timedelta(hours=1)))
    monkeypatch.setattr(keeper, "_any_seat", lambda _: True)
    return tmp_path


def put_end(directory: Path, text: str) -> None:
    path = directory / workshop_file.FILE_NAME
    lines = [f"ends: {text}\n" if line.startswith("ends:") else line for line in path.read_text().splitlines(True)]
    path.write_text("".join(lines))


def test_it_is_taken_down_once_at_its_time(ends: Path) -> None:
    clock, calls = Clock(), []

    keeper.keep(ends, lambda: calls.append(clock.now()), clock.now, clock.sleep)

    assert calls == [NOON + datetime.timedelta(hours=1)]


def test_a_later_end_that_is_written_meanwhile_counts(ends: Path) -> None:
    clock, calls = Clock(), []

    def sleep(seconds: float) -> None:
        put_end(ends, "2026-12-01 14:30")
        clock.sleep(seconds)

    keeper.keep(ends, lambda: calls.append(clock.now()), clock.now, sleep)

    assert calls == [datetime.datetime(2026, 12, 1, 14, 30)]


def test_a_file_that_is_being_written_is_waited_for(ends: Path) -> None:
    clock, calls, whole = Clock(), [], (ends / workshop_file.FILE_NAME).read_text()

    def sleep(seconds: float) -> None:
        (ends / workshop_file.FILE_NAME).write_text("seats: [" if clock.slept % 2 else whole)
        clock.sleep(seconds)

    keeper.keep(ends, lambda: calls.append(clock.now()), clock.now, sleep)

    assert len(calls) == 1


def test_where_the_engine_does_not_answer_it_is_tried_again(ends: Path) -> None:
    clock, tries = Clock(), 0

    def down() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise DaemonDown("the Docker engine does not answer")

    keeper.keep(ends, down, clock.now, clock.sleep)

    assert tries == 3


def test_an_end_that_is_put_off_while_the_engine_does_not_answer_is_kept(ends: Path) -> None:
    clock, calls = Clock(), []

    def down() -> None:
        calls.append(clock.now())
        if len(calls) == 1:
            put_end(ends, "2026-12-01 15:00")
            raise DaemonDown("the Docker engine does not answer")

    keeper.keep(ends, down, clock.now, clock.sleep)

    assert calls == [NOON + datetime.timedelta(hours=1), NOON + datetime.timedelta(hours=3)]


def test_with_the_last_seat_it_goes_too(ends: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_any_seat", lambda _: False)
    clock = Clock()

    keeper.keep(ends, lambda: pytest.fail("there is nothing to take down"), clock.now, clock.sleep)

    assert clock.slept == 0


def test_a_workshop_without_an_end_needs_no_keeper(ends: Path) -> None:
    workshop_file.write(ends, Workshop("class", seats={"seat-01": ""}))
    clock = Clock()

    keeper.keep(ends, lambda: pytest.fail("it never ends"), clock.now, clock.sleep)

    assert clock.slept == 0


def test_it_is_said_where_nobody_waits_for_the_end(ends: Path) -> None:
    workshop = workshop_file.load(ends)
    said: list[str] = []

    assert keeper.missing(ends, Workshop("class")) == ""
    assert keeper.missing(ends, workshop).startswith("class does not end by itself at 2026-12-01 13:00")
    assert not (ends / ".kratosctl").exists()

    clock = Clock()
    keeper.keep(ends, lambda: said.append(keeper.missing(ends, workshop)), clock.now, clock.sleep)

    assert said == [""]
    assert keeper.missing(ends, workshop)


def test_while_the_class_comes_up_nobody_is_told_that_it_does_not_end(ends: Path) -> None:
    workshop = workshop_file.load(ends)

    with seats.locked(ends, "workshop up", Console(quiet=True)):
        assert keeper.missing(ends, workshop) == ""

    assert keeper.missing(ends, workshop)


@pytest.mark.parametrize(
    ("minutes", "said"), [(11, ""), (10, "class ends in 10 min"), (0.5, "class ends in 1 min"), (0, "")]
)
def test_the_end_is_warned_of(minutes: float, said: str) -> None:
    workshop = Workshop("class", ends=NOON + datetime.timedelta(minutes=minutes))

    assert keeper.warning(workshop, NOON).partition(":")[0] == said


def test_what_is_over_is_not_brought_up() -> None:
    with pytest.raises(UsageError, match="class ended at 2026-12-01 12:00"):
        keeper.refuse_ended(Workshop("class", ends=NOON), NOON)

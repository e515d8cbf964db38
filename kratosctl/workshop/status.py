"""`workshop status`: every seat at a glance, once or again and again."""

from __future__ import annotations

import datetime
import itertools
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kratosctl.answers import workshop_file
from kratosctl.console import Console
from kratosctl.engine import reading, window
from kratosctl.errors import KratosctlError
from kratosctl.results import Result, table
from kratosctl.states import STATES
from kratosctl.workshop import keeper
from kratosctl.workshop.observe import Observer
from kratosctl.workshop.seen import Picture, Seen

EVERY = 2.0  # seconds between two looks
_HEAD = ("SEAT", "ATTENDEE", "STATE", "RELEASE", "DATABASE", "IDENTITIES", "ADDRESS", "LAST ERROR")
_BESIDE = 6  # lines beside those of the seats
_LEAST = 12  # characters for the last error
_SAME = slice(3, 5)  # columns that most seats have the same in: left out where there is no room
_ANY = 10_000  # characters: more than a line has


def status(directory: Path) -> Result:
    """How all seats are now.

    Raises:
        KratosctlError: workshop.yaml or the engine cannot be read.
    """
    picture = _observer(directory).look(everything=True)
    return Result("workshop status", picture.data(), lambda: text(picture), _warnings(directory, picture))


def _observer(directory: Path) -> Observer:
    engine = reading.engine(timeout=20)
    return Observer(directory, window.opened(engine), engine.local)


def _warnings(directory: Path, picture: Picture) -> list[str]:
    ending = keeper.warning(workshop_file.load(directory), datetime.datetime.now())
    return [*([ending] if ending else []), *picture.warnings]


def watch(directory: Path, console: Console, sleep: Callable[[float], None] = time.sleep) -> None:
    """Shows how all seats are, and again whenever that has changed, until Ctrl-C.

    Args:
        directory: where workshop.yaml lies.
        console: where it is shown: in place on a terminal, one below the other elsewhere.
        sleep: waits so many seconds.

    Raises:
        KratosctlError: the first look was not possible. Later ones are tried again.
    """
    observer = _observer(directory)
    shown = ""
    for number in itertools.count():
        try:
            picture = observer.look(everything=number == 0)
            said = screen(picture, _warnings(directory, picture), *shutil.get_terminal_size((0, 0)))
        except KratosctlError as error:
            if not number:
                raise
            said = "\n".join(error.lines())
        if said != shown:
            console.redraw(said)
            shown = said
        sleep(EVERY)


def screen(picture: Picture, warnings: Sequence[str], columns: int, lines: int) -> str:
    """A workshop as a table, with what is to be said beside it below: all on one terminal, as `text`."""
    below = [f"warning: {warning}" for warning in warnings]
    taken = sum(1 + len(line) // columns for line in below) if columns else 0
    return "\n".join([text(picture, columns, max(lines - taken, 1) if lines else 0), *below])


def text(picture: Picture, columns: int = 0, lines: int = 0) -> str:
    """A workshop as a table.

    Args:
        picture: the workshop.
        columns: characters that a line may take; 0: whatever it needs.
        lines: how many there may be, then the seats that are not ready come first; 0: one for every seat.
    """
    count = picture.count
    others = [f"{count[state]} {state}" for state in STATES if state != "ready" and count[state]]
    ready = f"{count['ready']} of {len(picture.seats)} seats ready"
    head = f"{picture.workshop}: {', '.join([ready, *others])}"
    seats = list(picture.seats)
    if lines and len(seats) + _BESIDE > lines:
        seats = sorted(seats, key=lambda seat: STATES.index(seat.state))[: max(lines - _BESIDE, 1)]
    width = columns or None
    more = [f"and {len(picture.seats) - len(seats)} more"] if len(seats) < len(picture.seats) else []
    taught = [f"{seat.seat} {seat.lesson}" for seat in picture.seats if seat.lesson]
    lessons = [_cut("lessons: " + ", ".join(taught), width)] if taught else []
    return "\n".join([_cut(head, width), "", *_table(seats, columns), *more, *lessons])


def _table(seats: Sequence[Seen], columns: int) -> list[str]:
    """A line for each seat; on a terminal the last column takes what is left."""
    rows = [_row(seat) for seat in seats]
    if not columns:
        return table(_HEAD, rows).splitlines()
    lines = table(_HEAD, rows, width=_ANY).splitlines()
    if lines[0].index(_HEAD[-1]) + _LEAST > columns:
        lines = table(_without_same(_HEAD), [_without_same(row) for row in rows], width=_ANY).splitlines()
    return [_cut(line, columns) for line in lines]


def _without_same(row: tuple[str, ...]) -> tuple[str, ...]:
    return row[: _SAME.start] + row[_SAME.stop :]


def _row(seen: Seen) -> tuple[str, ...]:
    identities = "-" if seen.identities is None else str(seen.identities)
    known = (seen.release or "-", seen.database or "-", identities, seen.address or "-", seen.error or "-")
    return (seen.seat, seen.attendee or "-", seen.state, *known)


def _cut(line: str, width: int | None) -> str:
    return line if width is None or len(line) <= width else line[: width - 1] + "…"

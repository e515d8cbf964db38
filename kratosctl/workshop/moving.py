"""Who moves where when a seat does not come up."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.database import identity_count
from kratosctl.errors import KratosctlError
from kratosctl.workshop import seats
from kratosctl.workshop.seats import Seat


def move(
    directory: Path, workshop: Workshop, everyone: Sequence[Seat], outcomes: Mapping[str, object]
) -> tuple[dict[str, str], list[str]]:
    """Gives those whose seat fails a free one, unless they have work at theirs.

    Args:
        directory: where workshop.yaml lies.
        workshop: what it says.
        everyone: the seats.
        outcomes: by seat how it came up, or the error it met.

    Returns:
        The new seat by the old, and what to say where nobody could be moved.
    """
    failed = seats.failed(outcomes)
    free = [seat.name for seat in everyone if seat.name not in failed and _is_free(seat)]
    free.sort(key=workshop_file.is_spare, reverse=True)
    moved: dict[str, str] = {}
    staying: list[str] = []
    for seat in everyone:
        if seat.name in failed and seat.attendee and free:
            if _has_work(seat):
                staying.append(workshop.label(seat.name))
            else:
                moved[seat.name] = free.pop(0)
    unmoved = (
        [f"not moved to a free seat, as something may have been made there: {', '.join(staying)}"] if staying else []
    )
    if moved:
        changes: dict[str, str | None] = dict.fromkeys(moved, "")
        try:
            workshop_file.change(directory, changes | {new: workshop.seats[old] for old, new in moved.items()})
        except KratosctlError as error:
            # those who are up stay so, and so does their table
            return {}, [*unmoved, "; ".join(error.lines())]
    return moved, unmoved


def _is_free(seat: Seat) -> bool:
    """Whether somebody can be given a seat: a spare one, or one where nobody who just came has begun."""
    return not seat.attendee and (workshop_file.is_spare(seat.name) or not _has_work(seat))


def _has_work(seat: Seat) -> bool:
    """Whether somebody may have left something in a seat's database."""
    try:
        found = identities(seat)
        return bool(seat.workspace.state().releases) if found is None else found > 0
    except (KratosctlError, sqlite3.Error):
        return True


def identities(seat: Seat) -> int | None:
    """How many a seat has, where that is quick to tell: in an SQLite file.

    Raises:
        sqlite3.Error: it is damaged, or is being written to.
        ChoiceImpossible, FloatingTag: the seat cannot be what it was asked to be.
    """
    if seat.environment.database != "sqlite" or not seat.workspace.sqlite.exists():
        return None
    return identity_count.in_file(seat.workspace.sqlite, 1)

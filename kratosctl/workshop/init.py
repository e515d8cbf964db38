"""`workshop init` and `add`: who sits where, as workshop.yaml says it. Nothing is started."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kratosctl import questions
from kratosctl.answers import selection, workshop_file
from kratosctl.answers.workshop_file import MOST_SEATS, Workshop
from kratosctl.console import Console
from kratosctl.environment import from_answers
from kratosctl.errors import ChoiceImpossible, KratosctlError, UsageError
from kratosctl.files.atomic import one_writer
from kratosctl.results import Result
from kratosctl.workshop import moving, roster, seats
from kratosctl.workshop.seats import Seat


def attendees(seats: int | None, roster_file: Path | None) -> list[str]:
    """Who comes: the names of a roster, then seats for whoever comes.

    Args:
        seats: how many seats there are to be; None: as many as there are names.
        roster_file: a CSV file of names.

    Raises:
        UsageError: neither was said, or there are more names than seats.
        ConfigurationInvalid: the roster cannot be read.
    """
    names = roster.read(roster_file) if roster_file else []
    if seats is None and not names:
        raise UsageError("how many seats?", fix="say --seats 10, or --roster names.csv")
    if seats is not None and seats < len(names):
        raise UsageError(f"{len(names)} names for {seats} seats", fix=f"say --seats {len(names)}, or leave it out")
    return names + [""] * ((seats or 0) - len(names))


def seated(coming: Sequence[str], spares: int) -> dict[str, str]:
    """Who sits where in a new workshop: a seat for each of `attendees`, then spare ones."""
    names = workshop_file.next_seats({}, len(coming))
    extra = workshop_file.next_seats({}, spares, workshop_file.SPARE)
    return dict(zip(names, coming, strict=True)) | dict.fromkeys(extra, "")


def init(directory: Path, workshop: Workshop) -> Result:
    """Writes workshop.yaml.

    Raises:
        UsageError: there is one.
        ChoiceImpossible, FloatingTag, ConfigurationInvalid: what the seats are to be cannot work.
        DiskFull, DirectoryReadOnly: nothing was written.
    """
    check(workshop.environment)
    number, names = len(workshop.seats), list(workshop.seats.values())
    if number > MOST_SEATS:
        raise UsageError(f"{number} seats are too many", f"one workshop has {MOST_SEATS} at most")
    with one_writer(directory):
        refuse_second(directory)
        workshop_file.write(directory, workshop)
    said = f"wrote {workshop_file.FILE_NAME}: {number} seats for {workshop.name}{_named(names)}"
    data = {
        "workshop": workshop.name,
        "written": [workshop_file.FILE_NAME],
        "seats": _rows(workshop.seats),
        "next": "kratosctl workshop up",
    }
    return Result("workshop init", data, lambda: f"{said}\nnext: kratosctl workshop up", _twice(names))


def refuse_second(directory: Path) -> None:
    """Refuses a second workshop in one directory.

    Raises:
        UsageError: there is one.
    """
    if workshop_file.exists(directory):
        fix = "edit it, or use kratosctl workshop add and remove; another workshop goes in another directory"
        raise UsageError(f"there is a {workshop_file.FILE_NAME} already", fix=fix)


def check(answers: Mapping[str, Any]) -> None:
    """Refuses what no seat can be.

    Raises:
        ChoiceImpossible, FloatingTag, ConfigurationInvalid.
    """
    check_shared(answers)
    from_answers("seat-01", answers)


def check_shared(answers: Mapping[str, Any]) -> None:
    """Refuses what seats cannot have together, whatever else they are.

    Raises:
        ChoiceImpossible.
    """
    workshop_file.check_shared(answers)
    for key in answers:
        if key.endswith("_port"):
            fix = f"leave {questions.BY_KEY[key].flag} or {questions.BY_KEY[key].variable} out"
            raise ChoiceImpossible(f"{key} cannot be said for all seats", "each gets ports of its own", fix)


def pinned(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers for every seat with the main facts beside them, also where a default made them.

    Raises:
        ChoiceImpossible, FloatingTag, ConfigurationInvalid: no seat can be that.
    """
    check(answers)
    return selection.saved_answers(answers, from_answers("seat-01", answers))


def add(directory: Path, names: Sequence[str], count: int, roster_file: Path | None, console: Console) -> Result:
    """Gives people seats: free ones first, of these the ones where nobody has begun, then new ones.

    Args:
        directory: where workshop.yaml lies.
        names: of people.
        count: how many further seats for whoever comes.
        roster_file: a CSV file; those of it who have a seat already keep it.
        console: told who is waited for.

    Raises:
        UsageError: nobody was named; or there would be too many.
        ConfigurationInvalid: a name or a file cannot be read.
        EnvironmentBusy: the workshop is being brought up or down, and that took too long.
    """
    # `up` may give a free seat to somebody else
    with seats.locked(directory, "workshop add", console):
        return _add(directory, names, count, roster_file)


def _add(directory: Path, names: Sequence[str], count: int, roster_file: Path | None) -> Result:
    workshop = workshop_file.load(directory)
    coming = [workshop_file.checked_name(name) for name in names]
    if roster_file:
        seated = Counter(workshop.seats.values())
        for name in roster.read(roster_file):
            seated[name] -= 1
            coming += [name] if seated[name] < 0 else []
    if not coming and not count and not roster_file:
        raise UsageError("who, or how many seats?", fix="name them, or say --seats 3, or --roster names.csv")
    unnamed = [seat for seat in seats.of(directory, workshop) if not seat.attendee]
    unnamed = [seat for seat in unnamed if not workshop_file.is_spare(seat.name)]
    begun = {seat.name for seat in unnamed if _has_begun(seat)}
    free = sorted((seat.name for seat in unnamed), key=lambda name: name in begun)[: len(coming)]
    new = workshop_file.next_seats(workshop.seats, len(coming) - len(free) + count)
    if len(workshop.seats) + len(new) > MOST_SEATS:
        raise UsageError("that is too many seats", f"one workshop has {MOST_SEATS} at most")
    given = dict(zip([*free, *new], [*coming, *[""] * count], strict=True))
    if given:
        workshop_file.change(directory, dict(given))
    data = {"workshop": workshop.name, "seats": _rows(given), "new": new}
    lines = [f"{seat}  {who or 'whoever comes'}" for seat, who in given.items()] or ["everybody has a seat"]
    if new:
        lines.append("next: kratosctl workshop up")
    everybody = [*(who for who in workshop.seats.values() if who), *coming]
    warnings = [f"{seat} ({given[seat]}) has identities: somebody sat there already" for seat in free if seat in begun]
    return Result("workshop add", data, lambda: "\n".join(lines), [*warnings, *(_twice(everybody) if coming else [])])


def _has_begun(seat: Seat) -> bool:
    """Whether somebody whom nobody named made something there, as far as that is told: a seed makes identities, too."""
    try:
        return not seat.environment.seed and bool(moving.identities(seat))
    except (KratosctlError, sqlite3.Error):
        return False


def _rows(sitting: Mapping[str, str]) -> list[dict[str, str | None]]:
    return [{"seat": seat, "attendee": who or None} for seat, who in sitting.items()]


def _named(names: Sequence[str]) -> str:
    known = [name for name in names if name]
    if not known:
        return ""
    more = f" and {len(known) - 3} more" if len(known) > 3 else ""
    return f" ({', '.join(known[:3])}{more})"


def _twice(names: Sequence[str]) -> list[str]:
    """Two people may have one name; one person may stand in a roster twice."""
    counted = Counter(name for name in names if name)
    return [f"{name} is there {count} times: each has a seat" for name, count in counted.items() if count > 1]

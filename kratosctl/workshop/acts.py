"""What is done to some seats, and leaves the others alone: reset, restart, removal."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kratosctl.answers import configuration_file, workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.commands import restart as restarts
from kratosctl.commands import upgrade
from kratosctl.console import Console
from kratosctl.errors import KratosctlError
from kratosctl.files.atomic import said_plainly
from kratosctl.lessons import fix
from kratosctl.limits import Limits
from kratosctl.results import Result, counted
from kratosctl.seeding import seed
from kratosctl.snapshots import resetting
from kratosctl.snapshots.subject import Subject
from kratosctl.workshop import down, proxy, seats
from kratosctl.workshop.seats import Seat

_AT_ONCE = 8
_SILENT = Console(quiet=True)


def reset(workshop: Workshop, chosen: Sequence[Seat], console: Console, variables: Mapping[str, str]) -> Result:
    """Takes the databases of seats back to just migrated plus their seed; what was there is kept for undoing.

    A lesson that runs there is given up: nobody who signed up for it is left, and its fault would be.

    Args:
        workshop: the workshop.
        chosen: its seats that are meant.
        console: where progress is shown.
        variables: the process environment.
    """
    containers = seats.by_project()

    def work(seat: Seat) -> Mapping[str, Any]:
        # what whoever held it did counts: an upgrade has made other tables
        with seat.held("workshop reset", containers) as (now, found):
            lesson = seat.workspace.lesson
            if seat.workspace.has_unfinished:
                upgrade.settle(seat.workspace.directory, seat.name, _SILENT, variables)
                now, found = seat.anew()
            if lesson:
                fix.fix(found, Limits(), _SILENT, variables)
                # it may have given Kratos its configuration directory back
                now, found = seat.anew()
            subject = Subject(found, now.environment)
            return {**resetting.reset(subject, *seed.for_reset(subject), _SILENT).data, "lesson": lesson or None}

    return _done("reset", "as new", workshop, chosen, work, console)


def restart(workshop: Workshop, chosen: Sequence[Seat], seconds: float, console: Console) -> Result:
    """Restarts what runs of seats, and waits until Kratos is ready.

    Args:
        workshop: the workshop.
        chosen: its seats that are meant.
        seconds: how long a Kratos may take to be ready.
        console: where progress is shown.
    """
    containers = seats.by_project()

    def work(seat: Seat) -> Mapping[str, Any]:
        with seat.held("workshop restart", containers) as (_, found):
            return restarts.restart(found, (), seconds, _SILENT).data

    return _done("restart", "restarted", workshop, chosen, work, console)


def _done(
    act: str,
    past: str,
    workshop: Workshop,
    chosen: Sequence[Seat],
    work: Callable[[Seat], Mapping[str, Any]],
    console: Console,
) -> Result:
    """Does it to each, and tells of each: one that fails keeps no other from it."""
    count = 0
    with console.progress(f"{act} {counted(len(chosen), 'seat')}") as show:

        def told(_seat: Seat, _outcome: Mapping[str, Any] | KratosctlError) -> None:
            nonlocal count
            count += 1
            show(count / len(chosen), f"{count} of {len(chosen)}")

        outcomes = seats.each(chosen, _AT_ONCE, work, told)
    failed = seats.failed(outcomes)
    if len(chosen) == 1:
        for error in failed.values():
            raise error
    rows = [{"seat": name, "attendee": workshop.seats[name] or None, **_told(out)} for name, out in outcomes.items()]

    def text() -> str:
        lines = [f"{workshop.label(name)}: {'; '.join(error.lines())}" for name, error in failed.items()]
        if len(failed) < len(chosen):
            done = len(chosen) - len(failed)
            whole = counted(len(chosen), "seat")
            lines.append(f"{done} of {whole} {'is' if done == 1 else 'are'} {past}")
        given_up = [f"{row['lesson']} ({row['seat']})" for row in rows if row.get("lesson")]
        if given_up:
            lines.append(f"lessons given up: {', '.join(given_up)}")
        return "\n".join(lines)

    data = {"workshop": workshop.name, "seats": rows}
    return Result(f"workshop {act}", data, text, exit_code=1 if failed else 0)


def _told(outcome: Mapping[str, Any] | KratosctlError) -> dict[str, Any]:
    if isinstance(outcome, KratosctlError):
        return {"ok": False, "error": outcome.code, "what": outcome.what, "why": outcome.why, "fix": outcome.fix}
    return {"ok": True, **outcome}


def remove(directory: Path, who: Sequence[str], console: Console) -> Result:
    """Takes seats out of the workshop, with all that was made there.

    Args:
        directory: where workshop.yaml lies.
        who: the names of the seats, or of those who sit there.
        console: where steps are shown.

    Raises:
        UsageError: there is no such seat.
        ConfigurationInvalid: workshop.yaml cannot be changed line by line; nothing was removed.
        EnvironmentBusy: the workshop is being brought up or down, and that took too long.
        KratosctlError: of the first seat that could not be removed; the others are gone.
    """
    with seats.locked(directory, "workshop remove", console):
        workshop, chosen = seats.chosen(directory, who, everybody=False)
        workshop_file.check_change(directory, {seat.name: None for seat in chosen})
        _, failed = down.stop(chosen, down.work_of(chosen), console)
        gone = [seat for seat in chosen if seat.name not in failed]
        # from here on a seat that is still in the file comes up empty with the next `up`
        workshop_file.change(directory, {seat.name: None for seat in gone})
        failed |= seats.failed(seats.each(gone, _AT_ONCE, _delete))
        proxy.follow(directory, console)
    down.raise_first(failed, chosen, "gone")
    names = [seat.name for seat in chosen]
    said = "\n".join(f"{workshop.label(name)} is gone" for name in names)
    return Result(
        "workshop remove", {"workshop": workshop.name, "removed": names}, lambda: said, _left(directory, names)
    )


def _delete(seat: Seat) -> None:
    with said_plainly(seat.workspace.home):
        shutil.rmtree(seat.workspace.home)


def _left(directory: Path, gone: Sequence[str]) -> list[str]:
    """What people's own files still say of seats that are gone, such as the configuration that a lesson broke."""
    file = configuration_file.FILE_NAME
    left = [name for name in gone if name in configuration_file.load(directory)]
    return [
        f"{file} still says what {name} is, and the next seat of that name would be it: take it out" for name in left
    ]

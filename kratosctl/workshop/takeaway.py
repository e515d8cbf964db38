"""What attendees take along: the data of each seat in one file, as `snapshot export` writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kratosctl.commands import upgrade
from kratosctl.console import Console
from kratosctl.engine import reading
from kratosctl.engine.objects import Container
from kratosctl.errors import ChoiceImpossible, KratosctlError
from kratosctl.files.atomic import said_plainly
from kratosctl.results import counted
from kratosctl.running import Found
from kratosctl.snapshots import handing, saving, store
from kratosctl.snapshots.handing import SUFFIX
from kratosctl.snapshots.subject import Subject
from kratosctl.stages import postgres_start
from kratosctl.workshop import seats
from kratosctl.workshop.seats import Seat

_CALLED = "taken-away"
_SILENT = Console(quiet=True)
_AT_ONCE = 4


@dataclass(frozen=True)
class Taken:
    """What was written.

    Attributes:
        files: one of each seat that has a database.
        warnings: what a person should know before they are handed on.
    """

    files: Sequence[Path] = ()
    warnings: Sequence[str] = ()


NOTHING = Taken()


def write(chosen: Sequence[Seat], target: Path, console: Console, variables: Mapping[str, str]) -> Taken:
    """Writes a file for each seat that has a database; files of earlier times are replaced.

    A seat's own secrets are not in it, but what its attendee's people signed in with is: password hashes and sessions.

    Args:
        chosen: the seats.
        target: the directory the files go to.
        console: where progress is shown.
        variables: the process environment.

    Raises:
        KratosctlError: of the first seat whose data could not be saved, with its name; other files are written.
    """
    with said_plainly(target):
        target.mkdir(parents=True, exist_ok=True)
    containers = seats.by_project()
    with console.step(f"write down the data of {counted(len(chosen), 'seat')}"):
        outcomes = seats.each(chosen, _AT_ONCE, lambda seat: _take(seat, target, containers, variables))
    for seat in chosen:
        outcome = outcomes[seat.name]
        if isinstance(outcome, KratosctlError):
            with seats.named(seat):
                raise outcome
    taken = [outcome for outcome in outcomes.values() if isinstance(outcome, Taken)]
    # most are the same for all seats
    warnings = dict.fromkeys(warning for one in taken for warning in one.warnings)
    return Taken([file for one in taken for file in one.files], list(warnings))


def _take(
    seat: Seat, target: Path, containers: Mapping[str, Sequence[Container]], variables: Mapping[str, str]
) -> Taken:
    """Writes one seat's file; one that was never up has none."""
    # what whoever held it did is taken along, too
    with seat.held("workshop down --export", containers) as (now, found):
        kinds, asked = found.state.releases, now.environment.database
        if not kinds:
            return NOTHING
        if asked not in kinds:
            held = " and ".join(kinds)
            why = f"the seat is asked to be on {asked} now, and only what is there would be written"
            fix = f"put `database: {held.split()[-1]}` back into workshop.yaml first"
            raise ChoiceImpossible(f"what was made there is in {held}", why, fix)
        found = _within_reach(now, found)
        if seat.workspace.has_unfinished:
            # what a reset that was killed has emptied is theirs, too
            upgrade.settle(seat.workspace.directory, seat.name, _SILENT, variables)
            now, found = seat.anew()
        saving.keep(Subject(found, now.environment), store.TAKEN_ALONG, "the end of the workshop")
        file = target / _name(seat)
        told = handing.export(seat.workspace, now.environment, store.TAKEN_ALONG, file, False, True, _CALLED)
        return Taken([file], told.warnings)


def _within_reach(seat: Seat, found: Found) -> Found:
    """The seat with what reads its database, which nobody needs to have left running: after `workshop down` there is no
    container that a volume is reached by."""
    database, project = seat.environment.database, found.state.project
    service = "postgres" if database == "postgres" else "kratos"
    container = found.container(service)
    if container is None and f"{project}_{database}" in reading.project_volumes(project):
        found.project.create([service])
    elif container is None or container.state == "running" or database != "postgres":
        return found
    found = seat.anew()[1]
    postgres_start.wake(found, database)
    return seat.anew()[1]


def _name(seat: Seat) -> str:
    """seat-07_ada-lovelace.kratos.zip; what a file system may not like is left out. No seat's name has a `_`:
    the file of `lab`, where somebody called 1 sits, is not that of `lab-1`."""
    who = re.sub(r"[^\w]+", "-", seat.attendee.lower()).strip("-")[:60]
    return "_".join(filter(None, (seat.name, who))) + SUFFIX

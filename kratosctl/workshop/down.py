"""`workshop down`: stops every seat at once; their data goes only when that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kratosctl.answers.workshop_file import Workshop
from kratosctl.commands import down
from kratosctl.console import Console
from kratosctl.database.data import Data, data_of
from kratosctl.errors import KratosctlError, OnAnotherEngine
from kratosctl.files.workspace import authority
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result, counted
from kratosctl.running import Found
from kratosctl.workshop import proxy, seats, takeaway
from kratosctl.workshop.seats import Seat
from kratosctl.workshop.takeaway import NOTHING, Taken

_AT_ONCE = 8
_ANOTHER_AUTHORITY = (
    "the authority that attendees installed is gone: after the next `kratosctl workshop up`, which makes another, write"
    " the handouts anew"
)


@dataclass(frozen=True)
class Work:
    """What attendees would lose.

    Attributes:
        of: by seat, its data.
        identities: how many there are in all, where that can be told.
        unknown: by seat, why it cannot be told what it has.
    """

    of: dict[str, Data]
    identities: int
    unknown: Mapping[str, KratosctlError] = field(default_factory=dict)

    @property
    def lost(self) -> str:
        """What is lost, in words; empty where there is nothing."""
        databases = sum(bool(data.lost) for data in self.of.values())
        people = counted(self.identities, "identity", "identities")
        return f"{counted(databases, 'database')} with {people}" if databases else ""


def work_of(chosen: Sequence[Seat]) -> Work:
    """Looks for the data of seats."""
    containers = seats.by_project()
    looked = seats.each(chosen, _AT_ONCE, lambda seat: data_of(seat.found(containers)))
    found = {name: data for name, data in looked.items() if isinstance(data, Data)}
    return Work(found, sum(data.identities or 0 for data in found.values()), seats.failed(looked))


def stop(chosen: Sequence[Seat], work: Work | None, console: Console) -> tuple[list[str], dict[str, KratosctlError]]:
    """Removes the containers of seats, and with `work` their networks and databases too.

    Networks stay with the addresses that were allotted to them: Docker takes 0.2 s to remove one, all seats' one after
    the other. A seat that fails keeps no other from it.

    Args:
        chosen: the seats that are meant.
        work: what to delete for good; None keeps it.
        console: where steps are shown.

    Returns:
        The containers that are gone, and by seat the error it met.
    """
    names: list[str] = []
    failed: dict[str, KratosctlError] = {}
    left = list(chosen)
    # first those that nobody is at: they do not wait for the upgrade of another, nor for who forgot a command there
    for patience, say in ((0.0, _say_nothing), (LOCK_WAIT, console.note)):
        with seats.all_locked(left, "workshop down", patience, say) as busy:
            free = [seat for seat in left if seat.name not in busy]
            if free:
                stopped, met = _stop(free, work, console)
                names, failed = names + stopped, failed | met
        left = [seat for seat in left if seat.name in busy]
    return names, failed | busy


def _stop(chosen: Sequence[Seat], work: Work | None, console: Console) -> tuple[list[str], dict[str, KratosctlError]]:
    """Stops seats whose locks are held. Returns the containers that are gone, and the errors by seat."""
    containers = seats.by_project(oneoff=True)
    looked = seats.each(chosen, _AT_ONCE, lambda seat: seat.found(containers))
    unknown = work.unknown if work else {}
    failed = seats.failed(looked) | {seat.name: unknown[seat.name] for seat in chosen if seat.name in unknown}
    found = {name: one for name, one in looked.items() if isinstance(one, Found) and name not in failed}
    names = [container.name for one in found.values() for container in one.containers]
    with console.step(f"stop {counted(len(found), 'seat')}"):
        down.remove(names, [one.state.project for one in found.values()] if work else [], bool(work))
    stopped = [seat for seat in chosen if seat.name in found]
    # of an upgrade that was killed while it was tried; what it began at the data is settled by the next `up`
    failed |= seats.failed(seats.each(stopped, 1, lambda seat: down.remove_clone(seat.workspace)))
    if work:
        of = work.of
        with console.step("delete the databases"):
            done = seats.each(stopped, _AT_ONCE, lambda seat: down.delete(found[seat.name], of[seat.name]))
        failed |= seats.failed(done)
    return names, failed


def _say_nothing(_: str) -> None:
    """Nobody is waited for."""


def stop_all(
    directory: Path,
    delete: bool,
    target: Path | None,
    console: Console,
    variables: Mapping[str, str],
    patience: float | None = None,
) -> Result:
    """Stops every seat, and what stands before them.

    Args:
        directory: where workshop.yaml lies.
        delete: their networks and databases go, too.
        target: the directory that the data of each is written to first; None writes none.
        console: where steps are shown.
        variables: the process environment.
        patience: seconds to wait for who brings the workshop up, or down.

    Raises:
        EnvironmentBusy: that took longer.
        KratosctlError: data could not be written to files: nothing was stopped then; or of the first seat that could
            not be stopped: the others are down.
    """
    with seats.locked(directory, "workshop down", console, patience):
        workshop, everyone = seats.chosen(directory, (), everybody=True)
        work = work_of(everyone) if delete else None
        exported = takeaway.write(everyone, target, console, variables) if target else NOTHING
        names, failed = stop(everyone, work, console)
        trusted = delete and authority(directory).exists()
        # last: what is wrong with it keeps no seat from going down; and it is where they are
        if not any(isinstance(error, OnAnotherEngine) for error in failed.values()):
            proxy.down(directory, forget=delete)
    raise_first(failed, everyone, "down")
    saved = down.snapshots(*(seat.workspace for seat in everyone)) if work and work.lost else ""
    result = _result(workshop, names, bool(work and work.lost), saved, exported)
    return replace(result, warnings=[*result.warnings, _ANOTHER_AUTHORITY]) if trusted else result


def _result(workshop: Workshop, names: Sequence[str], deleted: bool, saved: str, exported: Taken) -> Result:
    data = {
        "workshop": workshop.name,
        "seats": list(workshop.seats),
        "removed": {"containers": len(names), "data": deleted},
        "exported": [str(file) for file in exported.files],
    }
    number = len(workshop.seats)
    are_down = f"{counted(number, 'seat')} {'is' if number == 1 else 'are'} down"
    said = f"{workshop.name}: {are_down}" + ("; their data is deleted" if deleted else "")
    said += f"; kept: {saved} of them: kratosctl snapshot list --env SEAT" if saved else ""
    files = exported.files
    kept = f"\nwrote {counted(len(files), 'file')} to {files[0].parent}/" if files else ""
    return Result("workshop down", data, lambda: said + kept, exported.warnings)


def raise_first(failed: Mapping[str, KratosctlError], chosen: Sequence[Seat], done: str) -> None:
    """Raises the first error with its seat, and says how many seats met none, and are done with."""
    for name, error in failed.items():
        others = len(chosen) - len(failed)
        told = f" (the other {counted(others, 'seat')} {'is' if others == 1 else 'are'} {done})" if others else ""
        error.what = f"{name}: {error.what}{told}"
        raise error

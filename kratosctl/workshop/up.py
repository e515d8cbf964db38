"""`workshop up`: every seat ready, a few at a time; what fails is tried again, then replaced by a free seat."""

from __future__ import annotations

import datetime
import functools
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kratosctl.answers import workshop_file
from kratosctl.answers.wishes import Wishes
from kratosctl.commands import upgrade
from kratosctl.console import Console
from kratosctl.engine import reading
from kratosctl.engine.objects import Container, Engine, Image
from kratosctl.environment import Environment
from kratosctl.errors import (
    ComposeMissing,
    DaemonDown,
    DiskFull,
    DockerMissing,
    EngineRemote,
    EngineTooOld,
    KratosctlError,
    SocketForbidden,
    UsageError,
)
from kratosctl.files.state import State
from kratosctl.host import networks
from kratosctl.host.subnets import Network
from kratosctl.results import Result, counted, table
from kratosctl.stages import apply, assemble, converge, images
from kratosctl.stages.look import Look
from kratosctl.workshop import allot, capacity, keeper, moving, proxy, seats
from kratosctl.workshop.seats import Seat

AT_ONCE = 6
# no seat can do better than the one that met these
_EVERYWHERE = (
    DockerMissing,
    ComposeMissing,
    DaemonDown,
    SocketForbidden,
    EngineTooOld,
    EngineRemote,
    DiskFull,
)
_SILENT = Console(quiet=True)
_SHOWN = 20


@dataclass(frozen=True)
class Came:
    """How a seat came up.

    Attributes:
        endpoints: its addresses by name.
        changed: there was something to do.
        seconds: how long it took.
        refused: rows of its seed that make no identity, as `seed` tells them.
    """

    endpoints: Mapping[str, str]
    changed: bool
    seconds: float
    refused: Sequence[Mapping[str, Any]] = ()


@dataclass
class Shared:
    """What is asked once for all seats.

    Attributes:
        engine: the engine.
        containers: by project.
        images: by reference.
        stop: the error that no other seat would escape.
    """

    engine: Engine
    containers: Mapping[str, Sequence[Container]]
    images: Mapping[str, Image | None] = field(default_factory=dict)
    stop: KratosctlError | None = None

    def ports_held(self, _seat: Seat, state: State) -> set[int]:
        """The ports that a seat's containers hold now."""
        return assemble.ports_held(tuple(self.containers.get(state.project, ())))


def up(
    directory: Path, wishes: Wishes, at_once: int, force: bool, console: Console, variables: Mapping[str, str]
) -> Result:
    """Brings every seat of a workshop up, or heals those that are not.

    Args:
        directory: where workshop.yaml lies.
        wishes: how to go about it.
        at_once: how many seats at a time.
        force: also where they do not fit this host.
        console: where progress is shown.
        variables: the process environment.

    Raises:
        KratosctlError: what stands in the way of all of them; those that are ready stay so.
    """
    with seats.locked(directory, "workshop up", console):
        workshop = workshop_file.load(directory)
        everyone = seats.of(directory, workshop)
        keeper.refuse_ended(workshop, datetime.datetime.now())
        if not everyone:
            raise UsageError(f"{workshop.name} has no seats", fix="add some: kratosctl workshop add --seats 10")
        shared = _look(everyone, console)
        # what cannot be, or whose ports and containers cannot be told, is left alone; the others come up
        unknown = seats.failed(seats.each(everyone, at_once, lambda seat: _check(seat, shared)))
        sound = [seat for seat in everyone if seat.name not in unknown]
        if not sound:
            _raise_common(unknown)
        secure = proxy.behind(sound)
        if secure:
            proxy.refuse_impossible(secure, shared.engine)
        fronted = bool(secure) and proxy.holds_ports(directory)
        # asked for where there is a new seat, and then once
        taken = functools.cache(networks.taken)
        if not force:
            _refuse_too_many(sound, shared, taken)
        notes, without = allot.allot(sound, shared.ports_held, taken, fronted)
        unknown |= without
        sound = [seat for seat in sound if seat.name not in without]
        if not sound:
            _raise_common(unknown)
        secure = proxy.behind(sound)
        began = time.monotonic()
        with keeper.kept(directory, workshop):
            # one that is not sound is not cut off from who is at it
            fronting = [*sound, *(seat for seat in everyone if seat.name in unknown)]
            front = proxy.up(directory, workshop, fronting, console) if secure else None
            outcomes = unknown | _bring_up_twice(sound, shared, wishes, at_once, console, variables)
            _raise_common(outcomes)
            if secure and front != proxy.front(directory, fronting):
                # somebody was faster at a port: that seat has another one since
                proxy.up(directory, workshop, fronting, console)
            moved, unmoved = moving.move(directory, workshop, everyone, outcomes)
            took = time.monotonic() - began
            if notes or moved:
                notes.append("what attendees were told is no longer right: kratosctl workshop handout writes it anew")
            strange = seats.of_another_host(sound) if shared.engine.local else []
            return _result(directory, everyone, outcomes, moved, [*unmoved, *strange, *notes], took)


def _check(seat: Seat, shared: Shared) -> None:
    """Raises what would only be met once a seat runs, or that is wrong with it already."""
    environment = seat.environment
    seat.found(shared.containers)
    if environment.seed:
        from kratosctl.seeding import seed

        seed.own_sources(environment, seat.workspace.directory)


def _refuse_too_many(everyone: Sequence[Seat], shared: Shared, taken: Callable[[], list[Network]]) -> None:
    """Stops before seats that are to be started make those that run starve."""
    if not shared.engine.local:
        return
    new = seats.down(everyone, shared.containers)
    if new:
        capacity.refuse(new[0].environment, len(new), capacity.look(new[0].environment, taken(), new))


def _look(wanted: Sequence[Seat], console: Console) -> Shared:
    """Asks the engine what all seats need to know, and pulls what is not here."""
    needed: dict[str, str | None] = {}
    options: dict[str, str] = {}
    # what is wrong at one seat is said where that comes up
    locked = seats.each(wanted, 1, lambda seat: images.as_locked(seat.environment, seats.state_of(seat)))
    for environment in locked.values():
        if isinstance(environment, Environment):
            needed |= images.needed(environment)
            options |= images.options(environment)
    engine, containers, here, _ = reading.together(
        reading.engine, seats.by_project, lambda: reading.images(needed), apply.check_compose
    )
    missing = [
        reference
        for reference, platform in needed.items()
        if not images.is_here(here[reference], platform) and images.can_be_pulled(reference)
    ]
    if missing:
        apply.pull(needed, missing, console, options)
        here |= reading.images(missing)
    return Shared(engine, containers, here)


def _bring_up_twice(
    wanted: Sequence[Seat],
    shared: Shared,
    wishes: Wishes,
    at_once: int,
    console: Console,
    variables: Mapping[str, str],
) -> dict[str, Came | KratosctlError]:
    """Brings seats up, and tries those that fail again.

    Raises:
        KratosctlError: what no seat escapes, with how many are ready.
    """
    outcomes = _bring_up(wanted, shared, wishes, at_once, console, variables)
    failed = [seat for seat in wanted if isinstance(outcomes[seat.name], KratosctlError)]
    if failed and not shared.stop:
        # a port that was taken meanwhile, an engine that was busy: the second try finds what is there now
        shared = _look(failed, console)
        outcomes |= _bring_up(failed, shared, wishes, at_once, console, variables)
    if shared.stop:
        raise _with_count(shared.stop, outcomes)
    return outcomes


def _bring_up(
    wanted: Sequence[Seat],
    shared: Shared,
    wishes: Wishes,
    at_once: int,
    console: Console,
    variables: Mapping[str, str],
) -> dict[str, Came | KratosctlError]:
    ready = 0
    said: set[object] = set()
    with console.progress(f"bring up {counted(len(wanted), 'seat')}") as show:

        def work(seat: Seat) -> Came:
            if shared.stop:
                raise shared.stop
            try:
                return _come_up(seat, shared, wishes, variables)
            except _EVERYWHERE as error:
                shared.stop = shared.stop or error
                raise

        def done(seat: Seat, outcome: Came | KratosctlError) -> None:
            nonlocal ready
            ready += isinstance(outcome, Came)
            show(ready / len(wanted), f"{ready} of {len(wanted)} ready")
            # what thirty seats meet alike is no thirty lines
            if isinstance(outcome, KratosctlError) and not shared.stop and _met(outcome) not in said:
                said.add(_met(outcome))
                console.note(f"{seat.name}: {outcome.what}" + (f": {outcome.why}" if outcome.why else ""))

        return seats.each(wanted, at_once, work, done)


def _come_up(seat: Seat, shared: Shared, wishes: Wishes, variables: Mapping[str, str]) -> Came:
    """Brings one seat up, as `up` would."""
    began = time.monotonic()
    workspace = seat.workspace
    if workspace.has_unfinished:
        upgrade.settle(workspace.directory, seat.name, _SILENT, variables)
    with workspace.locked(f"workshop up {seat.name}", wishes.limits.ready, lambda _: None):
        # since all seats were looked at, somebody may have brought this one up, stopped or upgraded it
        now, found = seat.anew()
        look = Look(found.state, lambda: shared.engine, lambda: found.containers, lambda: shared.images)
        asked_as_then = now.answers == seat.answers
        result = converge.converge(
            now.environment, workspace, wishes, _SILENT, variables, look if asked_as_then else None
        )
    if result.after:
        result.after()
    refused = _fill(now) if workspace.wants_seed else ()
    return Came(result.data["endpoints"], result.data["changed"], round(time.monotonic() - began, 2), refused)


def _fill(seat: Seat) -> Sequence[Mapping[str, Any]]:
    """Seeds a new database. Returns the rows that make no identity."""
    from kratosctl import running
    from kratosctl.seeding import seed
    from kratosctl.snapshots.subject import Subject

    found = running.find(seat.workspace.directory, seat.name)
    told = seed.finish_first(Subject(found, seat.environment), _SILENT)
    return told.data["failed_rows"] if told else ()


def _with_count(error: KratosctlError, outcomes: Mapping[str, Came | KratosctlError]) -> KratosctlError:
    ready = sum(isinstance(outcome, Came) for outcome in outcomes.values())
    error.what += f" ({ready} of {len(outcomes)} seats are ready)"
    return error


def _raise_common(outcomes: Mapping[str, Came | KratosctlError]) -> None:
    """Raises what every seat met, such as a mistake in the configuration they share: said once, with its exit code."""
    errors = seats.failed(outcomes)
    if len(errors) == len(outcomes) and len({_met(error) for error in errors.values()}) == 1:
        name, error = next(iter(errors.items()))
        error.fix = error.fix.replace(f"`kratosctl up {name}`", "`kratosctl workshop up`")
        raise error


def _met(error: KratosctlError) -> object:
    """What tells errors apart at whichever seat they are met; what to do next names the seat."""
    return type(error), error.what, error.why


def _result(
    directory: Path,
    everyone: Sequence[Seat],
    outcomes: Mapping[str, Came | KratosctlError],
    moved: Mapping[str, str],
    notes: Sequence[str],
    took: float,
) -> Result:
    workshop = workshop_file.load(directory)
    rows: list[dict[str, Any]] = []
    for seat in everyone:
        outcome = outcomes[seat.name]
        row: dict[str, Any] = {"seat": seat.name, "attendee": workshop.seats[seat.name] or None}
        if isinstance(outcome, Came):
            row |= {"ready": True, "changed": outcome.changed, "endpoints": dict(outcome.endpoints)}
            row |= {"failed_rows": list(outcome.refused)} if outcome.refused else {}
        else:
            row |= {"ready": False, "error": outcome.code, "what": outcome.what}
            row |= {"why": outcome.why, "fix": outcome.fix}
        rows.append(row)
    ready = sum(row["ready"] for row in rows)
    data = {"workshop": workshop.name, "seats": rows, "moved": dict(moved)}
    refused = _refused(outcomes)
    warnings = [*notes, *refused]
    warnings += [f"{workshop.label(new)} moved there from {old}, which did not come up" for old, new in moved.items()]

    def text() -> str:
        head = f"{workshop.name}: {ready} of {len(rows)} seats ready in {took:.1f} s"
        shown = table(("SEAT", "ATTENDEE", "STATE", "ADDRESS"), [_row(row) for row in rows])
        failed = [_way_out(row) for row in rows if not row["ready"] and (row["why"] or row["fix"])]
        return "\n".join([head, "", shown, *(["", *failed] if failed else [])])

    return Result("workshop up", data, text, warnings, exit_code=0 if ready == len(rows) and not refused else 1)


def _refused(outcomes: Mapping[str, Came | KratosctlError]) -> list[str]:
    """The rows of seeds that make no identity, each once: most seats have the same seed."""
    rows = Counter(
        f"{row['file']}:{row['line']}: {row['reason']}"
        for came in outcomes.values()
        if isinstance(came, Came)
        for row in came.refused
    )
    said = [f"{row} (at {counted(number, 'seat')})" for row, number in rows.items()]
    return said[:_SHOWN] + ([f"and {len(said) - _SHOWN} more rows that make no identity"] if len(said) > _SHOWN else [])


def _way_out(row: Mapping[str, Any]) -> str:
    return f"{row['seat']}: " + "; ".join(filter(None, (row["why"], row["fix"])))


def _row(row: Mapping[str, Any]) -> list[str]:
    if not row["ready"]:
        return [row["seat"], row["attendee"] or "-", "failed", row["what"]]
    urls = row["endpoints"]
    return [row["seat"], row["attendee"] or "-", "ready", urls.get("ui") or urls["public"]]

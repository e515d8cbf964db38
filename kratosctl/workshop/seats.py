"""The seats of a workshop: environments with somebody at each."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from kratosctl import ownership, running
from kratosctl.answers import configuration_file, workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.console import Console
from kratosctl.engine import reading
from kratosctl.engine.objects import Container
from kratosctl.environment import Environment, from_answers
from kratosctl.errors import KratosctlError, UsageError
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.limits import LOCK_WAIT
from kratosctl.running import Found

T = TypeVar("T")

PATIENCE = 3600.0  # seconds
# no name of an environment begins with a dot
_HOME = ".workshop"


@dataclass(frozen=True)
class Seat:
    """One seat.

    Attributes:
        name: its environment's name.
        attendee: who sits there; empty: nobody.
        answers: what it was asked to be, by key.
        workspace: its generated directory.
    """

    name: str
    attendee: str
    answers: Mapping[str, Any]
    workspace: Workspace

    @functools.cached_property
    def environment(self) -> Environment:
        """What it was asked to be. Only whoever needs it meets what is wrong with that: a seat can always be stopped.

        Raises:
            ChoiceImpossible, FloatingTag: that cannot work.
        """
        return from_answers(self.name, self.answers)

    @contextlib.contextmanager
    def held(self, command: str, containers: Mapping[str, Sequence[Container]]) -> Iterator[tuple[Seat, Found]]:
        """Holds the seat's lock; yields the seat as it is then, as `anew`.

        Args:
            command: what the holder does, shown to those who wait.
            containers: of all projects, as they were a moment ago; where somebody is waited for, they are others now.
        """
        waited: list[str] = []
        with self.workspace.locked(command, LOCK_WAIT, waited.append):
            yield self.anew(None if waited else containers)

    def anew(self, containers: Mapping[str, Sequence[Container]] | None = None) -> tuple[Seat, Found]:
        """The seat as it is asked to be now, and what the engine has of it; None: the engine is asked."""
        directory = self.workspace.directory
        now = replace(self, answers=configuration_file.load(directory).get(self.name, self.answers))
        return now, running.find(directory, self.name) if containers is None else now.found(containers)

    def found(self, containers: Mapping[str, Sequence[Container]]) -> Found:
        """The seat with what the engine has of it, out of the containers of all projects."""
        state = ownership.settled_state(self.workspace)
        own = tuple(containers.get(state.project, ()))
        ownership.check_ours(str(self.workspace.directory), self.name, own)
        running.check_engine(state, own)
        return Found(self.workspace, state, own)


def home(directory: Path) -> Workspace:
    """The workshop's own generated directory and lock."""
    return Workspace(directory, _HOME, "the workshop")


@contextlib.contextmanager
def locked(directory: Path, command: str, console: Console, patience: float | None = None) -> Iterator[None]:
    """Lets one at a time start, stop, add and remove seats. Whoever holds it reads workshop.yaml anew.

    Args:
        directory: where workshop.yaml lies.
        command: what the holder does, shown to those who wait.
        console: told who is waited for.
        patience: seconds to wait for another holder; None: as long as a big class takes to come up.

    Raises:
        UsageError, ConfigurationInvalid: there is no workshop, or it cannot be read.
        EnvironmentBusy: somebody else held it for all that time.
    """
    # nothing is generated where there is none
    workshop_file.load(directory)
    with home(directory).locked(command, PATIENCE if patience is None else patience, console.note):
        yield


def of(directory: Path, workshop: Workshop) -> list[Seat]:
    """All seats of a workshop, in the order of its file.

    Raises:
        ConfigurationInvalid: kratosctl.yaml cannot be read.
    """
    answers = configuration_file.load(directory)
    return [Seat(name, who, answers[name], Workspace(directory, name)) for name, who in workshop.seats.items()]


def chosen(directory: Path, names: Iterable[str], everybody: bool) -> tuple[Workshop, list[Seat]]:
    """The workshop, and the seats that are meant, each once.

    Args:
        directory: where workshop.yaml lies.
        names: of seats, or of those who sit there.
        everybody: all seats are meant.

    Raises:
        UsageError: there is no such seat, or none was named.
    """
    workshop = workshop_file.load(directory)
    everyone = of(directory, workshop)
    if everybody:
        if names:
            raise UsageError("--all takes no seat: it means every one", fix="say one of the two")
        return workshop, everyone
    picked: list[Seat] = []
    for name in names:
        here = [seat for seat in everyone if name in (seat.name, seat.attendee)]
        if len(here) > 1:
            raise UsageError(f"{name!r} sits at {' and '.join(seat.name for seat in here)}", fix="name the seat")
        if not here:
            raise UsageError(
                f"there is no seat {name!r} in {workshop.name}", fix="kratosctl workshop status shows them"
            )
        # named by itself and by who sits there it is still one: reset twice, what came first could not be undone
        picked += [seat for seat in here if seat not in picked]
    if not picked:
        raise UsageError("which seat?", fix="name one, or say --all")
    return workshop, picked


def down(everyone: Sequence[Seat], containers: Mapping[str, Sequence[Container]]) -> list[Seat]:
    """The seats that the engine has nothing of: those that `workshop up` starts. One that is damaged is left alone."""
    found = each(everyone, 1, lambda seat: seat.found(containers))
    return [seat for seat in everyone if isinstance(one := found[seat.name], Found) and not one.containers]


def by_project(oneoff: bool = False) -> dict[str, list[Container]]:
    """All containers of this engine that belong to a Compose project, by project.

    Args:
        oneoff: also those of `docker compose run`.
    """
    found: dict[str, list[Container]] = {}
    for container in reading.of_compose(oneoff):
        found.setdefault(container.project, []).append(container)
    return found


def each(
    seats: Sequence[Seat],
    at_once: int,
    work: Callable[[Seat], T],
    done: Callable[[Seat, T | KratosctlError], None] = lambda _seat, _outcome: None,
) -> dict[str, T | KratosctlError]:
    """Does something at several seats at once.

    Args:
        seats: where.
        at_once: at how many at a time.
        work: what; it runs in a thread.
        done: told of each outcome as soon as there is one, one at a time.

    Returns:
        By seat what came out, or the error it met, in the order of the seats.
    """
    outcomes: dict[str, T | KratosctlError] = {}
    pool = ThreadPoolExecutor(max(1, min(at_once, len(seats))))
    try:
        running = {pool.submit(_caught, work, seat): seat for seat in seats}
        for future in as_completed(running):
            seat = running[future]
            outcomes[seat.name] = future.result()
            done(seat, outcomes[seat.name])
    finally:
        # Ctrl-C: what has not begun does not begin
        pool.shutdown(wait=True, cancel_futures=True)
    return {seat.name: outcomes[seat.name] for seat in seats}


@contextlib.contextmanager
def named(seat: Seat) -> Iterator[None]:
    """Has what is wrong with a seat say at which one, where that ends what is done for all."""
    try:
        yield
    except KratosctlError as error:
        error.what = f"{seat.name}: {error.what}"
        raise


def refuse_impossible(seats: Sequence[Seat]) -> None:
    """Stops where one cannot be what it was asked to be.

    Raises:
        ChoiceImpossible, FloatingTag: naming the first such seat.
    """
    for seat in seats:
        with named(seat):
            # made once: it keeps it
            _ = seat.environment


def failed(outcomes: Mapping[str, object]) -> dict[str, KratosctlError]:
    """Those outcomes that are errors, by seat."""
    return {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, KratosctlError)}


def _caught(work: Callable[[Seat], T], seat: Seat) -> T | KratosctlError:
    try:
        return work(seat)
    except KratosctlError as error:
        return error


@contextlib.contextmanager
def all_locked(
    seats: Sequence[Seat], command: str, patience: float, say: Callable[[str], None]
) -> Iterator[dict[str, KratosctlError]]:
    """Holds the locks of several seats, in one order, so that two who want them do not wait for each other.

    Args:
        seats: which.
        command: what the holder does, shown to those who wait.
        patience: seconds to wait for other holders, for all of them together.
        say: told who is waited for.

    Yields:
        By seat, why its lock could not be had.
    """
    busy: dict[str, KratosctlError] = {}
    end = time.monotonic() + patience
    with contextlib.ExitStack() as held:
        for seat in sorted(seats, key=lambda seat: seat.name):
            try:
                held.enter_context(seat.workspace.locked(command, max(0.0, end - time.monotonic()), say))
            except KratosctlError as error:
                busy[seat.name] = error
        yield busy


def state_of(seat: Seat) -> State:
    """What is allotted to a seat, settled for its directory."""
    return ownership.settled_state(seat.workspace)


def of_another_host(everyone: Sequence[Seat]) -> list[str]:
    """What to say of an address that attendees are given and that this host has not, or no longer."""
    import psutil

    own = {address.address for found in psutil.net_if_addrs().values() for address in found}
    strange = []
    for host in dict.fromkeys(seat.environment.host for seat in everyone):
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(host.strip("[]"))
            if not address.is_loopback and str(address) not in own:
                strange.append(host)
    fix = "if it does not lead here, change `host` in workshop.yaml and write the handouts anew"
    return [f"attendees are given {host}, which is no address of this host: {fix}" for host in strange]

"""One look at all seats, cheap enough to be repeated every two seconds.

The engine is asked for its list each time; everything else only of seats where something changed, and of a few others
in turn: a Kratos that hangs is no change in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kratosctl.answers import configuration_file, workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.commands import status
from kratosctl.engine.objects import Container
from kratosctl.engine.window import Window
from kratosctl.environment import Environment
from kratosctl.errors import KratosctlError
from kratosctl.files.state import State
from kratosctl.kratos import log_lines, readiness
from kratosctl.running import Found, check_engine
from kratosctl.states import ended, services, state_of
from kratosctl.workshop import keeper, proxy, seats
from kratosctl.workshop.counting import Count, mark
from kratosctl.workshop.seats import Seat
from kratosctl.workshop.seen import Picture, Seen

_LINES = 200
_TURNS = 15  # looks until every seat was asked again, changed or not
_PATIENCE = 1.0  # seconds for a Kratos to answer
_AT_ONCE = 8


@dataclass
class _Memory:
    """What the last looks found out about a seat."""

    count: Count = field(default_factory=Count)
    state: State = field(default_factory=State)
    state_mark: object = ""
    containers: tuple[Container, ...] = ()
    moments: tuple[str, str] = ("", "")
    answers: bool | None = None
    error: tuple[str, str] = ("", "")
    fault: str = ""
    environment: Environment | None = None
    impossible: str = ""

    @property
    def kratos(self) -> Container | None:
        return next((one for one in self.containers if one.service == "kratos"), None)

    @property
    def runs(self) -> bool:
        return bool(self.kratos and self.kratos.state == "running")

    @property
    def is_doubtful(self) -> bool:
        """It runs, but did not answer, or not Docker's health check."""
        return self.runs and (not self.answers or (self.kratos is not None and self.kratos.health == "unhealthy"))


class Observer:
    """Looks at the seats of a workshop, and remembers. One thread at a time may look."""

    def __init__(self, directory: Path, window: Window, local: bool) -> None:
        """
        Args:
            directory: where workshop.yaml lies.
            window: the engine.
            local: attendees come in at addresses of this host, as far as they can be told from here.
        """
        self._directory, self._window, self._local = directory, window, local
        self._workshop, self._seats = Workshop(""), list[Seat]()
        self._files: object = None
        self._memories: dict[str, _Memory] = {}
        self._turn = 0

    def look(self, everything: bool = False) -> Picture:
        """How all seats are now.

        Args:
            everything: ask each seat for all it can tell, however long that takes.

        Raises:
            KratosctlError: workshop.yaml or the engine cannot be read, or a seat is on another engine.
        """
        self._read_files()
        of_project: dict[str, list[Container]] = {}
        for container in self._window.containers():
            of_project.setdefault(container.project, []).append(container)
        changed = [seat for seat in self._seats if self._take(seat, of_project)]
        self._turn = (self._turn + 1) % _TURNS
        in_turn = [seat for at, seat in enumerate(self._seats) if everything or at % _TURNS == self._turn]
        self._ask(changed, in_turn)
        counted = self._count(everything)
        self._read_logs(_unique([*changed, *counted, *in_turn]))
        seen = tuple(self._seen(seat) for seat in self._seats)
        whole = frozenset(seat.name for seat in self._seats if _is_whole(self._memories[seat.name].containers))
        ends = self._workshop.ends
        shown_end = ends.astimezone().isoformat() if ends else None
        return Picture(self._workshop.name, shown_end, seen, whole, self._warnings(of_project))

    def _warnings(self, of_project: dict[str, list[Container]]) -> tuple[str, ...]:
        # nobody comes in, and nothing is to end, where nothing was brought up
        if not any(memory.containers for memory in self._memories.values()):
            return ()
        possible = [seat for seat in self._seats if self._memories[seat.name].environment]
        closed = proxy.warning(self._directory, possible, of_project)
        strange = seats.of_another_host(possible) if self._local else []
        return tuple(said for said in (closed, *strange, keeper.missing(self._directory, self._workshop)) if said)

    def kratos(self, seat: str) -> str:
        """The ID of a seat's Kratos, as it was last seen; empty where there is none."""
        memory = self._memories.get(seat)
        return memory.kratos.id if memory and memory.kratos else ""

    def forget(self, seat: str) -> None:
        """Something was done to a seat: the next look asks for all of it."""
        if seat in self._memories:
            self._memories[seat].count.forget()
            self._memories[seat].containers = ()

    def _read_files(self) -> None:
        paths = (self._directory / name for name in (workshop_file.FILE_NAME, configuration_file.FILE_NAME))
        now = [mark(path) for path in paths]
        if now != self._files:
            self._workshop = workshop_file.load(self._directory)
            self._seats = seats.of(self._directory, self._workshop)
            before = self._memories
            self._memories = {seat.name: before.get(seat.name) or _Memory() for seat in self._seats}
            for seat in self._seats:
                memory = self._memories[seat.name]
                try:
                    memory.environment, memory.impossible = seat.environment, ""
                except KratosctlError as error:
                    memory.environment, memory.impossible = None, error.what
            self._files = now

    def _take(self, seat: Seat, of_project: dict[str, list[Container]]) -> bool:
        """Takes over what the engine lists of a seat, and tells whether that is something new."""
        memory = self._memories[seat.name]
        now_marked = mark(seat.workspace.home / "state.json")
        if now_marked != memory.state_mark:
            memory.fault = ""
            try:
                memory.state = seats.state_of(seat)
            except KratosctlError as error:
                # one damaged file is no reason to show nothing of the others
                memory.fault = error.what
        now = tuple(of_project.get(memory.state.project, ()))
        if now_marked != memory.state_mark:
            check_engine(memory.state, now)
            memory.state_mark = now_marked
        before, memory.containers = memory.containers, now
        return [_key(one) for one in before] != [_key(one) for one in now]

    def _ask(self, changed: Sequence[Seat], in_turn: Sequence[Seat]) -> None:
        """Asks Kratos whether it is ready, and the engine since when."""

        def ask(seat: Seat) -> None:
            memory = self._memories[seat.name]
            found = Found(seat.workspace, memory.state, memory.containers)
            host, port = (found.public_address() if memory.runs else None) or ("", 0)
            memory.answers = bool(port) and readiness.is_ready(host, port, patience=_PATIENCE)

        wanted = _unique([*changed, *in_turn])
        self._take_moments([memory for seat in wanted if (memory := self._memories[seat.name]).kratos])
        waiting = [seat for seat in self._seats if self._memories[seat.name].is_doubtful]
        _together(ask, _unique([*changed, *waiting, *in_turn]))

    def _take_moments(self, memories: Sequence[_Memory]) -> None:
        found = self._window.moments([memory.kratos.id for memory in memories if memory.kratos])
        for memory in memories:
            before, memory.moments = memory.moments, found.get(memory.kratos.id if memory.kratos else "", ("", ""))
            if before[0] != memory.moments[0]:
                # an error of an earlier start is settled
                memory.error = ("", "")

    def _count(self, everything: bool) -> list[Seat]:
        """Counts identities where they may have changed, and tells where they did."""
        before = {seat.name: self._memories[seat.name].count.known for seat in self._seats}
        due = []
        for seat in self._seats:
            memory = self._memories[seat.name]
            database = memory.environment and memory.environment.database
            if database == "sqlite":
                memory.count.of_file(seat.workspace.sqlite)
            elif database == "postgres" and (everything or memory.count.is_due):
                due.append(seat)
        # each is a process of the engine's: no more than one at a look
        due.sort(key=lambda seat: before[seat.name] is not None)
        chosen = due if everything else due[:1]
        _together(lambda seat: self._count_postgres(self._memories[seat.name]), chosen)
        return [seat for seat in self._seats if self._memories[seat.name].count.known != before[seat.name]]

    def _count_postgres(self, memory: _Memory) -> None:
        memory.count.of_postgres(self._window, memory.containers)

    def _read_logs(self, wanted: Sequence[Seat]) -> None:
        def read(seat: Seat) -> None:
            memory = self._memories[seat.name]
            since = _seconds(memory.moments[0])
            if memory.kratos and since:
                try:
                    lines = self._window.logs(memory.kratos.id, _LINES, since).splitlines()
                except KratosctlError:
                    # an engine that is gone is told by the next list
                    return
                found = log_lines.last_error(lines)
                # one that 200 lines of requests have pushed out is still the last one
                memory.error = found if found[0] else memory.error

        _together(read, wanted)

    def _seen(self, seat: Seat) -> Seen:
        memory = self._memories[seat.name]
        kratos = memory.kratos
        labels = kratos.labels if kratos else {}
        fault = memory.impossible or memory.fault
        state = "broken" if fault else state_of(memory.containers, memory.answers)
        error, error_at = memory.error if kratos else ("", "")
        if state == "broken":
            error = "; ".join(part for part in (fault, ended(memory.containers), error) if part)
        asked = memory.environment
        urls = status.endpoints(Found(seat.workspace, memory.state, memory.containers))
        started, ended_at = memory.moments
        moment = started if memory.runs else ended_at
        return Seen(
            seat=seat.name,
            attendee=seat.attendee or None,
            state=state,
            release=labels.get("release") or (asked.release if asked else None),
            database=labels.get("database") or (asked.database if asked else None),
            identities=memory.count.known if kratos else None,
            error=error,
            error_at=error_at or None,
            address=urls.get("ui") or urls.get("public"),
            mail=urls.get("mail"),
            since=_plain(moment) if kratos else None,
            lesson=seat.workspace.lesson or None,
        )


def _key(container: Container) -> tuple[str, str, str, int | None]:
    return container.id, container.state, container.health, container.exit_code


def _is_whole(containers: Sequence[Container]) -> bool:
    serving = services(containers)
    return bool(serving) and all(one.state == "running" for one in serving)


def _unique(wanted: Iterable[Seat]) -> list[Seat]:
    return list({seat.name: seat for seat in wanted}.values())


def _together(work: Callable[[Seat], None], wanted: Sequence[Seat]) -> None:
    """Does something at several seats at once: each mostly waits."""
    if len(wanted) < 2:
        for seat in wanted:
            work(seat)
        return
    with ThreadPoolExecutor(min(_AT_ONCE, len(wanted))) as pool:
        for future in [pool.submit(work, seat) for seat in wanted]:
            future.result()


def _seconds(moment: str) -> float:
    """Seconds since 1970 of a time that the engine wrote; 0 for none, which it writes as one of the year 1."""
    return datetime.fromisoformat(moment).timestamp() if _plain(moment) else 0.0


def _plain(moment: str) -> str | None:
    """A time of the engine's to the second; None for none."""
    if not moment or moment.startswith("0001-"):
        return None
    return datetime.fromisoformat(moment[:19]).replace(tzinfo=UTC).isoformat()

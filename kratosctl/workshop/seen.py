"""What can be told of a seat at a glance. Pure: `observe` looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kratosctl.engine.reading import Container

State = Literal["ready", "starting", "broken", "stopped", "absent"]
# the worst first: what a teacher has to see
STATES: tuple[State, ...] = ("broken", "starting", "stopped", "absent", "ready")
# of a service that was asked to stop: by itself, by SIGTERM, by SIGINT
_STOPPED = (0, 143, 130)


@dataclass(frozen=True)
class Seen:
    """One seat, as it was seen.

    Attributes:
        seat: its name.
        attendee: who sits there; None: nobody.
        state: ready, starting, broken, stopped (by somebody) or absent (it was never brought up, or is down).
        release: of its Kratos.
        database: what its data lies in.
        identities: how many there are; None where that is not quick to tell.
        error: the last error of Kratos since it was started, or what ended it; empty where there is none.
        error_at: when that was.
        address: its UI, or the public API where it has none; None while it is not open.
        mail: its mail inbox.
        since: when Kratos was started, or when it ended.
    """

    seat: str
    attendee: str | None
    state: State
    release: str | None = None
    database: str | None = None
    identities: int | None = None
    error: str = ""
    error_at: str | None = None
    address: str | None = None
    mail: str | None = None
    since: str | None = None


@dataclass(frozen=True)
class Picture:
    """A workshop at a glance.

    Attributes:
        workshop: its name.
        ends: when it is over, with the offset from UTC; None where nobody said.
        seats: in the order of its file.
        whole: seats of which every service runs.
    """

    workshop: str
    ends: str | None
    seats: tuple[Seen, ...]
    whole: frozenset[str] = frozenset()

    def data(self) -> dict[str, Any]:
        """The same for scripts and pages."""
        count = {state: sum(seat.state == state for seat in self.seats) for state in STATES}
        seats = [asdict(seat) for seat in self.seats]
        return {"workshop": self.workshop, "ends": self.ends, "count": count, "seats": seats}


def state_of(containers: Sequence[Container], answers: bool | None) -> State:
    """The state of a seat.

    Args:
        containers: its containers.
        answers: whether Kratos says that it is ready; None where it was not asked.
    """
    serving = services(containers)
    if not serving:
        return "absent"
    alive = [one for one in serving if one.state == "running"]
    if not alive:
        return _state_of_dead(serving)
    begins = [one for one in serving if one.state in ("created", "restarting")]
    # Docker asks Kratos what we ask it, but seldom: it may have been healed since
    hung = [one for one in alive if one.health == "unhealthy" and not (one.service == "kratos" and answers)]
    if hung or len(alive) + len(begins) < len(serving):
        return "broken"
    return "ready" if answers and not begins else "starting"


def _state_of_dead(serving: Sequence[Container]) -> State:
    if any(one.state in ("created", "restarting") for one in serving):
        return "starting"
    asked = all(one.state == "exited" and one.exit_code in _STOPPED for one in serving)
    return "stopped" if asked else "broken"


def services(containers: Sequence[Container]) -> list[Container]:
    """The containers that should run for as long as the seat does."""
    return [one for one in containers if one.service != "kratos-migrate"]


def ended(containers: Sequence[Container]) -> str:
    """What a seat that is broken lacks, in words; empty where everything runs."""
    lacking = [one for one in services(containers) if one.state != "running"]
    hung = [one for one in services(containers) if one.state == "running" and one.health == "unhealthy"]
    said = [f"{one.service} {_end_of(one)}" for one in lacking]
    return ", ".join(said + [f"{one.service} does not answer its health check" for one in hung])


def _end_of(container: Container) -> str:
    if container.state != "exited":
        return f"is {container.state}"
    known: Mapping[int | None, str] = {137: "was killed", 143: "was stopped", 130: "was stopped", 0: "ended"}
    return known.get(container.exit_code, f"ended with exit code {container.exit_code}")

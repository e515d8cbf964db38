"""What can be told of a seat at a glance. Pure: `observe` looks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kratosctl.states import STATES, State


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
        lesson: the one that runs, whose fault the seat has; None where there is none.
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
    lesson: str | None = None


@dataclass(frozen=True)
class Picture:
    """A workshop at a glance.

    Attributes:
        workshop: its name.
        ends: when it is over, with the offset from UTC; None where nobody said.
        seats: in the order of its file.
        whole: seats of which every service runs.
        warnings: what is to be said beside the seats.
    """

    workshop: str
    ends: str | None
    seats: tuple[Seen, ...]
    whole: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def count(self) -> dict[State, int]:
        """How many seats are in each state."""
        return {state: sum(seat.state == state for seat in self.seats) for state in STATES}

    def data(self) -> dict[str, Any]:
        """The same for scripts and pages."""
        seats = [asdict(seat) for seat in self.seats]
        return {"workshop": self.workshop, "ends": self.ends, "count": self.count, "seats": seats}

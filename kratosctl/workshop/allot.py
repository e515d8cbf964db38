"""What each seat gets once and keeps: its ports, and the addresses of its network."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from kratosctl import urls
from kratosctl.errors import KratosctlError
from kratosctl.files import cache
from kratosctl.files.state import State
from kratosctl.host import ports, subnets
from kratosctl.host.subnets import Network
from kratosctl.workshop.seats import Seat, state_of


def allot(
    seats: Sequence[Seat],
    held: Callable[[Seat, State], set[int]],
    networks_taken: Callable[[], list[Network]] | None,
    fronted: bool = False,
) -> tuple[list[str], dict[str, KratosctlError]]:
    """Allots what seats still lack, and writes it to their state; the caller holds the workshop's lock.

    Seats that are brought up at once would each choose the first free port, and the first free network.

    Args:
        seats: all of the workshop.
        held: the ports that are a seat's own: that something listens there does not make them taken.
        networks_taken: those a new one must not overlap with; None where seats need no network of this host.
        fronted: the workshop's own TLS proxy listens at the ports that seats have.

    Returns:
        Notes on those whose address had to move, and by seat why it has no ports, such as one that it was to have.

    Raises:
        ChoiceImpossible: there are not enough networks.
    """
    states = {seat.name: state_of(seat) for seat in seats}
    networks = _networks(seats, states, networks_taken) if networks_taken else {}
    given = {port for state in states.values() for port in state.ports.values()}
    notes: list[str] = []
    failed: dict[str, KratosctlError] = {}
    for seat in seats:
        state = states[seat.name]
        others = given - set(state.ports.values())
        own = held(seat, state) - others
        try:
            found, moved = _ports(seat, state, own, others, fronted)
        except KratosctlError as error:
            failed[seat.name] = error
            continue
        notes += [f"{seat.name}: {note}" for note in moved]
        given |= set(found.values())
        state = replace(state, subnet=networks.get(seat.name, state.subnet), ports={**state.ports, **found})
        if state != seat.workspace.state():
            seat.workspace.save_state(state)
    return notes, failed


def _networks(seats: Sequence[Seat], states: Mapping[str, State], taken: Callable[[], list[Network]]) -> dict[str, str]:
    """The network of each seat that has none of the range it is to have one of."""
    pools = {seat.name: pool for seat in seats if (pool := seat.environment.subnets)}
    lacking = {name: pool for name, pool in pools.items() if not subnets.is_part(states[name].subnet, pool)}
    if not lacking:
        return {}
    # those of seats that are down, too: they will be made again
    kept = [ipaddress.IPv4Network(state.subnet) for state in states.values() if state.subnet]
    others = [*taken(), *kept]
    ranges = {pool: subnets.free(pool, others) for pool in lacking.values()}
    return {name: next(ranges[pool]) for name, pool in lacking.items()}


def _ports(
    seat: Seat, state: State, own: set[int], others: set[int], fronted: bool
) -> tuple[dict[str, int], list[str]]:
    """The ports of a seat by name, and notes on those that moved."""
    had = set(state.ports.values())

    def is_taken(name: str, port: int) -> bool:
        if port in others or _listens(seat, name, port, fronted=fronted and port in had):
            return True
        # its own, whoever brings it up at the same time
        return not (ports.claim(port, cache.directory() / "ports") or port in had)

    def holder(port: int) -> str:
        return "another seat" if port in others else ports.holder(port)

    wanted = ports.wanted(seat.environment)
    return ports.allot(wanted, state.ports, own, is_taken, holder, _first_step(seat.name))


def _listens(seat: Seat, name: str, port: int, fronted: bool) -> bool:
    """Whether somebody listens where a port is to be published, or where a proxy is to stand before it."""
    asked = seat.environment
    if ports.is_taken(port, asked.addresses[name]):
        return True
    return asked.https and name in urls.PROXIED and not fronted and ports.is_taken(port, asked.bind)


def _first_step(name: str) -> int:
    """Seat 7 listens at 5133, 5155 and 8725 where they are free: seven hundred above the usual."""
    number = re.search(r"(\d{1,3})$", name)
    return int(number[1]) if number else 0

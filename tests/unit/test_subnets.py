"""Networks of an environment's own: none overlaps with another."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.errors import ChoiceImpossible
from kratosctl.stack import subnets

POOL = "10.213.0.0/24"
NETWORKS = st.builds(
    lambda number, prefix: ipaddress.IPv4Network((number & ~((1 << (32 - prefix)) - 1), prefix)),
    st.integers(int(ipaddress.IPv4Address("10.212.255.0")), int(ipaddress.IPv4Address("10.214.0.0"))),
    st.integers(24, 32),
)


@given(st.lists(NETWORKS, max_size=12))
def test_what_is_given_overlaps_with_nothing_taken_and_with_nothing_given(taken: list[ipaddress.IPv4Network]) -> None:
    given_out = []
    with pytest.raises(ChoiceImpossible):
        for part in subnets.free(POOL, taken):
            network = ipaddress.IPv4Network(part)
            assert not any(network.overlaps(other) for other in (*taken, *given_out))
            assert subnets.is_part(part, POOL)
            given_out.append(network)
    blocked = {other for other in ipaddress.IPv4Network(POOL).subnets(new_prefix=28) if any(map(other.overlaps, taken))}
    assert len(given_out) == 16 - len(blocked)


def test_there_are_enough_for_a_thousand_seats() -> None:
    parts = subnets.free(subnets.DEFAULT_POOL, [])

    assert len({next(parts) for _ in range(1000)}) == 1000


def test_nothing_allotted_lies_in_no_range() -> None:
    assert not subnets.is_part("", POOL)
    assert not subnets.is_part("10.99.0.0/28", POOL)

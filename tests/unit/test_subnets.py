"""Networks of an environment's own: none overlaps with another."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.errors import ChoiceImpossible
from kratosctl.host import subnets

POOL = "10.213.0.0/24"
NETWORKS = st.builds(
    lambda number, prefix: ipaddress.IPv4Network((number & ~((1 << (32 - prefix)) - 1), prefix)),
    st.integers(int(ipaddress.IPv4Address("10.212.255.0")), int(ipaddress.IPv4Address("10.214.0.0"))),
    st.integers(24, 32),
)


def everything(taken: list[ipaddress.IPv4Network]) -> Iterator[ipaddress.IPv4Network]:
    """All that is free, until the range says that nothing is left."""
    with contextlib.suppress(ChoiceImpossible):
        yield from map(ipaddress.IPv4Network, subnets.free(POOL, taken))


@given(st.lists(NETWORKS, max_size=12))
def test_what_is_given_overlaps_with_nothing_taken_and_with_nothing_given(taken: list[ipaddress.IPv4Network]) -> None:
    given_out = list(everything(taken))

    assert all(subnets.is_part(str(network), POOL) for network in given_out)
    assert not [network for network in given_out if any(map(network.overlaps, taken))]
    assert len(set(given_out)) == len(given_out)
    parts = ipaddress.IPv4Network(POOL).subnets(new_prefix=28)
    assert set(given_out) == {part for part in parts if not any(map(part.overlaps, taken))}


def test_a_range_that_is_used_up_says_so() -> None:
    with pytest.raises(ChoiceImpossible, match="no network is left"):
        next(subnets.free(POOL, [ipaddress.IPv4Network("10.0.0.0/8")]))


def test_there_are_enough_for_a_thousand_seats() -> None:
    parts = subnets.free(subnets.DEFAULT_POOL, [])

    assert len({next(parts) for _ in range(1000)}) == 1000


def test_nothing_allotted_lies_in_no_range() -> None:
    assert not subnets.is_part("", POOL)
    assert not subnets.is_part("10.99.0.0/28", POOL)

"""Networks of an environment's own from a range, beside those that Docker, this host and others have."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from kratosctl.errors import ChoiceImpossible

# beside what Docker (172.16/12, 192.168/16) and home networks take by default
DEFAULT_POOL = "10.213.0.0/16"
# a gateway, at most five services, and what a compose.override.yaml adds
_PREFIX = 28

Network = ipaddress.IPv4Network


def free(pool: str, taken: Iterable[Network]) -> Iterator[str]:
    """The parts of a range that overlap with nothing taken, lowest first.

    Args:
        pool: a range such as 10.213.0.0/16.
        taken: networks that others have.

    Raises:
        ChoiceImpossible: there is no further one.
    """
    whole = ipaddress.IPv4Network(pool)
    others = [network for network in taken if network.overlaps(whole)]
    for part in whole.subnets(new_prefix=_PREFIX):
        if not any(part.overlaps(other) for other in others):
            yield str(part)
    raise ChoiceImpossible(
        f"no network is left in {pool}",
        f"each environment takes a /{_PREFIX} of it, and {len(others)} networks overlap with it",
        "choose another range: --subnets 10.214.0.0/16",
    )


def is_part(subnet: str, pool: str) -> bool:
    """Whether a network that was allotted once lies in a range."""
    return bool(subnet) and ipaddress.IPv4Network(subnet).subnet_of(ipaddress.IPv4Network(pool))

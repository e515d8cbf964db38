"""Which networks there are: those of Docker, and those this host is in."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from kratosctl.engine import reading
from kratosctl.host.subnets import Network


def taken() -> list[Network]:
    """All networks that a new one must not overlap with."""
    import psutil

    found = [ipaddress.IPv4Network(subnet) for subnet in reading.subnets()]
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family == socket.AF_INET and address.netmask:
                with contextlib.suppress(ValueError):
                    found.append(ipaddress.IPv4Network(f"{address.address}/{address.netmask}", strict=False))
    return found

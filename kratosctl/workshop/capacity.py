"""`workshop plan`: what N seats need, how many fit this host, and what runs out first. Pure but for `look`.

The figures were measured with Kratos v26.2.0 on Docker 20.10: memory of the host per started service, its containerd
shim and port proxies included, after people signed up and in.
"""

from __future__ import annotations

import ipaddress
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kratosctl.engine import program
from kratosctl.environment import Environment
from kratosctl.errors import HostTooSmall
from kratosctl.host import ports, subnets, watchers
from kratosctl.host.subnets import Network
from kratosctl.results import Result, counted, sized, table
from kratosctl.stack import compose
from kratosctl.workshop.seats import Seat, state_of

MIB = 1024 * 1024
_MEMORY = {"kratos": 64 * MIB, "ui": 55 * MIB, "mail": 22 * MIB, "postgres": 90 * MIB}
_DISK = {"sqlite": 8 * MIB, "postgres": 80 * MIB, "memory": 2 * MIB}
_CPU_SECONDS_TO_START = {"kratos": 0.6, "ui": 0.5, "mail": 0.3, "postgres": 0.6}
# for the host itself
_MEMORY_KEPT = 512 * MIB
_DISK_KEPT = 1024 * MIB


@dataclass(frozen=True)
class Host:
    """What there is for seats.

    Attributes:
        memory: free, in bytes.
        cores: of the CPU.
        disk: free, in bytes, where the engine keeps its data.
        ports: blocks of ports that are free, one for each seat.
        networks: parts of the range that are free.
        watchers: of files, that this user may still have; None where the host does not count them.
    """

    memory: int
    cores: int
    disk: int
    ports: int
    networks: int
    watchers: int | None = None


def need(environment: Environment) -> dict[str, int]:
    """What one seat needs: bytes of memory and disk, ports, networks, watchers of files."""
    running = compose.services(environment)
    return {
        "memory": sum(_MEMORY[service] for service in running),
        "disk": _DISK[environment.database],
        "ports": len(ports.wanted(environment)),
        "networks": 1,
        "watchers": watchers.OF_ONE_KRATOS,
    }


def fitting(environment: Environment, host: Host) -> dict[str, int]:
    """How many seats each resource is enough for, the scarcest first."""
    one = need(environment)
    found = {
        "memory": max(0, host.memory - _MEMORY_KEPT) // one["memory"],
        "disk": max(0, host.disk - _DISK_KEPT) // one["disk"],
        "ports": host.ports,
        "networks": host.networks,
    }
    if host.watchers is not None:
        found["watchers"] = host.watchers // one["watchers"]
    return dict(sorted(found.items(), key=lambda item: item[1]))


def seconds_to_start(environment: Environment, count: int, cores: int) -> float:
    """About how long many seats take to be ready: they wait for the CPU, not for each other."""
    return count * sum(_CPU_SECONDS_TO_START[service] for service in compose.services(environment)) / max(1, cores)


def look(environment: Environment, taken: Sequence[Network], down: Sequence[Seat] = ()) -> Host:
    """What this host has for further seats.

    Args:
        environment: what a seat is.
        taken: networks that there are.
        down: seats to come up: `workshop down` leaves networks with the addresses they were allotted.
    """
    import psutil

    wanted = ports.wanted(environment)
    listening = {connection.laddr.port for connection in _listening()}
    blocks = 0
    for step in range(ports.STEPS):
        block = [ports.DEFAULTS[name] + step * ports.STRIDE for name in wanted]
        blocks += max(block) <= 65535 and listening.isdisjoint(block)
    pool = ipaddress.IPv4Network(environment.subnets or subnets.DEFAULT_POOL)
    # one of Docker's is there twice: this host is in it, too
    own = {state_of(seat).subnet for seat in down}
    others = sum(network.overlaps(pool) for network in set(taken) if str(network) not in own)
    root = program.docker("info", "--format", "{{.DockerRootDir}}", check=False).stdout.strip()
    return Host(
        memory=psutil.virtual_memory().available,
        cores=os.cpu_count() or 1,
        disk=_free_disk(root),
        ports=blocks,
        networks=max(0, pool.num_addresses // 16 - others),
        watchers=watchers.free(),
    )


def _free_disk(root: str) -> int:
    """Bytes that are free at a place; here where it is on another machine, or not for this user to see."""
    try:
        return shutil.disk_usage(root or ".").free
    except OSError:
        return shutil.disk_usage(".").free


def _listening() -> list[Any]:
    import psutil

    try:
        return [found for found in psutil.net_connections("tcp") if found.status == psutil.CONN_LISTEN]
    except psutil.Error:
        return []


def refuse(environment: Environment, count: int, host: Host) -> None:
    """Stops before this host is harmed.

    Args:
        environment: what a seat is.
        count: how many further seats are to be started.
        host: what there is for them.

    Raises:
        HostTooSmall: naming what runs out first, and how many fit.
    """
    scarce, fit = next(iter(fitting(environment, host).items()))
    if count > fit:
        raise HostTooSmall(
            f"{count} further seats do not fit this host",
            f"its {_WORDS[scarce]} {_ARE[scarce]} enough for {fit}: {_shortage(environment, host, scarce, count)}",
            f"{_WAYS[scarce]}; or try it all the same: --force",
        )


_WORDS = {
    "memory": "free memory",
    "disk": "free disk",
    "ports": "free ports",
    "networks": "free networks",
    "watchers": "free file watchers",
}
_ARE = {"memory": "is", "disk": "is", "ports": "are", "networks": "are", "watchers": "are"}
_WAYS = {
    "memory": "take fewer seats, or leave the UI out (ui: false)",
    "disk": "free some space: docker system df shows where it went",
    "ports": "stop what listens between 4433 and 65535",
    "networks": "take another range: `subnets: 10.214.0.0/16` in workshop.yaml",
    "watchers": f"raise the limit: {watchers.MORE}",
}


def _shortage(environment: Environment, host: Host, scarce: str, count: int) -> str:
    one = need(environment)
    if scarce == "memory":
        return f"{count} need {sized(count * one['memory'])} of {sized(max(0, host.memory - _MEMORY_KEPT))}"
    if scarce == "disk":
        return f"{count} need {sized(count * one['disk'])} of {sized(max(0, host.disk - _DISK_KEPT))}"
    return f"{count} need {count * one[scarce]}"


def plan(environment: Environment, count: int, host: Host, up: int = 0) -> Result:
    """What so many seats need, and whether they fit.

    Args:
        environment: what a seat is.
        count: how many.
        host: what there is for them.
        up: how many there are already, which are not counted.
    """
    one, fits = need(environment), fitting(environment, host)
    scarce, most = next(iter(fits.items()))
    have = {"memory": host.memory, "disk": host.disk, "ports": host.ports * one["ports"], "networks": host.networks}
    have |= {"watchers": host.watchers} if host.watchers is not None else {}
    took = seconds_to_start(environment, count, host.cores)
    data: dict[str, Any] = {
        "seats": count,
        "fits": count <= most,
        "most": most,
        "runs_out_first": scarce,
        "seconds_to_start": round(took, 1),
        "cores": host.cores,
        "needs": {name: count * amount for name, amount in one.items()},
        "free": have,
        "a_seat": {**one, "services": compose.services(environment)},
    }

    def text() -> str:
        rows = [
            [name, _amount(name, one[name]), _amount(name, count * one[name]), _amount(name, have[name]), fits[name]]
            for name in have
        ]
        alone = count == 1
        verdict = ("fits" if alone else "fit") if count <= most else f"{'does' if alone else 'do'} NOT fit"
        return "\n".join(
            [
                f"{counted(count, 'seat')} of {', '.join(compose.services(environment))} {verdict} this host",
                "",
                table(("", "A SEAT", f"{count} SEATS", "FREE HERE", "ENOUGH FOR"), rows),
                "",
                f"at most {counted(most, 'seat')}: what runs out first is {_WORDS[scarce].removeprefix('free ')}",
                *([] if count <= most else [_WAYS[scarce]]),
                f"to start {count}: about {math.ceil(took)} s on {host.cores} cores",
            ]
        )

    there = f"{counted(up, 'seat')} of this workshop {'is' if up == 1 else 'are'} there already, and not counted"
    return Result("workshop plan", data, text, [there] if up else [], exit_code=0 if count <= most else 1)


def _amount(name: str, number: int) -> str:
    return sized(number) if name in ("memory", "disk") else str(number)

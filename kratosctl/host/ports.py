"""TCP ports of this host: which are free, who holds the others, and which an environment gets."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from kratosctl.environment import Environment
from kratosctl.errors import ConfigurationInvalid, KratosctlError, PortTaken

DEFAULTS = {"public": 4433, "admin": 4434, "ui": 4455, "mail": 8025, "postgres": 5432}
STRIDE = 100  # the second environment of a host gets 4533, 4555 and 8125: easy to tell apart
STEPS = 600

_claims: dict[int, int] = {}  # port -> descriptor of its locked file


def wanted(environment: Environment, admin: bool = False) -> dict[str, int | None]:
    """The ports an environment publishes; None where kratosctl chooses.

    Args:
        environment: what was asked for.
        admin: publish the admin API, whether its port was asked for or not.
    """
    found: dict[str, int | None] = {"public": environment.public_port}
    if environment.admin_port or admin:
        found["admin"] = environment.admin_port
    if environment.ui:
        found["ui"] = environment.ui_port
    if environment.mail:
        found["mail"] = environment.mail_port
    if environment.postgres_port and environment.database == "postgres":
        found["postgres"] = environment.postgres_port
    return found


def allot(
    wanted: Mapping[str, int | None],
    kept: Mapping[str, int],
    ours: set[int],
    is_taken: Callable[[str, int], bool],
    holder: Callable[[int], str],
    first_step: int = 0,
) -> tuple[dict[str, int], list[str]]:
    """Gives each name a port: the one asked for, the one kept from last time, or the next free one.

    Args:
        wanted: ports asked for by name; None where kratosctl chooses.
        kept: ports of last time by name.
        ours: ports this environment's own containers hold now.
        is_taken: whether something listens on a port, where the port of that name is published.
        holder: who, in words.
        first_step: how many hundreds above the usual ports to look first.

    Returns:
        The ports by name, and notes on those that had to move.

    Raises:
        PortTaken: one that was asked for is held by somebody else.
    """
    ports: dict[str, int] = {}
    notes: list[str] = []

    def free(name: str, port: int) -> bool:
        return port not in ports.values() and (port in ours or not is_taken(name, port))

    def who_has(port: int) -> str:
        return "another port of this environment" if port in ports.values() else holder(port)

    for name, port in wanted.items():
        if port is not None:
            if not free(name, port):
                who = who_has(port)
                fix = f"stop it, or choose another port: --{name}-port N"
                raise PortTaken(f"port {port} is taken by {who}", f"the {_names(name)} was asked to listen there", fix)
            ports[name] = port
    chosen = [name for name, port in wanted.items() if port is None]
    for name in chosen:
        if name in kept and free(name, kept[name]):
            ports[name] = kept[name]
    missing = [name for name in chosen if name not in ports]
    if missing:
        offset = _free_offset(missing, free, first_step)
        for name in missing:
            ports[name] = DEFAULTS[name] + offset
            if name in kept:
                who = who_has(kept[name])
                notes.append(f"port {kept[name]} is taken by {who}: the {_names(name)} moves to {ports[name]}")
    return ports, notes


def _free_offset(names: list[str], free: Callable[[str, int], bool], first: int) -> int:
    steps: list[int] = [*range(first, STEPS), *range(first)]
    for step in steps:
        candidates = {name: DEFAULTS[name] + step * STRIDE for name in names}
        if all(port <= 65535 and free(name, port) for name, port in candidates.items()):
            return step * STRIDE
    raise PortTaken("no free port was found", f"tried {len(names)} at a time from {DEFAULTS['public']} up", "")


def _names(name: str) -> str:
    return {
        "public": "public API",
        "admin": "admin API",
        "ui": "self-service UI",
        "mail": "mail inbox",
        "postgres": "database",
    }[name]


def is_taken(port: int, address: str = "127.0.0.1") -> bool:
    """True if something listens on the port, at this address or at all of them.

    Raises:
        ConfigurationInvalid: it is no address of this host.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with _socket(family, address) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            # a port below 1024: Docker may listen there where we may not
            told = False
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise _not_here(address) from error
            return True
        else:
            # elsewhere a bind to one address succeeds beside a listener on all of them
            told = sys.platform == "linux"
    if told:
        return False
    with _socket(family, address) as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((address, port)) == 0


def check_address(address: str) -> None:
    """Refuses an address to listen on that is none of this host's: Docker does so only once it starts a container.

    Raises:
        ConfigurationInvalid: with those that are.
    """
    if address in ("127.0.0.1", "0.0.0.0", "::"):
        return
    with _socket(socket.AF_INET6 if ":" in address else socket.AF_INET, address) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise _not_here(address) from error


def claim(port: int, directory: Path) -> bool:
    """Keeps other runs of kratosctl from choosing a port until this one has opened it, or has ended.

    Args:
        port: TCP port.
        directory: where all runs keep their claims.

    Returns:
        False where another run was first. Where no claim can be made, the engine decides who was first.
    """
    import fcntl

    if port in _claims:
        return True
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(directory / str(port), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    _claims[port] = descriptor
    return True


def _socket(family: socket.AddressFamily, address: str) -> socket.socket:
    try:
        return socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _not_here(address) from error


def _not_here(address: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(
        f"bind: {address} is no address of this host", fix="use 127.0.0.1, or 0.0.0.0 for all of its addresses"
    )


def holder(port: int) -> str:
    """Who listens on a port, in words: a container, a process, or what can be said without more rights."""
    from kratosctl.engine import program

    try:
        said = program.docker(
            "ps",
            "--filter",
            f"publish={port}",
            "--format",
            '{{.Names}}\t{{.Label "dev.kratosctl.directory"}}',
            timeout=5,
            check=False,
        ).stdout
    except KratosctlError:
        said = ""
    for line in said.splitlines():
        name, _, directory = line.partition("\t")
        return f"container {name}" + (f" of the environment in {directory}" if directory else "")
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                process = psutil.Process(connection.pid) if connection.pid else None
                return f"{process.name()} (process {process.pid})" if process else "a process of another user"
    except psutil.Error:
        pass
    return "another program"

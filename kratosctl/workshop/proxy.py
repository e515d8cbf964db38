"""The TLS proxy of a workshop: brought up before its seats, and taken down with them.

It is one Caddy for all seats: with each 15 MB and half a second, one a seat would cost more than the seats.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from kratosctl import ownership, urls
from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.console import Console
from kratosctl.engine import client, program, reading
from kratosctl.engine.objects import Container, Engine
from kratosctl.errors import (
    ChoiceImpossible,
    ConfigurationInvalid,
    KratosctlError,
    NotRunning,
    PortTaken,
    ServiceFailed,
)
from kratosctl.files import cache
from kratosctl.files.state import State
from kratosctl.files.workspace import PROXY, Workspace, authority
from kratosctl.host import ports
from kratosctl.kratos import readiness
from kratosctl.stack.labels import LABEL
from kratosctl.stages import apply, assemble, images
from kratosctl.workshop import proxy_files, seats
from kratosctl.workshop.proxy_files import SERVICE, Front
from kratosctl.workshop.seats import Seat

# no name of an environment begins with a dot
_PORT = "certificate"
_USUAL_PORT = 4480
_PATIENCE = 20.0  # seconds for it to make its certificates and listen


def behind(everyone: Sequence[Seat]) -> list[Seat]:
    """The seats whose attendees come by TLS, also one that cannot be all that it is asked to be."""
    return [seat for seat in everyone if seat.answers.get("https")]


def refuse_impossible(secure: Sequence[Seat], engine: Engine) -> None:
    """Refuses an address or an engine where no proxy can stand before the seats.

    Args:
        secure: the seats behind it, at least one.
        engine: the engine.

    Raises:
        ChoiceImpossible, ConfigurationInvalid: with the way out.
    """
    asked = secure[0].environment
    other = next(
        (seat for seat in secure if (seat.environment.host, seat.environment.bind) != (asked.host, asked.bind)), None
    )
    if other:
        raise ChoiceImpossible(
            f"{secure[0].name} and {other.name} are to be reached by TLS at different addresses",
            "one proxy stands before all seats",
            "give them one host and bind",
        )
    bind = asked.bind
    if bind in ("127.0.0.1", "0.0.0.0") or ":" in bind:
        raise ChoiceImpossible(
            f"the TLS proxy cannot listen on {bind}",
            "seats listen on 127.0.0.1 at the same ports, so it needs an IPv4 address of this host beside that",
            "say which: --bind 192.168.1.10, or make the workshop with --reach tls",
        )
    try:
        ports.check_address(bind)
    except ConfigurationInvalid as error:
        # such as yesterday's, of another network
        file = workshop_file.FILE_NAME
        error.fix = f"change `bind` and `host` in {file} to an address that it has, then write the handouts anew"
        raise
    if not engine.local or engine.rootless:
        raise ChoiceImpossible(
            "the TLS proxy needs a Docker engine of this Linux host, with its network",
            "it reaches seats on 127.0.0.1, and listens where attendees come in",
            "use --no-https, or a host with Docker on Linux",
        )


def front(directory: Path, everyone: Sequence[Seat]) -> Front | None:
    """Where attendees come in; None where no proxy was brought up.

    Args:
        directory: where workshop.yaml lies.
        everyone: the seats, the first one behind it sound; one with a mistake may run as it was before that.
    """
    state, secure = _workspace(directory).state(), behind(everyone)
    if not secure or _PORT not in state.ports:
        return None
    asked = secure[0].environment
    allotted = [one.ports for one in seats.each(secure, 1, seats.state_of).values() if isinstance(one, State)]
    theirs = {port for ports in allotted for name, port in ports.items() if name in urls.PROXIED}
    return Front(asked.host, asked.bind, sorted(theirs), state.ports[_PORT])


def up(directory: Path, workshop: Workshop, everyone: Sequence[Seat], console: Console) -> Front:
    """Brings the proxy up, or makes it know the seats as they are now. The seats' ports are allotted.

    Args:
        directory: where workshop.yaml lies.
        workshop: the workshop.
        everyone: its seats, as for `front`.
        console: where the step is shown.

    Raises:
        ServiceFailed: it does not listen, and what it said.
        ImageMissing, PortTaken, NotOurs.
    """
    workspace = _workspace(directory)
    workspace.home.mkdir(parents=True, exist_ok=True)
    state = ownership.settled_state(workspace)
    containers = reading.containers(state.project)
    ownership.check_ours(str(directory), PROXY, containers)
    running = _there(containers)
    if running and running.state == "paused":
        # docker neither restarts nor replaces it while it is
        program.docker("unpause", running.name, doing="letting the TLS proxy go on")
    asked = behind(everyone)[0].environment
    kept = state.ports.get(_PORT)
    if kept is None or (running is None and ports.is_taken(kept, asked.bind)):
        state.ports[_PORT] = _free_port(asked.bind)
        if kept:
            moved = f"port {kept} is taken by {ports.holder(kept)}: the certificate moves to {state.ports[_PORT]}"
            console.note(f"{moved}; kratosctl workshop handout writes it anew")
    workspace.save_state(state)
    found = front(directory, everyone)
    assert found
    with console.step("TLS proxy"):
        revision = _write(workspace, state.project, asked.proxy_image, proxy_files.caddyfile(workshop.name, found))
        if running and running.labels.get("revision") == revision:
            # also where the file was there: whoever wrote it may have been killed before the proxy read it
            program.docker("exec", running.name, *proxy_files.reload(), doing="telling the TLS proxy of its seats")
        else:
            _start(workspace, state.project, asked.proxy_image, console)
        _wait(found, workspace, f"{state.project}-{SERVICE}-1")
    return found


def follow(directory: Path, console: Console) -> None:
    """Has a proxy that runs lead to the seats of workshop.yaml as it is now: what listens at a port of one that is gone
    is not for attendees.

    Args:
        directory: where workshop.yaml lies.
        console: where the step is shown.

    Raises:
        As `up` does.
    """
    if not holds_ports(directory):
        return
    workshop = workshop_file.load(directory)
    everyone = seats.of(directory, workshop)
    unsound = seats.failed(seats.each(everyone, 1, lambda seat: seat.environment))
    sound = [seat for seat in everyone if seat.name not in unsound]
    if behind(sound):
        up(directory, workshop, [*sound, *(seat for seat in everyone if seat.name in unsound)], console)
    elif not behind(everyone):
        down(directory, forget=False)


def down(directory: Path, forget: bool) -> None:
    """Takes the proxy down.

    Args:
        directory: where workshop.yaml lies.
        forget: its authority goes too: whoever trusted it need not fear it any more, and nobody trusts the next.
    """
    workspace = _workspace(directory)
    if not workspace.home.exists():
        return
    state = ownership.settled_state(workspace)
    containers = reading.containers(state.project)
    ownership.check_ours(str(directory), PROXY, containers)
    if containers:
        program.docker("container", "rm", "--force", *(one.name for one in containers))
    if forget:
        shutil.rmtree(workspace.home, ignore_errors=True)


def fingerprint(directory: Path) -> str:
    """The SHA-256 of the authority's certificate, as browsers show it.

    Raises:
        NotRunning: the proxy, which makes it, was never up.
    """
    import ssl

    try:
        certificate = authority(directory).read_text(encoding="ascii")
    except FileNotFoundError:
        what, why = "the TLS proxy was not brought up yet", "it makes the certificate that attendees install"
        raise NotRunning(what, why, "bring it up first: kratosctl workshop up") from None
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2)).upper()


def holds_ports(directory: Path) -> bool:
    """Whether the proxy listens at the ports of seats: it runs, or is paused."""
    state = ownership.settled_state(_workspace(directory))
    return _there(reading.containers(state.project)) is not None


def _there(containers: Sequence[Container]) -> Container | None:
    """The proxy's container where it holds its ports."""
    return next((one for one in containers if one.service == SERVICE and one.state in assemble.HOLDING), None)


def warning(directory: Path, everyone: Sequence[Seat], containers: Mapping[str, Sequence[Container]]) -> str:
    """What is to be said where attendees cannot come in; empty where they can.

    Args:
        directory: where workshop.yaml lies.
        everyone: the seats.
        containers: of all projects.
    """
    if not behind(everyone):
        return ""
    try:
        state = ownership.settled_state(_workspace(directory))
    except KratosctlError as error:
        return error.what
    own = containers.get(state.project, ())
    alive = any(one.service == SERVICE and one.state == "running" for one in own)
    if alive or _PORT not in state.ports:
        return ""
    return "the TLS proxy does not run: nobody reaches a seat; start it with `kratosctl workshop up`"


def _workspace(directory: Path) -> Workspace:
    return Workspace(directory, PROXY)


def _free_port(bind: str) -> int:
    claims = cache.directory() / "ports"
    candidates = range(_USUAL_PORT, _USUAL_PORT + ports.STEPS * ports.STRIDE, ports.STRIDE)
    for port in candidates:
        if not ports.is_taken(port, bind) and ports.claim(port, claims):
            return port
    raise PortTaken(
        f"no free port was found on {bind} for the certificate",
        f"tried from {_USUAL_PORT} up",
        "stop what listens there",
    )


def _write(workspace: Workspace, project: str, image: str, configuration: str) -> str:
    """Writes its files; returns the revision that its container is to have."""
    home = workspace.home
    (home / "authority").mkdir(mode=0o700, parents=True, exist_ok=True)
    model = proxy_files.compose_model(project, image, f"{os.getuid()}:{os.getgid()}", home)
    workspace.write("compose.yaml", "# Made by kratosctl.\n" + yaml.safe_dump(model, sort_keys=False))
    workspace.write("proxy/Caddyfile", configuration)
    return str(model["services"][SERVICE]["labels"][f"{LABEL}revision"])


def _start(workspace: Workspace, project: str, image: str, console: Console) -> None:
    if not images.is_here(reading.image(image), None):
        apply.pull({image: None}, [image], console, {image: "--proxy-image"})
    client.Project(project, [workspace.home / "compose.yaml"], workspace.directory).create([SERVICE])
    program.docker("container", "start", f"{project}-{SERVICE}-1", doing="starting the TLS proxy")


def _wait(found: Front, workspace: Workspace, container: str) -> None:
    """Until it hands out its certificate, which it does once it listens everywhere."""
    until = time.monotonic() + _PATIENCE
    path = f"/{proxy_files.CERTIFICATE}"
    while time.monotonic() < until:
        if readiness.is_ready(found.bind, found.certificate_port, path):
            return
        now = reading.containers(ownership.settled_state(workspace).project)
        if not any(one.state in ("running", "created") for one in now):
            break
        time.sleep(0.05)
    said = reading.logs(container, 20).strip().splitlines()
    why = next((line for line in reversed(said) if "error" in line.lower()), said[-1] if said else "it printed nothing")
    fix = f"is {found.bind} still an address of this host? then see: docker logs {container}"
    raise ServiceFailed("the TLS proxy does not listen", why[-300:], fix)

"""What people are told who bring a workshop up on other machines: a README, and what is not as it is here. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kratosctl.answers.workshop_file import Workshop
from kratosctl.stack import helm, swarm
from kratosctl.stack.files import File
from kratosctl.stack.portable import Portable
from kratosctl.urls import LOOPBACK
from kratosctl.workshop.seats import Seat


@dataclass(frozen=True)
class Bound:
    """A seat bound for elsewhere.

    Attributes:
        seat: the seat.
        found: what it was rendered from.
        files: its files, by paths in its own directory.
        deploy: the commands that bring it up.
        remove: the commands that remove it with its data.
        node: the Swarm node it lives on.
        reach: commands that make it reachable from this machine, where nothing else does.
    """

    seat: Seat
    found: Portable
    files: Sequence[File] = field(repr=False)
    deploy: Sequence[str]
    remove: Sequence[str]
    node: str = ""
    reach: Sequence[str] = ()


def readme(workshop: Workshop, way: str, bound: Sequence[Bound]) -> str:
    """The text of README.txt."""
    about = _swarm(bound) if way == "swarm" else _kubernetes(bound)
    lines = [f"{workshop.name}: {len(bound)} seats for {'Docker Swarm' if way == 'swarm' else 'Kubernetes'}", ""]
    lines += about
    lines += ["", "Seats", ""]
    for one in bound:
        where = " ".join(f"{name} {url}" for name, url in one.found.addresses.items())
        lines.append(f"  {workshop.label(one.seat.name)}: {where}")
    lines += ["", "handouts/ has a page for each attendee, to open and to print."]
    if any(one.found.environment.guards_inbox for one in bound):
        lines += ["The pages hold the passwords of the mail inboxes: each is for its attendee alone."]
    lines += ["secrets/ in each directory is for you alone: it belongs in no repository and in no mail."]
    return "\n".join(lines) + "\n"


def _swarm(bound: Sequence[Bound]) -> Iterator[str]:
    yield "Bring up, from this directory, on a manager of the swarm (`docker swarm init` makes a swarm of one node):"
    yield ""
    yield from (f"  {command}" for one in bound for command in one.deploy)
    yield ""
    yield "Each seat is a stack of its own: one is brought up, changed or removed without the others. Run again, a"
    yield "command changes what differs. Where no registry answers and the images are on the nodes already, add"
    yield "--resolve-image never. `docker stack ps NAME` tells what a seat waits for."
    nodes = ", ".join(dict.fromkeys(one.node for one in bound))
    yield f"Each lives on one node ({nodes}): there its data lies, and there its ports are open."
    yield "`kratosctl workshop render --node NAME=ADDRESS`, once for each, spreads them over several: by the names that"
    yield "`docker node ls` shows, and the addresses at which attendees reach them."
    yield ""
    yield "Remove; then the volumes, with all that was made, each on its node, once the containers are gone:"
    yield ""
    yield from (f"  {one.remove[0]}" for one in bound)
    yield from (f"  {command}" + f"   # {one.node}" for one in bound for command in one.remove[1:])


def _kubernetes(bound: Sequence[Bound]) -> Iterator[str]:
    yield f"Needs kubectl, and helm with Ory's charts (verified with kratos {helm.CHART}):"
    yield ""
    yield f"  helm repo add ory {helm.REPOSITORY}"
    yield ""
    yield "Bring up, from this directory; the first command of each seat makes its namespace:"
    yield ""
    yield from (f"  {command}" for one in bound for command in one.deploy)
    yield ""
    yield "Each seat is a namespace of its own. A network policy keeps its admin API from the others, where the network"
    yield "of the cluster heeds policies."
    if any(one.reach for one in bound):
        yield ""
        yield "Reach them from this machine, while these run:"
        yield ""
        yield from (f"  {command}" for one in bound for command in one.reach)
    else:
        yield "Its services are of type LoadBalancer: `host` in workshop.yaml has to name what the cluster gives them."
    yield ""
    yield "Remove, with all that was made:"
    yield ""
    yield from (f"  {command}" for one in bound for command in one.remove)


def warnings(way: str, bound: Sequence[Bound], override: str) -> list[str]:
    """What is not there as it is here, one line each."""
    environments = [one.seat.environment for one in bound]
    found = []
    if way == "swarm" and any(environment.bind in LOOPBACK for environment in environments):
        found.append("Swarm opens ports on every address of a node, not on 127.0.0.1 alone: it has no other way")
    local = any(one.found.environment.host in ("localhost", *LOOPBACK) for one in bound)
    if way == "swarm" and local and len({one.node for one in bound}) > 1:
        found.append("addresses say localhost, where attendees reach no other node: say --node NAME=ADDRESS")
    if any(set(one.found.place.ports) - set(_published(way, one)) for one in bound):
        found.append("admin APIs and PostgreSQL are not published there, whatever port they have here")
    if any(environment.https for environment in environments):
        found.append(
            "the TLS proxy is not taken along: addresses say https, and what stands before them there is yours"
        )
    if any(environment.seed for environment in environments):
        found.append("seeds are not filled in there: `kratosctl seed` speaks to environments of this host")
    if override:
        found.append(f"{override} is not taken along: it is Compose's")
    unheard = sorted({name for one in bound for name in helm.unheard(one.found)}) if way == "kubernetes" else []
    if unheard:
        found.append(f"{', '.join(unheard)} of your configuration stays behind: Ory's chart has no place for it")
    return found


def _published(way: str, one: Bound) -> list[str]:
    return swarm.published(one.seat.environment) if way == "swarm" else list(one.found.addresses)

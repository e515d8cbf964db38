"""`workshop render`: the same workshop for machines that kratosctl does not reach: Docker Swarm, or Kubernetes."""

from __future__ import annotations

import itertools
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kratosctl import fragments, questions
from kratosctl.answers.workshop_file import Workshop
from kratosctl.commands import export
from kratosctl.console import Console
from kratosctl.engine import program
from kratosctl.environment import reason_against
from kratosctl.errors import ChoiceImpossible, KratosctlError, UsageError
from kratosctl.files import override
from kratosctl.files.state import State
from kratosctl.host import ports
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result
from kratosctl.stack import helm, inbox, kratos_configuration, kubernetes, secrets, swarm
from kratosctl.stack.files import File
from kratosctl.stack.place import Place
from kratosctl.stack.portable import Portable, portable
from kratosctl.stages import assemble, images, up
from kratosctl.workshop import allot, elsewhere, handout, seats
from kratosctl.workshop.elsewhere import Bound
from kratosctl.workshop.handout import Sheet
from kratosctl.workshop.seats import Seat

_LONGEST_LOOK = 5.0


@dataclass(frozen=True)
class Node:
    """A node of a swarm.

    Attributes:
        name: its host name, as `docker node ls` shows it.
        address: where attendees reach it; empty: where they reach this host.
    """

    name: str
    address: str = ""


def node(text: str) -> Node:
    """Reads `NAME` or `NAME=ADDRESS`.

    Raises:
        UsageError: it is neither.
    """
    name, equals, address = text.partition("=")
    if re.fullmatch(questions.HOST, name) and (re.fullmatch(questions.HOST, address) if equals else True):
        return Node(name, address)
    raise UsageError(f"{text[:60]!r} is no node", "expected NAME or NAME=ADDRESS", "`docker node ls` shows the names")


def render(
    directory: Path,
    way: str,
    target: Path,
    nodes: Sequence[Node],
    overwrite: bool,
    variables: Mapping[str, str],
    console: Console,
) -> Result:
    """Writes a directory for every seat, and how to bring them up.

    Ports and secrets are those that `workshop up` gives or would give; what is new is kept for it.

    Args:
        directory: where workshop.yaml lies.
        way: swarm or kubernetes.
        target: the directory to write.
        nodes: the Swarm nodes that seats live on, in turn; empty: this one.
        overwrite: write over files that differ; never over secrets.
        variables: the process environment.
        console: told who is waited for.

    Raises:
        UsageError: there are no seats, nodes for Kubernetes, or the directory is kratosctl's own.
        GeneratedFileEdited: a file is there and differs; nothing was written.
        ChoiceImpossible: a seat cannot be what it is there; it is named.
    """
    workshop, everyone = seats.chosen(directory, (), everybody=True)
    if not everyone:
        raise UsageError(f"{workshop.name} has no seats", fix="add some: kratosctl workshop add --seats 10")
    if nodes and way != "swarm":
        raise UsageError("--node is for Swarm", "Kubernetes finds nodes by itself", "leave it out")
    export.refuse_own(directory, target)
    seats.refuse_impossible(everyone)
    in_turn: Iterator[Node | None] = itertools.repeat(None)
    if way == "swarm":
        in_turn = itertools.cycle(nodes or [Node(_this_node())])
    with seats.home(directory).locked("workshop render", LOCK_WAIT, console.note):
        _, failed = allot.allot(everyone, _held, None)
        bound = []
        for seat, node in zip(everyone, in_turn, strict=False):
            with seats.named(seat):
                if seat.name in failed:
                    raise failed[seat.name]
                bound.append(_bound(seat, node, variables, console))
    files = [File(f"{one.seat.name}/{file.path}", file.text, file.secret) for one in bound for file in one.files]
    sheets = [_sheet(one) for one in bound]
    pages = handout.render(workshop, sheets)
    private = any(sheet.login for sheet in sheets)
    files += [File(f"{handout.DIRECTORY}/{name}", page, private=private) for name, page in pages.items()]
    # last: who finds it has all of it
    files.append(File("README.txt", elsewhere.readme(workshop, way, bound)))
    export.write_files(files, target, overwrite)
    return _result(directory, workshop, way, target, bound)


def _held(seat: Seat, state: State) -> set[int]:
    """Ports that a seat has, or asks for: who listens there on this host now is no matter elsewhere."""
    return {*state.ports.values(), *(port for port in ports.wanted(seat.environment).values() if port)}


def _bound(seat: Seat, node: Node | None, variables: Mapping[str, str], console: Console) -> Bound:
    """A seat bound for a node of a swarm; None: for Kubernetes."""
    with seat.workspace.locked("workshop render", LOCK_WAIT, console.note):
        if node is None:
            found = _portable(seat, "", variables)
            files = kubernetes.render(found)
            deploy, remove = kubernetes.commands(found, seat.name)
            bound = Bound(seat, found, files, deploy, remove, reach=kubernetes.forwarding(found))
        else:
            # whatever it listens at here: Swarm opens ports on every address, so that its inbox wants a password
            found = _portable(seat, node.address, variables, bind="0.0.0.0")
            deploy, remove = swarm.commands(found, seat.name)
            bound = Bound(seat, found, swarm.render(found, node.name), deploy, remove, node=node.name)
        # only where it can be rendered
        _keep_secrets(seat, found)
    return bound


def _sheet(one: Bound) -> Sheet:
    """What its attendee is told: the addresses there, and nothing to run here."""
    environment, urls = one.found.environment, one.found.addresses
    if one.node and "admin" in swarm.published(environment):
        urls["admin"] = environment.url("admin", one.found.place.ports["admin"])
    return Sheet(
        seat=one.seat.name,
        attendee=one.seat.attendee,
        urls=urls,
        release=environment.release,
        browser=environment.preset != "api-only",
        login=inbox.login(environment, one.found.secrets.inbox_password),
    )


def _portable(seat: Seat, address: str, variables: Mapping[str, str], bind: str = "") -> Portable:
    """A seat with all that is allotted to it."""
    # configs and ConfigMaps carry the configuration; an image built here would be on no other machine
    asked = seat.environment
    environment = replace(asked, config="mount", host=address or asked.host, bind=bind or asked.bind)
    reason = reason_against(asdict(environment))
    if reason:
        raise ChoiceImpossible(*reason)
    up.check_dsn(environment, seat.workspace, variables)
    config_file, theirs = assemble.their_configuration(environment, seat.workspace)
    texts = export.configuration_texts(environment, seat.workspace)
    theirs = fragments.preset_configuration(environment.preset) if theirs is None else theirs
    given = variables if environment.database == "external" else {k: v for k, v in variables.items() if k != "DSN"}
    state = seats.state_of(seat)
    place = Place(
        project=state.project,
        directory=seat.workspace.directory,
        ports={name: state.ports[name] for name in ports.wanted(environment)},
        bind_database=False,
        images=assemble.digests(environment, state),
        postgres_major=images.postgres_major(environment, None) or state.postgres_major or 17,
        config_file=config_file,
        sends_mail=environment.mail or kratos_configuration.names_mail_server(theirs),
    )
    return portable(environment, place, secrets.complete(seat.workspace.secrets(), given), texts, theirs)


def _keep_secrets(seat: Seat, found: Portable) -> None:
    """Secrets made for this are the seat's from now on, so that rendering again, and `workshop up`, find the same."""
    for file in found.secret_files:
        if seat.workspace.read(file.path) is None:
            seat.workspace.write(file.path, file.text, 0o600)


def _this_node() -> str:
    """What Swarm calls the engine at hand; where none answers, what this host calls itself, which is the same."""
    try:
        return program.docker("info", "--format", "{{.Name}}", timeout=_LONGEST_LOOK).stdout.strip() or platform.node()
    except KratosctlError:
        return platform.node()


def _result(directory: Path, workshop: Workshop, way: str, target: Path, bound: Sequence[Bound]) -> Result:
    rows: list[dict[str, Any]] = [
        {
            "seat": one.seat.name,
            "attendee": one.seat.attendee or None,
            "name": one.found.name,
            "node": one.node or None,
            "endpoints": one.found.addresses,
            "deploy": one.deploy,
            "remove": one.remove,
        }
        for one in bound
    ]
    data = {"workshop": workshop.name, "for": way, "directory": str(target), "seats": rows}
    if way == "kubernetes":
        data["chart"] = helm.CHART
    said = f"wrote {len(bound)} seats to {target}/\nhow to bring them up, and to remove them: README.txt there"
    own = override.file(directory)
    warnings = elsewhere.warnings(way, bound, own.name if own else "")
    return Result("workshop render", data, lambda: said, warnings)

"""`kratosctl workshop`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from kratosctl.cli.options import directory_typed, lines_options, question_options, seconds_option, yes_option
from kratosctl.cli.session import Group, Session, define, directories

if TYPE_CHECKING:
    from kratosctl.results import Result


@click.group(cls=Group)
def command() -> None:
    """A classroom: a Kratos environment for every attendee, on one host."""


def _seats(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from kratosctl.answers import workshop_file
    from kratosctl.errors import KratosctlError

    try:
        known = workshop_file.load(directory_typed(context)).seats
    except (KratosctlError, OSError):
        return []
    return [CompletionItem(name, help=who) for name, who in known.items() if name.startswith(incomplete)]


def _seat_arguments() -> tuple[Callable[[Any], Any], ...]:
    return (
        click.argument("names", metavar="[SEAT]...", nargs=-1, shell_complete=_seats),
        click.option("--all", "everybody", is_flag=True, help="Every seat."),
    )


@define(
    click.option("--name", metavar="TEXT", help="What it is called [the directory's name]."),
    click.option("--seats", "count", type=click.IntRange(1, 1000), metavar="N", help="How many seats."),
    click.option("--roster", type=click.Path(), metavar="CSV", help="A file of names: a seat for each."),
    click.option("--spares", type=click.IntRange(0, 100), metavar="N", help="Further seats, in case one fails [0]."),
    click.option(
        "--reach",
        type=click.Choice(("this-host", "lan", "tls")),
        help="From where attendees reach their seats [this-host]; lan and tls find --host and --bind.",
    ),
    click.option("--ends", metavar="TIME", help="When it is over, such as '2026-12-01 17:00'."),
    *question_options(),
    yes_option(),
)
def init(session: Session, yes: bool, **said: Any) -> Result:
    """Write workshop.yaml: what every seat is, and who sits where. Starts nothing."""
    from kratosctl.cli import workshop_interview
    from kratosctl.workshop import init

    init.refuse_second(session.directory)
    return init.init(session.directory, workshop_interview.wanted(session, said, yes))


@define(
    click.option("--at-once", type=click.IntRange(1, 64), default=None, metavar="N", help="Seats at a time [6]."),
    seconds_option("--wait-timeout", 120, "For a seat to be ready"),
    click.option("--force", is_flag=True, help="Also where the seats do not fit this host."),
)
def up(session: Session, at_once: int | None, wait_timeout: float, force: bool) -> Result:
    """Bring every seat up. Run again, it heals those that are not ready."""
    from kratosctl.answers.wishes import Wishes
    from kratosctl.limits import Limits
    from kratosctl.workshop import up

    session.after_interrupt = "`kratosctl workshop up` goes on from here; `kratosctl workshop down` stops it"
    wishes = Wishes(limits=Limits.of_own_database(wait_timeout))
    return up.up(session.directory, wishes, at_once or up.AT_ONCE, force, session.console, os.environ)


@define(
    click.argument("count", metavar="[N]", type=click.IntRange(1, 1000), required=False),
    *question_options(),
)
def plan(session: Session, count: int | None, **flags: Any) -> Result:
    """Show what N seats need [those not up yet], how many fit this host, and what runs out first."""
    from kratosctl.answers import selection, workshop_file
    from kratosctl.environment import from_answers
    from kratosctl.errors import UsageError
    from kratosctl.host import networks
    from kratosctl.workshop import capacity, init, seats

    there = workshop_file.exists(session.directory)
    # the variables of a shell change no seat that workshop.yaml names
    answers = selection.said(flags, {} if there else os.environ)
    everyone, down = list[seats.Seat](), list[seats.Seat]()
    if there:
        workshop, everyone = seats.chosen(session.directory, (), everybody=True)
        down = seats.down(everyone, seats.by_project())
        answers, count = {**workshop.environment, **answers}, len(down) if count is None else count
    if count is None:
        raise UsageError("how many seats?", fix="say the number: kratosctl workshop plan 30")
    init.check(answers)
    environment = from_answers("seat-01", answers)
    host = capacity.look(environment, networks.taken(), down)
    return capacity.plan(environment, count, host, len(everyone) - len(down))


@define(
    click.option("--volumes", is_flag=True, help="Delete what attendees made, too, but for snapshots; asks first."),
    click.option(
        "--export", "target", type=click.Path(file_okay=False), metavar="DIR", help="Write it to files first."
    ),
    yes_option(),
)
def down(session: Session, volumes: bool, target: str | None, yes: bool) -> Result:
    """Stop every seat. What attendees made stays, unless --volumes says otherwise; --export lets them take it along."""
    from kratosctl.commands.down import question, snapshots
    from kratosctl.workshop import down, seats

    if volumes and not yes:
        _, everyone = seats.chosen(session.directory, (), everybody=True)
        work = down.work_of(everyone)
        if work.lost:
            session.confirm(question(work.lost, snapshots(*(seat.workspace for seat in everyone))))
    exported = session.directory / target if target else None
    return down.stop_all(session.directory, volumes, exported, session.console, os.environ)


@define(click.option("--watch", is_flag=True, help="Look again every 2 s, until Ctrl-C."))
def status(session: Session, watch: bool) -> Result | None:
    """Show every seat's state, release, identities, address and last error."""
    from kratosctl.workshop import status

    if not watch:
        return status.status(session.directory)
    if session.json:
        from kratosctl.errors import UsageError

        raise UsageError("--watch and --json do not go together", "JSON is one envelope", "ask again and again")
    session.until_interrupt = True
    status.watch(session.directory, session.console)
    return None


@define(
    click.option(
        "--port", type=click.IntRange(0, 65535), metavar="N", help="Where to listen [4400, or the next free]."
    ),
    click.option("--no-open", is_flag=True, help="Print the address, open nothing."),
)
def board(session: Session, port: int | None, no_open: bool) -> None:
    """Serve a page that shows every seat, live, and resets or restarts one; on this host alone, until Ctrl-C."""
    from kratosctl.results import Result
    from kratosctl.workshop.board import Board, open_page

    served = Board(session.directory, port)
    url = served.url(served.door.key)
    session.console.result(Result("workshop board", {"url": url, "port": served.port}, lambda: url))
    session.until_interrupt = True
    if not no_open and session.interactive:
        open_page(served)
    served.serve()


@define(*_seat_arguments())
def reset(session: Session, names: tuple[str, ...], everybody: bool) -> Result:
    """Take seats back to just migrated plus their seed. `snapshot restore --undo` takes it back."""
    from kratosctl.workshop import acts, seats

    return acts.reset(*seats.chosen(session.directory, names, everybody), session.console, os.environ)


@define(
    *_seat_arguments(),
    seconds_option("--wait-timeout", 60, "For Kratos to be ready"),
)
def restart(session: Session, names: tuple[str, ...], everybody: bool, wait_timeout: float) -> Result:
    """Restart seats."""
    from kratosctl.workshop import acts, seats

    return acts.restart(*seats.chosen(session.directory, names, everybody), wait_timeout, session.console)


@define(
    click.argument("name", metavar="SEAT", shell_complete=_seats),
    *lines_options(),
    reports=False,
)
def logs(session: Session, name: str, follow: bool, **lines: Any) -> int:
    """Show or follow the logs of a seat, named by itself or by who sits there."""
    from kratosctl import running
    from kratosctl.commands import logs
    from kratosctl.workshop import seats

    _, (seat,) = seats.chosen(session.directory, [name], everybody=False)
    session.until_interrupt = follow
    return logs.show(running.find(session.directory, seat.name), follow=follow, **lines)


@define(
    click.argument("names", metavar="[NAME]...", nargs=-1),
    click.option("--seats", "count", type=click.IntRange(0, 1000), default=0, metavar="N", help="N further seats."),
    click.option("--roster", type=click.Path(), metavar="CSV", help="A file of names; who has a seat keeps it."),
)
def add(session: Session, names: tuple[str, ...], count: int, roster: str | None) -> Result:
    """Give people a seat: a free one first, then a new one."""
    from kratosctl.workshop import init

    return init.add(session.directory, names, count, session.directory / roster if roster else None, session.console)


@define(
    click.argument("names", metavar="SEAT...", nargs=-1, required=True, shell_complete=_seats),
    yes_option(),
)
def remove(session: Session, names: tuple[str, ...], yes: bool) -> Result:
    """Take seats out of the workshop, with all that was made there; asks first."""
    from kratosctl.commands.down import snapshots
    from kratosctl.workshop import acts, down, seats

    if not yes:
        workshop, chosen = seats.chosen(session.directory, names, everybody=False)
        lost = [down.work_of(chosen).lost, snapshots(*(seat.workspace for seat in chosen))]
        deleting = " and ".join(filter(None, lost))
        labels = ", ".join(workshop.label(seat.name) for seat in chosen)
        session.confirm(f"Remove {labels}" + (f", deleting {deleting}" if deleting else "") + "?")
    return acts.remove(session.directory, names, session.console)


@define(
    click.option("--output", type=click.Path(file_okay=False), metavar="DIR", help="Where to [handouts]."),
)
def handout(session: Session, output: str | None) -> Result:
    """Write a page for each attendee: addresses, first commands, a QR code; to open and to print."""
    from kratosctl.workshop import handout, seats

    directory = session.directory
    workshop, everyone = seats.chosen(directory, (), everybody=True)
    return handout.write(directory, workshop, everyone, directory / (output or handout.DIRECTORY))


@define(
    click.argument("target", metavar="FILE", type=click.Path(dir_okay=False)),
    click.option("--overwrite", is_flag=True, help="Replace a file that is there."),
)
def bundle(session: Session, target: str, overwrite: bool) -> Result:
    """Write one file with images and configuration, for a classroom without internet."""
    from kratosctl.workshop import bundle

    return bundle.bundle(session.directory, session.directory / target, overwrite, session.console)


@define(
    click.argument("source", metavar="FILE", type=click.Path(dir_okay=False)),
    click.option("--overwrite", is_flag=True, help="Replace files that are there and differ."),
)
def load(session: Session, source: str, overwrite: bool) -> Result:
    """Take such a file in: images into the engine, the workshop into this directory."""
    from kratosctl.workshop import bundle

    return bundle.load(session.directory / source, session.directory, overwrite, session.console)


@define(
    click.option("--for", "way", type=click.Choice(("swarm", "kubernetes")), required=True, help="What runs it there."),
    click.option("--output", "-o", metavar="DIR", help="Where to [swarm or kubernetes].", shell_complete=directories),
    click.option(
        "--node", "nodes", multiple=True, metavar="NAME[=ADDRESS]", help="Swarm: a node for seats; again for more."
    ),
    click.option("--overwrite", is_flag=True, help="Write over files in DIR that differ; never over secrets."),
)
def render(session: Session, way: str, output: str | None, nodes: tuple[str, ...], overwrite: bool) -> Result:
    """Write every seat for Docker Swarm, or for Kubernetes with Ory's Helm chart. Starts nothing."""
    from kratosctl.workshop import render

    directory = session.directory
    target, spread = (directory / (output or way)).resolve(), [render.node(text) for text in nodes]
    return render.render(directory, way, target, spread, overwrite, os.environ, session.console)


@define(reports=False, hidden=True)
def keep(session: Session) -> int:
    """Wait for the end of the workshop, and take it down then; `workshop up` starts this."""
    from kratosctl.console import Console
    from kratosctl.workshop import down, keeper

    def end() -> None:
        # whoever holds the workshop for long may be changing when it ends; a log on a full disk takes no step
        ended = down.stop_all(session.directory, False, None, Console(quiet=True), os.environ, patience=10)
        session.console.note(ended.text())

    keeper.keep(session.directory, end)
    return 0


for _name, _command in {
    "init": init,
    "plan": plan,
    "up": up,
    "down": down,
    "status": status,
    "board": board,
    "reset": reset,
    "restart": restart,
    "logs": logs,
    "add": add,
    "remove": remove,
    "handout": handout,
    "bundle": bundle,
    "load": load,
    "render": render,
    "keep": keep,
}.items():
    command.add_command(_command, _name)

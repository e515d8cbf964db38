"""`kratosctl workshop`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from kratosctl.results import Result


@click.group()
def command() -> None:
    """A classroom: a Kratos environment for every attendee, on one host."""


@define(
    click.option("--at-once", type=click.IntRange(1, 64), default=None, metavar="N", help="Seats at a time [6]."),
    click.option("--wait-timeout", type=float, default=120.0, metavar="SECONDS", help="For a seat to be ready [120]."),
)
def up(session: Session, at_once: int | None, wait_timeout: float) -> Result:
    """Bring every seat up. Run again, it heals those that are not ready."""
    from kratosctl.limits import Limits
    from kratosctl.wishes import Wishes
    from kratosctl.workshop import up

    session.after_interrupt = "`kratosctl workshop up` goes on from here; `kratosctl workshop down` stops it"
    wishes = Wishes(limits=Limits(wait_timeout))
    return up.up(session.directory, wishes, at_once or up.AT_ONCE, session.console, os.environ)


@define(
    click.option("--volumes", is_flag=True, help="Delete what attendees made, too; asks first."),
    click.option("--yes", "-y", is_flag=True, envvar="KRATOSCTL_YES", help="Ask nothing."),
)
def down(session: Session, volumes: bool, yes: bool) -> Result:
    """Stop every seat. What attendees made stays, unless --volumes says otherwise."""
    from kratosctl.cli.down import confirm
    from kratosctl.workshop import down, seats

    workshop, everyone = seats.chosen(session.directory, (), everybody=True)
    work = down.work_of(everyone) if volumes else None
    if work and work.lost and not yes:
        confirm(session, f"Delete {work.lost}? They cannot be brought back.")
    return down.stop(workshop, everyone, work, session.console)


for _name, _command in {"up": up, "down": down}.items():
    command.add_command(_command, _name)

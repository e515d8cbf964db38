"""`kratosctl down`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from kratosctl.cli.options import environment_argument
from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(
    environment_argument(),
    click.option("--volumes", is_flag=True, help="Delete the data too; asks first."),
    click.option("--yes", "-y", is_flag=True, envvar="KRATOSCTL_YES", help="Ask nothing."),
)
def command(session: Session, name: str | None, volumes: bool, yes: bool) -> Result:
    """Stop an environment. Its data stays, unless --volumes says otherwise."""
    from kratosctl import down, running, upgrade

    found = running.find(session.directory, name)
    if not volumes:
        upgrade.settle(session.directory, found.name, session.console, os.environ)
    data = down.data_of(found) if volumes else None
    if data and data.lost and not yes:
        confirm(session, f"Delete {data.lost}? It cannot be brought back.")
    return down.down(found, data, session.console)


def confirm(session: Session, question: str) -> None:
    """Asks before data goes.

    Raises:
        ConfirmationNeeded: there is nobody to ask.
        Interrupted: the answer was no.
    """
    from kratosctl import prompting
    from kratosctl.errors import ConfirmationNeeded, Interrupted

    if not session.interactive:
        raise ConfirmationNeeded(question, "there is no terminal to ask at", "say --yes if that is what you want")
    if not prompting.confirm(question, default=False):
        raise Interrupted("nothing was deleted")

"""`kratosctl down`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from kratosctl.cli.options import environment_argument, yes_option
from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(
    environment_argument(),
    click.option("--volumes", is_flag=True, help="Delete the data too; asks first."),
    yes_option(),
)
def command(session: Session, name: str | None, volumes: bool, yes: bool) -> Result:
    """Stop an environment. Its data stays, unless --volumes says otherwise.

    With --volumes nothing stays of one that kratosctl.yaml no longer names, but for snapshots.
    """
    from kratosctl import running
    from kratosctl.commands import down, upgrade
    from kratosctl.database.data import data_of
    from kratosctl.errors import KratosctlError

    found = running.find(session.directory, name)
    if not volumes:
        try:
            upgrade.settle(session.directory, found.name, session.console, os.environ)
        except KratosctlError as error:
            # whoever wants it stopped gets it stopped, though the image it would go back to is gone
            session.console.note(
                "\n  ".join(["what was interrupted is neither finished nor undone yet", *error.lines()])
            )
    data = data_of(found) if volumes else None
    forgotten = down.forgotten(found) if volumes else ""
    lost = ", and ".join(filter(None, (data.lost if data else "", forgotten)))
    if lost and not yes:
        session.confirm(down.question(lost, down.snapshots(found.workspace)))
    return down.down(found, data, session.console, bool(forgotten))

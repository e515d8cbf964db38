"""`kratosctl prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kratosctl.cli.options import yes_option
from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(
    click.option("--kept", is_flag=True, help="Also test environments that were kept to look at."),
    click.option("--gone", is_flag=True, help="Also environments whose directory is gone, with their data."),
    click.option("--dry-run", is_flag=True, help="Only show what would be removed."),
    yes_option(),
)
def command(session: Session, kept: bool, gone: bool, dry_run: bool, yes: bool) -> Result:
    """Remove what killed test runs left behind. Shows it first, and asks."""
    from kratosctl.commands import prune

    useless = prune.find(session.directory, kept, gone)
    if dry_run or not useless:
        return prune.result(useless, removed=False)
    if not yes:
        session.console.note("\n".join(map(str, useless)))
        session.confirm(prune.question(useless))
    return prune.prune(useless, session.console)

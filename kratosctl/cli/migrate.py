"""`kratosctl migrate`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from kratosctl.cli.options import environment_argument, seconds_option
from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(
    environment_argument(),
    click.option("--status", "status_only", is_flag=True, help="Show what is applied and what is pending (v25.4+)."),
    seconds_option("--database-timeout", 30, "To reach the database"),
)
def command(session: Session, name: str | None, status_only: bool, database_timeout: float) -> Result:
    """Apply the SQL migrations alone, or show their state."""
    from kratosctl import running
    from kratosctl.answers import selection
    from kratosctl.commands import migrate
    from kratosctl.files.workspace import Workspace
    from kratosctl.limits import Limits

    if name:
        # one that is misspelt is not to be made
        running.pick(session.directory, name)
    chosen = selection.select(session.directory, name, {}, os.environ)
    environment = selection.environment_of(chosen)
    workspace = Workspace(session.directory, chosen.name)
    if status_only:
        return migrate.status(environment, workspace)
    selection.refuse_other_dsn(chosen)
    if workspace.has_unfinished:
        from kratosctl.commands.upgrade import settle

        settle(session.directory, chosen.name, session.console, os.environ)
        chosen = selection.select(session.directory, chosen.name, {}, os.environ)
        environment = selection.environment_of(chosen)
    return migrate.migrate(environment, workspace, Limits(database=database_timeout), session.console, os.environ)

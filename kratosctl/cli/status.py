"""`kratosctl status`."""

from __future__ import annotations

from kratosctl.cli.options import environment_argument
from kratosctl.cli.session import Session, define
from kratosctl.results import Result
from kratosctl.status import status


@define(environment_argument())
def command(session: Session, name: str | None) -> Result:
    """Show an environment's services, health, ports, release, database and migration state."""
    return status(session.directory, name)

"""`kratosctl status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kratosctl.cli.options import environment_argument
from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(environment_argument())
def command(session: Session, name: str | None) -> Result:
    """Show an environment's services, health, ports, release, database and migration state."""
    from kratosctl.commands.status import status

    return status(session.directory, name)

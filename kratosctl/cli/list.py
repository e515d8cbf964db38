"""`kratosctl list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from kratosctl.results import Result


@define()
def command(session: Session) -> Result:
    """Show every environment of this host, wherever its directory is."""
    from kratosctl.commands.status import listing

    return listing(session.directory)

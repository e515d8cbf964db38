"""`kratosctl list`."""

from __future__ import annotations

from kratosctl.cli.session import Session, define
from kratosctl.results import Result
from kratosctl.status import listing


@define()
def command(session: Session) -> Result:
    """Show every environment of this host, wherever its directory is."""
    return listing(session.directory)

"""`kratosctl reset`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kratosctl.cli.options import environment_argument
from kratosctl.cli.session import Session, define
from kratosctl.cli.snapshot import subject_of

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(environment_argument())
def command(session: Session, name: str | None) -> Result:
    """Take the database back to just migrated, under a running Kratos. What was there is kept for --undo."""
    from kratosctl.snapshots import operations

    return operations.reset(subject_of(session, name), None, "", session.console)

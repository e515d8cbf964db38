"""`kratosctl verify`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kratosctl.cli.options import environment_argument
from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(environment_argument())
def command(session: Session, name: str | None) -> Result:
    """Prove that people can sign up, verify, sign out and in again; what was made for it is deleted."""
    from kratosctl import running
    from kratosctl.answers import selection
    from kratosctl.commands.verify import verify

    found = running.find(session.directory, name)
    environment = selection.environment_of(selection.select(session.directory, found.name, {}, os.environ))
    return verify(found, environment, session.console)

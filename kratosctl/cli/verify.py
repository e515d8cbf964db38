"""`kratosctl verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kratosctl.cli.options import environment_argument
from kratosctl.cli.session import Session, define
from kratosctl.cli.subject import found_of

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(environment_argument())
def command(session: Session, name: str | None) -> Result:
    """Prove that people can sign up, verify, sign out and in again; what was made for it is deleted."""
    from kratosctl.commands.verify import verify

    return verify(*found_of(session, name), session.console)

"""`kratosctl restart`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kratosctl.cli.options import environment_or_services, find_with_services, seconds_option
from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(
    environment_or_services(),
    seconds_option("--wait-timeout", 60, "For Kratos to be ready"),
)
def command(session: Session, words: tuple[str, ...], wait_timeout: float) -> Result:
    """Restart all services, or those named."""
    from kratosctl.commands import restart

    found, services = find_with_services(session.directory, words)
    return restart.restart(found, services, wait_timeout, session.console)

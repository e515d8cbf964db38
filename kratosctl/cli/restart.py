"""`kratosctl restart`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kratosctl.cli.options import environment_or_services, seconds_option
from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(
    environment_or_services(),
    seconds_option("--wait-timeout", 60, "For Kratos to be ready"),
)
def command(session: Session, words: tuple[str, ...], wait_timeout: float) -> Result:
    """Restart all services, or those named."""
    from kratosctl import running
    from kratosctl.commands import restart

    name, services = running.environment_and_services(session.directory, words)
    return restart.restart(running.find(session.directory, name), services, wait_timeout, session.console)

"""`kratosctl restart`."""

from __future__ import annotations

import click

from kratosctl import restart, running
from kratosctl.cli.options import environment_or_services
from kratosctl.cli.session import Session, define
from kratosctl.results import Result


@define(
    environment_or_services(),
    click.option("--wait-timeout", type=float, default=60.0, metavar="SECONDS", help="For Kratos to be ready [60]."),
)
def command(session: Session, words: tuple[str, ...], wait_timeout: float) -> Result:
    """Restart all services, or those named."""
    name, services = running.environment_and_services(session.directory, words)
    return restart.restart(running.find(session.directory, name), services, wait_timeout, session.console)

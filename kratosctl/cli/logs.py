"""`kratosctl logs`."""

from __future__ import annotations

import click

from kratosctl.cli.options import environment_or_services, find_with_services
from kratosctl.cli.session import Session, define


@define(
    environment_or_services(),
    click.option("--follow", "-f", is_flag=True, help="Go on until Ctrl-C."),
    click.option("--tail", "-n", default="all", metavar="N", help="Only the last N lines of each service."),
    click.option("--since", metavar="TIME", help="Only lines since a time, such as 10m."),
    click.option("--matching", "-m", metavar="PATTERN", help="Only lines that match a regular expression."),
    reports=False,
)
def command(
    session: Session, words: tuple[str, ...], follow: bool, tail: str, since: str | None, matching: str | None
) -> int:
    """Show or follow logs: of all services, or of those named (kratos, kratos-migrate, postgres, mail, ui)."""
    from kratosctl.commands import logs

    found, services = find_with_services(session.directory, words)
    session.until_interrupt = follow
    return logs.show(found, logs.Wishes(services, follow, tail, since, matching))

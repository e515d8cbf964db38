"""`kratosctl logs`."""

from __future__ import annotations

from typing import Any

from kratosctl.cli.options import environment_or_services, find_with_services, lines_options
from kratosctl.cli.session import Session, define


@define(
    environment_or_services(),
    *lines_options(),
    reports=False,
)
def command(session: Session, words: tuple[str, ...], follow: bool, **lines: Any) -> int:
    """Show or follow logs: of all services, or of those named (kratos, kratos-migrate, postgres, mail, ui)."""
    from kratosctl.commands import logs

    found, services = find_with_services(session.directory, words)
    session.until_interrupt = follow
    return logs.show(found, services, follow, **lines)

"""`kratosctl catalog`."""

from __future__ import annotations

from kratosctl.cli.session import Session, define
from kratosctl.results import Result


@define()
def command(_session: Session) -> Result:
    """Show the releases, variants and presets kratosctl knows, and what each can do."""
    from kratosctl.commands import catalog_table

    return catalog_table.show()

"""What `up` leaves behind where an environment goes from one kind of database to another: nothing moves the data."""

from __future__ import annotations

from kratosctl import running
from kratosctl.database.data import data_of
from kratosctl.stages.assemble import Stack
from kratosctl.stages.plan import Observed


def left_behind(stack: Stack, observed: Observed) -> list[str]:
    """What people should know of a database that was served before and is not from now on; asked before it stops.

    Args:
        stack: what will be there.
        observed: what is there.
    """
    found = running.Found(stack.workspace, stack.workspace.state(), tuple(observed.containers))
    before = served_last(found)
    if before not in ("sqlite", "postgres") or before == stack.environment.database:
        return []
    data = data_of(found)
    said = data.of_kind(before)
    if not said or data.counts.get(before) == 0:
        return []
    name = stack.environment.name
    return [f"{said} stays behind, its data is not moved: kratosctl up {name} --database {before} goes back to it"]


def served_last(found: running.Found) -> str:
    """The kind of database that Kratos serves from, or last did; empty where nothing tells."""
    kratos, mark = found.container("kratos"), found.state.migrated.get("database", "")
    migrated = "postgres" if mark.endswith("_postgres") else "sqlite" if mark else ""
    return kratos.labels.get("database", "") if kratos else migrated

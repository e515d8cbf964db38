"""What `up` leaves behind where an environment goes from one kind of database to another: nothing moves the data."""

from __future__ import annotations

from kratosctl import running
from kratosctl.database.data import data_of
from kratosctl.files.state import State
from kratosctl.stages.assemble import Stack
from kratosctl.stages.plan import Observed


def left_behind(stack: Stack, observed: Observed) -> list[str]:
    """What people should know of a database that was served before and is not from now on; asked before it stops.

    Args:
        stack: what will be there.
        observed: what is there.
    """
    state, now = stack.workspace.state(), stack.environment.database
    kratos = next((container for container in observed.containers if container.service == "kratos"), None)
    before = kratos.labels.get("database", "") if kratos else _migrated_last(state)
    if before not in ("sqlite", "postgres") or before == now:
        return []
    data = data_of(running.Found(stack.workspace, state, tuple(observed.containers)))
    said = data.of_kind(before)
    if not said or data.counts.get(before) == 0:
        return []
    name = stack.environment.name
    return [f"{said} stays behind, its data is not moved: kratosctl up {name} --database {before} goes back to it"]


def _migrated_last(state: State) -> str:
    mark = state.migrated.get("database", "")
    return "postgres" if mark.endswith("_postgres") else "sqlite" if mark else ""

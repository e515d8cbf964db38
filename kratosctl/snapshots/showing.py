"""What people see of snapshots."""

from __future__ import annotations

from dataclasses import asdict

from kratosctl.console import Console
from kratosctl.files.workspace import Workspace
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result, sized, table
from kratosctl.snapshots import store


def listing(workspace: Workspace) -> Result:
    """All snapshots of an environment, oldest first."""
    found = store.listing(workspace)
    data = {"environment": workspace.name, "snapshots": [asdict(snapshot) for snapshot in found]}
    if not found:
        said = f"no snapshots; save one: kratosctl snapshot save NAME --env {workspace.name}"
        return Result("snapshot list", data, lambda: said)
    rows = [[s.name, s.created, s.identities, s.release, s.engine, sized(s.size), s.note] for s in found]
    head = ("NAME", "CREATED", "IDENTITIES", "RELEASE", "DATABASE", "SIZE", "NOTE")
    return Result("snapshot list", data, lambda: table(head, rows))


def show(workspace: Workspace, name: str) -> Result:
    """One snapshot, checked.

    Raises:
        NameInvalid, SnapshotMissing, SnapshotDamaged.
    """
    snapshot = store.load(workspace, name)
    store.check(workspace, snapshot)
    facts = asdict(snapshot)
    lines = [f"{key:<12}{value}" for key, value in facts.items() if value != ""]
    return Result("snapshot show", {"environment": workspace.name, "snapshot": facts}, lambda: "\n".join(lines))


def remove(workspace: Workspace, name: str) -> Result:
    """Deletes one.

    Raises:
        NameInvalid, SnapshotMissing.
    """
    with workspace.locked(f"snapshot remove {name}", LOCK_WAIT, Console().note):
        store.remove(workspace, name)
    return Result("snapshot remove", {"environment": workspace.name, "removed": name}, lambda: f"removed {name}")

"""What people see of snapshots."""

from __future__ import annotations

import contextlib
from dataclasses import asdict

from kratosctl.errors import LessonRunning, SnapshotDamaged, SnapshotMissing
from kratosctl.files.workspace import CONTENT_NOTE, LESSON_NOTE, RESTORE_NOTE, UPGRADE_NOTE, Workspace
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


def question(workspace: Workspace, name: str) -> str:
    """What is asked before one is deleted; one that is damaged can be, too.

    Raises:
        NameInvalid, SnapshotMissing.
        LessonRunning: a lesson is ended with it.
    """
    lesson = workspace.note(LESSON_NOTE) or {}
    if lesson.get("snapshot") == name:
        fix = f"end it first: kratosctl lesson fix {workspace.name}"
        raise LessonRunning(f"lesson {lesson['lesson']} needs snapshot {name}", "it puts the database back", fix)
    try:
        holds = f", which holds {store.load(workspace, name).people}"
    except SnapshotDamaged:
        holds = ""
    return f"Delete the snapshot {name}{holds}? It cannot be brought back."


def is_needed(workspace: Workspace, name: str) -> bool:
    """Whether what was interrupted is finished or undone with this one."""
    notes = (workspace.note(note) or {} for note in (CONTENT_NOTE, RESTORE_NOTE, UPGRADE_NOTE))
    return any(name in note.values() for note in notes)


def remove(workspace: Workspace, name: str) -> Result:
    """Deletes one that was there. The environment's lock is held."""
    # what undoes something that was interrupted takes its snapshot along
    with contextlib.suppress(SnapshotMissing):
        store.remove(workspace, name)
    return Result("snapshot remove", {"environment": workspace.name, "removed": name}, lambda: f"removed {name}")

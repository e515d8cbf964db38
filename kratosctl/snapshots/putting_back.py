"""A snapshot put in place of what the database holds: also where a change to that does not come to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from kratosctl.console import Console
from kratosctl.engine import program, reading
from kratosctl.errors import DatabaseHeld, DiskFull, KratosctlError, SnapshotDamaged, SnapshotMissing
from kratosctl.files.workspace import CONTENT_NOTE
from kratosctl.snapshots import saving, store
from kratosctl.snapshots.live import Live
from kratosctl.snapshots.store import Snapshot
from kratosctl.snapshots.subject import Subject

# of other errors, such as a PostgreSQL that stopped, nobody knows on which side of the change they came
_NOTHING_CHANGED = (DatabaseHeld, DiskFull, SnapshotDamaged)


def put_back(subject: Subject, snapshot: Snapshot, before: str | None = None, live: Live | None = None) -> bool:
    """Restores a snapshot. The caller holds the lock.

    Args:
        subject: the environment.
        snapshot: what to put in place.
        before: the safety snapshot of what is there, which is removed where nothing was changed for certain:
            `--undo` would take it for the way back.
        live: the database, where the caller holds it.

    Returns:
        Whether the tables are those of another release: then `up` has to migrate them, or to run that release.
    """
    source = store.check(subject.found.workspace, snapshot)
    live = live or subject.live
    now = live.facts()
    if now.migrations != snapshot.migrations:
        put_back_tables(subject, snapshot, before, live)
        return True
    with kept_if_changed(subject, before):
        live.restore(source, True)
    if now.network != snapshot.network:
        # Kratos reads its network once, at its start
        restart(subject)
    return False


@contextlib.contextmanager
def kept_if_changed(subject: Subject, before: str | None) -> Iterator[None]:
    """Removes a safety snapshot where the block fails and changed nothing: `--undo` would take it for the way back."""
    try:
        yield
    except _NOTHING_CHANGED:
        if before:
            store.remove(subject.found.workspace, before)
        raise


def put_back_tables(subject: Subject, snapshot: Snapshot, before: str | None, live: Live) -> None:
    """Restores a checked snapshot with other tables than Kratos knows: nobody is served meanwhile."""
    workspace, kratos = subject.found.workspace, subject.found.container("kratos")
    source = store.content(workspace, snapshot.name)
    stopped = bool(kratos and kratos.state == "running")
    if kratos and stopped:
        program.docker("stop", kratos.name)
    # first, so that whoever comes after a kill looks at the migrations again
    workspace.save_state(replace(workspace.state(), migrated={}))
    try:
        with kept_if_changed(subject, before):
            live.restore(source, False)
    except KratosctlError:
        if kratos and stopped:
            reading.start([kratos.name])
        raise
    state = workspace.state()
    workspace.save_state(replace(state, releases=state.releases | {snapshot.engine: snapshot.release}))


def restart(subject: Subject) -> None:
    """Restarts a Kratos that runs, and waits until it is ready."""
    kratos = subject.found.container("kratos")
    if kratos and kratos.state == "running":
        program.docker("restart", kratos.name)
        subject.found.wait_until_ready()


@contextlib.contextmanager
def whole_or_undone(
    subject: Subject, before: Snapshot, doing: str, first: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Puts a snapshot back, and removes it, unless the block ends well. After SIGKILL the next command does. The caller
    holds the lock.

    Args:
        subject: the environment.
        before: what was there before the block.
        doing: what the block does, in a word.
        first: what it begins with, which happens whole or not at all.
    """
    workspace = subject.found.workspace
    workspace.write_note(CONTENT_NOTE, {"doing": doing, "snapshot": before.name})
    changed = False
    try:
        first()
        changed = True
        yield
    except BaseException as error:
        # who held the database may hold it still, and what is not undone now, the next command would undo
        if changed or not isinstance(error, _NOTHING_CHANGED):
            put_back(subject, before)
        # if that fails, the next command tries it again
        workspace.remove_note(CONTENT_NOTE)
        store.remove(workspace, before.name)
        raise
    workspace.remove_note(CONTENT_NOTE)


def undo_content(subject: Subject, console: Console) -> None:
    """Undoes what was killed while it replaced the content of the database, and says so. The caller holds the lock."""
    workspace = subject.found.workspace
    note = workspace.note(CONTENT_NOTE)
    if note is None:
        return
    try:
        before = store.load(workspace, note["snapshot"])
        store.check(workspace, before)
        # what the killed one had sent may still be on its way into the database
        restart(subject)
        # people may have gone on with what is there; not a safety snapshot, to which `--undo` would go
        name = f"undone-{note['doing']}-{saving.stamp()}"
        with contextlib.closing(subject.live) as live:
            now = saving.take(subject, name, "what an interrupted command left", True, live, hold=True)
            put_back(subject, before, live=live)
        workspace.remove_note(CONTENT_NOTE)
        store.remove(workspace, before.name)
        outcome = f"undone, {subject.found.name} has the data from before it; what it held since is snapshot {now.name}"
    except (SnapshotMissing, SnapshotDamaged) as error:
        workspace.remove_note(CONTENT_NOTE)
        outcome = f"it cannot be undone: {error.what}"
    console.note(f"a {note['doing']} was interrupted: {outcome}")

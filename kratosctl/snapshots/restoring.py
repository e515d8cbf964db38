"""`snapshot restore`, and how one that was cut short is finished."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace

from kratosctl.answers.wishes import Wishes
from kratosctl.catalog import version_key
from kratosctl.console import Console
from kratosctl.engine import reading
from kratosctl.errors import DatabaseDamaged, KratosctlError, SnapshotForeign, SnapshotMissing
from kratosctl.files import override
from kratosctl.files.workspace import RESTORE_NOTE, SEED_WANTED, Workspace
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result
from kratosctl.snapshots import putting_back, saving, store
from kratosctl.snapshots.live import Live
from kratosctl.snapshots.store import Snapshot
from kratosctl.snapshots.subject import Subject, save_release, with_release_of
from kratosctl.stages import converge


def restore(
    subject: Subject, name: str | None, console: Console, with_release: bool, variables: Mapping[str, str]
) -> Result:
    """Puts a snapshot in place of the database's content, under a running Kratos.

    Args:
        subject: the environment.
        name: the snapshot; None takes back what last replaced the data.
        console: where steps are shown.
        with_release: go back to the release the snapshot was made with; otherwise older data is migrated.
        variables: the process environment.

    Raises:
        SnapshotMissing, SnapshotDamaged, SnapshotForeign: nothing was changed.
        ComposeFileInvalid: compose.override.yaml was edited since, and Kratos would have to be made anew; likewise.
    """
    workspace = subject.found.workspace
    with (
        workspace.locked("snapshot restore", LOCK_WAIT, console.note),
        contextlib.closing(subject.live) as live,
    ):
        snapshot = store.load(workspace, name) if name else _last_safety(subject)
        _check_fits(subject, snapshot, with_release)
        store.check(workspace, snapshot)
        # to undo takes back nothing that was only asked for since; who names a snapshot may want just that
        went_on = snapshot.release != subject.migrated_by
        with_release = with_release and (went_on or (name is not None and snapshot.release != subject.release))
        if with_release and snapshot.release != subject.release:
            with_release_of(subject, snapshot.release)
        if override.file(workspace.directory) and (with_release or snapshot.migrations != _migrations(live)):
            # Kratos is stopped for that
            subject.found.check_override()
        before = _keep_what_is_there(subject, snapshot, live, console)
        note = {"snapshot": snapshot.name, "safety": before, "with_release": with_release}
        with console.step(f"restore {snapshot.name}"):
            workspace.write_note(RESTORE_NOTE, note)
            # only one that was cut short is finished by the next command: who is told of an error decides anew
            with removing_unless_interrupted(workspace, RESTORE_NOTE):
                subject = _restore(subject, snapshot, before, live, with_release, variables)
    data = {"environment": subject.found.name, "snapshot": asdict(snapshot), "safety": before}
    said = f"restored {snapshot.name}: {snapshot.people}, Kratos {subject.migrated_by}"
    undo = f"\ntake it back: kratosctl snapshot restore --undo --env {subject.found.name}" if before else ""
    return Result("snapshot restore", data, lambda: f"{said}{undo}")


def _keep_what_is_there(subject: Subject, snapshot: Snapshot, live: Live, console: Console) -> str | None:
    """Saves what is about to be replaced by a snapshot, and returns its name; None where it is damaged, and kept as a
    file."""
    try:
        return saving.save_safety(subject, "restore", spared=snapshot.name, live=live).name
    except DatabaseDamaged as error:
        # with the data, so that it goes when that is deleted
        kept = subject.found.workspace.sqlite.with_name(f"damaged-{saving.stamp()}")
        live.keep_damaged(kept)
        console.note(f"{error.what} ({error.why}): kept in {kept}")
        return None


@contextlib.contextmanager
def removing_unless_interrupted(workspace: Workspace, note: str) -> Iterator[None]:
    """Removes a note at the end of a block, but for one that Ctrl-C ends."""
    try:
        yield
    except KratosctlError:
        workspace.remove_note(note)
        raise
    workspace.remove_note(note)


def _restore(
    subject: Subject,
    snapshot: Snapshot,
    before: str | None,
    live: Live,
    with_release: bool,
    variables: Mapping[str, str],
) -> Subject:
    """Puts a snapshot in place, and runs the release its tables need. Returns the environment as it then is."""
    try:
        other_tables = putting_back.put_back(subject, snapshot, before, live)
    except DatabaseDamaged:
        putting_back.put_back_tables(subject, snapshot, before, live)
        other_tables = True
    # it is nobody's new database any more
    subject.found.workspace.remove_note(SEED_WANTED)
    if with_release:
        # also where several releases have the same tables: else the way back would be refused as a downgrade
        state = subject.found.workspace.state()
        releases = state.releases | {snapshot.engine: snapshot.release}
        subject.found.workspace.save_state(replace(state, releases=releases))
        other_tables = True
    if with_release and snapshot.release != subject.release:
        save_release(subject, snapshot.release)
        subject = Subject(subject.found, with_release_of(subject, snapshot.release))
    if other_tables and subject.found.container("kratos"):
        converge.converge(subject.environment, subject.found.workspace, Wishes(), Console(quiet=True), variables)
    return subject


def finish_restore(subject: Subject, console: Console, variables: Mapping[str, str]) -> None:
    """Finishes a restore that was killed, and says so. It is tried once. The caller holds the lock.

    Args:
        subject: the environment.
        console: where it is said.
        variables: the process environment.

    Raises:
        KratosctlError: it cannot be finished, such as without the snapshot; the note of it is gone with that.
    """
    workspace = subject.found.workspace
    note = workspace.note(RESTORE_NOTE)
    if note is None:
        return
    name = note["snapshot"]
    try:
        with removing_unless_interrupted(workspace, RESTORE_NOTE), contextlib.closing(subject.live) as live:
            snapshot = store.load(workspace, name)
            store.check(workspace, snapshot)
            # people may have gone on with what is there
            now = _keep_what_is_there(subject, snapshot, live, console)
            subject = _restore(subject, snapshot, now, live, note["with_release"], variables)
            kratos = subject.found.container("kratos")
            if kratos and reading.state(kratos.name)[0] != "running":
                # it was stopped for the one that was interrupted
                converge.converge(subject.environment, workspace, Wishes(), Console(quiet=True), variables)
    except KratosctlError:
        before = f", or {note['safety']}, which was there before" if note["safety"] else ""
        console.note(f"the restore of {name} was interrupted, and could not be finished: restore it again{before}")
        raise
    console.note(f"the restore of {name} was interrupted: finished")
    kept = [one for one in (note["safety"], now) if one]
    if kept:
        console.note(f"what was there before: {' and '.join(kept)}")


def _last_safety(subject: Subject) -> Snapshot:
    safety = [snapshot for snapshot in store.listing(subject.found.workspace) if snapshot.safety_before]
    if not safety:
        raise SnapshotMissing("there is nothing to undo", "nothing that replaced the data has saved what was there", "")
    return safety[-1]


def _check_fits(subject: Subject, snapshot: Snapshot, with_release: bool) -> None:
    if snapshot.engine != subject.live.engine:
        raise SnapshotForeign(
            f"snapshot {snapshot.name} is of {snapshot.engine}, this environment runs on {subject.live.engine}",
            "their files have nothing in common",
            f"hand it to another: kratosctl snapshot export {snapshot.name} FILE, then snapshot import FILE NAME",
        )
    newer = version_key(snapshot.release) > version_key(subject.release) and not with_release
    if newer and snapshot.migrations != _migrations(subject.live):
        raise SnapshotForeign(
            f"snapshot {snapshot.name} was migrated by Kratos {snapshot.release}",
            f"{subject.release} is older and does not know its tables",
            f"go to that release with it: kratosctl snapshot restore {snapshot.name} --with-release --env {{env}}",
        )


def _migrations(live: Live) -> int:
    """How far a database was migrated; not at all where it is damaged."""
    try:
        return live.facts().migrations
    except DatabaseDamaged:
        return 0

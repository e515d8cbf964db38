"""What is in the database, saved: under a name of somebody's, or before something is done to it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kratosctl.console import Console
from kratosctl.files.workspace import Workspace
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result, sized
from kratosctl.snapshots import store
from kratosctl.snapshots.live import Live
from kratosctl.snapshots.store import Occasion, Snapshot
from kratosctl.snapshots.subject import Subject

SAFETY_KEPT = 5


def save(subject: Subject, name: str, note: str, overwrite: bool, console: Console) -> Result:
    """Saves the database under a name.

    Raises:
        NameInvalid, SnapshotExists, ChoiceImpossible, NotRunning, DiskFull.
    """
    store.check_given(name)
    with (
        subject.found.workspace.locked(f"snapshot save {name}", LOCK_WAIT, console.note),
        console.step(f"save {name}"),
    ):
        made = take(subject, name, note, overwrite)
    said = f"saved {name}: {made.people}, Kratos {made.release}, {sized(made.size)}"
    return Result("snapshot save", {"environment": subject.found.name, "snapshot": asdict(made)}, lambda: said)


def take(
    subject: Subject, name: str, note: str, overwrite: bool, live: Live | None = None, hold: bool = False
) -> Snapshot:
    """Makes a snapshot of what is there. The caller holds the lock.

    Args:
        subject: the environment.
        name: what to call it.
        note: what a person said of it.
        overwrite: replace one of the same name.
        live: the database, where the caller has it open.
        hold: nobody else writes from then on, until the caller changes it, or closes it.
    """
    if live is None:
        with contextlib.closing(subject.live) as opened:
            return take(subject, name, note, overwrite, opened)

    def fill(content: Path) -> Snapshot:
        facts = live.save(content, hold)
        return Snapshot(
            name=name,
            engine=live.engine,
            release=subject.migrated_by,
            migrations=facts.migrations,
            network=facts.network,
            identities=facts.identities,
            created=_now(subject.found.workspace),
            note=note,
        )

    return store.add(subject.found.workspace, name, fill, overwrite)


def _now(workspace: Workspace) -> str:
    """Now, or just after the last safety snapshot where the clock went back since: by their times the oldest ones are
    removed, and `--undo` tells the last one."""
    now = datetime.now(UTC)
    last = max((snapshot.created for snapshot in store.listing(workspace) if snapshot.safety_before), default="")
    if last:
        now = max(now, datetime.fromisoformat(last) + timedelta(milliseconds=1))
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamp() -> str:
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime())


def save_safety(subject: Subject, before: Occasion, spared: str = "", live: Live | None = None) -> Snapshot:
    """Saves what is there before something is done to it; the last few are kept. The caller holds the lock.

    Args:
        subject: the environment.
        before: what is about to be done.
        spared: a snapshot that is not removed, however old.
        live: the database, where the caller has it open: nobody else writes from then on, until that is changed or
            closed.
    """
    workspace = subject.found.workspace
    name = f"before-{before}-{stamp()}"
    taken = {snapshot.name for snapshot in store.listing(workspace)}
    number = next(n for n in range(1, 1000) if (f"{name}-{n}" if n > 1 else name) not in taken)
    made = take(subject, f"{name}-{number}" if number > 1 else name, "", False, live, hold=live is not None)
    store.keep_last_safety(workspace, before, SAFETY_KEPT, spared)
    return made


def keep(subject: Subject, name: str, note: str) -> Snapshot:
    """Saves what is there under a name of ours, in place of what had it. The caller holds the lock."""
    return take(subject, name, note, overwrite=True)

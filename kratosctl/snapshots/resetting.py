"""`reset`: the database as it was when just migrated, plus the environment's seed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from kratosctl.console import Console
from kratosctl.errors import SnapshotDamaged
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result
from kratosctl.snapshots import putting_back, saving, store
from kratosctl.snapshots.live import Live
from kratosctl.snapshots.store import Snapshot
from kratosctl.snapshots.subject import Subject

_SEEDED_NOTE = "what reset puts back"


def reset(subject: Subject, seed: Callable[[], None] | None, seed_key: str, console: Console) -> Result:
    """Takes the database back to just migrated, plus the environment's seed. What is there is saved first.

    Args:
        subject: the environment.
        seed: fills an empty database; None where nothing is to be filled in.
        seed_key: changes whenever what `seed` fills in would; the outcome is kept by it, and put back the next time.
        console: where steps are shown.
    """
    workspace = subject.found.workspace
    with (
        workspace.locked(f"reset {subject.found.name}", LOCK_WAIT, console.note),
        contextlib.closing(subject.live) as live,
    ):
        before = saving.save_safety(subject, "reset", live=live)
        with console.step(f"reset {subject.found.name}"):
            _reset(subject, live, seed, seed_key, before)
    data = {"environment": subject.found.name, "safety": before.name}
    undo = f"take it back: kratosctl snapshot restore --undo --env {subject.found.name}"
    return Result("reset", data, lambda: f"{subject.found.name} is as new\n{undo}")


def _reset(subject: Subject, live: Live, seed: Callable[[], None] | None, seed_key: str, before: Snapshot) -> None:
    workspace = subject.found.workspace
    if seed is None:
        with putting_back.kept_if_changed(subject, before.name):
            live.empty()
        return
    name = f"{store.SEEDED}{seed_key}"
    kept = next((snapshot for snapshot in store.listing(workspace) if snapshot.name == name), None)
    facts = live.facts()
    if kept and (kept.migrations, kept.network) == (facts.migrations, facts.network):
        # one that is damaged is made anew
        with putting_back.kept_if_changed(subject, before.name), contextlib.suppress(SnapshotDamaged):
            putting_back.put_back(subject, kept, live=live)
            return
    with putting_back.whole_or_undone(subject, before, "reset", first=live.empty):
        seed()
        for older in store.listing(workspace):
            if older.name.startswith(store.SEEDED) and older.note == _SEEDED_NOTE:
                store.remove(workspace, older.name)
        saving.take(subject, name, _SEEDED_NOTE, overwrite=True, live=live)

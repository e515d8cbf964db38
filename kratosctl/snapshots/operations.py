"""What people do with snapshots: save, restore, undo, reset. Each under the environment's lock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from kratosctl.catalog import version_key
from kratosctl.console import Console
from kratosctl.engine import reading
from kratosctl.errors import SnapshotForeign, SnapshotMissing
from kratosctl.results import Result
from kratosctl.running import Found
from kratosctl.snapshots import live as live_database
from kratosctl.snapshots import showing, store
from kratosctl.snapshots.live import Live
from kratosctl.snapshots.store import Snapshot

SAFETY_KEPT = 5
_LOCK_WAIT = 600


@dataclass(frozen=True)
class Subject:
    """The environment that is acted on.

    Attributes:
        database: its kind, as kratosctl.yaml says it.
        release: exact tag of its Kratos.
    """

    found: Found
    database: str
    release: str

    @property
    def live(self) -> Live:
        return live_database.of(self.found, self.database)


def save(subject: Subject, name: str, note: str, overwrite: bool, console: Console) -> Result:
    """Saves the database under a name.

    Raises:
        NameInvalid, SnapshotExists, ChoiceImpossible, NotRunning, DiskFull.
    """
    store.check_name(name)
    with (
        subject.found.workspace.locked(f"snapshot save {name}", _LOCK_WAIT, console.note),
        console.step(f"save {name}"),
    ):
        made = _save(subject, name, note, overwrite)
    said = f"saved {name}: {made.identities} identities, Kratos {made.release}, {showing.size(made.size)}"
    return Result("snapshot save", {"environment": subject.found.name, "snapshot": asdict(made)}, lambda: said)


def restore(subject: Subject, name: str | None, console: Console, safety: bool = True) -> Result:
    """Puts a snapshot in place of the database's content, under a running Kratos.

    Args:
        subject: the environment.
        name: the snapshot; None takes back the last restore or reset.
        console: where steps are shown.
        safety: save what is there first.

    Raises:
        SnapshotMissing, SnapshotDamaged, SnapshotForeign: nothing was changed.
    """
    workspace = subject.found.workspace
    with workspace.locked("snapshot restore", _LOCK_WAIT, console.note):
        snapshot = store.load(workspace, name) if name else _last_safety(subject)
        _check_fits(subject, snapshot)
        before = save_safety(subject, "restore") if safety else None
        with console.step(f"restore {snapshot.name}"):
            restarted = put_back(subject, snapshot)
    data = {
        "environment": subject.found.name,
        "snapshot": asdict(snapshot),
        "safety": before.name if before else None,
        "kratos_restarted": restarted,
    }
    said = f"restored {snapshot.name}: {snapshot.identities} identities"
    undo = "\ntake it back: kratosctl snapshot restore --undo" if before else ""
    return Result("snapshot restore", data, lambda: said + undo)


def reset(
    subject: Subject, seed: Callable[[], None] | None, seed_key: str, console: Console, safety: bool = True
) -> Result:
    """Takes the database back to just migrated, plus the environment's seed.

    Args:
        subject: the environment.
        seed: fills an empty database; None where nothing is to be filled in.
        seed_key: changes whenever what `seed` fills in would; the outcome is kept by it, and put back the next time.
        console: where steps are shown.
        safety: save what is there first.
    """
    workspace = subject.found.workspace
    with workspace.locked(f"reset {subject.found.name}", _LOCK_WAIT, console.note):
        before = save_safety(subject, "reset") if safety else None
        with console.step(f"reset {subject.found.name}"):
            _reset(subject, seed, seed_key)
    data = {"environment": subject.found.name, "safety": before.name if before else None}
    undo = "\ntake it back: kratosctl snapshot restore --undo" if before else ""
    return Result("reset", data, lambda: f"{subject.found.name} is as new{undo}")


def put_back(subject: Subject, snapshot: Snapshot) -> bool:
    """Restores a checked snapshot. Returns whether Kratos had to be restarted to see it."""
    workspace, live = subject.found.workspace, subject.live
    source = store.check(workspace, snapshot)
    now = live.facts()
    live.restore(source, same_tables=now.migrations == snapshot.migrations)
    if now.migrations != snapshot.migrations:
        # the next `up` migrates what was put back
        workspace.save_state(replace(workspace.state(), migrated={}))
    # Kratos reads its network once, at its start
    return (now.network, now.migrations) != (snapshot.network, snapshot.migrations) and _restart(subject)


def _reset(subject: Subject, seed: Callable[[], None] | None, seed_key: str) -> None:
    workspace = subject.found.workspace
    if seed is None:
        subject.live.empty()
        return
    name = f"seeded-{seed_key}"
    kept = next((snapshot for snapshot in store.listing(workspace) if snapshot.name == name), None)
    facts = subject.live.facts()
    if kept and (kept.migrations, kept.network) == (facts.migrations, facts.network):
        put_back(subject, kept)
        return
    subject.live.empty()
    seed()
    _save(subject, name, "what reset puts back", overwrite=True)


def _save(subject: Subject, name: str, note: str, overwrite: bool) -> Snapshot:
    live = subject.live
    facts = live.facts()
    snapshot = Snapshot(
        name=name,
        engine=live.engine,
        release=subject.release,
        migrations=facts.migrations,
        network=facts.network,
        identities=facts.identities,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        note=note,
    )
    return store.add(subject.found.workspace, snapshot, live.save, overwrite)


def save_safety(subject: Subject, before: str) -> Snapshot:
    """Saves what is there before something is done to it; the last few are kept. The caller holds the lock."""
    workspace = subject.found.workspace
    name = f"before-{before}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    taken = {snapshot.name for snapshot in store.listing(workspace)}
    number = next(n for n in range(1, 1000) if (f"{name}-{n}" if n > 1 else name) not in taken)
    made = _save(subject, f"{name}-{number}" if number > 1 else name, "", overwrite=False)
    store.keep_last_safety(workspace, SAFETY_KEPT)
    return made


def save_again(subject: Subject, name: str) -> Snapshot:
    """Replaces a snapshot by what is there now. The caller holds the lock."""
    return _save(subject, name, store.load(subject.found.workspace, name).note, overwrite=True)


def _last_safety(subject: Subject) -> Snapshot:
    safety = [snapshot for snapshot in store.listing(subject.found.workspace) if snapshot.is_safety]
    if not safety:
        raise SnapshotMissing("there is nothing to undo", "no restore or reset saved what was there", "")
    return safety[-1]


def _check_fits(subject: Subject, snapshot: Snapshot) -> None:
    if snapshot.engine != subject.live.engine:
        raise SnapshotForeign(
            f"snapshot {snapshot.name} is of {snapshot.engine}, this environment runs on {subject.live.engine}",
            "their files have nothing in common",
            f"make an environment for it: kratosctl up NAME --database {snapshot.engine}",
        )
    newer = version_key(snapshot.release) > version_key(subject.release)
    if newer and snapshot.migrations > subject.live.facts().migrations:
        raise SnapshotForeign(
            f"snapshot {snapshot.name} was migrated by Kratos {snapshot.release}",
            f"{subject.release} is older and does not know its tables",
            f"run kratosctl up --release {snapshot.release} first",
        )


def _restart(subject: Subject) -> bool:
    kratos = subject.found.container("kratos")
    if kratos is None or kratos.state != "running":
        return False
    reading.docker("restart", kratos.name)
    subject.found.wait_until_ready(60)
    return True

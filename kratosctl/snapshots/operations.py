"""What people do with snapshots: save, restore, undo, reset. Each under the environment's lock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from kratosctl import catalog
from kratosctl.answers import configuration_file
from kratosctl.answers.wishes import Wishes
from kratosctl.catalog import version_key
from kratosctl.console import Console
from kratosctl.engine import program, reading
from kratosctl.environment import Environment
from kratosctl.errors import (
    ChoiceImpossible,
    DatabaseDamaged,
    KratosctlError,
    SnapshotDamaged,
    SnapshotForeign,
    SnapshotMissing,
)
from kratosctl.files.workspace import CONTENT_NOTE, RESTORE_NOTE, Workspace
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result, sized
from kratosctl.running import Found
from kratosctl.snapshots import live as live_database
from kratosctl.snapshots import store
from kratosctl.snapshots.live import Live
from kratosctl.snapshots.store import Snapshot
from kratosctl.stages import converge

SAFETY_KEPT = 5
_SEEDED, _SEEDED_NOTE = "seeded-", "what reset puts back"


@dataclass(frozen=True)
class Subject:
    """The environment that is acted on, as it is and as it was asked for."""

    found: Found
    environment: Environment

    @property
    def release(self) -> str:
        """The exact tag of its Kratos."""
        return self.environment.facts.tag

    @property
    def live(self) -> Live:
        """Its database."""
        return live_database.of(self.found, self.environment.database)


def save(subject: Subject, name: str, note: str, overwrite: bool, console: Console) -> Result:
    """Saves the database under a name.

    Raises:
        NameInvalid, SnapshotExists, ChoiceImpossible, NotRunning, DiskFull.
    """
    store.check_name(name)
    with (
        subject.found.workspace.locked(f"snapshot save {name}", LOCK_WAIT, console.note),
        console.step(f"save {name}"),
    ):
        made = _save(subject, name, note, overwrite)
    said = f"saved {name}: {made.people}, Kratos {made.release}, {sized(made.size)}"
    return Result("snapshot save", {"environment": subject.found.name, "snapshot": asdict(made)}, lambda: said)


def restore(
    subject: Subject, name: str | None, console: Console, with_release: bool, variables: Mapping[str, str]
) -> Result:
    """Puts a snapshot in place of the database's content, under a running Kratos.

    Args:
        subject: the environment.
        name: the snapshot; None takes back the last restore or reset.
        console: where steps are shown.
        with_release: go back to the release the snapshot was made with; otherwise older data is migrated.
        variables: the process environment.

    Raises:
        SnapshotMissing, SnapshotDamaged, SnapshotForeign: nothing was changed.
    """
    workspace = subject.found.workspace
    with workspace.locked("snapshot restore", LOCK_WAIT, console.note):
        snapshot = store.load(workspace, name) if name else _last_safety(subject)
        _check_fits(subject, snapshot, with_release)
        store.check(workspace, snapshot)
        if with_release and snapshot.release != subject.release:
            with_release_of(subject, snapshot.release)
        before = _keep_what_is_there(subject, snapshot, console)
        note = {"snapshot": snapshot.name, "safety": before, "with_release": with_release}
        with console.step(f"restore {snapshot.name}"):
            workspace.write_note(RESTORE_NOTE, note)
            # only one that was cut short is finished by the next command: who is told of an error decides anew
            with removing_unless_interrupted(workspace, RESTORE_NOTE):
                subject = _restore(subject, snapshot, before, with_release, variables)
    data = {"environment": subject.found.name, "snapshot": asdict(snapshot), "safety": before}
    said = f"restored {snapshot.name}: {snapshot.people}, Kratos {subject.environment.release}"
    undo = f"\ntake it back: kratosctl snapshot restore --undo --env {subject.found.name}" if before else ""
    return Result("snapshot restore", data, lambda: f"{said}{undo}")


def _keep_what_is_there(subject: Subject, snapshot: Snapshot, console: Console) -> str | None:
    """Saves what is about to be replaced by a snapshot, and returns its name; None where it is damaged, and kept as a
    file."""
    try:
        return save_safety(subject, "restore", spared=snapshot.name).name
    except DatabaseDamaged as error:
        kept = subject.found.workspace.home / f"damaged-{_stamp()}"
        subject.live.keep_damaged(kept)
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
    subject: Subject, snapshot: Snapshot, before: str | None, with_release: bool, variables: Mapping[str, str]
) -> Subject:
    """Puts a snapshot in place, and runs the release its tables need. Returns the environment as it then is."""
    try:
        other_tables = put_back(subject, snapshot, before)
    except DatabaseDamaged:
        _put_back_tables(subject, snapshot, before)
        other_tables = True
    if with_release and snapshot.release != subject.release:
        save_release(subject, snapshot.release)
        subject = Subject(subject.found, with_release_of(subject, snapshot.release))
        other_tables = True
    if other_tables and subject.found.container("kratos"):
        converge.converge(subject.environment, subject.found.workspace, Wishes(), Console(quiet=True), variables)
    return subject


def finish_restore(subject: Subject, console: Console, variables: Mapping[str, str]) -> None:
    """Finishes a restore that was killed, and says so. The caller holds the lock.

    Args:
        subject: the environment.
        console: where it is said.
        variables: the process environment.

    Raises:
        SnapshotMissing, SnapshotDamaged: the snapshot went meanwhile; the note of it is gone with that.
    """
    workspace = subject.found.workspace
    note = workspace.note(RESTORE_NOTE)
    if note is None:
        return
    try:
        snapshot = store.load(workspace, note["snapshot"])
        store.check(workspace, snapshot)
    except (SnapshotMissing, SnapshotDamaged):
        workspace.remove_note(RESTORE_NOTE)
        raise
    # people may have gone on with what is there
    now = _keep_what_is_there(subject, snapshot, console)
    subject = _restore(subject, snapshot, now, note["with_release"], variables)
    kratos = subject.found.container("kratos")
    if kratos and reading.state(kratos.name)[0] != "running":
        # it was stopped for the one that was interrupted
        converge.converge(subject.environment, workspace, Wishes(), Console(quiet=True), variables)
    workspace.remove_note(RESTORE_NOTE)
    console.note(f"the restore of {snapshot.name} was interrupted: finished")
    kept = [name for name in (note["safety"], now) if name]
    if kept:
        console.note(f"what was there before: {' and '.join(kept)}")


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
    with (
        workspace.locked(f"reset {subject.found.name}", LOCK_WAIT, console.note),
        contextlib.closing(subject.live) as live,
    ):
        before = save_safety(subject, "reset", live=live) if safety else None
        with console.step(f"reset {subject.found.name}"):
            _reset(subject, live, seed, seed_key, before)
    data = {"environment": subject.found.name, "safety": before.name if before else None}
    undo = f"\ntake it back: kratosctl snapshot restore --undo --env {subject.found.name}" if before else ""
    return Result("reset", data, lambda: f"{subject.found.name} is as new{undo}")


def put_back(subject: Subject, snapshot: Snapshot, before: str | None = None) -> bool:
    """Restores a snapshot. The caller holds the lock.

    Args:
        subject: the environment.
        snapshot: what to put in place.
        before: the safety snapshot of what is there, which is removed where nothing was changed: `--undo` would take
            it for the way back.

    Returns:
        Whether the tables are those of another release: then `up` has to migrate them, or to run that release.
    """
    source = store.check(subject.found.workspace, snapshot)
    now = subject.live.facts()
    if now.migrations != snapshot.migrations:
        _put_back_tables(subject, snapshot, before)
        return True
    with _unless_nothing_changed(subject, before):
        subject.live.restore(source, True)
    if now.network != snapshot.network:
        # Kratos reads its network once, at its start
        _restart(subject)
    return False


@contextlib.contextmanager
def _unless_nothing_changed(subject: Subject, before: str | None) -> Iterator[None]:
    try:
        yield
    except KratosctlError:
        if before:
            store.remove(subject.found.workspace, before)
        raise


def _put_back_tables(subject: Subject, snapshot: Snapshot, before: str | None) -> None:
    """Restores a snapshot with other tables than Kratos knows: nobody is served meanwhile."""
    workspace, kratos = subject.found.workspace, subject.found.container("kratos")
    source = store.check(workspace, snapshot)
    stopped = bool(kratos and kratos.state == "running")
    if kratos and stopped:
        program.docker("stop", kratos.name)
    # first, so that whoever comes after a kill looks at the migrations again
    workspace.save_state(replace(workspace.state(), migrated={}))
    try:
        with _unless_nothing_changed(subject, before):
            subject.live.restore(source, False)
    except KratosctlError:
        if kratos and stopped:
            reading.start([kratos.name])
        raise
    state = workspace.state()
    workspace.save_state(replace(state, releases=state.releases | {snapshot.engine: snapshot.release}))


def _reset(
    subject: Subject, live: Live, seed: Callable[[], None] | None, seed_key: str, before: Snapshot | None
) -> None:
    workspace = subject.found.workspace
    if seed is None:
        live.empty()
        return
    name = f"{_SEEDED}{seed_key}"
    kept = next((snapshot for snapshot in store.listing(workspace) if snapshot.name == name), None)
    facts = live.facts()
    if kept and (kept.migrations, kept.network) == (facts.migrations, facts.network):
        put_back(subject, kept)
        return
    with whole_or_undone(subject, before or save_safety(subject, "reset", live=live), "reset"):
        live.empty()
        seed()
        for older in store.listing(workspace):
            if older.name.startswith(_SEEDED) and older.note == _SEEDED_NOTE:
                store.remove(workspace, older.name)
        _save(subject, name, _SEEDED_NOTE, overwrite=True, live=live)


@contextlib.contextmanager
def whole_or_undone(subject: Subject, before: Snapshot, doing: str) -> Iterator[None]:
    """Puts a snapshot back, and removes it, unless the block ends well. After SIGKILL the next command does. The caller
    holds the lock.

    Args:
        subject: the environment.
        before: what was there before the block.
        doing: what the block does, in a word.
    """
    workspace = subject.found.workspace
    workspace.write_note(CONTENT_NOTE, {"doing": doing, "snapshot": before.name})
    try:
        yield
    except BaseException:
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
        # what the killed one had sent may still be on its way into the database
        _restart(subject)
        put_back(subject, before)
        workspace.remove_note(CONTENT_NOTE)
        store.remove(workspace, before.name)
        outcome = f"undone, {subject.found.name} has the data from before it"
    except SnapshotMissing:
        workspace.remove_note(CONTENT_NOTE)
        outcome = f"it cannot be undone, because snapshot {note['snapshot']} was removed"
    console.note(f"a {note['doing']} was interrupted: {outcome}")


def _save(subject: Subject, name: str, note: str, overwrite: bool, live: Live | None = None) -> Snapshot:
    if live is None:
        with contextlib.closing(subject.live) as opened:
            return _save(subject, name, note, overwrite, opened)

    def fill(content: Path) -> Snapshot:
        facts = live.save(content)
        return Snapshot(
            name=name,
            engine=live.engine,
            release=subject.release,
            migrations=facts.migrations,
            network=facts.network,
            identities=facts.identities,
            created=_now(),
            note=note,
        )

    return store.add(subject.found.workspace, name, fill, overwrite)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _stamp() -> str:
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime())


def save_safety(subject: Subject, before: str, spared: str = "", live: Live | None = None) -> Snapshot:
    """Saves what is there before something is done to it; the last few are kept. The caller holds the lock.

    Args:
        subject: the environment.
        before: what is about to be done, in a word.
        spared: a snapshot that is not removed, however old.
        live: the database, where the caller has it open.
    """
    workspace = subject.found.workspace
    name = f"before-{before}-{_stamp()}"
    taken = {snapshot.name for snapshot in store.listing(workspace)}
    number = next(n for n in range(1, 1000) if (f"{name}-{n}" if n > 1 else name) not in taken)
    made = _save(subject, f"{name}-{number}" if number > 1 else name, "", overwrite=False, live=live)
    store.keep_last_safety(workspace, before, SAFETY_KEPT, spared)
    return made


def keep(subject: Subject, name: str, note: str) -> Snapshot:
    """Saves what is there under a name of ours, in place of what had it. The caller holds the lock."""
    return _save(subject, name, note, overwrite=True)


def save_again(subject: Subject, name: str) -> Snapshot:
    """Replaces a snapshot by what is there now. The caller holds the lock."""
    return _save(subject, name, store.load(subject.found.workspace, name).note, overwrite=True)


def _last_safety(subject: Subject) -> Snapshot:
    safety = [snapshot for snapshot in store.listing(subject.found.workspace) if snapshot.safety_before]
    if not safety:
        raise SnapshotMissing("there is nothing to undo", "no restore or reset saved what was there", "")
    return safety[-1]


def _check_fits(subject: Subject, snapshot: Snapshot, with_release: bool) -> None:
    if snapshot.engine != subject.live.engine:
        raise SnapshotForeign(
            f"snapshot {snapshot.name} is of {snapshot.engine}, this environment runs on {subject.live.engine}",
            "their files have nothing in common",
            f"hand it to another: kratosctl snapshot export {snapshot.name} FILE, then snapshot import FILE NAME",
        )
    newer = version_key(snapshot.release) > version_key(subject.release) and not with_release
    if newer and snapshot.migrations > _migrations(subject.live):
        raise SnapshotForeign(
            f"snapshot {snapshot.name} was migrated by Kratos {snapshot.release}",
            f"{subject.release} is older and does not know its tables",
            f"run kratosctl up {subject.found.name} --release {snapshot.release} first",
        )


def _migrations(live: Live) -> int:
    """How far a database was migrated; not at all where it is damaged."""
    try:
        return live.facts().migrations
    except DatabaseDamaged:
        return 0


def _restart(subject: Subject) -> None:
    kratos = subject.found.container("kratos")
    if kratos and kratos.state == "running":
        program.docker("restart", kratos.name)
        subject.found.wait_until_ready(60)


def image_of(environment: Environment, release: str) -> str | None:
    """The image of another release: the same one with another tag; None where its tag does not name the release."""
    repository, tag = catalog.split_reference(environment.kratos_image)
    head, dash, variant = tag.partition("-")
    return f"{repository}:{release}{dash}{variant}" if head == environment.release else None


def with_release_of(subject: Subject, release: str) -> Environment:
    """The environment on another release of Kratos, and nothing else changed.

    Raises:
        ChoiceImpossible: its image does not tell by its tag which one that would be.
    """
    image = image_of(subject.environment, release)
    if image is None:
        raise ChoiceImpossible(
            f"which image has Kratos {release}?",
            f"the tag of {subject.environment.kratos_image} is not {subject.environment.release}",
            "name it: --kratos-image REF, or kratos_image in kratosctl.yaml",
        )
    return replace(subject.environment, release=release, kratos_image=image)


def save_release(subject: Subject, release: str, image: str | None = None) -> None:
    """Writes another release to kratosctl.yaml, where the environment stands in it.

    Args:
        subject: the environment.
        release: of Kratos.
        image: its image, where that is not the one the environment had, with another tag.
    """
    workspace = subject.found.workspace
    kept = configuration_file.load(workspace.directory).get(workspace.name)
    if kept is not None:
        changed = {"release": release}
        if image or "kratos_image" in kept:
            changed["kratos_image"] = image or with_release_of(subject, release).kratos_image
        configuration_file.save(workspace.directory, workspace.name, changed)

"""Where snapshots lie: one directory each, made whole or not at all, with a checksum."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from kratosctl.errors import NameInvalid, SnapshotDamaged, SnapshotExists, SnapshotMissing
from kratosctl.files.atomic import said_plainly, sync, write_atomically
from kratosctl.files.workspace import REPLACED, Workspace
from kratosctl.results import counted

FACTS = "snapshot.json"
CONTENT = "database"
# what is about to be done when kratosctl saves what is there by itself
Occasion = Literal["restore", "reset", "seed", "upgrade", "lesson"]
# what a lesson is ended with, what an attendee takes along, and the beginning of what reset puts back
BEFORE_LESSON, TAKEN_ALONG, SEEDED = "before-the-lesson", "before-workshop-down", "seeded-"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_SAFETY = re.compile(rf"before-({'|'.join(get_args(Occasion))})-\d{{8}}-\d{{6}}(?:-\d+)?")
_OWN = re.compile(rf"{_SAFETY.pattern}|{BEFORE_LESSON}|{TAKEN_ALONG}|{SEEDED}[0-9a-f]{{16}}")


@dataclass(frozen=True)
class Snapshot:
    """One snapshot.

    Attributes:
        name: unique in its environment.
        engine: sqlite or postgres.
        release: of the Kratos that last migrated the data.
        migrations: rows of schema_migration: how far the data was migrated.
        network: Kratos' network ID, by which it finds its rows.
        identities: how many there are.
        created: UTC, ISO 8601, with milliseconds: two in one second are told apart.
        size: of the content, in bytes.
        sha256: of the content.
        note: what a person said of it.
    """

    name: str
    engine: str
    release: str
    migrations: int
    network: str
    identities: int
    created: str
    size: int = 0
    sha256: str = ""
    note: str = ""

    @property
    def people(self) -> str:
        """How many identities it holds, in words."""
        return counted(self.identities, "identity", "identities")

    @property
    def safety_before(self) -> str:
        """What kratosctl was about to do when it made this by itself, an Occasion; empty for any other."""
        found = _SAFETY.fullmatch(self.name)
        return found[1] if found else ""


def check_name(name: str) -> str:
    """Returns the name if a snapshot can have it.

    Raises:
        NameInvalid: it is a path, or not 1 to 64 letters, digits, dots, hyphens and underscores.
    """
    if _NAME.fullmatch(name):
        return name
    shown = name if len(name) <= 40 else name[:40] + "…"
    raise NameInvalid(
        f"{shown!r} cannot name a snapshot", "it becomes a directory", "use letters, digits, dots, hyphens, underscores"
    )


def check_given(name: str) -> str:
    """Returns the name if somebody can give it to a snapshot: not one by which kratosctl knows its own.

    Raises:
        NameInvalid: nothing can have it, or kratosctl would remove it, or put it in place, by itself.
    """
    if not _OWN.fullmatch(check_name(name)):
        return name
    raise NameInvalid(
        f"{name} is a name of kratosctl's own snapshots",
        "it removes those, and puts them back, by itself",
        "choose another; `snapshot import` takes one: --as NAME",
    )


def directory(workspace: Workspace) -> Path:
    """Where an environment's snapshots lie."""
    return workspace.home / "snapshots"


def content(workspace: Workspace, name: str) -> Path:
    """A snapshot's content."""
    return _place(workspace, name) / CONTENT


def _place(workspace: Workspace, name: str) -> Path:
    """Where a snapshot lies: under its name, or beside it while another takes its place."""
    place = directory(workspace) / name
    replaced = place.with_name(REPLACED + name)
    return replaced if replaced.exists() and not place.exists() else place


def listing(workspace: Workspace) -> list[Snapshot]:
    """The snapshots of an environment, oldest first. Unreadable ones are left out: `load` says what is wrong."""
    found = []
    for path in directory(workspace).glob(f"*/{FACTS}"):
        name = path.parent.name.removeprefix(REPLACED)
        if name.startswith(".") or path.parent != _place(workspace, name):
            continue
        try:
            found.append(_read(path, name))
        except (OSError, ValueError, TypeError):
            continue
    return sorted(found, key=lambda snapshot: (snapshot.created, snapshot.name))


def _read(facts: Path, name: str) -> Snapshot:
    """What is known of a snapshot, by the name that its directory has now."""
    return replace(Snapshot(**json.loads(facts.read_text(encoding="utf-8"))), name=name)


def load(workspace: Workspace, name: str) -> Snapshot:
    """One snapshot.

    Raises:
        NameInvalid, SnapshotMissing, SnapshotDamaged.
    """
    path = _place(workspace, check_name(name)) / FACTS
    try:
        return _read(path, name)
    except FileNotFoundError:
        if path.parent.is_dir():
            raise SnapshotDamaged(f"snapshot {name} is damaged", f"{path.name} is missing") from None
        known = ", ".join(snapshot.name for snapshot in listing(workspace)) or "none yet"
        raise SnapshotMissing(f"no snapshot {name!r} of environment {workspace.name}", f"there is {known}") from None
    except (OSError, ValueError, TypeError) as error:
        raise SnapshotDamaged(f"snapshot {name} is damaged", f"{path.name}: {str(error)[:80]}") from error


def check(workspace: Workspace, snapshot: Snapshot) -> Path:
    """The content of a snapshot, if it is what was saved.

    Raises:
        SnapshotDamaged: it is missing, shorter, or changed.
    """
    path = content(workspace, snapshot.name)
    try:
        size = path.stat().st_size
        found = digest(path)
    except OSError as error:
        raise SnapshotDamaged(f"snapshot {snapshot.name} is damaged", f"its content: {error.strerror}") from error
    if (size, found) != (snapshot.size, snapshot.sha256):
        why = f"{size} bytes instead of {snapshot.size}" if size != snapshot.size else "its checksum differs"
        fix = f"nothing was changed; use another one: kratosctl snapshot list --env {workspace.name}"
        raise SnapshotDamaged(f"snapshot {snapshot.name} is damaged", why, fix)
    return path


def add(workspace: Workspace, name: str, fill: Callable[[Path], Snapshot], overwrite: bool = False) -> Snapshot:
    """Makes a snapshot, whole or not at all.

    Args:
        workspace: of the environment.
        name: what to call it.
        fill: writes the content to a path, and tells all of it but size and checksum.
        overwrite: replace one of the same name.

    Raises:
        SnapshotExists: there is one of that name.
        DiskFull, DirectoryReadOnly: nothing is left behind.
    """
    target = directory(workspace) / check_name(name)
    if target.exists() and not overwrite:
        raise SnapshotExists(
            f"there is a snapshot {name} already", "", "choose another name, remove it, or say --overwrite"
        )
    with said_plainly(target):
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
        try:
            facts = fill(making / CONTENT)
            sync(making / CONTENT)
            size = (making / CONTENT).stat().st_size
            made = replace(facts, size=size, sha256=digest(making / CONTENT))
            write_atomically(making / FACTS, json.dumps(asdict(made), indent=1) + "\n", 0o600)
            _put(making, target)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return made


def _put(made: Path, target: Path) -> None:
    """Gives a finished snapshot its name. At each moment there is the old one or the new."""
    replaced = target.with_name(REPLACED + target.name)
    if target.exists():
        target.rename(replaced)
    made.rename(target)
    shutil.rmtree(replaced, ignore_errors=True)


def remove(workspace: Workspace, name: str) -> None:
    """Deletes a snapshot.

    Raises:
        NameInvalid, SnapshotMissing.
    """
    target = directory(workspace) / check_name(name)
    if not target.is_dir():
        load(workspace, name)
    gone = target.with_name(f".removing-{name}")
    with said_plainly(target):
        target.rename(gone)
        shutil.rmtree(gone)


def keep_last_safety(workspace: Workspace, before: Occasion, number: int, spared: str) -> None:
    """Removes old safety snapshots. Those of each occasion go by themselves: many resets leave the way back from an
    upgrade.

    Args:
        workspace: of the environment.
        before: the occasion.
        number: how many of it stay.
        spared: one that stays, too.
    """
    safety = [snapshot for snapshot in listing(workspace) if snapshot.safety_before == before]
    for snapshot in safety[: max(0, len(safety) - number)]:
        if snapshot.name != spared:
            remove(workspace, snapshot.name)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""What environments leave behind: ephemeral ones of processes that ended, and others whose directory is gone."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kratosctl import ownership
from kratosctl.engine import faults, program, reading
from kratosctl.engine.objects import Labelled
from kratosctl.ephemeral import owner as owners
from kratosctl.files.atomic import said_plainly, write_atomically
from kratosctl.files.workspace import GENERATED

_PREFIX = "kratosctl-ephemeral-"
_OWNER_FILE = "owner"
_TRIES = 3


@dataclass(frozen=True)
class Remains:
    """What is there of one environment.

    Attributes:
        project: its Compose project; empty where only its directory is there.
        environment: its name.
        directory: where it was made.
        owner: the process it lived for; empty where it is not ephemeral.
        parts: its containers, volumes and networks.
    """

    project: str
    environment: str
    directory: str
    owner: str = ""
    parts: tuple[Labelled, ...] = ()

    @property
    def fate(self) -> owners.Fate | None:
        """What became of its owner; None where it never had one."""
        return owners.fate(self.owner) if self.owner else None

    @property
    def gone(self) -> bool:
        """No directory that a part of it names holds it any more. A volume goes on naming the one it was made in."""
        places = {self.directory, *(part.directory for part in self.parts)}
        return not any(holds(place, self.environment, self.project) for place in places)

    def names(self, kind: str) -> list[str]:
        """The names of its parts of one kind: container, volume, network."""
        return [part.name for part in self.parts if part.kind == kind]


def holds(directory: str, environment: str, project: str) -> bool:
    """Whether an environment lies in a directory, or may: it cannot be looked at, or no name of it is known.

    One that took the directory's place, such as a repository that was cloned again, has a project of its own.
    """
    if not directory:
        return True
    made = not is_gone(Path(directory) / GENERATED / environment / "state.json")
    return made and ownership.holds(Path(directory), environment, project)


def is_gone(path: Path) -> bool:
    """Whether nothing lies at a path. Where one may not look, as at another user's, something may."""
    try:
        # what Python asks of a path for us says no there, too, from version 3.14 on
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


def new_directory() -> Path:
    """The path of a temporary directory that is not there yet: whoever makes it knows what to remove."""
    # Compose and our labels name it without symbolic links
    return Path(tempfile.gettempdir()).resolve() / f"{_PREFIX}{secrets.token_hex(5)}"


def make_directory(directory: Path, whose: str) -> None:
    """Makes the directory of an ephemeral environment, readable by this user alone.

    Args:
        directory: from `new_directory`.
        whose: its owner.

    Raises:
        DiskFull, DirectoryReadOnly.
    """
    with said_plainly(directory):
        directory.mkdir(mode=0o700)
    write_atomically(directory / _OWNER_FILE, whose, 0o600)


def everything() -> tuple[Remains, ...]:
    """Every environment that kratosctl made on this engine, and every directory of an ephemeral one."""
    found: dict[str, list[Labelled]] = {}
    for part in reading.labelled():
        found.setdefault(part.project, []).append(part)
    rows = [
        Remains(project, parts[0].environment, parts[0].directory, parts[0].owner, tuple(parts))
        for project, parts in found.items()
        # of one project all parts are one owner's; where they are not, it is not ours to judge
        if len({part.owner for part in parts}) == 1
    ]
    known = {row.directory for row in rows}
    rows += [Remains("", "", str(path), whose) for path, whose in _directories() if str(path) not in known]
    return tuple(rows)


def remove_dead() -> None:
    """Removes what is there of ephemeral environments whose owner has ended."""
    for found in everything():
        if found.fate == "dead":
            remove(found.project, Path(found.directory), found.owner)


def remove(project: str, directory: Path, whose: str) -> str:
    """Removes an environment: containers, networks, volumes, and the directory of an ephemeral one.

    Args:
        project: its Compose project; empty where the engine has nothing of it.
        directory: where it was made; kept where it is not an ephemeral environment of this owner.
        whose: its owner; empty where it is not ephemeral.

    Returns:
        Why something of it is still there; empty where all is gone.
    """
    for _ in range(_TRIES):
        why = _remove_project(project) if project else ""
        if not why:
            break
    else:
        return why
    if whose and _owner_of(directory) == whose:
        shutil.rmtree(directory, ignore_errors=True)
        return f"{directory} could not be emptied" if directory.exists() else ""
    if whose:
        # interrupted before it said whose it is: then it is empty
        with contextlib.suppress(OSError):
            directory.rmdir()
    return ""


def _remove_project(project: str) -> str:
    """Removes what there is now; another process may be doing the same, so only what is left counts. Returns why
    something is, or nothing."""
    for kind, listing, removal in (
        ("container", ("ls", "--all"), ("rm", "--force", "--volumes")),
        ("network", ("ls",), ("rm",)),
        ("volume", ("ls",), ("rm", "--force")),
    ):
        names = _of_project(kind, listing, project)
        if names:
            done = program.docker(kind, *removal, *names, check=False)
            if _of_project(kind, listing, project):
                return faults.last_line(done.stderr) or f"a {kind} is still there"
    return ""


def _of_project(kind: str, listing: Iterable[str], project: str) -> list[str]:
    label = f"label=com.docker.compose.project={project}"
    return program.docker(kind, *listing, "--quiet", "--filter", label).stdout.split()


def _directories() -> Iterator[tuple[Path, str]]:
    """The directories of ephemeral environments of this user, with their owners."""
    for path in Path(tempfile.gettempdir()).resolve().glob(f"{_PREFIX}*"):
        whose = _owner_of(path)
        if whose:
            yield path, whose
        else:
            # killed before it could say whose it is
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - 3600:
                    path.rmdir()


def _owner_of(directory: Path) -> str:
    try:
        mine = directory.stat().st_uid == os.getuid()
        return (directory / _OWNER_FILE).read_text(encoding="utf-8") if mine else ""
    except (OSError, UnicodeDecodeError):
        return ""

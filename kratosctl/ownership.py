"""Whose a Compose project is: its name comes from the directory, so that no other directory can touch it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kratosctl.errors import ConfigurationInvalid, NotOurs
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace

if TYPE_CHECKING:
    from kratosctl.engine.objects import Container


def project_name(directory: Path, environment: str, ground: str = "") -> str:
    """A Compose project name: readable, and unique to the directory.

    Args:
        directory: absolute, without symbolic links.
        environment: the environment's name.
        ground: tells the directory from another one that took its path after it was moved.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", directory.name.lower()).strip("-")[:20].strip("-") or "kratos"
    # what is no environment, but a part of a workshop, has a name that begins with a dot
    told = "\0".join((str(directory), environment, ground)).encode(errors="surrogateescape")
    return f"{readable}-{environment.removeprefix('.')}-{hashlib.sha256(told).hexdigest()[:8]}"


@dataclass(frozen=True)
class Here:
    """Where an environment lies now.

    Attributes:
        directory: of kratosctl.yaml: absolute, without symbolic links.
        environment: the environment's name.
        ground: what a move leaves as it is, and a copy does not: the directory's inode number.
        home: the same of its generated directory; empty where there is none yet.
    """

    directory: Path
    environment: str
    ground: str = ""
    home: str = ""


def settle(state: State, here: Here, holds: Callable[[Path, str], bool]) -> State:
    """Gives a directory its project: the one it has, a moved directory's old one, or a new one.

    A copy of a directory brings the original's state with it. It must become a project of its own, whether the
    original is still there or was moved elsewhere: its `down --volumes` would delete the original's data.

    Args:
        state: what the directory's state file says.
        here: where it lies now.
        holds: whether a directory holds this environment with this project.
    """
    directory = str(here.directory)
    stayed = state.directory == directory
    moved = bool(state.home) and state.home == here.home and not holds(Path(state.directory), state.project)
    if state.project and (stayed or moved):
        return replace(state, directory=directory, home=here.home)
    # of a copy's allotments only the secrets are worth keeping, and they lie in files of their own
    return replace(
        state,
        project=project_name(here.directory, here.environment, here.ground),
        directory=directory,
        origin=directory,
        home=here.home,
        ports={},
        engine="",
        subnet="",
        migrated={},
        postgres_major=0,
    )


def settled_state(workspace: Workspace) -> State:
    """The environment's state, with its project settled for the directory it now lies in."""
    here = Here(workspace.directory, workspace.name, inode(workspace.directory), inode(workspace.home))
    return settle(workspace.state(), here, lambda directory, project: holds(directory, workspace.name, project))


def inode(path: Path) -> str:
    """What tells a directory from another one that took its place; empty where there is none."""
    try:
        return str(path.stat().st_ino)
    except OSError:
        return ""


def holds(directory: Path, environment: str, project: str) -> bool:
    """Whether an environment of that project lies in a directory; where that cannot be told, it does."""
    try:
        return Workspace(directory, environment).state().project == project
    except ConfigurationInvalid:
        return True


def check_ours(directory: str, environment: str, containers: tuple[Container, ...]) -> None:
    """Refuses to touch a project that somebody else made.

    Raises:
        NotOurs: a container of the project was made in a directory that still holds it, or not by kratosctl.
    """
    ours = any(container.labels.get("directory") for container in containers)
    for container in containers:
        # services of a compose.override.yaml carry no label of ours
        if not ours or container.labels.get("directory"):
            made_in = container.labels.get("directory", "")
            _check_maker(made_in, directory, environment, container.project, f"container {container.name}")


def check_volumes_ours(directory: str, environment: str, project: str, volumes: Mapping[str, str]) -> None:
    """Refuses to delete a volume that another directory made.

    Args:
        directory: where kratosctl.yaml lies.
        environment: the environment's name.
        project: the Compose project.
        volumes: its volumes: name -> directory of its label, empty for those of compose.override.yaml.

    Raises:
        NotOurs: naming the directory.
    """
    for name, made_in in volumes.items():
        if made_in:
            _check_maker(made_in, directory, environment, project, f"volume {name}")


def _check_maker(made_in: str, directory: str, environment: str, project: str, what: str) -> None:
    if made_in == directory or (made_in and not holds(Path(made_in), environment, project)):
        return
    raise NotOurs(
        f"{what} belongs to somebody else",
        f"it was made in {made_in}" if made_in else "it was made without kratosctl",
        "run kratosctl there, or remove that project with docker compose first",
    )

"""Whose a Compose project is: its name comes from the directory, so that no other directory can touch it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kratosctl.errors import NotOurs
from kratosctl.workspace import GENERATED, State, Workspace

if TYPE_CHECKING:
    from kratosctl.engine.reading import Container


def project_name(directory: Path, environment: str) -> str:
    """A Compose project name: readable, and unique to the directory's path.

    Args:
        directory: absolute, without symbolic links.
        environment: the environment's name.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", directory.name.lower()).strip("-")[:20].strip("-") or "kratos"
    path = hashlib.sha256(f"{directory}\0{environment}".encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{readable}-{environment}-{path}"


def settle(state: State, directory: Path, environment: str, still_owned: Callable[[Path], bool]) -> State:
    """Gives a directory its project: the one it has, a moved directory's old one, or a new one.

    A copy of a directory brings the original's state with it. As long as the original is there, the copy must become
    a project of its own: its `down --volumes` would delete the original's data.

    Args:
        state: what the directory's state file says.
        directory: where it lies now.
        environment: the environment's name.
        still_owned: whether a directory still holds this environment.
    """
    here = str(directory)
    if state.directory == here and state.project:
        return state
    moved = bool(state.project) and not still_owned(Path(state.directory))
    if moved:
        return replace(state, directory=here)
    # of a copy's allotments only the secrets are worth keeping, and they lie in files of their own
    return replace(
        state, project=project_name(directory, environment), directory=here, ports={}, migrated={}, postgres_major=0
    )


def settled_state(workspace: Workspace) -> State:
    """The environment's state, with its project settled for the directory it now lies in."""

    def still_owned(directory: Path) -> bool:
        return (directory / GENERATED / workspace.name / "state.json").is_file()

    return settle(workspace.state(), workspace.directory, workspace.name, still_owned)


def check_ours(directory: str, environment: str, containers: tuple[Container, ...]) -> None:
    """Refuses to touch a project that somebody else made.

    Raises:
        NotOurs: a container of the project was made in a directory that still holds it, or not by kratosctl.
    """
    ours = any(container.labels.get("directory") for container in containers)
    for container in containers:
        # services of a compose.override.yaml carry no label of ours
        if not ours or container.labels.get("directory"):
            _check_maker(container.labels.get("directory", ""), directory, environment, f"container {container.name}")


def check_volumes_ours(directory: str, environment: str, volumes: Mapping[str, str]) -> None:
    """Refuses to delete a volume that another directory made.

    Args:
        directory: where kratosctl.yaml lies.
        environment: the environment's name.
        volumes: the project's volumes: name -> directory of its label, empty for those of compose.override.yaml.

    Raises:
        NotOurs: naming the directory.
    """
    for name, made_in in volumes.items():
        if made_in:
            _check_maker(made_in, directory, environment, f"volume {name}")


def _check_maker(made_in: str, directory: str, environment: str, what: str) -> None:
    moved = made_in and not (Path(made_in) / ".kratosctl" / environment / "state.json").exists()
    if made_in != directory and not moved:
        raise NotOurs(
            f"{what} belongs to somebody else",
            f"it was made in {made_in}" if made_in else "it was made without kratosctl",
            "run kratosctl there, or remove that project with docker compose first",
        )

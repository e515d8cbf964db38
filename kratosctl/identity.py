"""Whose a Compose project is: its name comes from the directory, so that no other directory can touch it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kratosctl.workspace import State


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

"""`prune`: what nobody will come back to, shown first, then removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kratosctl import ownership, running
from kratosctl.console import Console
from kratosctl.ephemeral import owner, remains
from kratosctl.ephemeral.remains import Remains
from kratosctl.errors import EngineFailed
from kratosctl.files.workspace import Workspace
from kratosctl.questions import listed
from kratosctl.results import Result, counted


@dataclass(frozen=True)
class Useless:
    """One environment to remove, and why."""

    remains: Remains
    why: str

    @property
    def loses(self) -> bool:
        """A database goes that somebody may have wanted."""
        return not self.remains.owner and bool(self.remains.names("volume"))

    def __str__(self) -> str:
        what = _name(self.remains)
        named = {kind: self.remains.names(kind) for kind in ("container", "network", "volume")}
        parts = [counted(len(names), kind) for kind, names in named.items() if names]
        lost = f"; its data is lost: {', '.join(self.remains.names('volume'))}" if self.loses else ""
        return f"{what}: {self.why} ({', '.join(parts) or 'a directory'}){lost}"


def find(directory: Path, kept: bool, gone: bool) -> list[Useless]:
    """What can go.

    Args:
        directory: where kratosctl runs; nothing of the environments in it is useless, even if they were moved here.
        kept: also what tests were told to keep.
        gone: also environments whose directory is gone, or of an owner who cannot be seen from here, with their data.
    """
    here = {ownership.settled_state(Workspace(directory, name)).project for name in running.names(directory)}
    found = [
        Useless(row, why) for row in remains.everything() if (why := _why(row, kept, gone and row.project not in here))
    ]
    return sorted(found, key=lambda useless: (useless.loses, useless.remains.directory))


def _why(row: Remains, kept: bool, gone: bool) -> str:
    if row.fate == "dead":
        return f"the process it was made for ({owner.process_of(row.owner)}) has ended"
    if row.fate == "kept":
        return "kept for somebody to look at" if kept else ""
    if row.fate == "alive" or not gone or not row.gone:
        return ""
    if row.fate == "unseen":
        return f"made on another host or in another container, and {row.directory} is not here"
    return f"its directory {row.directory} is gone, or was moved"


def question(useless: Sequence[Useless]) -> str:
    """What is asked before they go. It names them: with --quiet or --json nothing else does."""
    lost = [_name(one.remains) for one in useless if one.loses]
    names = listed([_name(one.remains) for one in useless])
    return f"Remove {names}{f', with the data of {listed(lost)}' if lost else ''}? It cannot be brought back."


def prune(useless: Sequence[Useless], console: Console) -> Result:
    """Removes what was found, and asks the engine of each part whether it is gone.

    Raises:
        EngineFailed: something could not be removed; all the rest is.
    """
    failed = []
    for one in useless:
        try:
            with console.step(f"remove {_name(one.remains)}"):
                _remove(one.remains)
        except EngineFailed as error:
            failed.append(error)
    if failed:
        more = f" (and {len(failed) - 1} more)" if failed[1:] else ""
        failed[0].what += more
        raise failed[0]
    return result(useless, removed=True)


def _remove(row: Remains) -> None:
    why = remains.remove(row.project, Path(row.directory), row.owner)
    if why:
        fix = "see what of yours still uses it, then run `kratosctl prune` again"
        raise EngineFailed(f"{_name(row)} was not removed", why, fix)


def _name(row: Remains) -> str:
    return row.project or row.directory


def result(useless: Sequence[Useless], removed: bool) -> Result:
    """What was or would be removed."""
    rows = [_row(one) for one in useless]
    if not useless:
        return Result("prune", {"removed": removed, "environments": []}, lambda: "nothing to remove")
    said = [f"removed {len(rows)} environment{'s' if len(rows) > 1 else ''}"] if removed else list(map(str, useless))
    return Result("prune", {"removed": removed, "environments": rows}, lambda: "\n".join(said))


def _row(one: Useless) -> dict[str, Any]:
    row = one.remains
    return {
        "project": row.project,
        "environment": row.environment,
        "directory": row.directory,
        "ephemeral": bool(row.owner),
        "why": one.why,
        "containers": row.names("container"),
        "networks": row.names("network"),
        "volumes": row.names("volume"),
    }

"""What data an environment has, in words: where it lies, and how many people it holds."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kratosctl import ownership, running
from kratosctl.database import identity_count
from kratosctl.engine import program, reading
from kratosctl.results import counted

_NAMES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


@dataclass(frozen=True)
class Data:
    """What `--volumes` would delete.

    Attributes:
        volumes: names of Docker volumes.
        directory: of the SQLite database, if there is one.
        counts: how many people each kind of database holds, where that can be told.
        serves: the kind that Kratos serves from; empty where nothing says so.
    """

    volumes: tuple[str, ...] = ()
    directory: Path | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    serves: str = ""

    @property
    def identities(self) -> int | None:
        """How many people would be lost; None where that cannot be told."""
        return sum(self.counts.values()) if self.counts else None

    @property
    def lost(self) -> str:
        """What is lost, in words; empty where there is nothing."""
        unused = {kind for kind, _ in self._places if kind and self.serves and kind != self.serves}
        said = [self._said("the database", [one for one in self._places if one[0] not in unused])]
        said += [self.of_kind(kind, " that Kratos does not use now") for kind in sorted(unused)]
        return ", and ".join(filter(None, said))

    def of_kind(self, kind: str, which: str = "") -> str:
        """The database of one kind, in words; empty where there is none."""
        return self._said(f"the {_NAMES[kind]} database", [one for one in self._places if one[0] == kind], which)

    @property
    def _places(self) -> list[tuple[str, str]]:
        places = [(_kind_of_volume(name), f"volume {name}") for name in self.volumes]
        return places + ([("sqlite", str(self.directory))] if self.directory else [])

    def _said(self, what: str, places: Sequence[tuple[str, str]], which: str = "") -> str:
        held = [self.counts[kind] for kind in {kind for kind, _ in places} if kind in self.counts]
        people = f" with {counted(sum(held), 'identity', 'identities')}" if held else ""
        return f"{what}{people}{which} ({', '.join(place for _, place in places)})" if places else ""


def data_of(found: running.Found) -> Data:
    """Looks for an environment's data.

    Raises:
        NotOurs: a volume of the project was made in another directory.
    """
    volumes = reading.project_volumes(found.state.project)
    ownership.check_volumes_ours(str(found.workspace.directory), found.name, found.state.project, volumes)
    directory = found.workspace.sqlite.parent
    kratos = found.container("kratos")
    serves = kratos.labels.get("database", "") if kratos else ""
    return Data(tuple(volumes), directory if directory.exists() else None, _counts(found), serves)


def _counts(found: running.Found) -> dict[str, int]:
    """How many identities there are by kind of database, where that is quick to tell."""
    counts = {}
    if found.workspace.sqlite.exists():
        with contextlib.suppress(sqlite3.Error):
            counts["sqlite"] = identity_count.in_file(found.workspace.sqlite, 1)
    postgres = found.container("postgres")
    if postgres and postgres.state == "running":
        done = program.docker("exec", postgres.name, *identity_count.PSQL, check=False)
        if done.returncode == 0 and done.stdout.strip().isdigit():
            counts["postgres"] = int(done.stdout)
    return counts


def _kind_of_volume(name: str) -> str:
    """The kind of database that a volume holds; empty for one of compose.override.yaml."""
    return next((kind for kind in _NAMES if name.endswith(f"_{kind}")), "")

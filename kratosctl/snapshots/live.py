"""The database of an environment as it lies now, whichever engine keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from kratosctl.errors import ChoiceImpossible, NotRunning
from kratosctl.running import Found
from kratosctl.snapshots import postgres, sqlite
from kratosctl.snapshots.facts import Facts


class Live(Protocol):
    """What can be done with a database while Kratos serves from it. Each either happens whole or not at all."""

    engine: str

    def facts(self) -> Facts: ...

    def save(self, target: Path) -> None: ...

    def restore(self, source: Path, same_tables: bool) -> None: ...

    def empty(self, unless_sending: bool = False) -> bool: ...

    def close(self) -> None: ...


class SqliteFile:
    """SQLite in a directory of this host."""

    engine = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path

    def facts(self) -> Facts:
        return sqlite.facts(self.path)

    def save(self, target: Path) -> None:
        sqlite.save(self.path, target)

    def restore(self, source: Path, same_tables: bool) -> None:
        sqlite.restore(source, self.path)

    def empty(self, unless_sending: bool = False) -> bool:
        return sqlite.empty(self.path, unless_sending)

    def close(self) -> None:
        """Nothing stays open."""


class Postgres:
    """The environment's own PostgreSQL."""

    engine = "postgres"

    def __init__(self, container: str) -> None:
        self.container = container
        self._session = postgres.Session(container)

    def facts(self) -> Facts:
        return postgres.facts(self.container)

    def save(self, target: Path) -> None:
        postgres.save(self.container, target)

    def restore(self, source: Path, same_tables: bool) -> None:
        postgres.restore(self.container, source, same_tables)

    def empty(self, unless_sending: bool = False) -> bool:
        return self._session.empty(unless_sending)

    def close(self) -> None:
        self._session.close()


def of(found: Found, database: str) -> Live:
    """The live database of an environment.

    Args:
        found: the environment.
        database: what kratosctl.yaml says it is: sqlite, postgres, memory or external.

    Raises:
        ChoiceImpossible: a memory or external database, or SQLite in a volume, has no snapshots here.
        NotRunning: PostgreSQL does not run, or there is no database yet.
    """
    if database == "postgres":
        return Postgres(found.running("postgres").name)
    if database == "sqlite":
        file = found.workspace.home / "database" / "db.sqlite"
        if file.exists():
            return SqliteFile(file)
        raise NotRunning(
            f"environment {found.name} has no database here",
            "none was made, or it lies in a volume of a remote engine",
            f"make it: kratosctl up {found.name}",
        )
    raise ChoiceImpossible(
        f"a database of kind {database} has no snapshots",
        "it dies with Kratos" if database == "memory" else "it is not kratosctl's to change",
        "use --database sqlite or postgres" if database == "memory" else "use that database's own backups",
    )

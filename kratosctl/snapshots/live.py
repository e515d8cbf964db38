"""The database of an environment as it lies now, whichever engine keeps it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from kratosctl.database import sqlite_volume
from kratosctl.engine import program, reading
from kratosctl.errors import ChoiceImpossible, DatabaseDamaged, NotRunning
from kratosctl.files.workspace import STOPPED_NOTE
from kratosctl.running import Found
from kratosctl.snapshots import postgres, sqlite
from kratosctl.snapshots.facts import Facts


class Live(Protocol):
    """What can be done with a database while Kratos serves from it. Each either happens whole or not at all.

    Whoever saves or empties closes it.
    """

    engine: str

    def facts(self) -> Facts: ...

    def save(self, target: Path, hold: bool = False) -> Facts:
        """Copies it. Held, nobody else writes until it is restored, emptied or closed: what is changed then is what was
        saved, and nothing that came in between is lost."""
        ...

    def keep_damaged(self, target: Path) -> None: ...

    def restore(self, source: Path, same_tables: bool) -> None: ...

    def empty(self, unless_sending: bool = False) -> bool: ...

    def close(self) -> None: ...


class SqliteFile:
    """SQLite in a directory of this host."""

    engine = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: sqlite3.Connection | None = None

    def facts(self) -> Facts:
        return sqlite.facts(self.path)

    def save(self, target: Path, hold: bool = False) -> Facts:
        if hold:
            self._held = sqlite.hold(self.path)
        return sqlite.save(self.path, target, self._held)

    def keep_damaged(self, target: Path) -> None:
        sqlite.keep_damaged(self.path, target)

    def restore(self, source: Path, same_tables: bool) -> None:
        try:
            sqlite.restore(source, self.path, self._held)
        except DatabaseDamaged:
            if same_tables:
                raise
            self.close()
            sqlite.replace_damaged(source, self.path)
        finally:
            self.close()

    def empty(self, unless_sending: bool = False) -> bool:
        try:
            return sqlite.empty(self.path, unless_sending, self._held)
        finally:
            self.close()

    def close(self) -> None:
        held, self._held = self._held, None
        if held:
            held.close()


class SqliteVolume:
    """SQLite in a volume of an engine in a virtual machine. Kratos stands still while it is copied, and is stopped and
    started where its content is replaced: a second, not milliseconds.

    Args:
        found: the environment.
        kratos: its container, running or not.
    """

    engine = "sqlite"

    def __init__(self, found: Found, kratos: str) -> None:
        self._found, self._kratos = found, kratos
        self._standing, self._starts_again = contextlib.ExitStack(), True

    def facts(self) -> Facts:
        with self._copied() as file:
            return sqlite.facts(file)

    def save(self, target: Path, hold: bool = False) -> Facts:
        if hold:
            self._standing.enter_context(self._stopped())
        with self._copied() as file:
            return sqlite.save(file, target)

    def keep_damaged(self, target: Path) -> None:
        with self._copied() as file:
            sqlite.keep_damaged(file, target)

    def restore(self, source: Path, same_tables: bool) -> None:
        sqlite.facts(source, copy=True)
        # whoever brings a Kratos that knows other tables starts that
        self._starts_again = same_tables
        with self._standing, self._stopped():
            sqlite_volume.put(self._kratos, source)

    def empty(self, unless_sending: bool = False) -> bool:
        if unless_sending:
            with self._copied() as file:
                if not sqlite.empty(file, unless_sending=True):
                    return False
        with self._standing, self._stopped(), self._copied() as file:
            sqlite.empty(file)
            sqlite_volume.put(self._kratos, file)
        return True

    @contextlib.contextmanager
    def _copied(self) -> Iterator[Path]:
        """A copy for a block, of which people know nothing: what is wrong with it is so with the database."""
        with sqlite_volume.copied(self._kratos) as file:
            try:
                yield file
            except DatabaseDamaged as error:
                database = f"the database in volume {sqlite_volume.name_of(self._found.state.project)}"
                error.what = error.what.replace(str(file), database)
                raise

    @contextlib.contextmanager
    def _stopped(self) -> Iterator[None]:
        """Stops Kratos for a block, if it runs. A note has the next command start it where this one is killed."""
        if reading.state(self._kratos)[0] != "running":
            yield
            return
        workspace = self._found.workspace
        workspace.write_note(STOPPED_NOTE, {})
        try:
            program.docker("stop", self._kratos)
            yield
        finally:
            if self._starts_again:
                reading.start([self._kratos])
                self._found.wait_until_ready()
            workspace.remove_note(STOPPED_NOTE)

    def close(self) -> None:
        self._standing.close()


class Postgres:
    """The environment's own PostgreSQL."""

    engine = "postgres"

    def __init__(self, container: str) -> None:
        self.container = container
        self._session = postgres.Session(container)

    def facts(self) -> Facts:
        with contextlib.closing(postgres.Session(self.container)) as session:
            return session.facts()

    def save(self, target: Path, hold: bool = False) -> Facts:
        if hold:
            self._session.hold()
        # each is a process that mostly waits; whoever saves before emptying has his psql by then
        facts, _ = reading.together(self._session.facts, lambda: postgres.save(self.container, target))
        found: Facts = facts
        return found

    def keep_damaged(self, target: Path) -> None:
        """PostgreSQL never calls its data damaged: it does not start then."""

    def restore(self, source: Path, same_tables: bool) -> None:
        self._session.restore(source, same_tables)

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
        ChoiceImpossible: a memory or external database has no snapshots; or Kratos serves from one of another kind.
        NotRunning: PostgreSQL does not run, or there is no database yet, or no container that mounts its volume.
    """
    kratos = found.container("kratos")
    serves = kratos.labels.get("database", database) if kratos else database
    if serves != database:
        raise ChoiceImpossible(
            f"Kratos of environment {found.name} serves from {serves}, and is asked to serve from {database}",
            "which of the two databases is meant cannot be told",
            f"bring it there: kratosctl up {found.name}; or ask for `database: {serves}` in kratosctl.yaml",
        )
    if database == "postgres":
        return Postgres(found.running("postgres").name)
    if database == "sqlite":
        file = found.workspace.sqlite
        if file.exists():
            return SqliteFile(file)
        project = found.state.project
        in_volume = sqlite_volume.name_of(project) in reading.project_volumes(project)
        if in_volume and kratos:
            return SqliteVolume(found, kratos.name)
        why = "nothing runs that can read its volume" if in_volume else "none was made"
        raise NotRunning(f"environment {found.name} has no database here", why, f"start it: kratosctl up {found.name}")
    raise ChoiceImpossible(
        f"a database of kind {database} has no snapshots",
        "it dies with Kratos" if database == "memory" else "it is not kratosctl's to change",
        "use --database sqlite or postgres" if database == "memory" else "use that database's own backups",
    )

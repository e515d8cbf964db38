"""Snapshots of a SQLite database in a directory of this host, taken and put back by SQLite's backup API.

The API copies under SQLite's own locks, in one transaction of the file that is written: a Kratos that runs sees the old
data until it sees the new, and a process killed in between leaves a journal from which the old data comes back.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from kratosctl.errors import (
    DatabaseDamaged,
    DatabaseHeld,
    DatabaseUnreachable,
    DiskFull,
    KratosctlError,
    SnapshotDamaged,
)
from kratosctl.files.atomic import said_plainly, sync
from kratosctl.snapshots.facts import KEPT_TABLES, SENDING, Facts

_BUSY = 10.0  # seconds to wait for another writer
# SQLite's word for what is no database, a broken one, and one without Kratos' tables
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)
# what lies beside a database, and belongs to it alone
_BESIDE = ("-journal", "-wal", "-shm")
_MAILS_UNDER_WAY = f"SELECT count(*) FROM courier_messages WHERE {SENDING}"


def hold(database: Path) -> sqlite3.Connection:
    """Has all who write wait until the connection is closed, and what is done with it is done; who reads goes on.

    Raises:
        DatabaseHeld: somebody held the database locked for too long.
        DatabaseDamaged: it is no database of Kratos'.
    """
    connection = _connected(database)
    try:
        connection.execute("BEGIN IMMEDIATE")
        # nothing can be copied into a database within a transaction: so the lock outlives this one
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        # COMMIT would lock out who reads, too
        connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _said(database, error, database) from error
    return connection


def save(database: Path, target: Path, held: sqlite3.Connection | None = None) -> Facts:
    """Copies a database, however busy it is, to a file, and tells what that holds.

    Args:
        database: the file.
        target: the copy.
        held: what `hold` returned of it, where it is held; likewise below.

    Raises:
        DiskFull: there is no room for the file.
        DatabaseHeld: somebody held the database locked for too long.
        DatabaseDamaged: it is no database of Kratos'.
    """
    try:
        with _opened(database, held=held) as source, _opened(target) as copy:
            _copy(source, copy)
            return _facts(copy)
    except sqlite3.DatabaseError as error:
        raise _said(database, error, target) from error


def restore(source: Path, database: Path, held: sqlite3.Connection | None = None) -> None:
    """Puts a copy in place of a database's content.

    Raises:
        SnapshotDamaged: the copy is no database.
        DatabaseHeld: somebody held the database locked for too long.
        DatabaseDamaged: what is there is no database.
        DiskFull: there is no room for it. Nothing was changed.
    """
    facts(source, copy=True)
    try:
        with _opened(source, copy=True) as kept, _opened(database, held=held) as live:
            _copy(kept, live)
    except sqlite3.DatabaseError as error:
        raise _said(database, error, database) from error


def keep_damaged(database: Path, target: Path) -> None:
    """Copies a database that SQLite does not read, with what lies beside it, to a directory that is made for it.

    Raises:
        DiskFull: nothing was changed.
    """
    with said_plainly(target):
        target.parent.mkdir(exist_ok=True)
        target.mkdir(mode=0o700)
        try:
            for suffix in ("", *_BESIDE):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{database}{suffix}", target / f"{database.name}{suffix}")
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise


def replace_damaged(source: Path, database: Path) -> None:
    """Puts a copy in place of a database that SQLite does not read; nobody has that open.

    Raises:
        SnapshotDamaged: the copy is no database.
        DiskFull: nothing was changed.
    """
    facts(source, copy=True)
    # by this name, whoever holds the environment's lock next removes what is left of it
    scratch = database.with_name(f".{database.name}.tmp")
    with said_plainly(database):
        try:
            shutil.copyfile(source, scratch)
            sync(scratch)
            for suffix in _BESIDE:
                Path(f"{database}{suffix}").unlink(missing_ok=True)
            scratch.replace(database)
        finally:
            scratch.unlink(missing_ok=True)


def facts(database: Path, copy: bool = False) -> Facts:
    """What a database holds.

    Args:
        database: the file.
        copy: nobody writes to it, and nothing must be written beside it.

    Raises:
        SnapshotDamaged: the copy is no database of Kratos'.
        DatabaseDamaged: the live one is none.
        DatabaseHeld: somebody held it locked for too long.
    """
    try:
        with _opened(database, copy) as connection:
            return _facts(connection)
    except sqlite3.DatabaseError as error:
        if copy:
            raise SnapshotDamaged(f"{database} is no database of Kratos'", str(error)) from error
        raise _said(database, error, database) from error


def refuse_more_than_tables(copy: Path) -> None:
    """Refuses a copy from elsewhere that does more than hold rows: Kratos makes tables and indexes, and nothing else.

    A trigger would stay across every reset, and act for whoever signs up later; to read a view may take for ever.

    Raises:
        SnapshotDamaged: it holds something else, or is no database.
    """
    ways = ("CREATE TABLE %", "CREATE INDEX %", "CREATE UNIQUE INDEX %")
    other = "SELECT name FROM sqlite_master WHERE NOT (sql LIKE ? OR sql LIKE ? OR sql LIKE ?)"
    try:
        with _opened(copy, copy=True) as connection:
            found = connection.execute(other, ways).fetchone()
    except sqlite3.DatabaseError as error:
        raise SnapshotDamaged(f"{copy} is no database of Kratos'", str(error)) from error
    if found:
        raise SnapshotDamaged(
            f"{copy} is no database of Kratos'", f"it holds more than tables and indexes: {str(found[0])[:60]!a}"
        )


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copies all there is. By itself `backup` tries a locked database for ever, and hears no Ctrl-C meanwhile."""
    end = time.monotonic() + _BUSY

    def give_up(status: int, _left: int, _all: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() >= end:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = status
            raise error

    source.backup(target, progress=give_up)


def _facts(connection: sqlite3.Connection) -> Facts:
    (migrations,) = connection.execute("SELECT count(*) FROM schema_migration").fetchone()
    (identities,) = connection.execute("SELECT count(*) FROM identities").fetchone()
    network = connection.execute("SELECT id FROM networks LIMIT 1").fetchone()
    return Facts(migrations, identities, str(network[0]) if network else "")


def empty(database: Path, unless_sending: bool = False, held: sqlite3.Connection | None = None) -> bool:
    """Takes a database back to what it was when Kratos first served from it, in one transaction.

    Args:
        database: the file.
        unless_sending: change nothing while Kratos is sending mail.
        held: see `save`.

    Returns:
        Whether it was emptied.

    Raises:
        DatabaseHeld: somebody held the database locked for too long.
        DatabaseDamaged: it is no database of Kratos'.
        DiskFull: there is no room for its journal. Nothing was changed.
    """
    try:
        with _opened(database, held=held) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("BEGIN IMMEDIATE")
            if unless_sending and connection.execute(_MAILS_UNDER_WAY).fetchone()[0]:
                return False
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                if table not in KEPT_TABLES and not table.startswith("sqlite_"):
                    connection.execute(f'DELETE FROM "{table}"')
            connection.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        raise _said(database, error, database) from error
    return True


def forget_mail(database: Path) -> None:
    """Deletes the messages of a database that nobody serves from, sent ones and those that wait.

    Raises:
        SnapshotDamaged: it is no database of Kratos'.
    """
    try:
        with _opened(database) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("DELETE FROM courier_messages")
    except sqlite3.Error as error:
        raise SnapshotDamaged(f"{database} is no database of Kratos'", str(error)) from error


def _said(database: Path, error: sqlite3.DatabaseError, written: Path) -> KratosctlError:
    # the low byte is the kind of error, the others say more of it; text that is not UTF-8 is an error without one
    kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if kind == sqlite3.SQLITE_FULL:
        fix = "free some space, then run the same command again: nothing was changed"
        return DiskFull(f"no space left to write {written}", str(error), fix)
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        fix = "nothing was changed; stop what writes to it, then try again"
        return DatabaseHeld(f"{database} stayed locked for {_BUSY:g} s", str(error), fix)
    if kind in _DAMAGED:
        way = "put a snapshot in its place: kratosctl snapshot restore NAME --env {env}"
        fix = f"{way}; or begin anew: kratosctl down {{env}} --volumes"
        return DatabaseDamaged(f"{database} is damaged", str(error), fix)
    return DatabaseUnreachable(f"{database} cannot be used", str(error), "nothing was changed; see `kratosctl doctor`")


@contextlib.contextmanager
def _opened(path: Path, copy: bool = False, held: sqlite3.Connection | None = None) -> Iterator[sqlite3.Connection]:
    """A connection for a block; the one that holds the database stays open. A live database is never opened for reading
    alone: a writer that was killed leaves a journal, and the next to open the file has to take back what it says."""
    if held:
        yield held
        return
    connection = _connected(path, "?mode=ro&immutable=1" if copy else "")
    try:
        yield connection
    finally:
        connection.close()


def _connected(path: Path, how: str = "") -> sqlite3.Connection:
    return sqlite3.connect(path.as_uri() + how, uri=True, timeout=_BUSY, isolation_level=None)

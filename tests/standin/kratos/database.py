"""SQLite and PostgreSQL behind one small door: transactions on pooled connections, and Kratos' retries."""

from __future__ import annotations

import importlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

from .log import Logger
from .release import current, has_sqlite

# Kratos gives up after five minutes; it waits 0.5 s at first and up to a minute between tries.
_PATIENCE = 300.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0

# What Kratos takes out of a DSN before the driver sees it.
_POOL_OPTIONS = {"max_conns", "max_idle_conns", "max_conn_lifetime", "max_conn_idle_time"}


class Permanent(Exception):
    """Trying again would not help."""


class Unavailable(Exception):
    """The database cannot be used now; `step` is what Kratos was doing."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(reason)
        self.step = step


class Database:
    """Statements are written with `?` for a parameter, and `{uuid}` and `{json}` for types that differ."""

    def __init__(self, dialect: str, open_connection: Callable[[], Any], errors: type[Exception], limit: int) -> None:
        self.dialect = dialect
        self.errors = errors
        self._open = open_connection
        self._slots = threading.BoundedSemaphore(limit)
        self._idle: list[Any] = []

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commit at the end, roll back on any exception; a broken connection is thrown away."""
        with self._slots:
            connection = self._idle.pop() if self._idle else self._open()
            try:
                cursor = connection.cursor()
                if self.dialect == "sqlite":
                    cursor.execute("BEGIN")
                yield Transaction(cursor, self.dialect)
                connection.commit()
            except BaseException:
                self._give_back_after_failure(connection)
                raise
            self._idle.append(connection)

    def _give_back_after_failure(self, connection: Any) -> None:
        try:
            connection.rollback()
        except self.errors:
            connection.close()
            return
        self._idle.append(connection)


class Transaction:
    def __init__(self, cursor: Any, dialect: str) -> None:
        self._cursor = cursor
        self._dialect = dialect

    def run(self, statement: str, *values: Any) -> int:
        """Execute and return the number of rows it touched."""
        if self._dialect == "sqlite":
            self._cursor.execute(_typed(statement, uuid="TEXT", json="TEXT"), values)
        else:
            self._cursor.execute(_typed(statement, uuid="uuid", json="jsonb").replace("?", "%s"), values or None)
        return int(self._cursor.rowcount)

    def insert(self, table: str, **values: Any) -> None:
        marks = ", ".join("?" * len(values))
        self.run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", *values.values())

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        self.run(statement, *values)
        return list(self._cursor.fetchall())

    def columns(self, table: str) -> list[str]:
        self.run(f"SELECT * FROM {table} LIMIT 0")
        return [column[0] for column in self._cursor.description]

    def row(self, statement: str, *values: Any) -> tuple[Any, ...] | None:
        found = self.rows(statement, *values)
        return found[0] if found else None


def connect(dsn: str) -> Database:
    """A database whose first connection has been opened."""
    if dsn == "memory":
        dsn = "sqlite://file::memory:?_fk=true&cache=shared"
    scheme, _, rest = dsn.partition("://")
    if scheme == "sqlite":
        return _sqlite(rest)
    if scheme in {"postgres", "postgresql"}:
        return _postgres(rest)
    if current().since("v25.4.0"):
        raise Unavailable("connect to database", f"unsupported dialect '{scheme}'")
    raise Permanent("dsn value requested an unknown driver")


def retrying(action: Callable[[], Any], log: Logger) -> Any:
    """Do it again while the database is not usable, as long as Kratos does."""
    deadline = time.monotonic() + _PATIENCE
    pause = _FIRST_PAUSE
    while True:
        try:
            return action()
        except Unavailable as error:
            log.warning(f"Unable to {error.step}, retrying.", error={"message": str(error)})
            if time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _typed(statement: str, *, uuid: str, json: str) -> str:
    return statement.replace("{uuid}", uuid).replace("{json}", json)


def _sqlite(rest: str) -> Database:
    if not has_sqlite():
        reason = "could not open database connection: sqlite3 support was not compiled into the binary"
        raise Unavailable("open database", reason)
    path, _, query = rest.partition("?")
    options = dict(parse_qsl(query))
    uri = path if path.startswith("file:") else f"file:{path}"
    uri += "?" + urlencode({name: value for name, value in options.items() if not name.startswith("_")})

    def open_connection() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        for option, pragma, default in (
            ("_fk", "foreign_keys", "false"),
            ("_busy_timeout", "busy_timeout", "5000"),
            ("_journal", "journal_mode", "delete"),
            ("_sync", "synchronous", "full"),
        ):
            connection.execute(f"PRAGMA {pragma} = {options.get(option, default)}")
        return connection

    return _opened(Database("sqlite", open_connection, sqlite3.Error, limit=1))


def _postgres(rest: str) -> Database:
    # Only where it is used, for it takes as long to import as everything else together.
    psycopg2 = importlib.import_module("psycopg2")
    address, _, query = rest.partition("?")
    options = [(name, value) for name, value in parse_qsl(query) if name not in _POOL_OPTIONS]
    dsn = f"postgresql://{address}?{urlencode([*options, ('connect_timeout', '5')])}"
    return _opened(Database("postgres", lambda: psycopg2.connect(dsn), psycopg2.Error, limit=8))


def _opened(database: Database) -> Database:
    try:
        with database.transaction() as transaction:
            transaction.row("SELECT 1")
    except database.errors as error:
        raise Unavailable("ping database", str(error).strip()) from error
    return database

"""How many identities a seat has, asked as seldom as will do."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kratosctl.database import identity_count
from kratosctl.engine.objects import Container
from kratosctl.engine.window import Window
from kratosctl.errors import KratosctlError

_SELDOM = 30.0  # seconds between two questions to one PostgreSQL


class Count:
    """The identities of one seat: of an SQLite file whenever it changed, of PostgreSQL when it is asked for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.known: int | None = None
        self._clock = clock
        self._marks: tuple[object, ...] = ()
        self._asked: float | None = None

    def of_file(self, database: Path) -> None:
        """Counts those of an SQLite file, where it is not as it was."""
        marks = tuple(mark(path) for path in (database, database.with_name(database.name + "-wal")))
        if marks == self._marks:
            return
        if marks[0] is None:
            self.known, self._marks = None, marks
            return
        # one that is being written to is looked at again the next time
        with contextlib.suppress(sqlite3.Error):
            self.known = identity_count.in_file(database, 0.2)
            self._marks = marks

    @property
    def is_due(self) -> bool:
        """PostgreSQL was not asked for a while."""
        return self._asked is None or self._clock() - self._asked >= _SELDOM

    def of_postgres(self, window: Window, containers: Sequence[Container]) -> None:
        """Counts those of a PostgreSQL that runs: a process inside its container."""
        running = [one for one in containers if one.service == "postgres" and one.state == "running"]
        if running:
            self._asked = self._clock()
            # one that hangs is asked again later; its seat shows what was counted last
            with contextlib.suppress(KratosctlError):
                said = window.run(running[0].id, identity_count.PSQL).strip()
                self.known = int(said) if said.isdigit() else self.known

    def forget(self) -> None:
        """What is known may be wrong: the next look asks."""
        self._marks, self._asked = (), None


def mark(path: Path) -> tuple[int, int, int] | None:
    """Changes whenever a file does; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

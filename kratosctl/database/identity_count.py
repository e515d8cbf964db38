"""How many identities a database holds, read beside a Kratos that serves from it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

QUERY = "SELECT count(*) FROM identities"
# in the container of a PostgreSQL; whoever holds the table for herself is not waited for
PSQL = ("psql", "-U", "kratos", "-d", "kratos", "-qAt", "-c", "SET lock_timeout = '1s'", "-c", QUERY)


def in_file(database: Path, seconds: float) -> int:
    """Counts them.

    Args:
        database: the file, by its absolute path, whatever that holds which means something in a URI.
        seconds: how long to wait for somebody who writes.

    Raises:
        sqlite3.Error: there is no such file, it is no such database, or it stayed locked.
    """
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=seconds)
    try:
        return int(connection.execute(QUERY).fetchone()[0])
    finally:
        connection.close()

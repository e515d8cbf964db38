"""Counting who would be lost, wherever the database lies."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kratosctl.database import identity_count


@pytest.mark.parametrize("name", ["app", "100% mine", "what?", "c#", "a?mode=rwc&b#c%20"])
def test_identities_are_counted_wherever_the_database_lies(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir()
    connection = sqlite3.connect(directory / "db.sqlite")
    with connection:
        connection.execute("CREATE TABLE identities (id)")
        connection.executemany("INSERT INTO identities VALUES (?)", [(1,), (2,)])
    connection.close()

    assert identity_count.in_file(directory / "db.sqlite", 1) == 2


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.Error):
        identity_count.in_file(tmp_path / "db.sqlite", 1)

    assert not list(tmp_path.iterdir())

"""What is done to a SQLite database beside copying it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kratosctl.errors import SnapshotDamaged
from kratosctl.snapshots import sqlite


def test_a_clone_sends_no_mail_of_the_environment_it_was_made_from(tmp_path: Path) -> None:
    database = tmp_path / "db.sqlite"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(
            "CREATE TABLE identities (id); INSERT INTO identities VALUES (1);"
            "CREATE TABLE courier_messages (id PRIMARY KEY, status); INSERT INTO courier_messages VALUES (1, 1);"
            "CREATE TABLE courier_message_dispatches (message_id REFERENCES courier_messages (id) ON DELETE CASCADE);"
            "INSERT INTO courier_message_dispatches VALUES (1);"
        )
    sqlite.forget_mail(database)
    with closing(sqlite3.connect(database)) as connection:
        left = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("identities", "courier_messages", "courier_message_dispatches")
        ]
    assert left == [1, 0, 0]


def test_what_is_no_database_of_kratos_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "db.sqlite").write_text("no")
    with pytest.raises(SnapshotDamaged):
        sqlite.forget_mail(tmp_path / "db.sqlite")

"""What is done to a SQLite database beside copying it."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kratosctl.database import sqlite_volume
from kratosctl.errors import DatabaseDamaged, DatabaseUnreachable, DiskFull, SnapshotDamaged
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.running import Found
from kratosctl.snapshots import sqlite
from kratosctl.snapshots.live import SqliteFile, SqliteVolume


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


KRATOS = (
    "CREATE TABLE schema_migration (version); INSERT INTO schema_migration VALUES (1);"
    "CREATE TABLE identities (id); CREATE TABLE networks (id); INSERT INTO networks VALUES ('n');"
    "CREATE TABLE courier_messages (id, status);"
)


def database(path: Path, people: int = 0) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(KRATOS)
        connection.executemany("INSERT INTO identities VALUES (?)", [(number,) for number in range(people)])
    return path


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def no_database(path: Path) -> None:
    path.write_bytes(b"no" * 5000)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize("damage", [nothing, no_database, cut_short])
def test_a_damaged_database_is_said_to_be_damaged_with_the_way_out(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(database(tmp_path / "db.sqlite", 1000))
    for act in (
        lambda: sqlite.save(tmp_path / "db.sqlite", tmp_path / "saved"),
        lambda: sqlite.facts(tmp_path / "db.sqlite"),
        lambda: sqlite.empty(tmp_path / "db.sqlite", unless_sending=True),
    ):
        with pytest.raises(DatabaseDamaged, match="snapshot restore NAME"):
            act()


def test_a_database_whose_text_is_none_is_said_to_be_damaged(tmp_path: Path) -> None:
    with closing(sqlite3.connect(database(tmp_path / "db.sqlite"))) as connection, connection:
        connection.execute("UPDATE networks SET id = CAST(x'ff' AS TEXT)")
    with pytest.raises(DatabaseDamaged, match="snapshot restore NAME"):
        sqlite.facts(tmp_path / "db.sqlite")


@pytest.mark.parametrize("holds", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_database_that_somebody_keeps_locked_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holds: str
) -> None:
    """As a database browser does from the first edit on until it is told to write."""
    monkeypatch.setattr(sqlite, "_BUSY", 0.1)
    live, copy = database(tmp_path / "db.sqlite", 3), database(tmp_path / "copy", 1)
    with closing(sqlite3.connect(live, isolation_level=None)) as other:
        other.execute(holds)
        with pytest.raises(DatabaseUnreachable, match="stayed locked"):
            sqlite.restore(copy, live)
        if holds == "BEGIN EXCLUSIVE":
            with pytest.raises(DatabaseUnreachable, match="stayed locked"):
                sqlite.save(live, tmp_path / "saved")

    assert sqlite.facts(live).identities == 3
    sqlite.restore(copy, live)
    assert sqlite.facts(live).identities == 1


@pytest.mark.parametrize("damage", [nothing, no_database, cut_short])
def test_a_snapshot_takes_the_place_of_a_damaged_database(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    live = SqliteFile(database(tmp_path / "db.sqlite", 1000))
    damage(live.path)
    (tmp_path / "db.sqlite-journal").write_bytes(b"of what was there")
    broken = live.path.read_bytes()

    live.keep_damaged(tmp_path / "kept")
    live.restore(database(tmp_path / "snapshot", 2), same_tables=False)

    assert live.facts().identities == 2
    assert (tmp_path / "kept" / "db.sqlite").read_bytes() == broken
    assert (tmp_path / "kept" / "db.sqlite-journal").read_bytes() == b"of what was there"


def test_a_full_disk_leaves_a_damaged_database_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = database(tmp_path / "db.sqlite")
    no_database(broken)
    (tmp_path / "db.sqlite-journal").write_bytes(b"of what was there")
    snapshot = database(tmp_path / "snapshot", 2)
    was = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(DiskFull):
        sqlite.replace_damaged(snapshot, broken)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == was


def test_a_damaged_database_in_a_volume_is_called_by_the_name_people_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def copied(kratos: str) -> Iterator[Path]:
        nothing(tmp_path / "db.sqlite")
        yield tmp_path / "db.sqlite"

    monkeypatch.setattr(sqlite_volume, "copied", copied)
    found = Found(Workspace(tmp_path, "dev"), State(project="app-dev-1"), ())
    with pytest.raises(DatabaseDamaged) as caught:
        SqliteVolume(found, "kratos").facts()
    assert caught.value.lines()[0] == "the database in volume app-dev-1_sqlite is damaged"


def test_where_a_damaged_database_cannot_be_kept_no_part_of_it_takes_the_room_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "db.sqlite"
    damaged.write_bytes(b"no" * 5000)

    def full(source: str, target: Path) -> None:
        target.write_bytes(b"no")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(DiskFull):
        sqlite.keep_damaged(damaged, tmp_path / "damaged-1")

    assert list(tmp_path.iterdir()) == [damaged]

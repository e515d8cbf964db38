"""What `snapshot restore --undo` goes back to, where what came last did not work."""

from __future__ import annotations

from pathlib import Path

import pytest

from kratosctl.console import Console
from kratosctl.errors import DatabaseUnreachable, DiskFull
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.running import Found
from kratosctl.snapshots import putting_back, resetting, restoring, saving, store
from kratosctl.snapshots.live import SqliteFile
from kratosctl.snapshots.subject import Subject
from tests.unit import stacks
from tests.unit.test_snapshots_sqlite import database

QUIET = Console(quiet=True)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """An environment with a database, a snapshot of it, and nothing that runs."""
    workspace = Workspace(tmp_path, "dev")
    (workspace.home / "database").mkdir(parents=True)
    database(workspace.home / "database" / "db.sqlite", 3)
    subject = Subject(Found(workspace, State(), ()), stacks.environment())
    saving.save(subject, "three", "", False, QUIET)
    return subject


def safety(subject: Subject) -> list[str]:
    found = store.listing(subject.found.workspace)
    return [snapshot.safety_before for snapshot in found if snapshot.safety_before]


def test_a_restore_that_changed_nothing_is_nothing_to_undo(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    resetting.reset(subject, None, "", QUIET)

    def full(live: SqliteFile, source: Path, same_tables: bool) -> None:
        raise DiskFull("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteFile, "restore", full)
        with pytest.raises(DiskFull):
            restoring.restore(subject, "three", QUIET, False, {})

    assert safety(subject) == ["reset"]
    restoring.restore(subject, None, QUIET, True, {})
    assert subject.live.facts().identities == 3


def test_a_restore_that_may_have_changed_something_can_be_undone(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = SqliteFile.restore

    def stopped(live: SqliteFile, source: Path, same_tables: bool) -> None:
        was(live, source, same_tables)
        raise DatabaseUnreachable("it stopped meanwhile")

    resetting.reset(subject, None, "", QUIET)
    monkeypatch.setattr(SqliteFile, "restore", stopped)
    with pytest.raises(DatabaseUnreachable):
        restoring.restore(subject, "three", QUIET, False, {})

    assert safety(subject) == ["reset", "restore"]


def test_what_undid_itself_is_nothing_to_undo(subject: Subject) -> None:
    def interrupted() -> None:
        with putting_back.whole_or_undone(subject, saving.save_safety(subject, "seed"), "seed"):
            subject.live.empty()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert subject.live.facts().identities == 3
    assert safety(subject) == []

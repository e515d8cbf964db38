"""Which snapshots stay, and in which order they were made."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from kratosctl.errors import NameInvalid
from kratosctl.files.workspace import Workspace
from kratosctl.snapshots import store
from kratosctl.snapshots.store import Snapshot


def save(workspace: Workspace, name: str, created: str = "2026-01-01T00:00:00.000Z", release: str = "v26.2.0") -> None:
    def fill(content: Path) -> Snapshot:
        content.write_text(name)
        return Snapshot(name, "sqlite", release, 1, "network", 0, created)

    store.add(workspace, name, fill)


def names(workspace: Workspace) -> list[str]:
    return [snapshot.name for snapshot in store.listing(workspace)]


def test_many_resets_leave_the_way_back_from_an_upgrade(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "dev")
    save(workspace, "before-upgrade-20260101-000000", "2026-01-01T00:00:00.000Z")
    for number in range(1, 8):
        save(workspace, f"before-reset-20260101-00000{number}", f"2026-01-01T00:00:0{number}.000Z")
        store.keep_last_safety(workspace, "reset", 5, "")
    assert names(workspace) == [
        "before-upgrade-20260101-000000",
        *(f"before-reset-20260101-00000{number}" for number in range(3, 8)),
    ]


def test_the_one_that_is_to_be_restored_stays_however_old(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "dev")
    for number in range(4):
        save(workspace, f"before-restore-20260101-00000{number}", f"2026-01-01T00:00:0{number}.000Z")
    store.keep_last_safety(workspace, "restore", 2, "before-restore-20260101-000000")
    assert names(workspace) == [f"before-restore-20260101-00000{number}" for number in (0, 2, 3)]


def test_what_people_saved_themselves_is_never_removed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "dev")
    for name in ("mine", "before-lunch-20260101-000000", "before-reset"):
        save(workspace, name)
    for occasion in get_args(store.Occasion):
        store.keep_last_safety(workspace, occasion, 0, "")
    assert sorted(names(workspace)) == ["before-lunch-20260101-000000", "before-reset", "mine"]


@pytest.mark.parametrize(
    "name",
    [
        *(f"before-{occasion}-20260101-000000" for occasion in get_args(store.Occasion)),
        "before-reset-20260101-000000-2",
        "before-the-lesson",
        "before-workshop-down",
        "seeded-0123456789abcdef",
    ],
)
def test_nobody_gives_a_snapshot_a_name_under_which_it_would_be_removed_or_taken_for_another(name: str) -> None:
    with pytest.raises(NameInvalid, match="kratosctl's own"):
        store.check_given(name)
    assert store.check_given(f"my-{name}") == f"my-{name}"


def test_two_of_one_second_are_listed_as_they_were_made(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "dev")
    save(workspace, "before-restore-20260101-000000", "2026-01-01T00:00:00.100Z")
    save(workspace, "before-reset-20260101-000000", "2026-01-01T00:00:00.900Z")
    assert names(workspace) == ["before-restore-20260101-000000", "before-reset-20260101-000000"]


def test_a_snapshot_that_was_renamed_by_hand_has_its_new_name_and_stays(tmp_path: Path) -> None:
    """There is no command for that, and `mv` is one that everybody knows."""
    workspace = Workspace(tmp_path, "dev")
    save(workspace, "before-reset-20260101-000000")
    (store.directory(workspace) / "before-reset-20260101-000000").rename(store.directory(workspace) / "keep-this")

    store.keep_last_safety(workspace, "reset", 0, "")

    assert names(workspace) == ["keep-this"]

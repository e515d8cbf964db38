"""Snapshots are files: they are shown, handed on and removed without an engine. One goes only when somebody says so,
and not while something is to be undone with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kratosctl.commands import upgrade
from kratosctl.files.workspace import CONTENT_NOTE, LESSON_NOTE, Workspace
from kratosctl.main import main
from kratosctl.snapshots import store
from tests.unit.test_snapshot_store import save


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An environment with a snapshot, where there is no docker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    (tmp_path / "kratosctl.yaml").write_text("environments:\n  dev: {}\n")
    workspace = Workspace(tmp_path, "dev")
    save(workspace, "one")
    return workspace


def names(workspace: Workspace) -> list[str]:
    return [snapshot.name for snapshot in store.listing(workspace)]


def test_it_is_asked_for_and_told_what_it_holds(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["snapshot", "remove", "one"]) == 38

    said = capsys.readouterr().err
    assert "Delete the snapshot one, which holds 0 identities? It cannot be brought back." in said
    assert "--yes" in said
    assert names(workspace) == ["one"]


def test_whoever_says_yes_is_not_asked(workspace: Workspace) -> None:
    assert main(["snapshot", "remove", "one", "--yes"]) == 0
    assert names(workspace) == []


@pytest.mark.parametrize("words", [("list",), ("show", "one"), ("export", "one")])
def test_where_the_engine_is_broken_one_still_sees_and_hands_on_what_one_has(
    workspace: Workspace, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["snapshot", *words]) == 0
    assert "one" in capsys.readouterr().out


def cut_short(facts: Path) -> None:
    facts.write_text("{")


@pytest.mark.parametrize("damage", [cut_short, Path.unlink])
def test_a_damaged_one_can_go(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None]
) -> None:
    damage(store.directory(workspace) / "one" / store.FACTS)

    assert main(["snapshot", "remove", "one"]) == 38
    assert "Delete the snapshot one? " in capsys.readouterr().err

    assert main(["snapshot", "remove", "one", "--yes"]) == 0
    assert not (store.directory(workspace) / "one").exists()


def test_one_that_a_lesson_is_ended_with_stays(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    workspace.write_note(LESSON_NOTE, {"lesson": "half-migrated", "snapshot": "one"})

    assert main(["snapshot", "remove", "one", "--yes"]) == 67
    assert "kratosctl lesson fix dev" in capsys.readouterr().err
    assert names(workspace) == ["one"]

    workspace.remove_note(LESSON_NOTE)
    assert main(["snapshot", "remove", "one", "--yes"]) == 0


def test_what_was_interrupted_is_undone_before_what_it_is_undone_with_goes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.write_note(CONTENT_NOTE, {"doing": "seed", "snapshot": "one"})
    save(workspace, "other")
    settled: list[list[str]] = []

    def settle(*_: object) -> None:
        settled.append(names(workspace))
        # as what undoes a seed does at its end
        store.remove(workspace, "one")

    monkeypatch.setattr(upgrade, "settle", settle)

    # what it does not need goes at once: room may be what is missing
    assert main(["snapshot", "remove", "other", "--yes"]) == 0
    assert settled == []

    assert main(["snapshot", "remove", "one", "--yes"]) == 0
    assert settled == [["one"]]
    assert names(workspace) == []

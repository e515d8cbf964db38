"""What is noted of a database when it was migrated: of that one, not of another kind. Without an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kratosctl.console import Console
from kratosctl.errors import DowngradeRefused
from kratosctl.files.state import State
from kratosctl.files.workspace import SEED_WANTED, Workspace
from kratosctl.limits import Limits
from kratosctl.stages import apply, database_start, observe, postgres_start
from kratosctl.stages.assemble import Stack
from kratosctl.stages.plan import Observed, Plan
from tests.unit import stacks

QUIET = Console(quiet=True)


def stack(directory: Path, database: str, **answers: str) -> Stack:
    asked = stacks.environment(database=database, **answers)
    return Stack(asked, Workspace(directory, "dev"), stacks.place(asked), State(), (), {})


def test_a_postgres_that_was_cut_short_still_is_when_sqlite_was_migrated(tmp_path: Path) -> None:
    cut_short = State(project="p", first_start=True, copying=True, releases={"postgres": "v1.1.0"})
    Workspace(tmp_path, "dev").save_state(cut_short)

    database_start.remember(stack(tmp_path, "sqlite"), "sha256:1")

    found = Workspace(tmp_path, "dev").state()
    both = {"postgres": "v1.1.0", "sqlite": "v26.2.0"}
    assert replace(found, migrated={}) == replace(cut_short, releases=both)


def test_a_postgres_that_was_migrated_is_whole(tmp_path: Path) -> None:
    Workspace(tmp_path, "dev").save_state(State(project="p", first_start=True, copying=True))

    database_start.remember(stack(tmp_path, "postgres"), "sha256:1")

    found = Workspace(tmp_path, "dev").state()
    assert (found.first_start, found.copying) == (False, False)


def test_a_postgres_is_not_taken_for_a_copy_where_the_template_is_gone(tmp_path: Path) -> None:
    copied = stack(tmp_path, "postgres")

    with pytest.raises(FileNotFoundError):
        postgres_start.copy_template(copied, "app-postgres-1", tmp_path / "gone.tar")

    assert copied.workspace.state() == State()


def test_a_database_that_migrate_made_is_filled_by_up_and_one_that_was_there_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = stack(tmp_path, "sqlite", seed="people.yaml")
    asked.workspace.home.mkdir(parents=True)

    def migrated(*_: object) -> tuple[dict[str, str], list[str]]:
        (asked.workspace.home / "database/db.sqlite").touch()
        return {}, []

    monkeypatch.setattr(apply, "_provide_images", lambda *_: None)
    monkeypatch.setattr(apply, "_migrated", migrated)

    apply.migrate_only(asked, Plan(), QUIET, Limits())
    assert asked.workspace.wants_seed

    asked.workspace.remove_note(SEED_WANTED)
    apply.migrate_only(asked, Plan(), QUIET, Limits())
    assert not asked.workspace.wants_seed


def test_whoever_wants_an_older_release_is_told_of_the_way_that_loses_nothing_first(tmp_path: Path) -> None:
    older = stack(tmp_path, "sqlite", release="v1.1.0")
    older.workspace.write("database/db.sqlite", "")

    with pytest.raises(DowngradeRefused) as caught:
        observe.check_downgrade(replace(older, state=State(project="p", releases={"sqlite": "v26.2.0"})))

    assert "snapshot restore NAME --with-release --env dev; or start afresh" in caught.value.fix


def test_an_image_that_is_called_another_release_than_before_has_the_data_be_of_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's own image, or `v26` with a kratosctl that knows a newer one: nothing is left to migrate."""
    monkeypatch.setattr(apply, "_provide_images", lambda *_: None)
    monkeypatch.setattr(apply, "_create", lambda *_: {})
    monkeypatch.setattr(apply, "_serve", lambda *_: None)
    before = stack(tmp_path, "sqlite", release="v1.3.0", kratos_image="example.org/kratos:ours")
    database_start.remember(before, "sha256:kratos")
    after = stack(tmp_path, "sqlite", release="v1.3.1", kratos_image="example.org/kratos:ours")
    after = replace(after, state=before.workspace.state())

    apply.apply(after, Observed(kratos_id="sha256:kratos", migrated=True), Plan(), QUIET, Limits())

    assert after.workspace.state().releases == {"sqlite": "v1.3.1"}

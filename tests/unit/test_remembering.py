"""What is noted of a database when it was migrated: of that one, not of another kind. Without an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.stages import database_start, postgres_start
from kratosctl.stages.assemble import Stack
from tests.unit import stacks


def stack(directory: Path, database: str) -> Stack:
    asked = stacks.environment(database=database)
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

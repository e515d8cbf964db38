"""What save, restore, reset, seed and upgrade act on, where somebody else was first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kratosctl import running
from kratosctl.cli.session import Session
from kratosctl.cli.snapshot import subject_of
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.running import Found


def test_what_others_changed_meanwhile_is_what_is_acted_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kratosctl.yaml"
    file.write_text("environments:\n  dev: {release: v1.1.0}\n")
    was = Workspace.locked

    @contextlib.contextmanager
    def locked(self: Workspace, *asked: Any) -> Iterator[None]:
        with was(self, *asked):
            # the one that was waited for: `kratosctl up --release v26.2.0 --save`
            file.write_text("environments:\n  dev: {release: v26.2.0}\n")
            yield

    monkeypatch.setattr(Workspace, "locked", locked)
    looked: list[str] = []

    def find(directory: Path, name: str) -> Found:
        looked.append(file.read_text())
        return Found(Workspace(directory, name), State(), ())

    monkeypatch.setattr(running, "find", find)
    session = Session()
    session.directory_given = str(tmp_path)

    with subject_of(session, None, "snapshot restore") as subject:
        assert subject.release == "v26.2.0"

    assert ["v26.2.0" in text for text in looked] == [True]

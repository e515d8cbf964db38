"""What save, restore, reset, seed and upgrade act on, where somebody else was first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kratosctl import running
from kratosctl.cli.session import Session
from kratosctl.cli.subject import subject_of
from kratosctl.commands import upgrade
from kratosctl.engine.objects import Container
from kratosctl.errors import Interrupted
from kratosctl.files.state import State
from kratosctl.files.workspace import UPGRADE_NOTE, Workspace
from kratosctl.main import main
from kratosctl.running import Found
from tests.unit.test_snapshot_store import save


def test_what_others_changed_meanwhile_is_what_is_acted_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kratosctl.yaml"
    file.write_text("environments:\n  dev: {release: v1.1.0}\n")
    Workspace(tmp_path, "dev").home.mkdir(parents=True)
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


@pytest.mark.parametrize("file", [None, "environments: {other: {}}\n"])
def test_an_environment_that_no_file_names_stays_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str | None
) -> None:
    """Where it was taken out of the file, a restore would migrate it to the newest release."""
    Workspace(tmp_path, "dev").save_state(State())
    if file:
        (tmp_path / "kratosctl.yaml").write_text(file)
    labels = {"release": "v1.1.0", "variant": "distroless", "database": "postgres"}
    kratos = Container("1", "1", "kratos", "p", "running", "Up", "healthy", None, "kratos", {}, labels)
    monkeypatch.setattr(running, "find", lambda at, name: Found(Workspace(at, name), State(), (kratos,)))
    session = Session()
    session.directory_given = str(tmp_path)

    with subject_of(session, "dev", "snapshot restore") as subject:
        environment = subject.environment

    assert (environment.release, environment.variant, environment.database) == ("v1.1.0", "distroless", "postgres")


@pytest.mark.parametrize("began", [False, True])
def test_ctrl_c_says_how_what_has_begun_comes_to_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], began: bool
) -> None:
    """Kratos may stand still meanwhile: an upgrade has stopped it."""
    workspace = Workspace(tmp_path, "dev")
    workspace.save_state(State())
    (tmp_path / "kratosctl.yaml").write_text("environments:\n  dev: {release: v1.1.0}\n")
    monkeypatch.setattr(running, "find", lambda directory, name: Found(Workspace(directory, name), State(), ()))

    def pressed(*_: object) -> None:
        if began:
            workspace.write_note(UPGRADE_NOTE, {"stage": "stopping"})
        raise KeyboardInterrupt

    monkeypatch.setattr(upgrade, "upgrade", pressed)

    assert main(["upgrade", "dev", "--to", "v26.2.0", "-C", str(tmp_path)]) == Interrupted.exit_code
    assert ("up dev` finishes or undoes it" in capsys.readouterr().err) == began


@pytest.mark.parametrize("words", [("snapshot", "export", "one"), ("upgrade",), ("seed", "people.yaml")])
def test_of_an_environment_that_was_never_made_nothing_is_made_to_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    (tmp_path / "kratosctl.yaml").write_text("environments:\n  dev: {release: v1.1.0}\n")
    (tmp_path / "people.yaml").write_text("- {email: ada@example.org}\n")
    monkeypatch.setattr(running, "find", lambda directory, name: Found(Workspace(directory, name), State(), ()))

    assert main([*words, "-C", str(tmp_path)]) in (39, 60)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["kratosctl.yaml", "people.yaml"]


@pytest.mark.parametrize("words", [("migrate",), ("secrets", "rotate"), ("snapshot", "save", "one"), ("up", "--yes")])
def test_what_was_interrupted_is_undone_before_anything_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    (tmp_path / "kratosctl.yaml").write_text("environments:\n  dev: {release: v1.1.0}\n")
    workspace = Workspace(tmp_path, "dev")
    workspace.write_note(UPGRADE_NOTE, {"stage": "swapping", "snapshot": "before-upgrade-1"})
    monkeypatch.setattr(running, "find", lambda directory, name: Found(Workspace(directory, name), State(), ()))
    undone: list[str] = []

    def settle(_directory: Path, name: str, *_: object) -> None:
        undone.append(name)
        raise Interrupted("that it was undone first is all there is to see")

    monkeypatch.setattr(upgrade, "settle", settle)

    assert main([*words, "-C", str(tmp_path)]) == Interrupted.exit_code
    assert undone == ["dev"]


def test_what_is_only_read_waits_for_nobody_and_is_read_in_a_directory_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    workspace = Workspace(tmp_path / "project", "dev")
    save(workspace, "one")
    was = sorted(workspace.directory.rglob("*"))
    monkeypatch.setattr(running, "find", lambda directory, name: Found(Workspace(directory, name), State(), ()))
    monkeypatch.setattr(running, "pick", lambda directory, name: "dev")

    assert main(["snapshot", "export", "one", str(tmp_path / "it.zip"), "-C", str(workspace.directory)]) == 0

    assert sorted(workspace.directory.rglob("*")) == was

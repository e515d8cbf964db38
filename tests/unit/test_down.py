"""What `down --volumes` says it would delete, and what it deletes."""

from __future__ import annotations

import subprocess
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from kratosctl import running
from kratosctl.commands import down, upgrade
from kratosctl.console import Console
from kratosctl.database.data import Data, data_of
from kratosctl.engine import program, reading
from kratosctl.errors import ImageMissing, KratosctlError
from kratosctl.files.state import State
from kratosctl.files.workspace import UPGRADE_NOTE, Workspace
from kratosctl.main import main

FILES = Path("/app/.kratosctl/dev/database")
VOLUME = "app-dev-1_postgres"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (Data(), ""),
        (Data(serves="external"), ""),
        (Data((VOLUME,), None, {"postgres": 1}, "postgres"), f"the database with 1 identity (volume {VOLUME})"),
        (Data((), FILES, {"sqlite": 3}, "sqlite"), f"the database with 3 identities ({FILES})"),
        (Data((), FILES), f"the database ({FILES})"),
        (
            Data((), FILES, {"sqlite": 3}, "external"),
            f"the SQLite database with 3 identities that Kratos does not use now ({FILES})",
        ),
        (
            Data((VOLUME, "app-dev-1_theirs"), FILES, {"postgres": 2, "sqlite": 0}, "postgres"),
            f"the database with 2 identities (volume {VOLUME}, volume app-dev-1_theirs), and the SQLite database with"
            f" 0 identities that Kratos does not use now ({FILES})",
        ),
    ],
)
def test_what_is_lost_names_each_database_for_what_it_is(data: Data, said: str) -> None:
    assert data.lost == said


def test_what_cannot_be_settled_now_keeps_nothing_from_being_stopped(
    found: running.Found, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (found.workspace.directory / "kratosctl.yaml").write_text("environments: {dev: {}}\n")
    found.workspace.write_note(UPGRADE_NOTE, {"stage": "swapping"})

    def settle(*_: object) -> None:
        raise ImageMissing("image oryd/kratos:v1.1.0 is neither here nor to be had", "", "check the network")

    monkeypatch.setattr(upgrade, "settle", settle)

    assert main(["down", "-C", str(found.workspace.directory)]) == 0

    said = capsys.readouterr()
    assert "dev is down" in said.out
    assert "neither finished nor undone yet\n  image oryd/kratos:v1.1.0 is neither here" in said.err
    assert found.workspace.has_unfinished


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> running.Found:
    """An environment on an engine that has nothing."""

    def nothing(*_: Any, **__: Any) -> tuple[()]:
        return ()

    for name in ("containers", "remove_networks"):
        monkeypatch.setattr(reading, name, nothing)
    monkeypatch.setattr(program, "docker", lambda *words, **_: subprocess.CompletedProcess(words, 0, "", ""))
    monkeypatch.setattr(reading, "project_volumes", lambda _: {})
    workspace = Workspace(tmp_path, "dev")
    workspace.save_state(State("app-dev-1", str(tmp_path)))
    return running.Found(workspace, workspace.state(), ())


def test_nothing_is_said_to_be_deleted_where_nothing_is(
    found: running.Found, capsys: pytest.CaptureFixture[str]
) -> None:
    said = down.down(found, Data(serves="external"), Console())

    assert capsys.readouterr().err == ""
    assert said.text() == "dev is down; your own database is as it was"


def test_what_is_deleted_is_said(found: running.Found, capsys: pytest.CaptureFixture[str]) -> None:
    directory = found.workspace.home / "database"
    directory.mkdir()
    said = down.down(found, data_of(found), Console())

    assert "delete the database" in capsys.readouterr().err
    assert said.text() == "dev is down, its data deleted"
    assert not directory.exists()


def test_what_was_made_while_it_waited_is_deleted_too_and_what_was_deleted_is_not_missed(
    found: running.Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `up` was under way when `down --volumes --yes` looked, or another `down --volumes`."""
    removed: list[tuple[str, ...]] = []

    def docker(*words: str, **_: Any) -> subprocess.CompletedProcess[str]:
        removed.extend([words] if words[:2] == ("volume", "rm") else [])
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(program, "docker", docker)
    seen = data_of(found)
    monkeypatch.setattr(reading, "project_volumes", lambda _: {VOLUME: str(found.workspace.directory)})

    told = down.down(found, seen, Console(quiet=True))

    assert removed == [("volume", "rm", VOLUME)]
    assert told.text() == "dev is down, its data deleted"

    monkeypatch.setattr(reading, "project_volumes", lambda _: {})
    down.down(found, Data((VOLUME,)), Console(quiet=True))
    assert len(removed) == 1


def test_of_an_environment_that_kratosctl_yaml_names_the_secrets_stay(found: running.Found) -> None:
    (found.workspace.directory / "kratosctl.yaml").write_text("environments: {dev: {}}\n")
    assert down.forgotten(found) == ""


def test_of_one_that_it_no_longer_names_nothing_stays(found: running.Found) -> None:
    (found.workspace.directory / "kratosctl.yaml").write_text("environments: {other: {}}\n")
    assert down.forgotten(found).startswith("the secrets of dev and all else in ")

    said = down.down(found, data_of(found), Console(quiet=True), forget=True)

    assert said.text() == "dev is down; nothing is left of it"
    assert not found.workspace.home.exists()


@pytest.mark.parametrize(
    ("kept", "said"), [("snapshots/one/", "1 snapshot"), ("secrets/kratos.yml", "the secrets of your own database")]
)
def test_what_cannot_be_made_anew_stays_also_then(found: running.Found, kept: str, said: str) -> None:
    path = found.workspace.home / kept
    if kept.endswith("/"):
        path.mkdir(parents=True)
    else:
        path.parent.mkdir()
        path.write_text("dsn: postgres://ada:hunter2@db.example/shop\n")
    assert down.forgotten(found) == ""

    told = down.down(found, data_of(found), Console(quiet=True))

    assert f"{said} stay" in told.text()
    assert path.exists()


def test_snapshots_that_stay_are_said(found: running.Found) -> None:
    (found.workspace.directory / "kratosctl.yaml").write_text("environments: {dev: {}}\n")
    for name in ("database", "snapshots/one", "snapshots/two"):
        (found.workspace.home / name).mkdir(parents=True)

    told = down.down(found, data_of(found), Console(quiet=True))

    assert told.text() == "dev is down, its data deleted; kept: 2 snapshots of it: kratosctl snapshot list --env dev"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Error response from daemon: No such container: dev-ui-1\n", ""),
        (
            "Error response from daemon: No such container: dev-ui-1\n"
            "Error response from daemon: cannot stop container: dev-kratos-1: permission denied\n",
            "permission denied",
        ),
    ],
)
def test_a_container_that_somebody_else_removes_meanwhile_keeps_no_other_from_going_down(
    monkeypatch: pytest.MonkeyPatch, said: str, error: str
) -> None:
    asked: list[str] = []

    def docker(*words: str, **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(words[0])
        return subprocess.CompletedProcess(words, 1, "", said)

    monkeypatch.setattr(program, "docker", docker)

    with pytest.raises(KratosctlError, match=error) if error else nullcontext():
        down.remove(["dev-kratos-1", "dev-ui-1"], [], volumes=False)

    assert asked == (["stop"] if error else ["stop", "rm"])

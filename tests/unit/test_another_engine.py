"""An environment that was brought up on another Docker engine than the one docker asks now."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.engine import program
from kratosctl.engine.objects import Container
from kratosctl.engine.window import Docker
from kratosctl.errors import OnAnotherEngine
from kratosctl.files.workspace import Workspace, authority
from kratosctl.main import main
from kratosctl.ownership import settled_state
from kratosctl.workshop.observe import Observer

# engines are directories, with the names of what they have
DOCKER = """#!/bin/sh
engine=${DOCKER_HOST:-${DOCKER_CONTEXT:-default}}
cd "$(dirname "$0")/$engine" || { echo "context $engine: context not found: open meta.json" >&2; exit 1; }
[ -e off ] && { echo "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?" >&2; exit 1; }
case "$1 $2 $*" in
  *'{{json '*) ;;
  "container ls "*) cat containers ;;
  "volume ls "*) cat volumes ;;
esac
"""


@pytest.fixture(autouse=True)
def programs(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `docker` lies, and two engines with nothing on them: that of now, and another."""
    programs = tmp_path_factory.mktemp("programs")
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    for engine in ("now", "colima"):
        (programs / engine).mkdir()
        for kind in ("containers", "volumes"):
            (programs / engine / kind).write_text("")
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONTEXT", "now")
    return programs


@pytest.fixture
def dev(tmp_path: Path) -> Workspace:
    """An environment on SQLite that was brought up on the other engine."""
    (tmp_path / "kratosctl.yaml").write_text("environments: {dev: {ui: false, mail: false}}\n")
    return made(tmp_path, "dev")


def made(directory: Path, name: str) -> Workspace:
    workspace = Workspace(directory, name)
    (workspace.home / "database").mkdir(parents=True)
    workspace.save_state(replace(settled_state(workspace), engine="colima"))
    return workspace


def has(engine: Path, kind: str, workspace: Workspace) -> None:
    (engine / kind).write_text(f"{workspace.state().project}-something\n")


COMMANDS = (["status"], ["down"], ["down", "--volumes", "--yes"], ["logs"], ["snapshot", "save", "one"])


@pytest.mark.parametrize("words", COMMANDS)
def test_nothing_is_said_of_it_or_done_to_it_on_an_engine_that_has_nothing_of_it(
    words: Sequence[str], dev: Workspace, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`docker context use` between two commands: `down --volumes` would delete SQLite's file under its Kratos."""
    has(programs / "colima", "containers", dev)

    assert main([*words, "-C", str(dev.directory)]) == OnAnotherEngine.exit_code

    said = capsys.readouterr().err
    assert "this environment is on another Docker engine: context colima\n" in said
    assert "it has 1 container there, and nothing on that of context now, which docker asks now\n" in said
    assert "go back: unset DOCKER_HOST; export DOCKER_CONTEXT=colima; or move it: `down` there, `up` here\n" in said
    assert (dev.home / "database").is_dir()


def test_data_in_a_volume_there_is_not_taken_for_deleted_either_and_moves_by_a_snapshot(
    dev: Workspace, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    has(programs / "colima", "volumes", dev)

    assert main(["down", "--volumes", "--yes", "-C", str(dev.directory)]) == OnAnotherEngine.exit_code

    assert "1 volume there" in (said := capsys.readouterr().err)
    assert "`snapshot save NAME` and `down --volumes` there, `up` and `snapshot restore NAME` here\n" in said


def test_what_was_taken_down_there_can_be_brought_up_anywhere(dev: Workspace) -> None:
    assert main(["status", "-C", str(dev.directory)]) == 0


@pytest.mark.parametrize("gone", [True, False])
def test_an_engine_that_is_gone_or_stopped_runs_nothing_and_stands_in_nobodys_way(
    gone: bool, dev: Workspace, programs: Path
) -> None:
    has(programs / "colima", "containers", dev)
    if gone:
        (programs / "colima").rename(programs / "before")
    else:
        (programs / "colima" / "off").touch()

    assert main(["status", "-C", str(dev.directory)]) == 0


def test_an_engine_may_have_two_names(dev: Workspace, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    has(programs / "colima", "volumes", dev)
    monkeypatch.setattr(
        "kratosctl.engine.reading.project_volumes", lambda project: {f"{project}-something": str(dev.directory)}
    )

    assert main(["status", "-C", str(dev.directory)]) == 0


def test_list_says_that_it_is_not_simply_down(
    dev: Workspace, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    has(programs / "colima", "containers", dev)

    assert main(["list", "-C", str(dev.directory)]) == 0

    assert "dev: this environment is on another Docker engine: context colima" in capsys.readouterr().err


@pytest.fixture
def seat(tmp_path: Path, programs: Path) -> Workspace:
    """The seat of a workshop that runs on the other engine, behind a proxy."""
    workshop_file.write(tmp_path, Workshop("class", seats={"seat-01": ""}))
    (tmp_path / "kratosctl.yaml").write_text("environments: {seat-01: {ui: false, mail: false}}\n")
    workspace = made(tmp_path, "seat-01")
    has(programs / "colima", "containers", workspace)
    authority(tmp_path).parent.mkdir(parents=True)
    authority(tmp_path).touch()
    return workspace


def test_a_workshop_is_not_down_either(seat: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["workshop", "down", "--volumes", "--yes", "-C", str(seat.directory)])

    assert code == OnAnotherEngine.exit_code
    assert "seat-01: this environment is on another Docker engine" in capsys.readouterr().err
    assert (seat.home / "database").is_dir()
    assert authority(seat.directory).exists()


def test_a_board_goes_on_saying_so_as_often_as_it_looks(seat: Workspace) -> None:
    class Nothing(Docker):
        def containers(self) -> tuple[Container, ...]:
            return ()

    observer = Observer(seat.directory, Nothing(), local=True)

    for _ in range(2):
        with pytest.raises(OnAnotherEngine):
            observer.look()


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`docker context use`."""
    monkeypatch.delenv("DOCKER_CONTEXT")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def use(context: str) -> None:
        (tmp_path / "config.json").write_text(json.dumps({"currentContext": context} if context else {}))

    return use


def test_the_engine_is_the_one_that_docker_would_ask(
    use: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    use("colima")
    assert program.engine() == "colima"
    monkeypatch.setenv("DOCKER_CONTEXT", "orbstack")
    assert program.engine() == "orbstack"
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    assert program.engine() == "unix:///run/user/1000/docker.sock"


@pytest.mark.parametrize("said", ["", "{}", "[]", "no JSON", None])
def test_without_a_choice_it_is_the_default_one(said: str | None, use: Callable[[str], None], tmp_path: Path) -> None:
    if said is not None:
        (tmp_path / "config.json").write_text(said)
    assert program.engine() == "default"


def test_a_command_asks_one_engine_from_its_beginning_to_its_end(use: Callable[[str], None], programs: Path) -> None:
    """Somebody uses another context while a board is open, or while `run` waits for the tests to end."""
    use("colima")
    (programs / "colima" / "containers").write_text("theirs\n")
    words = ("container", "ls")
    assert program.docker(*words).stdout == "theirs\n"

    use("now")

    assert program.docker(*words).stdout == "theirs\n"
    assert program.docker(*words, at="now").stdout == ""

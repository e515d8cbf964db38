"""The engine is not there, not allowed, not new enough: one error each, with what to do."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from tests.e2e import engine, virtual_machine
from tests.e2e.program import Directory, as_user
from tests.faults import engines
from tests.faults.soundness import assert_one_error

pytestmark = pytest.mark.engine

UP = ("up", "--yes", "--no-ui", "--no-mail")
COMMANDS = pytest.mark.parametrize("words", [UP, ("list",), ("down",)], ids=["up", "list", "down"])
NOBODY = 65534
PLUGINS = [
    Path(top, "docker/cli-plugins") for top in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
]


@pytest.fixture(autouse=True)
def known(directory: Directory) -> None:
    """The environment is known, so that every command has something to do."""
    (directory.path / "kratosctl.yaml").write_text("environments:\n  dev: {ui: false, mail: false}\n")


@COMMANDS
def test_docker_is_not_installed(directory: Directory, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "bin").mkdir()

    said = assert_one_error(directory.run(*words, code=None, variables={"PATH": str(tmp_path / "bin")}), 10)

    assert "docker is not installed" in said
    assert "https://docs.docker.com/get-docker/" in said


def test_docker_has_no_compose_plugin(directory: Directory, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    hidden = [str(path) for path in PLUGINS if (path / "docker-compose").exists()]
    if hidden:
        # those of the whole system: hidden from this one process
        mounts = "".join(f"mount -t tmpfs none {path}; " for path in hidden)
        directory.wrapper = ("unshare", "--mount", "sh", "-ec", mounts + 'exec "$@"', "sh")

    said = assert_one_error(directory.run(*UP, code=None, variables={"DOCKER_CONFIG": str(tmp_path / "config")}), 11)

    assert "no Compose plugin" in said
    assert "install docker-compose-plugin" in said


@COMMANDS
def test_the_daemon_is_down(directory: Directory, tmp_path: Path, words: tuple[str, ...]) -> None:
    host = f"unix://{tmp_path}/none.sock"

    said = assert_one_error(directory.run(*words, code=None, variables={"DOCKER_HOST": host}), 12)

    assert "does not answer" in said
    assert "start it" in said


def test_the_daemon_died_and_left_its_socket(directory: Directory, tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    said = assert_one_error(directory.run(*UP, code=None, variables={"DOCKER_HOST": f"unix://{path}"}), 12)

    assert "start it" in said


@COMMANDS
def test_no_permission_to_use_the_socket(directory: Directory, tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "closed.sock"
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(path))
        closed.listen()
        path.chmod(0)
        if os.getuid() == 0:
            os.chown(directory.path, NOBODY, NOBODY)
            directory.wrapper = as_user(NOBODY, NOBODY)

        said = assert_one_error(directory.run(*words, code=None, variables={"DOCKER_HOST": f"unix://{path}"}), 13)

    assert "no permission" in said
    assert "usermod -aG docker" in said
    directory.wrapper = ()


def test_the_engine_is_too_old(directory: Directory, tmp_path: Path) -> None:
    with engines.with_version("19.03.15", tmp_path / "old.sock") as host:
        said = assert_one_error(directory.run(*UP, code=None, variables={"DOCKER_HOST": host}), 14)

    assert "19.03.15 is too old" in said
    assert "20.10" in said


def with_compose(tmp_path: Path, version: str, otherwise: str = "") -> dict[str, str]:
    """The variables of a terminal whose Compose says it is of a version; what else it does not do, by its words."""
    wrapper = tmp_path / "bin/docker"
    wrapper.parent.mkdir()
    lines = [
        f'[ "$1 $2" = "compose version" ] && echo {version} && exit',
        otherwise,
        f'exec {shutil.which("docker")} "$@"',
    ]
    wrapper.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    wrapper.chmod(0o755)
    return {"PATH": f"{wrapper.parent}:{os.environ['PATH']}"}


def test_compose_is_too_old(directory: Directory, tmp_path: Path) -> None:
    # the one thing that is pretended: the version
    said = assert_one_error(directory.run(*UP, code=None, variables=with_compose(tmp_path, "2.17.3")), 14)

    assert "Docker Compose 2.17.3 is too old" in said
    assert "2.21" in said


def test_compose_became_too_old_for_an_environment_that_was_made(directory: Directory, tmp_path: Path) -> None:
    directory.up()
    directory.down()
    old = with_compose(tmp_path, "2.17.3", '[ "$1" = compose ] && echo "unknown flag: --pull" >&2 && exit 16')

    said = assert_one_error(directory.run(*UP, code=None, variables=old), 14)

    assert "Docker Compose 2.17.3 is too old" in said


def test_the_engine_is_on_another_machine(directory: Directory) -> None:
    with engines.with_version("28.2.2") as host:
        said = assert_one_error(directory.run(*UP, code=None, variables={"DOCKER_HOST": host}), 15)

    assert host in said
    assert "unset DOCKER_HOST" in said


@pytest.mark.parametrize(
    "words", [UP, ("status",), ("down", "--volumes", "--yes"), ("migrate",), ("up", "--dry-run")], ids=" ".join
)
def test_the_environment_runs_on_another_engine(running: Directory, tmp_path: Path, words: tuple[str, ...]) -> None:
    """A second Kratos would serve from the same SQLite database, or the one that runs would lose it."""
    before = engine.containers(running.status()["project"])
    with engines.with_version("28.2.2", tmp_path / "another.sock") as host:
        said = assert_one_error(running.run(*words, code=None, variables={"DOCKER_HOST": host}), 17)

    assert "is on another Docker engine: " in said
    assert f"nothing on that of DOCKER_HOST={host}" in said
    assert running.status()["state"] == "ready"
    assert engine.containers(running.status()["project"]) == before
    assert (running.home() / "database/db.sqlite").exists()


@pytest.fixture(scope="module")
def running(shared_directory: Directory) -> Directory:
    shared_directory.up()
    return shared_directory


def test_what_was_taken_down_on_one_engine_comes_up_on_another(directory: Directory, tmp_path: Path) -> None:
    directory.up()
    directory.down()
    with virtual_machine.running(tmp_path / "another.sock") as another:
        directory.up(variables=another)
        assert json.loads((directory.home() / "state.json").read_text())["engine"] == another["DOCKER_HOST"]

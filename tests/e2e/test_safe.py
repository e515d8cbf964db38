"""An environment with everything: nobody else reads its secrets or reaches it, and it leaves no volume behind."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import engine, people
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

DSN_PASSWORD = "s3cret-of-theirs"


@pytest.fixture(scope="module")
def told(shared_directory: Directory) -> dict[str, Any]:
    """What `up` told of an environment with all services, made where new files are for everybody; none was seen."""
    mask = os.umask(0o000)
    try:
        with _command_lines() as seen:
            told = shared_directory.up(database="postgres", pages=True)
            people.sign_up_and_ask(told["endpoints"]["public"])
    finally:
        os.umask(mask)
    assert not [secret for secret in _secrets(shared_directory) if secret in str(seen)]
    return told


def test_everything_listens_on_this_host_alone_and_the_admin_api_not_at_all(told: dict[str, Any]) -> None:
    addresses = {
        (service, address["HostIp"])
        for service in engine.running(told["project"])
        for bound in engine.container(told["project"], service)["NetworkSettings"]["Ports"].values()
        for address in bound or []
    }
    assert addresses == {("kratos", "127.0.0.1"), ("mail", "127.0.0.1"), ("ui", "127.0.0.1")}


def test_no_volume_without_a_name_is_made(told: dict[str, Any]) -> None:
    containers = engine.inspect(*engine.containers(told["project"]).values())
    mounts = [mount for container in containers for mount in container["Mounts"]]
    assert {mount["Name"] for mount in mounts if mount["Type"] == "volume"} == {f"{told['project']}_postgres"}


def test_secret_files_are_for_their_owner_alone_whatever_the_umask(
    shared_directory: Directory, told: dict[str, Any]
) -> None:
    secrets = shared_directory.home() / "secrets"
    assert {path.name for path in secrets.iterdir()} == {"kratos.yml", "postgres-password", "ui.env"}
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    for path in secrets.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_no_secret_is_seen_in_a_command_line_a_log_an_output_or_by_inspecting(
    shared_directory: Directory, told: dict[str, Any], tmp_path: Path
) -> None:
    looking = ("status", "--json"), ("list", "--json"), ("logs",), ("up", "--json"), ("up", "--dry-run", "--json")
    rendering = ("render",), ("render", "--output", str(tmp_path / "out"), "--json")
    with _command_lines() as seen:
        words = *looking, *rendering, ("restart",), ("down",), ("up", "--json"), ("secrets", "rotate", "--json")
        runs = [shared_directory.run(*each) for each in words]
    secrets = _secrets(shared_directory)
    containers = [row["Id"] for row in engine.inspect(*engine.containers(told["project"]).values())]
    volumes = engine.listed("volume", [f"{engine.LABEL}directory={shared_directory.path}"])
    inspected = str(engine.inspect(*containers, *volumes))
    home = shared_directory.home()
    plain = "".join(path.read_text() for path in (*home.glob("*.y*ml"), home / "state.json"))
    logs = "".join(engine.everything_said(container) for container in containers)

    # of PostgreSQL, of the UI, and a new one and the old for each that Kratos has
    assert len(secrets) == 1 + 2 + 2 * 3
    assert (home / "secrets/postgres-password").read_text() in secrets
    for secret in secrets:
        assert not [line for line in seen if secret in line]
        assert not [run for run in runs if secret in run.out + run.err]
        assert secret not in inspected
        assert secret not in plain
        assert secret not in logs


def test_a_password_in_dsn_is_seen_nowhere_when_the_database_is_not_there(directory: Directory) -> None:
    dsn = f"postgres://them:{DSN_PASSWORD}@127.0.0.1:1/theirs?sslmode=disable"
    with _command_lines() as seen:
        flags = ("--no-ui", "--no-mail", "--yes", "--database-timeout", "2")
        failed = directory.run("up", *flags, code=53, variables={"DSN": dsn})
        logs = directory.run("logs").out

    assert not [line for line in seen if DSN_PASSWORD in line]
    assert DSN_PASSWORD not in failed.out + failed.err + logs
    assert DSN_PASSWORD not in str(engine.inspect(*engine.of_directory(directory.path)["container"]))


@contextlib.contextmanager
def _command_lines() -> Iterator[set[str]]:
    """Collects the command line of every process that is started while the block runs."""
    seen: set[str] = set()
    done = threading.Event()
    before = set(Path("/proc").iterdir())

    def look() -> None:
        while not done.is_set():
            for process in set(Path("/proc").iterdir()) - before:
                # it may have ended meanwhile
                with contextlib.suppress(OSError):
                    seen.add((process / "cmdline").read_text(errors="replace"))
            time.sleep(0.002)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()
    assert any("docker" in line for line in seen)


def _secrets(directory: Directory) -> set[str]:
    """Every secret value of the environment's files."""
    kratos = yaml.safe_load((directory.home() / "secrets/kratos.yml").read_text())
    ui = (directory.home() / "secrets/ui.env").read_text().splitlines()
    lists = [secret for kind in kratos["secrets"].values() for secret in kind]
    password = kratos["dsn"].rpartition("//kratos:")[2].partition("@")[0]
    return {password, *lists, *(line.partition("=")[2] for line in ui)}

"""What a restart acts on, and what it says of a database that does not outlive it. Without an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.commands.restart import restart
from kratosctl.console import Console
from kratosctl.engine import program
from kratosctl.engine.objects import Container
from kratosctl.errors import NotRunning
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.kratos import readiness
from kratosctl.running import Found


def container(service: str, database: str) -> Container:
    labels = {"database": database} if service == "kratos" else {}
    return Container("1", service, service, "p", "running", "", "", None, "image", {}, labels)


@pytest.mark.parametrize(
    ("database", "service", "gone"), [("memory", "kratos", True), ("memory", "ui", False), ("sqlite", "kratos", False)]
)
def test_whoever_restarts_a_memory_database_is_told_that_it_is_empty_and_up_fills_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str, service: str, gone: bool
) -> None:
    monkeypatch.setattr(program, "docker", lambda *words: None)
    containers = (container("kratos", database), container("ui", database))
    found = Found(Workspace(tmp_path, "dev"), State(project="p"), containers)
    monkeypatch.setattr(running, "find", lambda *_: found)

    result = restart(found, [service], 1, Console(quiet=True))

    assert ["nobody is in it now" in warning for warning in result.warnings] == ([True] if gone else [])
    assert found.workspace.wants_seed == gone


def test_a_restart_that_waited_for_another_command_acts_on_what_that_has_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up --public-port 4533` and `restart` at once: nothing answers any more where Kratos was when that began."""
    restarted: list[tuple[str, ...]] = []
    asked: list[int] = []
    monkeypatch.setattr(program, "docker", lambda *words: restarted.append(words))
    monkeypatch.setattr(readiness, "wait", lambda address, port, container, seconds: asked.append(port))
    kratos = replace(container("kratos", "sqlite"), published={"127.0.0.1:4433": 4433})
    before = Found(Workspace(tmp_path, "dev"), State(project="p"), (kratos,))
    moved = replace(kratos, published={"127.0.0.1:4533": 4433})
    after = replace(before, containers=(moved, replace(container("ui", "sqlite"), state="exited")))
    monkeypatch.setattr(running, "find", lambda *_: after)

    restart(before, (), 1, Console(quiet=True))

    assert restarted == [("restart", "kratos")]
    assert asked == [4533]


def test_a_restart_that_waited_for_a_down_says_that_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Found(Workspace(tmp_path, "dev"), State(project="p"), (container("kratos", "sqlite"),))
    monkeypatch.setattr(running, "find", lambda *_: replace(before, containers=()))

    with pytest.raises(NotRunning, match="kratos of environment dev does not run"):
        restart(before, (), 1, Console(quiet=True))


def test_to_say_that_nothing_runs_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        restart(Found(Workspace(tmp_path, "dev"), State(project="p"), ()), (), 1, Console(quiet=True))

    assert list(tmp_path.iterdir()) == []

"""What a restart says of a database that does not outlive it. Without an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from kratosctl.commands.restart import restart
from kratosctl.console import Console
from kratosctl.engine import program
from kratosctl.engine.objects import Container
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
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

    result = restart(found, [service], 1, Console(quiet=True))

    assert ["nobody is in it now" in warning for warning in result.warnings] == ([True] if gone else [])
    assert found.workspace.wants_seed == gone

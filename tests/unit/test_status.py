"""`status` says of a seat what `workshop status` and the board say. Without an engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.commands import status
from kratosctl.engine.objects import Container
from kratosctl.files.workspace import State, Workspace
from kratosctl.kratos import readiness
from kratosctl.running import Found
from kratosctl.states import state_of


def kratos(state: str, health: str = "", code: int | None = None) -> Container:
    ports = {"127.0.0.1:4433": 4433} if state == "running" else {}
    return Container("1", "1", "kratos", "p", state, "", health, code, "image", ports)


UI = Container("2", "2", "ui", "p", "running", "", "", None, "image")


@pytest.mark.parametrize(
    ("containers", "ready", "state"),
    [
        ([kratos("exited", code=1)], False, "broken"),
        ([kratos("exited", code=0)], False, "stopped"),
        ([kratos("running", "unhealthy"), UI], True, "ready"),
        ([kratos("running", "unhealthy"), UI], False, "broken"),
        ([kratos("running"), UI], False, "starting"),
        ([kratos("restarting"), UI], False, "starting"),
        ([kratos("exited", code=137), UI], False, "broken"),
        ([], False, "absent"),
    ],
)
def test_one_environment_has_the_state_that_it_has_among_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, containers: Sequence[Container], ready: bool, state: str
) -> None:
    found = Found(Workspace(tmp_path, "seat-01"), State(project="p"), tuple(containers))
    monkeypatch.setattr(running, "find", lambda directory, name: found)
    monkeypatch.setattr(readiness, "is_ready", lambda address, port: 200 if ready else 503)

    assert status.status(tmp_path, "seat-01").data["state"] == state
    assert state_of(containers, ready) == state


@pytest.mark.parametrize(
    ("pages", "admin", "opened"),
    [
        ("0.0.0.0", "127.0.0.1", "http://localhost:4434"),
        ("0.0.0.0", "0.0.0.0", "http://teacher.local:4434"),
        # a name for this host that nobody else needs to know
        ("127.0.0.1", "127.0.0.1", "http://teacher.local:4434"),
    ],
)
def test_the_admin_api_is_named_by_what_reaches_it(tmp_path: Path, pages: str, admin: str, opened: str) -> None:
    ports = {f"{pages}:4433": 4433, f"{admin}:4434": 4434}
    container = Container("1", "1", "kratos", "p", "running", "", "", None, "image", ports)
    found = Found(Workspace(tmp_path, "dev"), State(project="p"), (container,))

    shown = status.endpoints(found, "teacher.local", https=False)

    assert shown == {"public": "http://teacher.local:4433", "admin": opened}

"""`secrets rotate`: no secret is ever lost, whatever comes between."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from kratosctl.commands import rotation
from kratosctl.console import Console
from kratosctl.engine.objects import Container
from kratosctl.environment import Environment, from_answers
from kratosctl.errors import ChoiceImpossible, GeneratedFileEdited, NotRunning
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.results import Result
from kratosctl.running import Found
from kratosctl.stack.secrets import KINDS
from kratosctl.stages import prepare as planning
from kratosctl.stages.plan import Plan, Step

OLD = {kind: [f"{kind}-".ljust(32, "o")] for kind in KINDS}
DSN = "sqlite:///var/lib/sqlite/db.sqlite?_fk=true&mode=rwc"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An environment that was made before."""
    found = Workspace(tmp_path, "dev")
    found.save_state(State(project="app-dev-1", directory=str(tmp_path), secrets_generation=4))
    found.write("secrets/kratos.yml", yaml.safe_dump({"dsn": DSN, "secrets": OLD}), 0o600)
    return found


@pytest.fixture
def ups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of `up`, which is not run."""
    called: list[str] = []

    def prepare(*_arguments: Any) -> tuple[None, None, Plan]:
        called.append("prepare")
        return None, None, Plan()

    def up(*_arguments: Any) -> Result:
        called.append("up")
        return Result("up", {})

    monkeypatch.setattr(planning, "prepare", prepare)
    monkeypatch.setattr(rotation, "up", up)
    return called


def environment() -> Environment:
    return from_answers("dev", {"ui": False, "mail": False})


def found(workspace: Workspace, state: str = "") -> Found:
    kratos = Container("1", "kratos-1", "kratos", "app-dev-1", state, "", "", None, "oryd/kratos")
    return Found(workspace, workspace.state(), (kratos,) if state else ())


def rotate(workspace: Workspace, *kinds: str, state: str = "", variables: Mapping[str, str] | None = None) -> Result:
    return rotation.rotate(environment(), found(workspace, state), kinds, Console(quiet=True), variables or {})


def test_new_ones_come_first_and_old_ones_stay(workspace: Workspace, ups: list[str]) -> None:
    result = rotate(workspace)

    now = workspace.secrets()
    for kind in KINDS:
        new, *rest = now.of(kind)
        assert rest == OLD[kind]
        assert len(new) == 32
    assert len({now.of(kind)[0] for kind in KINDS}) == 3
    assert workspace.state().secrets_generation == 5
    assert result.data["kept"] == dict.fromkeys(KINDS, 2)
    assert ups == []


def test_the_rest_of_the_file_stays_and_only_the_owner_reads_it(workspace: Workspace, ups: list[str]) -> None:
    rotate(workspace, "cookie")

    path = workspace.home / "secrets" / "kratos.yml"
    content = yaml.safe_load(path.read_text())
    assert content["dsn"] == DSN
    assert (content["secrets"]["default"], content["secrets"]["cipher"]) == (OLD["default"], OLD["cipher"])
    assert len(content["secrets"]["cookie"]) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_kratos_that_runs_is_made_to_run_with_them(workspace: Workspace, ups: list[str]) -> None:
    assert rotate(workspace, state="running").data["kratos_runs_with_them"] is True
    assert ups == ["prepare", "up"]


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ({"release": "v1.1.0"}, "release v1.1.0, and is to have release v26.2.0"),
        ({"release": "v26.2.0", "database": "postgres"}, "database postgres, and is to have database sqlite"),
    ],
)
def test_no_other_release_and_no_other_database_comes_along(
    workspace: Workspace, ups: list[str], runs: dict[str, str], said: str
) -> None:
    """The migrations of a release that was written down, and not brought up yet, could not be undone."""
    kratos = replace(found(workspace, "running").containers[0], labels=runs)
    subject = Found(workspace, workspace.state(), (kratos,))
    asked = from_answers("dev", {"release": "v26.2.0", "ui": False, "mail": False})

    with pytest.raises(ChoiceImpossible, match=said):
        rotation.rotate(asked, subject, (), Console(quiet=True), {})

    assert ups == []
    assert {kind: list(workspace.secrets().of(kind)) for kind in KINDS} == OLD


def test_nothing_else_that_was_asked_for_since_comes_along(
    workspace: Workspace, ups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up --ui` without --save: to rotate took the self-service UI away, and told nobody."""
    steps = (
        Step("keep", "kratos", "runs"),
        Step("start", "mail", "exited"),
        Step("remove", "ui", "no longer asked for"),
    )
    monkeypatch.setattr(planning, "prepare", lambda *_: (None, None, Plan(steps)))

    with pytest.raises(ChoiceImpossible, match="this would also remove ui"):
        rotate(workspace, state="running")

    assert ups == []
    assert {kind: list(workspace.secrets().of(kind)) for kind in KINDS} == OLD


def test_people_in_a_memory_database_are_not_lost_for_new_secrets(workspace: Workspace, ups: list[str]) -> None:
    asked = from_answers("dev", {"database": "memory", "ui": False, "mail": False})

    with pytest.raises(ChoiceImpossible, match="is in memory") as caught:
        rotation.rotate(asked, found(workspace, "running"), (), Console(quiet=True), {})
    assert "kratosctl down dev" in caught.value.fix
    assert ups == []
    assert workspace.state().secrets_generation == 4

    rotation.rotate(asked, found(workspace), (), Console(quiet=True), {})
    assert workspace.state().secrets_generation == 5


def test_a_kratos_that_is_stopped_stays_stopped(workspace: Workspace, ups: list[str]) -> None:
    result = rotate(workspace, state="exited")
    assert result.data["kratos_runs_with_them"] is False
    assert "kratosctl up dev" in result.text()
    assert ups == []


def test_no_secret_is_shown(workspace: Workspace, ups: list[str]) -> None:
    result = rotate(workspace)

    for secret in (secret for kind in KINDS for secret in workspace.secrets().of(kind)):
        assert secret not in result.json() + result.text()


def test_what_would_stop_up_stops_before_anything_is_changed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(*_arguments: Any) -> None:
        raise GeneratedFileEdited("compose.yaml was edited")

    monkeypatch.setattr(planning, "prepare", prepare)
    with pytest.raises(GeneratedFileEdited):
        rotate(workspace, state="running")

    assert {kind: list(workspace.secrets().of(kind)) for kind in KINDS} == OLD
    assert workspace.state().secrets_generation == 4


@pytest.mark.parametrize("survived", [0, 1, 2])
def test_killed_after_any_write_no_secret_is_lost(
    workspace: Workspace, ups: list[str], monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    monkeypatch.setattr(workspace, "write", _dies_after(workspace.write, survived))
    if survived < 2:
        with pytest.raises(KeyboardInterrupt):
            rotate(workspace)
    else:
        rotate(workspace)
    again = Workspace(workspace.directory, "dev")

    now = again.secrets()
    for kind in KINDS:
        assert now.of(kind)[-1:] == tuple(OLD[kind])
        assert len(now.of(kind)) == (2 if survived == 2 else 1)
    # a secret Kratos does not run with yet makes it anew; the count never lags behind
    assert again.state().secrets_generation == (4 if survived == 0 else 5)
    rotate(again)
    assert {kind: again.secrets().of(kind)[-1] for kind in KINDS} == {kind: OLD[kind][0] for kind in KINDS}


def _dies_after(write: Callable[..., None], writes: int) -> Callable[..., None]:
    done: list[str] = []

    def dying(path: str, text: str, mode: int = 0o644) -> None:
        if len(done) >= writes:
            raise KeyboardInterrupt
        write(path, text, mode)
        done.append(path)

    return dying


def test_without_secrets_there_is_nothing_to_rotate(tmp_path: Path, ups: list[str]) -> None:
    with pytest.raises(NotRunning, match="no secrets yet"):
        rotate(Workspace(tmp_path, "dev"))
    assert not (tmp_path / ".kratosctl" / "dev" / "secrets").exists()


@pytest.mark.parametrize(
    ("kinds", "variables"), [(["cookie"], {"SECRETS_COOKIE": "g" * 32}), (KINDS, {"SECRETS_CIPHER": "g" * 32})]
)
def test_a_kind_that_a_variable_decides_is_refused(
    workspace: Workspace, ups: list[str], kinds: Sequence[str], variables: dict[str, str]
) -> None:
    with pytest.raises(ChoiceImpossible, match="SECRETS_"):
        rotate(workspace, *kinds, variables=variables)
    assert workspace.secrets().of("cookie") == tuple(OLD["cookie"])


def test_where_no_kind_was_named_those_that_are_decided_elsewhere_are_left_out(
    workspace: Workspace, ups: list[str]
) -> None:
    others = {kind: OLD[kind] for kind in ("default", "cipher")}
    workspace.write("secrets/kratos.yml", yaml.safe_dump({"dsn": DSN, "secrets": others}), 0o600)

    result = rotate(workspace, variables={"SECRETS_DEFAULT": "g" * 32})

    assert result.data["rotated"] == ["cipher"]
    assert len(result.warnings) == 2
    assert "cookie" not in yaml.safe_load((workspace.home / "secrets" / "kratos.yml").read_text())["secrets"]

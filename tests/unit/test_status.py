"""`status` says of a seat what `workshop status` and the board say. Without an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.answers import selection
from kratosctl.answers.wishes import Wishes
from kratosctl.commands import status
from kratosctl.console import Console
from kratosctl.engine import reading
from kratosctl.engine.objects import Container, Engine, Labelled
from kratosctl.errors import NotRunning, UsageError
from kratosctl.files.state import State
from kratosctl.files.workspace import UPGRADE_NOTE, Workspace
from kratosctl.kratos import readiness
from kratosctl.running import Found
from kratosctl.stages import apply, assemble, converge
from kratosctl.stages.plan import Observed, Plan
from kratosctl.states import state_of
from tests.unit import stacks


def kratos(state: str, health: str = "", code: int | None = None) -> Container:
    ports = {"127.0.0.1:4433": 4433} if state == "running" else {}
    return Container("1", "1", "kratos", "p", state, "", health, code, "image", ports)


def volume(project: str, directory: str) -> Labelled:
    return Labelled("volume", f"{project}_sqlite", project, "dev", directory, "")


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
    monkeypatch.setattr(readiness, "is_ready", lambda address, port: ready)

    assert status.status(tmp_path, "seat-01").data["state"] == state
    assert state_of(containers, ready) == state


def test_what_was_interrupted_is_said_and_what_is_under_way_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kratos may be stopped then, and nothing else would say why."""
    found = Found(Workspace(tmp_path, "dev"), State(project="p"), (kratos("exited", code=0),))
    monkeypatch.setattr(running, "find", lambda directory, name: found)
    assert status.status(tmp_path, "dev").warnings == []

    found.workspace.write_note(UPGRADE_NOTE, {"stage": "swapping"})
    (said,) = status.status(tmp_path, "dev").warnings
    assert "interrupted: kratosctl up dev finishes or undoes it" in said

    with found.workspace.locked("upgrade dev", 0, pytest.fail):
        assert status.status(tmp_path, "dev").warnings == []


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
    found = Found(Workspace(tmp_path, "dev"), State(project="p", host="teacher.local"), (container,))

    shown = status.endpoints(found)

    assert shown == {"public": "http://teacher.local:4433", "admin": opened}


def test_addresses_are_those_that_up_told_whoever_said_the_host_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kratos sends people to that name: at another one their cookies would not be there."""
    monkeypatch.setenv("KRATOSCTL_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "kratosctl.yaml").write_text("environments: {dev: {ui: false, mail: false}}\n")
    chosen = selection.select(tmp_path, "dev", {}, {"KRATOSCTL_HOST": "app.test"})
    workspace = Workspace(tmp_path, "dev")
    asked = selection.environment_of(chosen)
    stack = assemble.assemble(asked, workspace, State(project="p", ports={"public": 4433}), None, {4433}, {})
    workspace.write_all(stack.files, stack.state)
    monkeypatch.setattr(running, "find", lambda *_: Found(workspace, workspace.state(), (kratos("running"),)))
    monkeypatch.setattr(readiness, "is_ready", lambda *_: True)

    assert status.status(tmp_path, "dev").data["endpoints"] == {"public": "http://app.test:4433"}
    assert "http://app.test:4433" in (workspace.read("environment.yml") or "")


def test_a_host_name_that_changes_nothing_else_is_remembered_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where one's own configuration has all addresses: Kratos is left as it is then."""
    monkeypatch.setattr(apply, "wait_until_ready", lambda *_, **__: None)
    workspace, asked = Workspace(tmp_path, "dev"), stacks.environment(ui=False, mail=False)
    stack = assemble.assemble(asked, workspace, State(project="p", ports={"public": 4433}), None, {4433}, {})
    workspace.write_all(stack.files, stack.state)
    told = replace(stack, environment=replace(asked, host="app.test"), state=replace(stack.state, host="app.test"))

    converge._carry_out(told, Observed(), Plan(), Wishes(), Console(quiet=True))

    assert workspace.state().host == "app.test"


def test_list_tells_the_state_that_status_tells_and_one_bad_state_file_hides_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"directory": str(tmp_path), "environment": "dev"}
    done = Container("3", "3", "load-people", "p", "exited", "", "", 0, "image", {}, labels)
    serving = replace(kratos("running"), labels=labels)
    monkeypatch.setattr(reading, "together", lambda *_: ((serving, done), []))
    broken = tmp_path / ".kratosctl" / "old" / "state.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")

    found = status.listing(tmp_path)
    assert {row["environment"]: row["state"] for row in found.data["environments"]} == {"dev": "running", "old": "down"}
    assert [str(broken) in warning for warning in found.warnings] == [True]


def test_what_was_made_in_a_directory_of_the_same_path_is_not_taken_for_what_is_there_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a repository that was deleted while its Kratos ran, and cloned again: both were one line, with one's port."""
    labels = {"directory": str(tmp_path), "environment": "dev"}
    old = Container("1", "1", "kratos", "old", "running", "", "", None, "image", {"127.0.0.1:4433": 4433}, labels)
    new = Container("2", "2", "kratos", "new", "exited", "", "", 0, "image", {}, labels)
    Workspace(tmp_path, "dev").save_state(State(project="new", directory=str(tmp_path)))
    monkeypatch.setattr(reading, "together", lambda *_: ((old, new), []))

    found = status.listing(tmp_path)

    shown = [(row["project"], row["state"], row["directory_gone"]) for row in found.data["environments"]]
    assert sorted(shown) == [("new", "stopped", False), ("old", "running", True)]
    assert f"{tmp_path} (gone)" in found.text()


def test_one_that_was_moved_here_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_in = str(tmp_path / "before")
    serving = replace(kratos("running"), project="p", labels={"directory": made_in, "environment": "dev"})
    Workspace(tmp_path, "dev").save_state(State(project="p", directory=str(tmp_path)))
    monkeypatch.setattr(reading, "together", lambda *_: ((serving,), [volume("p", made_in)]))

    (row,) = status.listing(tmp_path).data["environments"]

    assert (row["directory"], row["directory_gone"], row["state"]) == (str(tmp_path), False, "running")


def test_what_an_upgrade_is_tried_on_is_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = str(tmp_path / ".kratosctl" / "dev" / "upgrade-rehearsal")
    serving = replace(kratos("running"), labels={"directory": clone, "environment": "dev"})
    theirs = volume("p3", str(tmp_path / "upgrade-rehearsal"))
    monkeypatch.setattr(reading, "together", lambda *_: ((serving,), [volume("p2", clone), theirs]))

    found = status.listing(tmp_path)

    assert [row["directory"] for row in found.data["environments"]] == [str(tmp_path / "upgrade-rehearsal")]


@pytest.mark.parametrize(("rootless", "reached"), [(False, "http://172.18.0.3:4434"), (True, "")])
def test_the_unpublished_admin_api_is_reached_where_containers_share_the_networks_of_this_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rootless: bool, reached: str
) -> None:
    engine = Engine("27.0.0", "linux/amd64", True, rootless, "local")
    monkeypatch.setattr(reading, "engine", lambda: engine)
    monkeypatch.setattr(reading, "address", lambda _: "172.18.0.3")
    found = Found(Workspace(tmp_path, "dev"), State(project="p"), (kratos("running"),))

    assert found.admin_url() == reached


def test_what_was_taken_out_of_the_file_is_not_meant_unless_it_is_named(tmp_path: Path) -> None:
    left = tmp_path / ".kratosctl" / "dev" / "state.json"
    left.parent.mkdir(parents=True)
    left.write_text("{}")
    assert running.pick(tmp_path, None) == "dev"
    (tmp_path / "kratosctl.yaml").write_text("environments: {ci: {}}\n")

    assert running.pick(tmp_path, None) == "ci", "as for `up`"
    assert running.pick(tmp_path, "dev") == "dev"


def test_words_are_services_unless_an_environment_has_that_name(tmp_path: Path) -> None:
    (tmp_path / "kratosctl.yaml").write_text("environments: {dev: {}, ci: {}}\n")

    assert running.environment_and_services(tmp_path, ["ci", "kratos"]) == ("ci", ["kratos"])
    assert running.environment_and_services(tmp_path, ["worker"]) == (None, ["worker"])
    with pytest.raises(UsageError, match="one environment at a time"):
        running.environment_and_services(tmp_path, ["ci", "dev"])


def test_services_of_ones_own_are_known_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "kratosctl.yaml").write_text("environments: {dev: {}}\n")
    worker = replace(UI, service="worker")
    found = Found(Workspace(tmp_path, "dev"), State(project="p"), (kratos("running"), worker))

    found.check_services(["worker", "kratos-migrate"])
    with pytest.raises(UsageError, match="neither a service nor an environment: workr") as refused:
        found.check_services(["workr"])
    assert "worker" in refused.value.why
    assert "dev" in refused.value.why


@pytest.mark.parametrize(("service", "fix"), [("ui", "kratosctl up dev --ui"), ("postgres", "")])
def test_a_service_that_an_environment_does_not_have_is_no_failure_of_compose(
    tmp_path: Path, service: str, fix: str
) -> None:
    """`up` alone would not start it either."""
    mail = replace(UI, service="mail")
    found = Found(Workspace(tmp_path, "dev"), State(project="p"), (kratos("running"), mail))

    with pytest.raises(NotRunning, match=f"environment dev has no {service}") as refused:
        found.check_services([service])
    assert refused.value.why == "it has kratos, mail"
    assert refused.value.fix.endswith(fix)


def test_a_container_of_others_that_bears_only_some_of_our_labels_hides_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an engine that several people share, whoever may run a container labels it as they like."""
    ours = replace(kratos("running"), labels={"environment": "dev", "directory": str(tmp_path)})
    odd = [replace(UI, labels=labels) for labels in ({"environment": "dev"}, {"directory": "/x"}, {})]
    monkeypatch.setattr(reading, "containers", lambda: (*odd, ours))
    monkeypatch.setattr(reading, "labelled_as", lambda kind: [])

    assert [row["environment"] for row in status.listing(tmp_path).data["environments"]] == ["dev"]

"""Secrets that Kratos runs with: it is made anew where it is to have others than it was given, and else not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.stages import assemble
from tests.unit.stacks import environment

FILE = "secrets/kratos.yml"


def brought_up(workspace: Workspace, variables: Mapping[str, str] | None = None, **asked: Any) -> str:
    """Writes what `up` writes. Returns what says that Kratos' container is to be made anew."""
    state = workspace.state()
    state = state if state.project else State(project="app-dev-1", ports={"public": 4433})
    wanted = environment(**{"ui": False, "mail": False, **asked})
    stack = assemble.assemble(wanted, workspace, state, None, {4433}, variables or {})
    workspace.write_all(stack.files, stack.state)
    return stack.revisions["kratos"]


def edit(workspace: Workspace, **secrets: Any) -> None:
    content = yaml.safe_load(workspace.read(FILE) or "")
    workspace.write(FILE, yaml.safe_dump({**content, "secrets": {**content["secrets"], **secrets}}), 0o600)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path, "dev")
    # the lock of whoever brings it up lies there
    found.home.mkdir(parents=True)
    return found


def test_a_secret_that_somebody_took_out_opens_nothing_after_up(workspace: Workspace) -> None:
    """It may have leaked: a Kratos that runs on with it would go on taking cookies that others sign."""
    brought_up(workspace, {"SECRETS_COOKIE": "leaked-" + "x" * 25})
    before = brought_up(workspace, {"SECRETS_COOKIE": "n" * 32})
    edit(workspace, cookie=["n" * 32])

    after = brought_up(workspace)

    assert after != before
    assert brought_up(workspace) == after


def test_secrets_of_services_that_are_off_change_nothing(workspace: Workspace) -> None:
    before = brought_up(workspace)
    workspace.write("secrets/ui.env", "COOKIE_SECRET=other\n", 0o600)
    edit(workspace)

    assert brought_up(workspace) == before
    assert brought_up(workspace, {"SECRETS_COOKIE": "d" * 32}) != before


def test_kinds_that_the_user_sets_change_nothing_each_time_and_something_once(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "kratos").mkdir()
    own = tmp_path / "kratos" / "kratos.yml"
    own.write_text("identity: {}\n")
    before = brought_up(workspace, config_dir="kratos")
    own.write_text(f"identity: {{}}\nsecrets: {{cookie: [{'t' * 32}]}}\n")

    # what Kratos was given is read after it, and would still count
    after = brought_up(workspace, config_dir="kratos")

    assert after != before
    assert brought_up(workspace, config_dir="kratos") == after


def test_an_environment_of_an_earlier_kratosctl_runs_on(workspace: Workspace) -> None:
    before = brought_up(workspace)
    state = workspace.state()
    workspace.save_state(State(**{**vars(state), "secrets_given": ""}))

    assert brought_up(workspace) == before

"""What Compose tells of itself while it creates: the names of new containers, and how old it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kratosctl.engine.client import Project, _created
from kratosctl.errors import EngineFailed, EngineTooOld
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.stages import apply
from kratosctl.stages.assemble import Stack
from tests.unit import stacks

SAID = """\
 Network app-dev-1a2b3c4d_default Creating
 Network app-dev-1a2b3c4d_default Created
 Container app-dev-1a2b3c4d-kratos-migrate-1 Creating
 Container app-dev-1a2b3c4d-kratos-migrate-1 Created
 Container app-dev-1a2b3c4d-kratos-1  Created
 Container app-dev-1a2b3c4d-ui-1 Recreated
 Container 0123456789ab_app-dev-1a2b3c4d-mail-1 Created
 Container other-kratos-1 Created
"""


def test_only_what_it_created_under_the_first_name_is_known_by_it() -> None:
    assert _created("app-dev-1a2b3c4d", SAID) == {
        "kratos-migrate": "app-dev-1a2b3c4d-kratos-migrate-1",
        "kratos": "app-dev-1a2b3c4d-kratos-1",
    }


def test_what_is_printed_in_another_form_tells_nothing() -> None:
    assert _created("app-dev-1a2b3c4d", '{"id":"Container app-dev-1a2b3c4d-kratos-1","status":"Created"}\n') == {}


def test_an_old_compose_is_refused_again_where_it_was_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has made may look right: files are written and containers created by then."""
    asked = stacks.environment()
    refused_before = State(generated={"compose.yaml": ["0"]})
    stack = Stack(asked, Workspace(tmp_path, "dev"), stacks.place(asked), refused_before, (), {})
    monkeypatch.setattr(Project, "create", lambda *_: {"kratos": "kratos-1"})

    def too_old() -> None:
        raise EngineTooOld("Docker Compose 2.17.0 is too old")

    monkeypatch.setattr(apply, "check_compose", too_old)

    with pytest.raises(EngineTooOld):
        apply._create(stack, ["kratos"])

    # where it was not, containers are made without asking
    assert apply._create(replace(stack, state=State(migrated={"image": "i"})), ["kratos"]) == {"kratos": "kratos-1"}


def test_an_old_compose_that_fails_is_called_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = stacks.environment()
    stack = Stack(asked, Workspace(tmp_path, "dev"), stacks.place(asked), State(migrated={"image": "i"}), (), {})

    def fails(*_: object) -> None:
        raise EngineFailed("unknown key start_interval")

    def too_old() -> None:
        raise EngineTooOld("Docker Compose 2.17.0 is too old")

    monkeypatch.setattr(Project, "create", fails)
    monkeypatch.setattr(apply, "check_compose", too_old)

    with pytest.raises(EngineTooOld):
        apply._create(stack, ["kratos"])

"""What seeding asks of a Kratos, without one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from kratosctl.console import Console
from kratosctl.files.workspace import SEED_WANTED, Workspace
from kratosctl.kratos.api import Answer, Client
from kratosctl.running import Found
from kratosctl.seeding import seed
from kratosctl.snapshots.subject import Subject
from tests.unit import stacks


@pytest.mark.parametrize(
    ("identity", "default"),
    [
        ("identity:\n", "one"),
        ("identity:\n  default_schema_id:\n", "one"),
        ("identity: {default_schema_id: b}\n", "two"),
    ],
)
def test_who_has_no_schema_of_her_own_gets_the_default_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: str, default: str
) -> None:
    (tmp_path / "kratos").mkdir()
    (tmp_path / "kratos" / "kratos.yml").write_text(identity)
    answer = Answer(200, [{"id": "default", "schema": {"title": "one"}}, {"id": "b", "schema": {"title": "two"}}])
    monkeypatch.setattr(Client, "get", lambda client, url: answer)
    found: Found = SimpleNamespace(  # type: ignore[assignment]
        workspace=Workspace(tmp_path, "dev"), public_address=lambda: ("localhost", 4433)
    )

    schemas = seed._schemas(Subject(found, stacks.environment(config_dir="kratos")))

    assert schemas[""] == {"title": default}


@pytest.mark.parametrize("wanted", ["sqlite", "memory"])
def test_a_seed_that_a_database_waited_for_never_goes_into_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    """As after `migrate`, or a `restart` of one in memory: then `database: external` was written to kratosctl.yaml."""
    (tmp_path / "people.yaml").write_text("- {email: ada@example.org, password: a-plain-password}\n")
    workspace = Workspace(tmp_path, "dev")
    filled: list[str] = []
    monkeypatch.setattr(seed, "seed", lambda subject, *_: filled.append(subject.environment.database))

    for asked in ("external", wanted):
        workspace.write(SEED_WANTED, wanted)
        environment = stacks.environment(database=asked, seed="people.yaml")
        seed.finish_first(Subject(Found(workspace, workspace.state(), ()), environment), Console(quiet=True))
        assert not workspace.wants_seed

    assert filled == [wanted]

"""A snapshot handed on, as far as no engine is needed for that."""

from __future__ import annotations

from pathlib import Path

from kratosctl.files.workspace import Workspace
from kratosctl.snapshots import handing
from tests.unit import stacks
from tests.unit.test_snapshot_store import save


def exported(directory: Path, kratos_yml: str) -> list[str]:
    """What a person is told who hands on an environment with a configuration of her own."""
    (directory / "kratos").mkdir()
    (directory / "kratos" / "kratos.yml").write_text(kratos_yml)
    workspace = Workspace(directory, "dev")
    save(workspace, "one")
    environment = stacks.environment(config_dir="kratos")
    return list(handing.export(workspace, environment, "one", directory / "it.zip", False, False).warnings)


def test_whoever_hands_on_secrets_of_her_configuration_is_told_which(tmp_path: Path) -> None:
    warnings = exported(
        tmp_path, "courier: {smtp: {connection_uri: 'smtp://me:hunter2@mail'}}\nsecrets: {cookie: [a]}\n"
    )

    assert warnings[0].startswith("it holds password hashes and sessions, but not the environment's own secrets")
    assert warnings[1:] == ["kratos/kratos.yml is in it, with secrets of its own: courier.smtp.connection_uri, secrets"]


def test_a_configuration_without_secrets_is_handed_on_without_a_word(tmp_path: Path) -> None:
    assert len(exported(tmp_path, "selfservice: {methods: {password: {enabled: true}}}\n")) == 1


def test_a_configuration_that_cannot_be_read_keeps_nobody_from_the_data(tmp_path: Path) -> None:
    assert "cannot be told: kratos/kratos.yml" in exported(tmp_path, "a: [")[1]

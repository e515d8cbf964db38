"""`render`: the Compose file, and a directory that needs no kratosctl."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kratosctl.commands import export
from kratosctl.console import Console
from kratosctl.engine import faults, program
from kratosctl.environment import Environment, from_answers
from kratosctl.errors import ConfigurationInvalid, GeneratedFileEdited, UsageError
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace

QUIET = Console(quiet=True)
DSN = {"DSN": "postgres://me:hunter2@host/db"}


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here has an engine."""

    def docker(*_words: str, **_how: Any) -> None:
        raise faults.docker_missing()

    monkeypatch.setattr(program, "docker", docker)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    directory = tmp_path / "my $app"
    directory.mkdir()
    return Workspace(directory, "dev")


def environment(**answers: Any) -> Environment:
    return from_answers("dev", {"ui": False, "mail": False, **answers})


def written(workspace: Workspace, target: Path, asked: Environment, **variables: str) -> dict[str, str]:
    export.write(asked, workspace, target, False, QUIET, variables)
    return {str(path.relative_to(target)): path.read_text() for path in target.rglob("*") if path.is_file()}


def test_printing_writes_nothing_and_shows_no_secret(workspace: Workspace) -> None:
    result = export.show(
        environment(database="external"), workspace, DSN | {"SECRETS_DEFAULT": "hunter2-hunter2-hunter2"}
    )

    assert yaml.safe_load(result.text())["name"] == result.data["project"]
    assert "hunter2" not in result.text() + result.json()
    assert list(workspace.directory.iterdir()) == []


def test_printing_takes_the_ports_the_environment_has(workspace: Workspace) -> None:
    workspace.home.mkdir(parents=True)
    state = f'{{"project": "p-dev-1", "directory": "{workspace.directory}", "ports": {{"public": 22}}}}'
    (workspace.home / "state.json").write_text(state)

    compose = yaml.safe_load(export.show(environment(), workspace, {}).text())

    # who listens on 22 is no matter here
    assert compose["services"]["kratos"]["ports"] == ["127.0.0.1:22:4433"]


def test_a_written_directory_keeps_the_addresses_of_its_network(workspace: Workspace, tmp_path: Path) -> None:
    """Whoever asked for a range has a host whose own ranges are used up."""
    workspace.save_state(State(project="p-dev-1", directory=str(workspace.directory), subnet="10.213.0.16/28"))

    files = written(workspace, tmp_path / "out", environment(subnets="10.213.0.0/16"))

    assert yaml.safe_load(files["compose.yaml"])["networks"] == {
        "default": {"ipam": {"config": [{"subnet": "10.213.0.16/28"}]}}
    }
    assert "networks" not in yaml.safe_load(written(workspace, tmp_path / "other", environment())["compose.yaml"])


@pytest.mark.parametrize("database", ["sqlite", "postgres", "memory"])
def test_a_written_directory_refers_to_nothing_outside_it(workspace: Workspace, tmp_path: Path, database: str) -> None:
    target = tmp_path / "out"
    files = written(workspace, target, environment(database=database, ui=True, mail=True))
    compose = yaml.safe_load(files["compose.yaml"])

    assert str(tmp_path) not in files["compose.yaml"].replace("dev.kratosctl.directory: " + str(tmp_path), "")
    for part in ("configs", "secrets"):
        for source in compose[part].values():
            assert (target / source["file"]).is_file()
    for service in compose["services"].values():
        assert "labels" not in service
        for mount in service.get("volumes", []):
            if isinstance(mount, dict) and mount["type"] == "bind":
                assert (target / mount["source"]).is_dir()
    assert "networks" not in compose


def test_secrets_are_for_the_owner_alone_and_kept_from_git(workspace: Workspace, tmp_path: Path) -> None:
    target = tmp_path / "out"
    written(workspace, target, environment(database="postgres", ui=True))

    ignores = target / "secrets" / ".gitignore"
    secrets = [path for path in ignores.parent.iterdir() if path != ignores]
    assert len(secrets) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    assert stat.S_IMODE((target / "secrets").stat().st_mode) == 0o700
    assert "*" in ignores.read_text().splitlines()


def test_git_takes_no_secret_and_no_data_whatever_a_gitignore_above_says(workspace: Workspace, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / ".gitignore").write_text("*.pyc\n")
    files = written(workspace, target, environment(database="sqlite", ui=True))

    assert files[".gitignore"] == "*.pyc\n"
    assert "*" in files["secrets/.gitignore"].splitlines()
    assert "*" in files["database/.gitignore"].splitlines()


def test_the_database_that_is_copied_there_is_for_the_owner_alone(workspace: Workspace, tmp_path: Path) -> None:
    """Whoever can read it can sign in as anybody. Where it lies now, a directory above it keeps others out."""
    (workspace.home / "database").mkdir(parents=True, mode=0o755)
    for name in ("db.sqlite", "db.sqlite-wal"):
        (workspace.home / "database" / name).touch()

    result = export.write(environment(), workspace, tmp_path / "out", False, QUIET, {})
    (copying,) = [step for step in result.data["next"] if step.startswith("cp ")]
    subprocess.run(copying, shell=True, check=True)

    assert {"db.sqlite", "db.sqlite-wal"} <= {path.name for path in (tmp_path / "out/database").iterdir()}
    assert stat.S_IMODE((tmp_path / "out/database").stat().st_mode) == 0o700


def test_what_somebody_keeps_from_git_is_not_written_over(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "out/database").mkdir(parents=True)
    (tmp_path / "out/database/.gitignore").write_text("*.sqlite\n")

    with pytest.raises(GeneratedFileEdited, match=r"database/\.gitignore is there, and differs"):
        export.write(environment(), workspace, tmp_path / "out", False, QUIET, {})

    assert [str(path.relative_to(tmp_path)) for path in (tmp_path / "out").rglob("*") if path.is_file()] == [
        "out/database/.gitignore"
    ]
    assert (tmp_path / "out/database/.gitignore").read_text() == "*.sqlite\n"


def test_a_new_postgresql_can_read_what_is_mounted_whatever_the_umask(workspace: Workspace, tmp_path: Path) -> None:
    was = os.umask(0o077)
    try:
        export.write(environment(database="postgres"), workspace, tmp_path / "out", False, QUIET, {})
    finally:
        os.umask(was)

    assert stat.S_IMODE((tmp_path / "out/initdb").stat().st_mode) == 0o755


def test_the_secrets_are_those_that_up_will_find(workspace: Workspace, tmp_path: Path) -> None:
    """Also where the environment was never made: one that was killed is finished by running it again."""
    asked = environment(database="postgres", ui=True)
    files = written(workspace, tmp_path / "out", asked)
    (tmp_path / "out/secrets/postgres-password").unlink()

    assert written(workspace, tmp_path / "out", asked) == files
    for name in ("kratos.yml", "postgres-password", "ui.env"):
        kept = workspace.home / "secrets" / name
        assert kept.read_text() == files[f"secrets/{name}"]
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(workspace.home.stat().st_mode) == 0o700
    assert (workspace.directory / ".kratosctl/.gitignore").read_text() == "*\n"


def test_the_secrets_are_those_of_the_environment(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.home / "secrets").mkdir(parents=True)
    kept = "dsn: memory\nsecrets: {default: [aaaaaaaaaaaaaaaa], cookie: [bbbbbbbbbbbbbbbb], cipher: ['%s']}\n" % (
        "c" * 32
    )
    (workspace.home / "secrets" / "kratos.yml").write_text(kept)

    files = written(workspace, tmp_path / "out", environment())

    assert yaml.safe_load(files["secrets/kratos.yml"])["secrets"] == yaml.safe_load(kept)["secrets"]


def test_a_directory_of_the_users_is_copied(workspace: Workspace, tmp_path: Path) -> None:
    theirs = workspace.directory / "conf $x"
    theirs.mkdir()
    (theirs / "kratos.yaml").write_text("identity: {}\n")
    (workspace.directory / "compose.override.yaml").write_text("services: {}\n")

    files = written(workspace, tmp_path / "out", environment(config_dir="conf $x"))

    assert files["kratos/kratos.yaml"] == "identity: {}\n"
    assert files["compose.override.yaml"] == "services: {}\n"
    mounts = yaml.safe_load(files["compose.yaml"])["services"]["kratos"]["volumes"]
    assert "./kratos" in [mount["source"] for mount in mounts if mount["target"] == "/etc/config/kratos"]


def test_a_custom_image_comes_with_its_dockerfile(workspace: Workspace, tmp_path: Path) -> None:
    target = tmp_path / "out"
    result = export.write(environment(config="image"), workspace, target, False, QUIET, {})

    assert "COPY kratos/" in (target / "Dockerfile").read_text()
    assert (target / "kratos" / "kratos.yml").exists()
    assert any(step.startswith("docker build -t kratosctl/") for step in result.data["next"])


def test_an_image_built_from_what_was_written_can_be_read_by_kratos_whatever_the_umask(
    workspace: Workspace, tmp_path: Path
) -> None:
    """A build keeps the modes of directories, and Kratos is not their owner."""
    theirs = workspace.directory / "kratos"
    (theirs / "templates/recovery").mkdir(parents=True)
    for name in ("kratos.yml", "templates/recovery/email.body.gotmpl"):
        (theirs / name).write_text("log: {}\n")
    was = os.umask(0o077)
    try:
        export.write(environment(config="image", config_dir="./kratos"), workspace, tmp_path / "out", False, QUIET, {})
    finally:
        os.umask(was)

    copied = tmp_path / "out/kratos"
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (copied, *copied.rglob("*"))}
    assert modes == {(True, 0o755), (False, 0o644)}


def test_writing_again_is_fine_and_a_difference_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    target, asked = tmp_path / "out", environment(database="memory")
    workspace.home.mkdir(parents=True)
    export.write(asked, workspace, target, False, QUIET, {})
    export.write(asked, workspace, target, False, QUIET, {})

    (target / "compose.yaml").write_text("services: {}\n")
    with pytest.raises(GeneratedFileEdited, match=r"compose\.yaml is there, and differs"):
        export.write(asked, workspace, target, False, QUIET, {})
    export.write(asked, workspace, target, True, QUIET, {})
    assert "kratos" in (target / "compose.yaml").read_text()


def test_the_users_own_compose_file_goes_along_as_it_is(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.directory / "compose.override.yaml").write_bytes(b"services: {}\r\n")
    told = export.write(environment(), workspace, tmp_path / "out", False, QUIET, {})
    assert (tmp_path / "out/compose.override.yaml").read_bytes() == b"services: {}\r\n"
    # Compose would look for them there
    assert told.warnings == [
        "compose.override.yaml goes along, and nothing that it names, such as .env or ./file: copy that, too"
    ]


def test_a_compose_file_of_the_users_that_is_no_text_is_said(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.directory / "compose.override.yaml").write_bytes(b"services: {}  # \xff\n")
    with pytest.raises(ConfigurationInvalid, match=r"compose\.override\.yaml:1:17: not UTF-8 text"):
        export.write(environment(), workspace, tmp_path / "out", False, QUIET, {})
    assert not (tmp_path / "out").exists()


def test_other_secrets_are_never_written_over(workspace: Workspace, tmp_path: Path) -> None:
    target = tmp_path / "out"
    (target / "secrets").mkdir(parents=True)
    (target / "secrets" / "kratos.yml").write_text("secrets: {cookie: [hunter2-hunter2-1]}\n")

    with pytest.raises(GeneratedFileEdited) as caught:
        export.write(environment(), workspace, target, True, QUIET, {})

    assert "hunter2" not in "\n".join(caught.value.lines())
    assert "hunter2" in (target / "secrets" / "kratos.yml").read_text()
    assert not (target / "compose.yaml").exists()


def test_kratosctls_own_directory_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError):
        export.write(environment(), workspace, workspace.home / "out", False, QUIET, {})


def test_an_external_database_needs_its_address(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match="DSN is not set"):
        export.write(environment(database="external"), workspace, tmp_path / "out", False, QUIET, {})
    files = written(workspace, tmp_path / "out", environment(database="external"), **DSN)
    assert yaml.safe_load(files["secrets/kratos.yml"])["dsn"] == DSN["DSN"]
    assert "hunter2" not in files["compose.yaml"] + files["environment.yml"]


def test_a_configuration_goes_along_with_files_that_are_no_text(workspace: Workspace, tmp_path: Path) -> None:
    """A picture beside a template, or a template in another encoding: `up` and `image build` take them, too."""
    kratos, target = workspace.directory / "kratos", tmp_path / "mine"
    kratos.mkdir()
    (kratos / "kratos.yml").write_text("identity: {}\n")
    contents = {"logo.png": b"\x89PNG\r\n\x1a\n\x00\xff", "mail.gotmpl": b"caf\xe9 caf\xc3\xa9\r\n"}
    for name, content in contents.items():
        (kratos / name).write_bytes(content)
    asked = environment(config_dir="kratos")

    for _ in range(2):  # the second time they are there, and the same
        export.write(asked, workspace, target, False, QUIET, {})

    assert {name: (target / "kratos" / name).read_bytes() for name in contents} == contents

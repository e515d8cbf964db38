"""A database made from a template is a new environment's own: nothing of the one it was taken from is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import engine, people
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def first(shared_directory: Directory) -> dict[str, Any]:
    """What `up` told of a PostgreSQL environment after which there is a template to copy."""
    return up(shared_directory)


def up(directory: Directory) -> dict[str, Any]:
    """A PostgreSQL environment on a port of its own: one that has to look for another keeps no template."""
    return directory.up("dev", "--public-port", str(engine.free_ports(1)[0]), database="postgres")


def query(project: str, sql: str) -> str:
    """What psql prints for a query to an environment's own PostgreSQL."""
    postgres = engine.container(project, "postgres")["Id"]
    return engine.docker("exec", postgres, "psql", "-U", "kratos", "-d", "kratos", "-Atc", sql).strip()


def accepts(project: str, password: str) -> bool:
    """Whether PostgreSQL takes a password over TCP, as Kratos gives it."""
    postgres = engine.container(project, "postgres")
    address = next(iter(postgres["NetworkSettings"]["Networks"].values()))["IPAddress"]
    words = ("psql", "-h", address, "-U", "kratos", "-d", "kratos", "-c", "SELECT 1")
    return engine.succeeds("exec", "--env", f"PGPASSWORD={password}", postgres["Id"], *words)


def test_the_second_postgres_is_copied_and_has_a_password_a_network_and_people_of_its_own(
    shared_directory: Directory, first: dict[str, Any], directory: Directory
) -> None:
    told = up(directory)

    logs = engine.docker("logs", engine.container(told["project"], "postgres")["Id"])
    assert "Skipping initialization" in logs, "it was not copied"
    assert engine.container(told["project"], "kratos-migrate")["State"]["Status"] == "created", (
        "it was migrated as well"
    )
    people.sign_up_and_ask(told["endpoints"]["public"])
    assert query(told["project"], "SELECT count(*), min(nid::text) FROM identities").split("|")[0] == "1"
    assert query(told["project"], "SELECT count(*) FROM networks") == "1"
    network = "SELECT id FROM networks"
    assert query(told["project"], network) != query(first["project"], network)
    passwords = [(d.home() / "secrets/postgres-password").read_text() for d in (shared_directory, directory)]
    assert [accepts(told["project"], password) for password in passwords] == [False, True]


def test_a_postgres_that_the_users_own_compose_file_changes_is_made_as_that_says(
    first: dict[str, Any], directory: Directory
) -> None:
    setting = {"services": {"postgres": {"environment": {"POSTGRES_INITDB_ARGS": "--data-checksums"}}}}
    (directory.path / "compose.override.yaml").write_text(json.dumps(setting))

    told = up(directory)

    assert query(told["project"], "SHOW data_checksums") == "on"


def test_a_copy_that_was_cut_short_is_made_anew(directory: Directory) -> None:
    project = up(directory)["project"]
    directory.down()
    engine.docker(
        *("run", "--rm", "--volume", f"{project}_postgres:/data", "--entrypoint", "rm"),
        *(directory.variables["KRATOSCTL_POSTGRES_IMAGE"], "-rf", "/data/base", "/data/pg_xact"),
    )
    state = directory.home() / "state.json"
    # as a killed `up` leaves it: the files are half there, and PostgreSQL was never started on them
    cut_short = {"first_start": True, "copying": True, "migrated": {}}
    state.write_text(json.dumps({**json.loads(state.read_text()), **cut_short}))

    told = up(directory)

    people.sign_up_and_ask(told["endpoints"]["public"])


@pytest.mark.parametrize("runs", [True, False])
def test_a_copy_that_was_cut_short_and_that_people_signed_up_in_since_is_kept(directory: Directory, runs: bool) -> None:
    token = people.sign_up_and_ask(up(directory)["endpoints"]["public"])
    if not runs:
        directory.down()
    state = directory.home() / "state.json"
    # whoever starts it with Compose alone is served
    cut_short = {"first_start": True, "copying": True, "migrated": {}}
    state.write_text(json.dumps({**json.loads(state.read_text()), **cut_short}))

    told = directory.run("up", "--yes", "--json", "--host", "127.0.0.1").data

    assert people.whoami(told["endpoints"]["public"], token) == "someone@example.org"


def test_a_whole_copy_that_was_not_made_its_own_is_made_anew(directory: Directory) -> None:
    project = up(directory)["project"]
    engine.docker("kill", engine.container(project, "kratos")["Id"])
    query(project, "ALTER ROLE kratos PASSWORD 'of-the-one-it-was-taken-from'")
    state = directory.home() / "state.json"
    cut_short = {"first_start": True, "copying": True, "migrated": {}}
    state.write_text(json.dumps({**json.loads(state.read_text()), **cut_short}))

    people.sign_up_and_ask(up(directory)["endpoints"]["public"])


def test_a_template_that_the_engine_cannot_copy_is_done_without_the_next_time(
    first: dict[str, Any], directory: Directory, tmp_path: Path
) -> None:
    damaged = tmp_path / "cache" / "templates"
    damaged.mkdir(parents=True)
    for template in (directory.cache / "templates").iterdir():
        (damaged / template.name).write_bytes(b"no archive at all" * 1000)
    directory.cache = damaged.parent

    refused = directory.run("up", "--database", "postgres", "--no-ui", "--no-mail", "--yes", code=None)
    told = up(directory)

    assert refused.code != 0
    people.sign_up_and_ask(told["endpoints"]["public"])

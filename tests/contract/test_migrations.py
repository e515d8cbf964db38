"""`migrate sql -e`, and what it leaves in the database."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from . import http
from .conftest import REPOSITORY, TESTED, MakeDatabase, MakeKratos, MakeMigrated
from .kratos import ADMIN, Database, Directory, Image, Kratos, Sqlite

MIGRATIONS = {
    "sqlite": {"v1.1.0": 655, "v1.3.1": 663, "v25.4.0": 679, "v26.2.0": 686},
    "postgres": {"v1.1.0": 307, "v1.3.1": 315, "v25.4.0": 331, "v26.2.0": 338},
}


def test_migrating_fills_an_empty_database_and_migrating_again_changes_nothing(
    stack: tuple[str, str, str], stack_image: Image, make_database: MakeDatabase, make_kratos: MakeKratos
) -> None:
    database = make_database(stack[2])
    kratos = make_kratos(stack_image, database)
    expected = str(MIGRATIONS[stack[2]][stack_image.release])
    for _ in range(2):
        done = kratos.migrate()
        assert done.code == 0, done.text
        assert "Successfully applied" in done.out
        assert database.value("SELECT count(version) FROM schema_migration WHERE version_self = 0") == expected
    assert database.value("SELECT count(*) FROM identity_credential_types WHERE name = 'password'") == "1"


def test_the_first_serve_creates_the_network_not_the_migrations(
    default_image: Image, make_migrated: MakeMigrated
) -> None:
    kratos = make_migrated(default_image, "sqlite")
    database = kratos.database
    assert isinstance(database, Sqlite)
    assert database.value("SELECT count(*) FROM networks") == "0"
    with kratos.serve():
        network = database.value("SELECT id FROM networks")
    with kratos.serve():
        assert database.value("SELECT id FROM networks") == network


def test_a_configuration_that_serve_would_refuse_is_good_enough_to_migrate(
    default_image: Image, make_migrated: MakeMigrated
) -> None:
    kratos = make_migrated(default_image, "sqlite")
    kratos.directory.write("kratos.yml", {"no_such_key": 1})
    assert kratos.migrate().code == 0


def test_the_dsn_may_come_from_the_last_file_and_the_environment_goes_before_the_files(
    default_image: Image, make_migrated: MakeMigrated
) -> None:
    kratos = make_migrated(default_image, "sqlite")
    database = kratos.database
    kratos.directory.write("first.yml", {"dsn": "sqlite:///nowhere/db.sqlite"})
    kratos.directory.write("last.yml", {"dsn": database.dsn})
    from_files = replace(kratos, database=Database("", database.options), files=("first.yml", "last.yml"))
    assert from_files.migrate().code == 0
    from_environment = replace(kratos, files=("first.yml",))
    assert from_environment.migrate().code == 0


def test_without_a_dsn_it_exits_1_at_once(default_image: Image, directory: Directory) -> None:
    done = Kratos(default_image, directory, Database("")).migrate()
    assert done.code == 1
    assert "dsn must be set" in done.err


def test_an_empty_dsn_in_the_environment_hides_that_of_the_files(default_image: Image, directory: Directory) -> None:
    directory.write("dsn.yml", {"dsn": "memory"})
    done = Kratos(default_image, directory, Database(""), files=("dsn.yml",)).run(
        "migrate", "sql", "-e", "--yes", env={"DSN": ""}
    )
    assert done.code == 1
    assert "dsn must be set" in done.err


def test_the_status_of_migrations_is_told_as_json_and_pending_ones_are_no_failure(
    modern_image: Image, make_database: MakeDatabase, make_kratos: MakeKratos
) -> None:
    kratos = make_kratos(modern_image, make_database("sqlite"))
    for state in ("Pending", "Applied"):
        done = kratos.run("migrate", "sql", "status", "-e", "--format", "json")
        assert done.code == 0, done.text
        told = json.loads(done.out)
        assert {item["state"] for item in told} == {state}
        assert set(told[0]) >= {"state", "version", "name"}
        assert kratos.run("migrate", "sql", "up", "-e", "--yes").code == 0


def test_a_newer_release_serves_on_an_older_database_but_is_not_ready_until_it_is_migrated(
    make_migrated: MakeMigrated, make_kratos: MakeKratos
) -> None:
    if len(TESTED) < 2:
        pytest.skip("needs two releases")
    old, new = (Image(REPOSITORY, release, "default") for release in (TESTED[0], TESTED[-1]))
    kratos = make_kratos(new, make_migrated(old, "sqlite").database)
    with kratos.start("serve", "--dev") as started:
        started.wait_for_log("Starting the admin httpd")
        port = started.port(ADMIN)
        assert http.request("GET", port, "/admin/health/alive").status == 200
        not_ready = http.request("GET", port, "/admin/health/ready")
        assert not_ready.status == 503
        assert not_ready.json()["error"]["message"] == "migrations have not yet been fully applied"
        assert kratos.migrate().code == 0
        assert http.request("GET", port, "/admin/health/ready").status == 200


def test_an_older_release_calls_itself_ready_on_a_newer_database_but_fails_there(
    make_migrated: MakeMigrated, make_kratos: MakeKratos
) -> None:
    if len(TESTED) < 2:
        pytest.skip("needs two releases")
    old, new = (Image(REPOSITORY, release, "default") for release in (TESTED[0], TESTED[-1]))
    with make_kratos(old, make_migrated(new, "sqlite").database).serve() as server:
        assert server.admin("GET", "/admin/identities").status == 500

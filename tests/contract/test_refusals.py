"""What Kratos refuses at once, and what it retries for minutes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from .conftest import MakeDatabase, MakeKratos
from .kratos import KRATOS_YML, Database, Directory, Image, Kratos

MISSING = 'missing properties: "{}"'

REFUSED: dict[str, tuple[dict[str, Any] | str, str]] = {
    "a default secret shorter than 16 characters": ({"secrets": {"default": ["short"]}}, "length must be >= 16"),
    "a cipher secret shorter than 32 characters": ({"secrets": {"cipher": ["x" * 31]}}, "length must be >= 32"),
    "a cipher secret longer than 32 characters": ({"secrets": {"cipher": ["x" * 33]}}, "length must be <= 32"),
    "an unknown key": ({"no_such_key": 1}, 'additionalProperties "no_such_key" not allowed'),
    "an unknown key of a flow": (
        {"selfservice": {"flows": {"login": {"no_such_key": 1}}}},
        'additionalProperties "no_such_key" not allowed',
    ),
    "a value of the wrong type": (
        {"selfservice": {"methods": {"password": {"enabled": "yes"}}}},
        "expected boolean, but got string",
    ),
    "broken YAML": ("identity: [", "yaml: line 1"),
    "a missing identity schema": (
        {"identity": {"schemas": [{"id": "person", "url": "file:///no/such/file.json"}]}},
        "open /no/such/file.json: no such file or directory",
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "-"))
def test_serve_exits_1_and_says_why_on(default_image: Image, directory: Directory, case: str) -> None:
    content, message = REFUSED[case]
    directory.write("wrong.yml", content)
    kratos = Kratos(default_image, directory, Database("memory"), files=("kratos.yml", "secrets.yml", "wrong.yml"))
    refused(kratos, message)


@pytest.mark.parametrize("key", ["identity.schemas", "selfservice.default_browser_return_url"])
def test_serve_exits_1_without_the_key(default_image: Image, directory: Directory, key: str) -> None:
    section, _, name = key.partition(".")
    without = {inner: value for inner, value in KRATOS_YML[section].items() if inner != name}
    directory.write("kratos.yml", KRATOS_YML | {section: without})
    refused(Kratos(default_image, directory, Database("memory")), MISSING.format(name))


def test_serve_exits_1_without_a_dsn(default_image: Image, directory: Directory) -> None:
    refused(Kratos(default_image, directory, Database("")), MISSING.format("dsn"))


def test_serve_exits_1_on_a_configuration_file_that_is_not_there(default_image: Image, directory: Directory) -> None:
    refused(
        Kratos(default_image, directory, Database("memory"), files=("nowhere.yml",)),
        "nowhere.yml: no such file or directory",
    )


def test_an_empty_secret_in_the_environment_is_not_taken_for_none(default_image: Image, directory: Directory) -> None:
    with Kratos(default_image, directory, Database("memory")).start("serve", env={"SECRETS_DEFAULT": ""}) as started:
        done = started.wait_for_end()
    assert done.code == 1
    assert "expected array, but got null" in done.text


def test_only_releases_before_v25_4_accept_courier_sms(default_image: Image, directory: Directory) -> None:
    sms = {"enabled": False, "from": "+15550100"}
    directory.write("sms.yml", {"courier": {"sms": sms}})
    kratos = Kratos(default_image, directory, Database("memory"), files=("kratos.yml", "secrets.yml", "sms.yml"))
    if default_image.modern:
        refused(kratos, 'additionalProperties "sms" not allowed')
    else:
        with kratos.serve():
            pass


def test_an_unknown_kind_of_database_is_refused_by_v1_and_retried_later(
    default_image: Image, directory: Directory
) -> None:
    kratos = Kratos(default_image, directory, Database("nosuch://database"))
    if default_image.modern:
        retried(kratos, "migrate", "unsupported dialect 'nosuch'")
    else:
        done = kratos.migrate()
        assert done.code == 1
        assert "dsn value requested an unknown driver" in done.err


def test_an_unreachable_database_is_retried(default_image: Image, directory: Directory) -> None:
    retried(
        Kratos(default_image, directory, Database("postgres://u:p@127.0.0.1:5432/db?sslmode=disable")),
        "migrate",
        "retrying",
    )


def test_a_wrong_password_is_retried(
    default_image: Image, make_database: MakeDatabase, make_kratos: MakeKratos
) -> None:
    database = make_database("postgres")
    wrong = Database(database.dsn.replace(":a-password@", ":wrong@"), database.options)
    retried(make_kratos(default_image, wrong), "migrate", "password authentication failed")


def test_a_database_file_that_cannot_be_created_is_retried(default_image: Image, directory: Directory) -> None:
    retried(Kratos(default_image, directory, Database("sqlite:///no/such/directory/db.sqlite")), "migrate", "retrying")


def test_sqlite_and_memory_are_retried_by_the_distroless_variant(default_image: Image, directory: Directory) -> None:
    image = replace(default_image, variant="distroless")
    for dsn in ("sqlite:///tmp/db.sqlite", "memory"):
        retried(Kratos(image, directory, Database(dsn)), "serve", "sqlite3 support was not compiled into the binary")


def test_serve_waits_for_the_tables_of_an_empty_database(
    stack: tuple[str, str, str], stack_image: Image, make_database: MakeDatabase, make_kratos: MakeKratos
) -> None:
    retried(make_kratos(stack_image, make_database(stack[2])), "serve", "Unable to determine network, retrying.")


def refused(kratos: Kratos, message: str) -> None:
    with kratos.start("serve") as started:
        done = started.wait_for_end()
    assert done.code == 1
    assert message in done.text


def retried(kratos: Kratos, command: str, message: str) -> None:
    """It goes on after saying why; nobody waits here for the five minutes it takes to give up."""
    arguments = ["migrate", "sql", "-e", "--yes"] if command == "migrate" else ["serve"]
    with kratos.start(*arguments) as started:
        started.wait_for_log(message)
        assert started.running()

"""What was asked for cannot be: said with its place, before anything is made."""

from __future__ import annotations

import pytest

from tests.e2e import engine
from tests.e2e.program import Directory
from tests.faults.soundness import assert_one_error

pytestmark = pytest.mark.engine

UP = ("up", "--yes", "--no-ui", "--no-mail")


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("environments:\n  dev: {ui: false\n", 30, "kratosctl.yaml:3:1: not valid YAML"),
        ("environments:\n\tdev: {}\n", 30, "kratosctl.yaml:2:1: not valid YAML"),
        ("environments:\n  dev: [ui]\n", 30, "kratosctl.yaml:2:8: expected a mapping of keys to values, found a list"),
        ("- dev\n", 30, "kratosctl.yaml:1:1: expected a mapping"),
        ("environments:\n  dev: {public_port: high}\n", 30, "kratosctl.yaml:2:22: public_port: expected a port number"),
        ("environments:\n  dev: {database: sqlit}\n", 30, "kratosctl.yaml:2:19: database: expected one of sqlite"),
        ("environments:\n  dev: {ui: true, ui: false}\n", 30, "kratosctl.yaml:2:19: 'ui' stands here a second time"),
        ("environments:\n  dev: {databse: sqlite}\n", 31, "kratosctl.yaml:2:9: unknown key 'databse'"),
        ("environment:\n  dev: {}\n", 31, "kratosctl.yaml:1:1: unknown key 'environment'"),
        ("environments:\n  ../x: {}\n", 32, "kratosctl.yaml:2:"),
        ("environments:\n  dev: {release: v9.9.9}\n", 30, "Kratos v9.9.9 is not in the catalogue"),
    ],
    ids=["open", "tab", "list", "top", "port", "choice", "twice", "key", "top key", "name", "release"],
)
def test_kratosctl_yaml_is_wrong(directory: Directory, text: str, code: int, said: str) -> None:
    (directory.path / "kratosctl.yaml").write_text(text)

    done = directory.run("up", code=code)

    assert said in done.said
    assert len(done.said.splitlines()) <= 3
    assert [path.name for path in directory.path.iterdir()] == ["kratosctl.yaml"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [("environments:\n  dev: {databse: sqlite}\n", "'database'"), ("environment: {}\n", "'environments'")],
)
def test_an_unknown_key_is_told_with_the_one_that_was_meant(directory: Directory, text: str, meant: str) -> None:
    (directory.path / "kratosctl.yaml").write_text(text)

    assert f"did you mean {meant}?" in assert_one_error(directory.run("up", code=None), 31)


def test_kratosctl_yaml_is_not_text(directory: Directory) -> None:
    (directory.path / "kratosctl.yaml").write_bytes(b"environments: \xff\n")

    assert "kratosctl.yaml:1:15: not UTF-8 text" in directory.run("up", code=30).said


def test_kratos_own_configuration_is_not_yaml(directory: Directory) -> None:
    directory.run("init", "--no-ui", "--no-mail", "--yes")
    file = directory.path / "kratos/kratos.yml"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:8], "  - : x: y", *lines[8:]]))

    said = directory.run("up", code=30).said

    assert "kratos/kratos.yml:" in said
    assert engine.of_directory(directory.path) == {}


@pytest.mark.parametrize("made", [False, True], ids=["absent", "empty"])
def test_the_configuration_directory_is_missing_or_empty_and_is_not_made(directory: Directory, made: bool) -> None:
    if made:
        (directory.path / "kratos").mkdir()

    said = assert_one_error(directory.run(*UP, "--config-dir", "./kratos", code=None), 35)

    assert "kratosctl init" in said
    assert (directory.path / "kratos").exists() == made
    assert not (directory.path / "kratosctl.yaml").exists()


@pytest.mark.parametrize("database", ["sqlite", "memory"])
def test_distroless_with_sqlite_is_refused_with_both_ways_out(directory: Directory, database: str) -> None:
    directory.choose(variant="distroless")

    said = assert_one_error(directory.run(*UP, "--variant", "distroless", "--database", database, code=None), 33)

    assert "--variant default" in said
    assert "--database postgres" in said
    assert list(directory.path.iterdir()) == []


def test_a_platform_the_variant_is_not_built_for_is_refused(directory: Directory) -> None:
    flags = ("--variant", "distroless", "--database", "postgres", "--platform", "linux/arm/v7")

    said = assert_one_error(directory.run(*UP, *flags, code=None), 33)

    assert "linux/arm64" in said


@pytest.mark.parametrize("dsn", ["sqlite:///tmp/x.db", "nonsense", "http://example.org"])
def test_a_dsn_that_is_no_database_elsewhere_is_refused(directory: Directory, dsn: str) -> None:
    assert_one_error(directory.run(*UP, code=None, variables={"DSN": dsn}), 30)
    assert list(directory.path.iterdir()) == []


def test_an_external_database_without_its_dsn_is_refused(directory: Directory) -> None:
    assert "export DSN=" in assert_one_error(directory.run(*UP, "--database", "external", code=None), 30)


def test_an_external_database_is_not_migrated_without_its_dsn_and_no_secrets_are_written(directory: Directory) -> None:
    (directory.path / "kratosctl.yaml").write_text("environments:\n  dev: {database: external}\n")

    assert "export DSN=" in assert_one_error(directory.run("migrate", code=None), 30)

    assert not (directory.home() / "secrets").exists()


def test_a_misspelt_command_is_told_with_the_one_that_was_meant(directory: Directory) -> None:
    assert "did you mean 'status'?" in directory.run("statsu", code=2).said


def test_a_directory_that_is_not_there_is_no_place_to_run_in(directory: Directory) -> None:
    assert "cannot be used" in directory.run("up", "--directory", "nowhere", code=30).said

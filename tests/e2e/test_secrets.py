"""The secrets: kept, used, and seen nowhere but in files of their owner."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e import engine, people
from tests.e2e.people import Browser
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

GIVEN = "given-by-the-user-0123456789"
DSN_PASSWORD = "s3cret-of-theirs"


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_who_is_signed_in_stays_signed_in_across_down_and_up(directory: Directory, database: str) -> None:
    public = directory.up(database=database)["endpoints"]["public"]
    browser = Browser()
    browser.sign_up(public, "stays@example.org")
    before = _texts(directory)

    directory.down()
    again = directory.up(database=database)["endpoints"]["public"]

    assert browser.whoami(again) == "stays@example.org"
    assert _texts(directory) == before


def test_secret_files_are_for_their_owner_alone_whatever_the_umask(directory: Directory) -> None:
    mask = os.umask(0o000)
    try:
        directory.up(database="postgres", pages=True)
    finally:
        os.umask(mask)

    secrets = directory.home() / "secrets"
    assert {path.name for path in secrets.iterdir()} == {"kratos.yml", "postgres-password", "ui.env"}
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    for path in secrets.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_no_secret_is_seen_in_a_command_line_a_log_an_output_or_by_inspecting(directory: Directory) -> None:
    with _command_lines() as seen:
        told = directory.up(database="postgres", pages=True)
        people.sign_up_and_ask(told["endpoints"]["public"])
        words = ("status", "--json"), ("list", "--json"), ("logs",), ("up", "--json"), ("up", "--dry-run", "--json")
        runs = [directory.run(*each) for each in (*words, ("restart",), ("down",), ("up", "--json"))]
    secrets = _secrets(directory)
    containers = [row["Id"] for row in engine.inspect(*engine.containers(told["project"]).values())]
    inspected = str(engine.inspect(*containers, *engine.listed("volume", [_label(directory)])))
    plain = "".join(path.read_text() for path in directory.home().glob("*.y*ml")) + _state(directory)
    logs = "".join(engine.everything_said(container) for container in containers)

    assert len(secrets) == 6
    assert f"postgres://kratos:{(directory.home() / 'secrets/postgres-password').read_text()}@" in str(secrets)
    for secret in {secret.rpartition("//kratos:")[2].partition("@")[0] for secret in secrets}:
        assert not [line for line in seen if secret in line]
        assert not [run for run in runs if secret in run.out + run.err]
        assert secret not in inspected
        assert secret not in plain
        assert secret not in logs


def test_a_secret_of_the_environment_is_used_kept_and_put_before_the_old_ones(directory: Directory) -> None:
    directory.up()
    (old,) = _kratos(directory)["default"]

    again = directory.run("up", "--json", variables={"SECRETS_DEFAULT": GIVEN})

    assert _kratos(directory)["default"] == [GIVEN, old]
    assert again.data["changed"] is True
    assert GIVEN not in again.out + again.err
    assert directory.run("up", "--json").data["changed"] is False
    assert _kratos(directory)["default"] == [GIVEN, old]


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("SECRETS_DEFAULT", "tooshort-1234", "16 characters or more"),
        ("SECRETS_COOKIE", "tooshort-1234", "16 characters or more"),
        ("SECRETS_CIPHER", "not-of-exactly-thirty-two-bytes-1", "exactly 32 characters"),
    ],
)
def test_a_secret_of_the_wrong_length_is_refused_with_the_rule_and_not_shown(
    directory: Directory, variable: str, value: str, rule: str
) -> None:
    refused = directory.run("up", "--yes", "--no-ui", "--no-mail", code=36, variables={variable: value})

    assert variable in refused.said
    assert rule in refused.said
    assert value not in refused.out + refused.err
    assert not (directory.home() / "secrets").exists()


def test_a_password_in_dsn_is_seen_nowhere_when_the_database_is_not_there(directory: Directory) -> None:
    dsn = f"postgres://them:{DSN_PASSWORD}@127.0.0.1:1/theirs?sslmode=disable"
    with _command_lines() as seen:
        flags = ("--no-ui", "--no-mail", "--yes", "--database-timeout", "2")
        failed = directory.run("up", *flags, code=53, variables={"DSN": dsn})
        logs = directory.run("logs").out

    assert not [line for line in seen if DSN_PASSWORD in line]
    assert DSN_PASSWORD not in failed.out + failed.err + logs
    assert DSN_PASSWORD not in str(engine.inspect(*engine.of_directory(directory.path)["container"]))


def test_a_damaged_secrets_file_is_never_replaced(directory: Directory) -> None:
    directory.up()
    file = directory.home() / "secrets/kratos.yml"
    file.write_text(damaged := file.read_text().replace("secrets:", '"secrets:'))

    refused = directory.run("up", code=30)

    assert "secrets/kratos.yml" in refused.said
    assert "backup" in refused.said
    assert file.read_text() == damaged


@contextlib.contextmanager
def _command_lines() -> Iterator[set[str]]:
    """Collects the command line of every process there is while the block runs."""
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for process in Path("/proc").iterdir():
                # it may have ended meanwhile
                with contextlib.suppress(OSError):
                    seen.add((process / "cmdline").read_text(errors="replace"))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()
    assert any("docker" in line for line in seen)


def _kratos(directory: Directory) -> dict[str, list[str]]:
    data = yaml.safe_load((directory.home() / "secrets/kratos.yml").read_text())
    return dict(data["secrets"])


def _secrets(directory: Directory) -> set[str]:
    """Every secret value of the environment's files."""
    kratos = yaml.safe_load((directory.home() / "secrets/kratos.yml").read_text())
    ui = (directory.home() / "secrets/ui.env").read_text().splitlines()
    lists = [secret for kind in kratos["secrets"].values() for secret in kind]
    return {kratos["dsn"], *lists, *(line.partition("=")[2] for line in ui)}


def _texts(directory: Directory) -> dict[str, str]:
    return {path.name: path.read_text() for path in (directory.home() / "secrets").iterdir()}


def _state(directory: Directory) -> str:
    return (directory.home() / "state.json").read_text()


def _label(directory: Directory) -> str:
    return f"{engine.LABEL}directory={directory.path}"

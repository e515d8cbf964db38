"""Looking at an environment that runs, and working with it."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import engine, images, people
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def told(shared_directory: Directory) -> dict[str, Any]:
    """What `up` told of the environment of this module."""
    return shared_directory.up(pages=True)


def test_logs_show_the_service_that_was_named(shared_directory: Directory, told: dict[str, Any]) -> None:
    everything = shared_directory.run("logs").out
    kratos = shared_directory.run("logs", "kratos").out

    assert {line.split("|")[0].strip().rpartition("-")[0] for line in kratos.splitlines()} == {"kratos"}
    assert "ui-1" in everything
    assert len(everything) > len(kratos)


def test_logs_show_only_the_last_lines_and_only_those_that_match(
    shared_directory: Directory, told: dict[str, Any]
) -> None:
    assert len(shared_directory.run("logs", "kratos", "--tail", "2").out.splitlines()) == 2

    matching = shared_directory.run(
        "logs", "dev", "kratos", "--matching", "STARTING THE \\w+ httpd|no such line"
    ).out.splitlines()

    assert matching
    assert all("httpd" in line for line in matching)


def test_logs_are_followed_until_ctrl_c(shared_directory: Directory, told: dict[str, Any]) -> None:
    follower = shared_directory.start("logs", "kratos", "--follow", "--tail", "0", "--matching", "/sessions/whoami")
    try:
        assert follower.stdout is not None
        # asked again and again, because the follower may not listen yet
        ask = people.Repeatedly(lambda: people.whoami(told["endpoints"]["public"], "nobody"))
        with ask:
            assert "/sessions/whoami" in follower.stdout.readline()
    finally:
        follower.send_signal(2)
        _, said = follower.communicate(timeout=20)
    assert follower.returncode == 130
    assert "error" not in said


def attached(directory: Directory, database: str = "memory") -> tuple[subprocess.Popen[str], str]:
    """An `up` that follows the logs, and the first line it showed of them."""
    directory.choose()
    (port,) = engine.free_ports(1)
    words = ("--database", database, "--no-ui", "--no-mail", "--public-port", str(port))
    up = directory.start("up", *words, "--yes", "--attach")
    assert up.stdout is not None
    while not select.select([up.stdout], [], [], 0.2)[0]:
        # which Kratos tells its log
        people.answers(f"http://localhost:{port}")
    return up, up.stdout.readline()


def test_an_up_that_is_attached_shows_what_kratos_says_and_ctrl_c_stops_the_environment(directory: Directory) -> None:
    up, shown = attached(directory)
    os.killpg(up.pid, signal.SIGINT)
    out, said = up.communicate(timeout=60)

    assert shown.startswith("kratos-1")
    assert up.returncode == 0, said
    assert out.splitlines()[-1].startswith("dev is down")
    assert "warning: the database is in memory: its data dies with the Kratos container\ndev is ready" in said
    assert engine.of_directory(directory.path).get("container") is None


def test_an_up_that_is_attached_fails_where_kratos_ends_by_itself_and_keeps_its_log(directory: Directory) -> None:
    up, _ = attached(directory, "sqlite")
    project = directory.run("status", "--json").data["project"]
    engine.docker("kill", engine.container(project, "kratos")["Id"])
    _, said = up.communicate(timeout=60)

    assert up.returncode == 57, said
    assert "service kratos did not stay up (exit code 137)" in said
    assert "see `kratosctl logs dev kratos`" in said
    assert directory.run("logs", "dev", "kratos", "--tail", "1").out


def test_restart_makes_kratos_start_anew_and_be_ready(shared_directory: Directory, told: dict[str, Any]) -> None:
    token = people.sign_up_and_ask(told["endpoints"]["public"], "restart@example.org")
    before = engine.container(told["project"], "kratos")["State"]["StartedAt"]
    mail = engine.container(told["project"], "mail")["State"]["StartedAt"]

    restarted = shared_directory.run("restart", "kratos", "--json").data["restarted"]

    assert restarted == ["kratos"]
    assert people.whoami(told["endpoints"]["public"], token) == "restart@example.org"
    assert engine.container(told["project"], "kratos")["State"]["StartedAt"] > before
    assert engine.container(told["project"], "mail")["State"]["StartedAt"] == mail


@pytest.mark.parametrize(("page", "port"), [("", "ui"), ("ui", "ui"), ("mail", "mail"), ("api", "public")])
def test_open_prints_an_address_that_answers(
    shared_directory: Directory, told: dict[str, Any], page: str, port: str
) -> None:
    done = shared_directory.run("open", *([page] if page else []), "--print")

    address = done.out.strip()
    assert address.startswith(told["endpoints"][port])
    assert people.Browser().get(address).status == 200


def test_open_of_the_admin_api_that_is_not_published_says_how_to(
    shared_directory: Directory, told: dict[str, Any]
) -> None:
    assert "--admin-port" in shared_directory.run("open", "admin", "--print", code=39).said


def test_kratos_own_command_line_lists_who_signed_up(shared_directory: Directory, told: dict[str, Any]) -> None:
    people.sign_up_and_ask(told["endpoints"]["public"], "listed@example.org")

    listed = json.loads(shared_directory.run("kratos", "--", "list", "identities", "--format", "json").out)

    assert "listed@example.org" in [row["traits"]["email"] for row in listed["identities"]]


def test_kratos_own_exit_code_and_message_are_handed_on(shared_directory: Directory, told: dict[str, Any]) -> None:
    failed = shared_directory.run("kratos", "--", "get", "identity", "00000000-0000-0000-0000-000000000000", code=1)

    assert "Unable to locate the resource" in failed.err


def test_migrate_status_tells_that_nothing_is_pending(shared_directory: Directory, told: dict[str, Any]) -> None:
    data = shared_directory.run("migrate", "--status", "--json").data

    assert data["pending"] == []
    assert data["applied"] > 300


def test_migrate_status_of_a_release_without_it_says_since_when_there_is_one(directory: Directory) -> None:
    (directory.path / "kratosctl.yaml").write_text("environments:\n  dev: {release: v1.3.1}\n")
    del directory.variables["KRATOSCTL_KRATOS_IMAGE"]

    assert "v25.4.0" in directory.run("migrate", "--status", code=33).said


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_migrate_makes_the_tables_and_serves_nothing_and_again_is_safe(directory: Directory, database: str) -> None:
    flags = f"database: {database}, ui: false, mail: false"
    (directory.path / "kratosctl.yaml").write_text(f"environments:\n  dev: {{{flags}}}\n")

    for _ in range(2):
        data = directory.run("migrate", "--json").data
        assert data["release"] == images.NEWEST
        (project,) = {c["Config"]["Labels"]["com.docker.compose.project"] for c in _containers(directory)}
        assert "kratos" not in engine.running(project)

    if database == "sqlite":
        tables = sqlite3.connect(f"file:{directory.home() / 'database/db.sqlite'}?mode=ro", uri=True)
        assert tables.execute("SELECT count(*) FROM identities").fetchone() == (0,)
        tables.close()
    people.sign_up_and_ask(directory.run("up", "--json").data["endpoints"]["public"])


def test_list_finds_every_environment_of_the_host_from_anywhere(
    make_directory: Callable[[str], Directory], shared_directory: Directory, told: dict[str, Any]
) -> None:
    down, elsewhere = make_directory("down"), make_directory("elsewhere")
    down.up("ci", database="postgres")
    down.down("ci")

    rows = {(row["directory"], row["environment"]): row for row in _listed(elsewhere)}

    here = rows[str(shared_directory.path), "dev"]
    assert (here["state"], here["release"], here["database"]) == ("running", images.NEWEST, "sqlite")
    assert f":{here['public']}" in told["endpoints"]["public"]
    # its data is all that is left of it
    assert rows[str(down.path), "ci"]["state"] == "down"
    assert rows[str(down.path), "ci"]["volume"] is True


def test_list_shows_the_environments_of_the_host_also_where_kratosctl_yaml_is_wrong(directory: Directory) -> None:
    directory.up(database="memory")
    (directory.path / "kratosctl.yaml").write_text("environments:\n  dev: {relase: v26.2.0}\n")

    listed = directory.run("list", "--json").envelope

    assert str(directory.path) in [row["directory"] for row in listed["data"]["environments"]]
    assert "unknown key 'relase'" in listed["warnings"][0]


def test_list_marks_directories_that_are_gone(make_directory: Callable[[str], Directory]) -> None:
    gone, elsewhere = make_directory("gone"), make_directory("elsewhere")
    gone.up(database="memory")
    try:
        shutil.rmtree(gone.path)

        (row,) = [row for row in _listed(elsewhere) if row["directory"] == str(gone.path)]

        assert row["directory_gone"] is True
        assert row["state"] == "running"
        line = next(line for line in elsewhere.run("list").out.splitlines() if str(gone.path) in line)
        assert line.endswith("(gone)")
    finally:
        engine.remove_all_of(gone.path)


def test_a_command_for_what_does_not_run_says_how_to_start_it(directory: Directory) -> None:
    (directory.path / "kratosctl.yaml").write_text("environments:\n  dev: {}\n")

    for words in (("restart",), ("open", "--print"), ("kratos", "--", "version"), ("logs",)):
        assert "kratosctl up dev" in directory.run(*words, code=39).said


def _containers(directory: Directory) -> list[dict[str, Any]]:
    return engine.inspect(*engine.of_directory(directory.path).get("container", []))


def _listed(directory: Directory) -> list[dict[str, Any]]:
    return list(directory.run("list", "--json").data["environments"])

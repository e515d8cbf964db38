"""`doctor` on a real engine: what is well, what is taken, and what is left of a directory that is gone."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import engine
from tests.e2e.program import Directory, as_user

pytestmark = pytest.mark.engine

NOBODY = 65534


def findings(directory: Directory, level: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """The findings of a level, by rule, about this directory and not about others of this machine."""
    done = directory.run("doctor", "--json", code=code)
    here = [
        finding
        for finding in done.envelope["data"]["findings"]
        if finding["rule"] != "remains" or str(directory.path.parent) in finding["what"]
    ]
    return {finding["rule"]: finding for finding in here if finding["level"] == level}


def test_all_is_well_with_an_environment_that_runs(directory: Directory) -> None:
    told = directory.up(pages=True)

    found = findings(directory, "ok")
    assert {"docker-command", "engine", "compose", "disk", "directory", "files", "configuration", "ports"} <= set(found)
    assert "is its own" in found["ports"]["what"]
    assert told["endpoints"]["public"].rpartition(":")[2] in directory.run("doctor").out
    assert findings(directory, "problem") == {}


def test_a_kratos_that_refuses_an_edit_and_one_that_ended_of_it_are_problems_with_their_reason(
    directory: Directory,
) -> None:
    directory.run("init", "--no-ui", "--no-mail", "--yes")
    # its own port: no other environment takes it while Kratos is started anew
    (port,) = engine.free_ports(1)
    told = directory.run("up", "--yes", "--json", "--save", "--public-port", str(port)).data
    file = directory.path / "kratos" / "kratos.yml"
    assert findings(directory, "problem") == {}
    right = file.read_text()
    file.write_text(right + "no_such_key: 1\n")
    kratos = engine.containers(told["project"])["kratos"]
    engine.until(lambda: "could not be loaded" in engine.everything_said(kratos), why="Kratos reads it")

    assert "no_such_key" in findings(directory, "problem", code=1)["configuration-rejected"]["why"]
    (warning,) = directory.run("up", "--json").envelope["warnings"]
    assert "did not take the last edit" in warning
    assert "no_such_key" in warning
    assert directory.run("status", "--json").envelope["warnings"] == [warning]
    file.write_text(right)
    engine.until(lambda: "processed successfully" in engine.everything_said(kratos), why="Kratos reads it")
    assert findings(directory, "problem") == {}
    assert directory.run("up", "--json").envelope["warnings"] == []
    assert directory.run("status", "--json").envelope["warnings"] == []
    file.write_text(right + "no_such_key: 1\n")
    engine.docker("restart", kratos)
    engine.until(lambda: "kratos" not in engine.running(told["project"]), why="Kratos ends")

    found = findings(directory, "problem", code=1)["services"]

    assert "dev: kratos does not run" in found["what"]
    assert "no_such_key" in found["why"]


def test_an_empty_directory_has_no_problem(directory: Directory) -> None:
    assert findings(directory, "problem") == {}
    assert list(directory.path.iterdir()) == []


def test_a_port_that_somebody_holds(directory: Directory) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (directory.path / "kratosctl.yaml").write_text(f"environments:\n  dev: {{public_port: {port}}}\n")
        found = findings(directory, "problem", code=1)

    assert set(found) == {"ports"}
    assert str(port) in found["ports"]["what"]
    assert f"process {os.getpid()}" in found["ports"]["what"]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_what_is_left_of_a_directory_that_is_gone_and_the_fix_removes_it(
    make_directory: Callable[[str], Directory], database: str
) -> None:
    gone, here = make_directory("gone"), make_directory("here")
    told = gone.up(database=database)
    shutil.rmtree(gone.path)

    remains = findings(here, "warning")["remains"]
    assert str(gone.path) in remains["what"]
    subprocess.run(shlex.split(remains["fix"]), check=True, capture_output=True, cwd=here.path)

    assert "remains" not in findings(here, "warning")
    assert engine.containers(told["project"]) == {}


def test_a_directory_that_was_moved_leaves_nothing_behind(make_directory: Callable[[str], Directory]) -> None:
    before, here = make_directory("before"), make_directory("here")
    before.up(database="postgres")
    before.down()
    shutil.rmtree(here.path)
    before.path.rename(here.path)

    assert "remains" not in findings(here, "warning")


@pytest.mark.parametrize(
    ("variables", "rule"),
    [({"DOCKER_HOST": "unix:///nowhere.sock"}, "engine"), ({"PATH": "/nowhere"}, "engine")],
    ids=["engine down", "no docker"],
)
def test_without_an_engine_it_still_reports(directory: Directory, variables: dict[str, str], rule: str) -> None:
    done = directory.run("doctor", code=1, variables=variables)

    assert "1 problem, " in done.out
    assert "-> " in done.out
    assert "this directory" in done.out
    assert rule in directory.run("doctor", "--json", code=1, variables=variables).out


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_somebody_who_may_not_use_the_engine_and_owns_nothing_here(directory: Directory) -> None:
    directory.up()
    directory.wrapper = as_user(NOBODY, NOBODY)
    found = findings(directory, "problem", code=1)
    directory.wrapper = ()

    assert "no permission" in found["engine"]["what"]
    assert found["engine"]["fix"].startswith("join its group: sudo usermod")
    assert found["directory"]["what"].endswith("is not writable")
    assert found["files"]["fix"].startswith("sudo chown -R")

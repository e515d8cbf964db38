"""What must hold of an environment after anything that went wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from tests.e2e import engine, people
from tests.e2e.program import Directory, Done

SERVICES = {"sqlite": {"kratos"}, "postgres": {"kratos", "postgres"}, "memory": {"kratos"}}


def secrets(directory: Directory, name: str = "dev") -> dict[str, str]:
    """The secret files that are there."""
    return {path.name: path.read_text() for path in directory.home(name).glob("secrets/[!.]*")}


def assert_one_error(done: Done, code: int) -> str:
    """One error: its own exit code, one to three lines, the last of them what to do; returns it."""
    assert done.code == code, done
    assert done.out == ""
    assert "Traceback" not in done.err
    lines = done.said.rstrip().splitlines()
    assert lines[0].startswith("error: ")
    assert 2 <= len(lines) <= 3, done.said
    assert all(line.startswith("  ") and len(line) < 400 for line in lines[1:]), done.said
    return done.said


def assert_sound(directory: Directory, told: dict[str, Any]) -> None:
    """One correct stack: each service once, all files whole, nothing left lying about, and people can sign up."""
    name, project = told["environment"], told["project"]
    assert engine.running(project) == SERVICES[told["database"]]
    made = engine.inspect(*engine.of_directory(directory.path)["container"])
    projects = {row["Config"]["Labels"]["com.docker.compose.project"] for row in made}
    assert projects == {project}
    services = [row["Config"]["Labels"]["com.docker.compose.service"] for row in made]
    assert len(services) == len(set(services)), services
    assert_files_whole(directory, name)
    assert directory.status(name)["state"] == "ready"
    people.sign_up_and_ask(told["endpoints"]["public"], f"{uuid4()}@example.org")


def assert_files_whole(directory: Directory, name: str = "dev") -> None:
    """Every file can be read as what it is, and no temporary file is left."""
    assert {path.name for path in directory.path.iterdir()} <= {"kratosctl.yaml", ".kratosctl"}
    home = directory.home(name)
    found = [path for path in home.rglob("*") if path.is_file()]
    assert [path for path in found if path.name.startswith(".") or path.suffix in (".tmp", ".new")] == []
    for path in found:
        if path.suffix in (".yaml", ".yml"):
            assert isinstance(yaml.safe_load(path.read_text()), dict), path
        elif path.suffix == ".json":
            assert isinstance(json.loads(path.read_text()), dict), path
    assert yaml.safe_load((directory.path / "kratosctl.yaml").read_text())["environments"].keys() == {name}


def assert_no_remains_in(cache: Path) -> None:
    """The cache of templates holds templates alone."""
    assert [path.name for path in cache.rglob("*") if path.name.startswith(".")] == []

"""A workshop on Docker Swarm: what is written is deployed as its README says, and seats know nothing of each other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from kratosctl.files.yaml_text import flow
from tests.conftest import leave_at_the_end
from tests.e2e import engine, images, people
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

KINDS = ("service", "secret", "config", "network", "volume")


@pytest.fixture
def swarm() -> None:
    """The engine is in a swarm. It leaves when all tests have ended: that takes the names of all containers away."""
    if engine.docker("info", "--format", "{{.Swarm.LocalNodeState}}").strip() != "active":
        engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:2377")
        leave_at_the_end()


@pytest.fixture
def rendered(directory: Directory, swarm: None) -> Iterator[dict[str, Any]]:
    """Two seats as written: Ada's on SQLite, Grace's on PostgreSQL with an image that has no shell. Gone afterwards."""
    directory.run("workshop", "init", "--seats", "2", "--no-ui", "--no-mail", "--yes")
    distroless = {
        "database": "postgres",
        "variant": "distroless",
        "kratos_image": images.kratos(variant="distroless"),
        "postgres_image": images.postgres(),
    }
    (directory.path / "kratosctl.yaml").write_text(f"environments:\n  seat-02: {flow(distroless)}\n")
    told = directory.run("workshop", "render", "--for", "swarm", "--json").data
    yield told
    stacks = [seat["remove"][0] for seat in told["seats"]]
    volumes = [command for seat in told["seats"] for command in seat["remove"][1:]]
    for command in [*stacks, *volumes]:
        # a volume can go once its container is gone
        engine.until(partial(done, command, told["directory"]))
    engine.until(lambda: not left(told))


def done(command: str, directory: str) -> bool:
    """Whether a command of the README exits with 0."""
    return subprocess.run(command.split(), cwd=directory, capture_output=True, check=False).returncode == 0


def left(told: dict[str, Any]) -> dict[str, list[str]]:
    """What Swarm has of the seats, by kind."""
    names = [seat["name"] for seat in told["seats"]]
    found = {
        kind: [
            line
            for line in engine.docker(kind, "ls", "--format", "{{.Name}}").split()
            if any(line.startswith(name) for name in names)
        ]
        for kind in KINDS
    }
    return {kind: lines for kind, lines in found.items() if lines}


def is_ready(public: str) -> bool:
    try:
        return people.request("GET", f"{public}/health/ready").status == 200
    except (OSError, HTTPException):
        return False


def test_two_seats_are_deployed_as_the_readme_says_and_who_signs_up_at_one_is_unknown_at_the_other(
    rendered: dict[str, Any],
) -> None:
    readme = Path(rendered["directory"], "README.txt").read_text()
    for seat in rendered["seats"]:
        for command in seat["deploy"]:
            assert f"  {command}\n" in readme
            # the images of the tests are in no registry
            assert done(f"{command} --resolve-image never --detach=true", rendered["directory"])
    urls = {seat["seat"]: seat["endpoints"]["public"] for seat in rendered["seats"]}
    for url in urls.values():
        engine.until(partial(is_ready, url), 60)

    tokens = {seat: people.sign_up_and_ask(url, f"{seat}@example.org") for seat, url in urls.items()}

    for seat, url in urls.items():
        for other in urls:
            assert (people.whoami(url, tokens[other]) is not None) == (seat == other)
            assert people.sign_in(url, f"{other}@example.org") == (seat == other)

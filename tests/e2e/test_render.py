"""`render`: what it prints and writes is what Compose takes, and people can go on without kratosctl."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kratosctl.stack.custom_image import NAME_LABEL
from tests.e2e import engine, images, people
from tests.e2e.people import Browser
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

NOWHERE = {"DOCKER_HOST": "unix:///nowhere.sock"}


def compose(directory: Path, *words: str, text: str | None = None) -> str:
    """What `docker compose` prints, in a directory."""
    done = subprocess.run(
        ["docker", "compose", *words], cwd=directory, input=text or "", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(("way", "pages"), [("mount", "--ui --mail"), ("image", "--no-ui --no-mail")])
@pytest.mark.parametrize(
    ("database", "variant"), [("sqlite", "default"), ("memory", "default"), ("postgres", "distroless")]
)
def test_compose_takes_what_is_printed_and_what_is_written(
    make_directory: Callable[[str], Directory], database: str, variant: str, way: str, pages: str
) -> None:
    directory = make_directory("a $x b")
    directory.choose(variant=variant)
    flags = ["--database", database, "--variant", variant, "--config", way, *pages.split()]

    printed = directory.run("render", *flags, variables=NOWHERE)
    directory.run("render", *flags, "--output", "out $y", variables=NOWHERE)

    compose(directory.path, "-f", "-", "config", "--quiet", text=printed.out)
    compose(directory.path, "-f", "out $y/compose.yaml", "config", "--quiet")
    # beside the directory that was asked for there are the secrets, which the next time and `up` find
    assert sorted(path.name for path in directory.path.iterdir()) == [".kratosctl", "out $y"]
    assert {path.name for path in directory.home().iterdir()} <= {"secrets", "lock"}
    directory.run("render", *flags, "--output", "out $y", variables=NOWHERE)


def test_it_prints_what_up_writes(directory: Directory) -> None:
    directory.up(pages=True)

    assert directory.run("render").out == (directory.home() / "compose.yaml").read_text()
    assert directory.run("render", variables=NOWHERE).out == (directory.home() / "compose.yaml").read_text()
    assert directory.run("render", "--json").data["compose"] == (directory.home() / "compose.yaml").read_text()


@pytest.mark.parametrize(("database", "way"), [("sqlite", "mount"), ("postgres", "image")])
def test_people_leave_with_their_data_and_their_sessions(directory: Directory, database: str, way: str) -> None:
    # one that no other environment is given while this one is down
    told = directory.up("dev", "--config", way, "--public-port", str(free_port()), database=database)
    public = told["endpoints"]["public"]
    token = people.sign_up_and_ask(public)
    browser = Browser()
    browser.sign_up(public, "browser@example.org")

    written = directory.run("render", "--output", "../out", "--json").data
    out = Path(written["directory"])
    for step in written["next"][1:]:
        assert step.startswith(("cp -a ", "cd ", "docker build "))
    directory.down()
    for step in written["next"][1:-1]:
        subprocess.run(step, shell=True, check=True, cwd="/", capture_output=True)
    shutil.rmtree(directory.path)
    try:
        # not --wait: engines before 25 ask for health every 30 seconds only
        compose(out, "up", "--detach")
        engine.until(lambda: people.answers(public), why="Kratos is ready")

        assert people.whoami(public, token) == "someone@example.org"
        assert browser.whoami(public) == "browser@example.org"
        people.sign_up_and_ask(public, "later@example.org")
        assert "dev.kratosctl.environment" not in engine.container(told["project"], "kratos")["Config"]["Labels"]
    finally:
        compose(out, "down", "--volumes")
        name = f"kratosctl/{told['project']}"
        engine.succeeds("image", "rm", f"{name}:{images.NEWEST}")
        # what `up` built, before it was built by hand
        engine.succeeds(
            "image", "rm", *engine.docker("image", "ls", "-q", "--filter", f"label={NAME_LABEL}={name}").split()
        )

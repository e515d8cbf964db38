"""What kratosctl made is plain Compose: it runs without kratosctl, from anywhere."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.e2e import engine, people
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

Compose = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ports() -> tuple[str, ...]:
    """Flags for a port that nobody else's environment takes while this one is down."""
    return ("--public-port", str(engine.free_ports(1)[0]))


@pytest.fixture
def compose(directory: Directory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """Runs `docker compose` on the generated file, from another directory and without variables of kratosctl."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    def run(*words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["docker", "compose", "-f", str(directory.home() / "compose.yaml"), *words],
            cwd=elsewhere,
            capture_output=True,
            text=True,
            check=False,
        )
        assert code is None or done.returncode == code, done.stderr
        return done

    yield run
    run("down", code=None)


def test_compose_brings_it_up_with_the_data_it_had_and_kratosctl_takes_over(
    directory: Directory, compose: Compose, ports: tuple[str, ...]
) -> None:
    told = directory.up("dev", *ports, database="postgres")
    public = told["endpoints"]["public"]
    token = people.sign_up_and_ask(public)
    directory.down()

    compose("up", "--detach", "--wait")

    assert people.whoami(public, token) == "someone@example.org"
    before = engine.containers(told["project"])
    assert directory.run("up", "--json").data["changed"] is False
    assert engine.containers(told["project"]) == before
    compose("down")
    assert engine.containers(told["project"]) == {}


def test_compose_brings_it_up_from_nothing_and_migrates_before_kratos_starts(
    directory: Directory, compose: Compose, ports: tuple[str, ...]
) -> None:
    told = directory.up("dev", *ports)
    directory.down("dev", "--volumes", "--yes")
    # the one thing Compose cannot make: a directory that belongs to the caller
    (directory.home() / "database").mkdir(exist_ok=True)

    # without --wait, which takes engines before 25 half a minute: that it comes to its end is proven above
    compose("up", "--detach")
    engine.until(lambda: people.answers(told["endpoints"]["public"]), why="Kratos is ready")

    migrate = engine.container(told["project"], "kratos-migrate")["State"]
    kratos = engine.container(told["project"], "kratos")["State"]
    assert (migrate["Status"], migrate["ExitCode"]) == ("exited", 0)
    assert migrate["FinishedAt"] <= kratos["StartedAt"]
    people.sign_up_and_ask(told["endpoints"]["public"])


def test_a_migration_that_fails_keeps_kratos_from_starting_and_its_message_is_shown(
    directory: Directory, compose: Compose, ports: tuple[str, ...]
) -> None:
    told = directory.up("dev", *ports, release="v1.3.1", database="postgres")
    people.sign_up_and_ask(told["endpoints"]["public"])
    # the database refuses to note another migration
    _sql(told["project"], "ALTER TABLE schema_migration ADD CONSTRAINT closed CHECK (version IS NULL) NOT VALID")

    directory.choose("v26.2.0")
    failed = directory.run("up", "--release", "v26.2.0", "--save", code=51)

    what, why, _ = failed.said.splitlines()
    assert "the SQL migrations failed" in what
    assert why.strip() in directory.run("logs", "kratos-migrate").out
    assert "kratos" not in engine.running(told["project"])

    # plain Compose keeps Kratos from starting just so
    assert compose("up", "--detach", "--wait", code=None).returncode != 0
    assert engine.container(told["project"], "kratos-migrate")["State"]["ExitCode"] != 0
    assert "kratos" not in engine.running(told["project"])

    # once what stood in its way is gone, it goes on
    _sql(told["project"], "ALTER TABLE schema_migration DROP CONSTRAINT closed")
    directory.run("up")
    people.sign_up_and_ask(told["endpoints"]["public"], "another@example.org")


def _sql(project: str, sql: str) -> None:
    postgres = engine.container(project, "postgres")["Id"]
    engine.docker("exec", postgres, "psql", "-q", "-U", "kratos", "-d", "kratos", "-c", sql)

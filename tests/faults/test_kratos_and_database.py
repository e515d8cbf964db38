"""What Kratos and its database refuse: their message in a few lines, within kratosctl's own time limit."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.e2e import engine, images, postgres
from tests.e2e.program import Directory
from tests.faults.soundness import assert_one_error, assert_sound

pytestmark = pytest.mark.engine

UP = ("up", "--yes", "--no-ui", "--no-mail")


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """A PostgreSQL that is not kratosctl's."""
    with postgres.running() as running:
        yield running


_REFUSED = (
    ("lifespan: 24h", "lifespan: 24h\n  nope: 1", "nope"),
    ("password:\n      enabled: true", "password:\n      enabled: perhaps", "enabled"),
    ("file:///etc/config/kratos/identity.schema.json", "file:///etc/config/kratos/absent.json", "absent.json"),
)


@pytest.mark.parametrize("release", ["v1.1.0", "v26.2.0"])
def test_kratos_refuses_the_configuration(directory: Directory, release: str) -> None:
    directory.choose(release)
    directory.run("init", "--release", release, "--no-ui", "--no-mail", "--yes")
    file = directory.path / "kratos/kratos.yml"
    right = file.read_text()
    for old, new, named in _REFUSED:
        assert old in right
        file.write_text(right.replace(old, new))

        said = assert_one_error(directory.run("up", code=None), 52)

        assert "refuses its configuration" in said
        assert named in said
    file.write_text(right)
    directory.run("up")


@pytest.mark.parametrize("release", ["v1.1.0", "v26.2.0"])
def test_the_database_is_not_there(directory: Directory, release: str) -> None:
    directory.choose(release)
    dsn = "postgres://them:theirs@127.0.0.1:1/theirs?sslmode=disable"

    done = directory.run(*UP, "--release", release, "--database-timeout", "3", code=None, variables={"DSN": dsn})

    said = assert_one_error(done, 53)
    assert "within 3 s" in said
    assert engine.running(_project(directory)) == set()


def test_the_database_swallows_what_is_sent_to_it(directory: Directory) -> None:
    with socket.create_server(("0.0.0.0", 0), backlog=0) as silent:
        network = engine.docker("network", "create", "--label", "kratosctl-test", f"silent-{uuid4().hex[:8]}").strip()
        try:
            host = engine.inspect(network)[0]["IPAM"]["Config"][0]["Gateway"]
            dsn = f"postgres://them:theirs@{host}:{silent.getsockname()[1]}/theirs?sslmode=disable"

            done = directory.run(*UP, "--database-timeout", "4", code=None, variables={"DSN": dsn})
        finally:
            engine.docker("network", "rm", network)

    assert "within 4 s" in assert_one_error(done, 53)


@pytest.mark.parametrize("release", ["v1.1.0", "v26.2.0"])
def test_the_database_refuses_the_password_and_that_is_told_at_once(
    directory: Directory, server: postgres.Server, release: str
) -> None:
    directory.choose(release)
    dsn = server.dsn(password="wrong-one")

    # no limit of kratosctl's ends it: the test's own is shorter
    limits = ("--database-timeout", "600", "--wait-timeout", "600")
    done = directory.run(*UP, "--release", release, *limits, code=None, variables={"DSN": dsn})

    said = assert_one_error(done, 54)
    assert "wrong-one" not in done.err
    assert "set the right DSN" in said
    told = directory.run(*UP, "--release", release, "--json", variables={"DSN": server.dsn()}).data
    assert told["environment"] == "dev"


def test_the_database_does_not_exist(directory: Directory, server: postgres.Server) -> None:
    dsn = server.dsn(database="nowhere")

    done = directory.run(*UP, "--database-timeout", "3", code=None, variables={"DSN": dsn})

    assert "nowhere" in assert_one_error(done, 53)


def test_the_password_of_a_generated_database_was_lost(directory: Directory) -> None:
    told = directory.up(database="postgres")
    directory.down()
    for name in ("postgres-password", "kratos.yml"):
        (directory.home() / "secrets" / name).unlink()

    said = assert_one_error(directory.run("up", "--database-timeout", "600", code=None), 54)

    assert "restore secrets/" in said
    assert f"{told['project']}_postgres" in engine.volumes()


def test_postgres_does_not_stay_up(directory: Directory) -> None:
    override = directory.path / "compose.override.yaml"
    override.write_text("services:\n  postgres:\n    command: [postgres, --nope]\n")

    said = assert_one_error(directory.run(*UP, "--database", "postgres", code=None), 57)

    assert "PostgreSQL stopped" in said
    assert "kratosctl logs dev postgres" in said
    override.unlink()
    directory.run("up")


@pytest.mark.parametrize("service", ["mail", "ui"])
def test_a_page_does_not_stay_up(directory: Directory, service: str) -> None:
    shell = f"image: {images.postgres()}, entrypoint: [sh, -c, 'echo no such flag; exit 3']"
    override = f"services:\n  {service}: {{{shell}}}\n"
    (directory.path / "compose.override.yaml").write_text(override)

    said = assert_one_error(directory.run("up", "--ui", "--mail", "--yes", "--wait-timeout", "20", code=None), 57)

    assert f"service {service} did not stay up (exit code 3)" in said
    assert "no such flag" in said


def test_kratos_is_not_ready_in_time(directory: Directory) -> None:
    directory.choose()

    said = assert_one_error(directory.run(*UP, "--wait-timeout", "0.01", code=None), 55)

    assert "--wait-timeout" in said
    assert_sound(directory, directory.run("up", "--json").data)


def test_compose_refuses_an_override(directory: Directory) -> None:
    (directory.path / "compose.override.yaml").write_text("services:\n  kratos:\n    no_such_key: 1\n")

    said = assert_one_error(directory.run(*UP, code=None), 41)

    assert "no_such_key" in said
    assert "compose.override.yaml" in said


def _project(directory: Directory) -> str:
    (project,) = {
        row["Config"]["Labels"]["com.docker.compose.project"]
        for row in engine.inspect(*engine.of_directory(directory.path)["container"])
    }
    return str(project)

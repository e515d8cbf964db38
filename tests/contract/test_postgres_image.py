"""The PostgreSQL image: the official one, or the one made from Debian's packages under its rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import containers
from .conftest import POSTGRES_IMAGE
from .containers import Container, docker, image_config


def wait_until_ready(server: Container) -> None:
    containers.until(lambda: server.execute("pg_isready", "--host=127.0.0.1").code == 0, server.logs)


@pytest.fixture
def volume() -> Iterator[str]:
    name = docker("volume", "create", "--label", containers.LABEL).out.strip()
    yield name
    docker("volume", "rm", name)


def test_it_keeps_its_data_in_a_volume_and_stops_by_sigint() -> None:
    config = image_config(POSTGRES_IMAGE)
    assert set(config["Volumes"]) == {"/var/lib/postgresql/data"}
    assert "PGDATA=/var/lib/postgresql/data" in config["Env"]
    assert config["StopSignal"] == "SIGINT"


def test_it_refuses_to_start_without_a_password() -> None:
    done = containers.run(POSTGRES_IMAGE, options=[])
    assert done.code == 1
    assert "superuser password is not specified" in done.err


def test_it_makes_the_user_the_database_and_what_the_init_files_say_and_keeps_them(volume: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "password").write_text("s3cret\n")
    init = tmp_path / "init"
    init.mkdir()
    (init / "1.sql").write_text("CREATE TABLE made_by_sql (x int);")
    (init / "2.sh").write_text(
        'psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" -c "CREATE TABLE made_by_sh (x int)"'
    )
    for path in (tmp_path / "password", init / "1.sql", init / "2.sh"):
        path.chmod(0o644)
    options = [
        "--env=POSTGRES_USER=kratos",
        "--env=POSTGRES_DB=identities",
        "--env=POSTGRES_PASSWORD_FILE=/run/password",
        f"--volume={volume}:/var/lib/postgresql/data",
        f"--volume={tmp_path}/password:/run/password:ro",
        f"--volume={init}:/docker-entrypoint-initdb.d:ro",
    ]
    for _ in range(2):
        with containers.container(POSTGRES_IMAGE, options=options) as server:
            wait_until_ready(server)
            assert tables(server, "s3cret").out.split() == ["made_by_sh", "made_by_sql"]
            assert server.stop() == 0


def test_passwords_are_asked_for_over_tcp() -> None:
    options = ["--env=POSTGRES_USER=kratos", "--env=POSTGRES_DB=identities", "--env=POSTGRES_PASSWORD=s3cret"]
    with containers.container(POSTGRES_IMAGE, options=options) as server:
        wait_until_ready(server)
        assert tables(server, "s3cret").code == 0
        wrong = tables(server, "wrong")
        assert wrong.code != 0
        assert "password authentication failed" in wrong.err


def tables(server: Container, password: str) -> containers.Finished:
    """The tables, asked for over the container's own network address, where loopback's trust does not hold."""
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    command = f'PGPASSWORD={password} psql -h "$(hostname -i)" -U kratos -d identities -tAc "{query}"'
    return server.execute("sh", "-c", command)

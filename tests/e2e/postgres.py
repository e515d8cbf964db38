"""A PostgreSQL that is not kratosctl's, as people have one somewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote
from uuid import uuid4

from tests.e2e import engine, images

PASSWORD = "p@ss/w:rd$x"


@dataclass(frozen=True)
class Server:
    """A running server, published on this host.

    Attributes:
        container: its name.
        host: an address of this host that containers of every network reach.
        port: where it is published on this host.
    """

    container: str
    host: str
    port: int

    def dsn(self, host: str = "", password: str = PASSWORD, database: str = "theirs") -> str:
        """How Kratos, in a container, reaches it."""
        where = f"{host or self.host}:{self.port}"
        return f"postgres://them:{quote(password, safe='')}@{where}/{database}?sslmode=disable"

    def query(self, sql: str) -> str:
        """What psql prints for a query."""
        return engine.docker("exec", self.container, "psql", "-U", "them", "-d", "theirs", "-Atc", sql).strip()


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Runs a server, on a network of its own, until the block ends."""
    name = f"kratosctl-test-{uuid4().hex[:8]}"
    engine.docker("network", "create", name)
    try:
        engine.docker(
            *("run", "--detach", "--name", name, "--network", name, "--publish", "5432"),
            *("--env", "POSTGRES_USER=them", "--env", f"POSTGRES_PASSWORD={PASSWORD}", "--env", "POSTGRES_DB=theirs"),
            images.postgres(),
        )
        ready = ("exec", name, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "them", "-d", "theirs")
        engine.until(lambda: engine.succeeds(*ready), why="PostgreSQL answers")
        host = engine.inspect(name)[0]["NetworkSettings"]["Networks"][name]["Gateway"]
        yield Server(name, host, int(engine.docker("port", name, "5432").splitlines()[0].rpartition(":")[2]))
    finally:
        engine.succeeds("rm", "--force", "--volumes", name)
        engine.docker("network", "rm", name)

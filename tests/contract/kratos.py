"""Kratos as the tests run it: an image, a configuration directory, a database."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import containers, http
from .containers import HARDENED, Container, Finished, docker

PUBLIC, ADMIN = 4433, 4434
CONFIG = "/etc/config/kratos"
RELEASES = ["v1.1.0", "v1.3.1", "v25.4.0", "v26.2.0"]
MODERN = {"v25.4.0", "v26.2.0"}

IDENTITY_SCHEMA: dict[str, Any] = {
    "$id": "https://example.org/person.schema.json",
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "traits": {
            "type": "object",
            "properties": {
                "email": {
                    "type": "string",
                    "format": "email",
                    "ory.sh/kratos": {
                        "credentials": {"password": {"identifier": True}},
                        "verification": {"via": "email"},
                        "recovery": {"via": "email"},
                    },
                },
            },
            "required": ["email"],
            "additionalProperties": False,
        },
    },
}

KRATOS_YML: dict[str, Any] = {
    "serve": {"public": {"base_url": "http://127.0.0.1:4433/"}, "admin": {"base_url": "http://127.0.0.1:4434/"}},
    "selfservice": {
        "default_browser_return_url": "http://127.0.0.1:4455/",
        "methods": {"password": {"enabled": True, "config": {"haveibeenpwned_enabled": False}}},
        "flows": {
            "registration": {"after": {"password": {"hooks": [{"hook": "session"}]}}},
            "verification": {"enabled": True, "use": "code"},
        },
    },
    "identity": {
        "default_schema_id": "person",
        "schemas": [{"id": "person", "url": f"file://{CONFIG}/person.schema.json"}],
    },
    "session": {"cookie": {"name": "a_session"}},
    "courier": {"smtp": {"connection_uri": "smtp://mail:1025/?disable_starttls=true"}},
    "log": {"level": "info"},
}

SECRETS = {
    "default": ["a-default-secret-of-this-test"],
    "cookie": ["a-cookie-secret-of-this-test"],
    "cipher": ["32-characters-for-this-test-only"],
}


@dataclass(frozen=True)
class Image:
    repository: str
    release: str
    variant: str

    def __str__(self) -> str:
        suffix = "-distroless" if self.variant == "distroless" else ""
        return f"{self.repository}:{self.release}{suffix}"

    @property
    def modern(self) -> bool:
        return self.release in MODERN


class Directory:
    """A configuration directory; JSON is YAML, so that is what is written."""

    def __init__(self, path: Path, kratos_yml: dict[str, Any] = KRATOS_YML) -> None:
        self.path = path
        path.chmod(0o755)
        self.write("person.schema.json", IDENTITY_SCHEMA)
        self.write("kratos.yml", kratos_yml)
        self.write("secrets.yml", {"secrets": SECRETS})

    def write(self, name: str, content: dict[str, Any] | str) -> None:
        """Replace the file whole, as editors do."""
        new = self.path / f".{name}.new"
        new.write_text(content if isinstance(content, str) else json.dumps(content))
        new.chmod(0o644)
        new.rename(self.path / name)


@dataclass(frozen=True)
class Kratos:
    image: Image
    directory: Directory
    database: Database
    files: tuple[str, ...] = ("kratos.yml", "secrets.yml")

    def migrate(self, *extra: str) -> Finished:
        return self.run("migrate", "sql", "-e", "--yes", *extra)

    def run(self, *command: str, env: dict[str, str] | None = None, files: tuple[str, ...] | None = None) -> Finished:
        """A command that ends by itself."""
        return containers.run(str(self.image), *command, *self._config(files), options=self._options(env))

    @contextlib.contextmanager
    def start(
        self, *command: str, env: dict[str, str] | None = None, files: tuple[str, ...] | None = None
    ) -> Iterator[Container]:
        """A command that may go on."""
        options = [*self._options(env), "--publish=127.0.0.1::4433", "--publish=127.0.0.1::4434"]
        with containers.container(str(self.image), *command, *self._config(files), options=options) as started:
            yield started

    @contextlib.contextmanager
    def serve(
        self, *flags: str, env: dict[str, str] | None = None, files: tuple[str, ...] | None = None
    ) -> Iterator[Server]:
        """Serve, and go on once it is ready."""
        with self.start("serve", "--dev", "--sqa-opt-out", *flags, env=env, files=files) as started:
            server = Server(self.image, started, started.port(PUBLIC), started.port(ADMIN))
            server.wait_until_ready()
            yield server

    def _config(self, files: tuple[str, ...] | None) -> list[str]:
        return [item for name in (self.files if files is None else files) for item in ("-c", f"{CONFIG}/{name}")]

    def _options(self, env: dict[str, str] | None) -> list[str]:
        variables = {"DSN": self.database.dsn} if self.database.dsn else {}
        variables |= env or {}
        given = [f"--env={name}={value}" for name, value in variables.items()]
        return [*HARDENED, f"--volume={self.directory.path}:{CONFIG}:ro", *given, *self.database.options]


@dataclass(frozen=True)
class Server:
    image: Image
    container: Container
    public_port: int
    admin_port: int

    def wait_until_ready(self) -> None:
        containers.until(
            lambda: http.answers(self.admin_port, "/admin/health/ready") == 200,
            lambda: f"Kratos is not ready:\n{self.container.logs()}",
        )

    def public(self, method: str, path: str, body: Any = None, **how: Any) -> http.Answer:
        return http.request(method, self.public_port, path, body, **how)

    def admin(self, method: str, path: str, body: Any = None, **how: Any) -> http.Answer:
        return http.request(method, self.admin_port, path, body, **how)

    def command(self, *arguments: str, stdin: str = "") -> Finished:
        """The Kratos CLI, run inside."""
        return self.container.execute("kratos", *arguments, "-e", f"http://127.0.0.1:{ADMIN}", stdin=stdin)

    def create(self, email: str, password: str | None = None) -> dict[str, Any]:
        body: dict[str, Any] = {"schema_id": "person", "traits": {"email": email}}
        if password:
            body["credentials"] = {"password": {"config": {"password": password}}}
        answer = self.admin("POST", "/admin/identities", body)
        assert answer.status == 201, answer.body
        created: dict[str, Any] = answer.json()
        return created

    def sign_up(self, email: str, password: str) -> http.Answer:
        form = {"method": "password", "password": password, "traits": {"email": email}}
        return self._submit("registration", form)

    def sign_in(self, email: str, password: str) -> http.Answer:
        return self._submit("login", {"method": "password", "password": password, "identifier": email})

    def _submit(self, kind: str, form: dict[str, Any]) -> http.Answer:
        flow = self.public("GET", f"/self-service/{kind}/api").json()
        return self.public("POST", f"/self-service/{kind}?flow={flow['id']}", form)

    def browser_sign_in(self, email: str, password: str, *, csrf: bool = True) -> http.Answer:
        """As a form posts it: a page of the UI is what the browser is sent on to."""
        started = self.public("GET", "/self-service/login/browser", headers={"Accept": "application/json"})
        flow = started.json()
        form = {"method": "password", "password": password, "identifier": email}
        if csrf:
            fields = {node["attributes"]["name"]: node["attributes"] for node in flow["ui"]["nodes"]}
            form["csrf_token"] = fields["csrf_token"]["value"]
        return self.public("POST", f"/self-service/login?flow={flow['id']}", form=form, cookies=started.cookies())

    def whoami(self, cookies: dict[str, str]) -> http.Answer:
        return self.public("GET", "/sessions/whoami", cookies=cookies)


@dataclass(frozen=True)
class Database:
    """What a DSN leads to, and what `docker run` has to be told for it to be reached."""

    dsn: str
    options: list[str] = field(default_factory=list)


class Sqlite(Database):
    """A database in a directory of this host, with Kratos under the uid that runs the tests."""

    def __init__(self, directory: Path) -> None:
        volume, user = f"--volume={directory}:/var/lib/sqlite", f"--user={os.getuid()}:{os.getgid()}"
        super().__init__("sqlite:///var/lib/sqlite/db.sqlite?_fk=true&mode=rwc", [volume, user])
        self.file = directory / "db.sqlite"

    def value(self, query: str) -> str:
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            return str(connection.execute(query).fetchone()[0])


class Postgres(Database):
    """A database of its own on the server that all tests share."""

    def __init__(self, server: Container, network: str, name: str, template: str = "template0") -> None:
        options = "sslmode=disable&max_conns=20&max_idle_conns=4"
        super().__init__(f"postgres://tests:a-password@postgres:5432/{name}?{options}", [f"--network={network}"])
        self.name = name
        self._server = server
        docker("exec", server.key, "createdb", "--username=tests", f"--template={template}", name)

    def value(self, query: str) -> str:
        return self.run(query).strip()

    def run(self, statement: str, *, database: str | None = None) -> str:
        psql = ["psql", "--username=tests", f"--dbname={database or self.name}", "-tA", "-c", statement]
        return docker("exec", self._server.key, *psql).out

    def disconnect_everybody(self) -> None:
        sessions = f"FROM pg_stat_activity WHERE datname = '{self.name}' AND pid <> pg_backend_pid()"
        self.run(f"SELECT pg_terminate_backend(pid) {sessions}", database="postgres")

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Nobody can connect meanwhile."""
        allow = f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS {{}}"
        self.run(allow.format("false"), database="postgres")
        self.disconnect_everybody()
        yield
        self.run(allow.format("true"), database="postgres")

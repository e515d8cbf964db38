"""Carries out a plan: write, create, start, migrate, serve, ready."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from kratosctl import images, migration, observe, readiness
from kratosctl.assemble import Stack
from kratosctl.console import Console
from kratosctl.engine import client, reading
from kratosctl.errors import DatabaseUnreachable, ServiceFailed
from kratosctl.plan import Plan
from kratosctl.stack import compose
from kratosctl.workspace import State


@dataclass(frozen=True)
class Limits:
    """Time limits in seconds: for Kratos to be ready, and for its database to be reached."""

    ready: float = 60.0
    database: float = 30.0


def pull(stack_images: Mapping[str, str | None], wanted: list[str], console: Console) -> None:
    """Pulls the images that are not here, one after the other."""
    for reference in wanted:
        with console.step(f"pull {reference}"):
            client.pull(reference, stack_images.get(reference))


def apply(stack: Stack, plan: Plan, console: Console, limits: Limits) -> State:
    """Makes what runs be what was asked for.

    Compose creates; starting is done here, one service after the other. `docker compose up` polls what it waits for
    every half second, and says of a failed migration only that it failed.

    Returns:
        The state that is now on disk.
    """
    pull(images.needed(stack.environment), plan.subjects("pull"), console)
    state = _write(stack)
    client.import_early()
    with console.step("create containers"):
        stack.project.create(_services_to_create(stack, plan))
    containers = {c.service: c for c in reading.containers(stack.place.project)}
    starting = [name for name in compose.services(stack.environment) if containers[name].state != "running"]
    names = {name: containers[name].name for name in containers}
    reading.start([names[name] for name in starting if name in ("postgres", "mail")])
    if "postgres" in starting:
        with console.step("start PostgreSQL"):
            _wait_for_postgres(names["postgres"], limits.database)
    if plan.subjects("migrate"):
        with console.step("migrate"):
            migration.run(names["kratos-migrate"], limits.database)
        state = _remember_migration(stack, state)
    with console.step("start Kratos"):
        reading.start([names[name] for name in starting if name in ("kratos", "ui")])
        for name in plan.subjects("restart"):
            reading.docker("restart", names[name])
        wait_until_ready(stack, names["kratos"], limits.ready)
    return state


def wait_until_ready(stack: Stack, kratos: str, seconds: float) -> None:
    """Waits for Kratos' public API on this host."""
    readiness.wait(reachable(stack.environment.bind), stack.place.ports["public"], kratos, seconds)
    for container in reading.containers(stack.place.project):
        if container.service in compose.services(stack.environment) and container.state != "running":
            said = reading.logs(container.name, 20).strip().splitlines()
            raise ServiceFailed(
                f"service {container.service} did not stay up (exit code {container.exit_code})",
                said[-1][:300] if said else "it printed nothing",
                f"see `kratosctl logs {container.service}`",
            )


def reachable(bind: str) -> str:
    """The address at which this host reaches a port bound to `bind`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)


def _write(stack: Stack) -> State:
    """Writes the files, and makes the directories that are mounted: Docker would make them as root."""
    state = stack.workspace.write_all(stack.files, replace(stack.state, release=stack.environment.release))
    if stack.environment.database == "postgres":
        (stack.workspace.home / "initdb").mkdir(exist_ok=True)
        (stack.workspace.home / "initdb").chmod(0o755)
    if stack.database_directory:
        stack.database_directory.mkdir(exist_ok=True)
    return state


def _services_to_create(stack: Stack, plan: Plan) -> list[str]:
    migrate = ["kratos-migrate"] if plan.subjects("migrate") else []
    return migrate + compose.services(stack.environment)


def _remember_migration(stack: Stack, state: State) -> State:
    kratos = reading.image(stack.place.images.get("kratos", stack.environment.kratos_image))
    state = replace(state, migrated=observe.migrated_mark(kratos, observe.database_identity(stack)))
    stack.workspace.save_state(state)
    return state


def _wait_for_postgres(container: str, seconds: float) -> None:
    """Asks over TCP: while it initialises, the server listens on its socket only."""
    command = ("exec", container, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "kratos", "-d", "kratos")
    end = time.monotonic() + seconds
    while reading.docker(*command, check=False).returncode != 0:
        status, code = reading.state(container)
        if status != "running":
            said = [line for line in reading.logs(container, 30).splitlines() if line.strip()]
            raise ServiceFailed(
                f"PostgreSQL stopped (exit code {code})",
                said[-1][:300] if said else "it printed nothing",
                "see `kratosctl logs postgres`",
            )
        if time.monotonic() > end:
            raise DatabaseUnreachable(
                f"PostgreSQL was not ready within {seconds:g} s",
                fix="see `kratosctl logs postgres`; give it longer with --database-timeout",
            )
        time.sleep(0.05)

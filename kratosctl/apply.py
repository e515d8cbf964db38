"""Carries out a plan: write, create, start, migrate, serve, ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from kratosctl import database, image_build, images, observe, readiness
from kratosctl.assemble import Stack
from kratosctl.console import Console
from kratosctl.engine import client, reading
from kratosctl.errors import NotReady, ServiceFailed
from kratosctl.plan import Observed, Plan
from kratosctl.stack import compose


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


def _provide_images(stack: Stack, plan: Plan, console: Console) -> None:
    pull(images.needed(stack.environment), plan.subjects("pull"), console)
    if stack.custom and plan.subjects("build"):
        image_build.make(stack.custom, plan.subjects("build"), console)


def apply(stack: Stack, observed: Observed, plan: Plan, console: Console, limits: Limits) -> None:
    """Makes what runs be what was asked for.

    Compose creates; starting is done here: the database first, then all others at once. `docker compose up` polls what
    it waits for every half second, and says of a failed migration only that it failed.
    """
    _provide_images(stack, plan, console)
    _write(stack)
    kratos_id = observed.kratos_id or database.kratos_id(stack)
    if plan.subjects("migrate") and database.new_from_template(stack, observed):
        names = _copy_database(stack, kratos_id, console)
    else:
        names = _provide_database(stack, observed, plan, kratos_id, console, limits)
    _serve(stack, plan, names, console, limits)
    if stack.beside:
        with console.step(f"start {', '.join(stack.beside)}"):
            stack.project.start_beside(stack.beside)


def _copy_database(stack: Stack, kratos_id: str, console: Console) -> dict[str, str]:
    """Makes a new SQLite database from the image's template. Returns the containers' names by service."""
    services = compose.services(stack.environment)
    how = "copy a migrated database" if database.has_sqlite_template(kratos_id) else "migrate an empty database"
    with console.step(f"{how}, create containers"):
        names: dict[str, str]
        names, _ = reading.together(lambda: _create(stack, services), lambda: database.make_sqlite(stack, kratos_id))
    database.remember(stack, kratos_id)
    return names


def _provide_database(
    stack: Stack, observed: Observed, plan: Plan, kratos_id: str, console: Console, limits: Limits
) -> dict[str, str]:
    """Starts the database and migrates it where it has to be. Returns the containers' names by service."""
    services, migrating = compose.services(stack.environment), bool(plan.subjects("migrate"))
    new = not observed.database_exists
    with ExitStack() as until_made:
        offered = migrating and database.offer_template(stack, observed, kratos_id, until_made)
        wanted = services if offered or not migrating else ["kratos-migrate", *services]
        if new:
            database.begin_first_start(stack)
        with console.step("create containers"):
            names = _create(stack, wanted)
        database.start(stack, names, lambda: _create(stack, wanted), new, console, limits.database)
        if offered:
            database.remember(stack, kratos_id)
        elif migrating:
            database.migrate(stack, kratos_id, names, console, limits.database)
            if "postgres" in names and new:
                database.keep_postgres_template(stack, kratos_id, names["postgres"])
    return names


def _create(stack: Stack, services: Sequence[str]) -> dict[str, str]:
    """Lets Compose create the containers. Returns their names by service."""
    reading.check_compose()
    stack.project.create(services)
    return {c.service: c.name for c in reading.containers(stack.place.project)}


def _serve(stack: Stack, plan: Plan, names: Mapping[str, str], console: Console, limits: Limits) -> None:
    with console.step("start Kratos"):
        reading.start([names[name] for name in compose.services(stack.environment)])
        if plan.subjects("restart"):
            reading.docker("restart", *(names[name] for name in plan.subjects("restart")))
        wait_until_ready(stack, names["kratos"], limits.ready)


def migrate_only(stack: Stack, plan: Plan, console: Console, limits: Limits) -> list[str]:
    """Runs kratos-migrate and nothing that depends on it. Returns the last lines it printed."""
    _provide_images(stack, plan, console)
    _write(stack)
    new = not observe.database_identity(stack)
    if new:
        database.begin_first_start(stack)
    with console.step("create containers"):
        names = _create(stack, ["kratos-migrate"])
    database.start(stack, names, lambda: _create(stack, ["kratos-migrate"]), new, console, limits.database)
    return database.migrate(stack, database.kratos_id(stack), names, console, limits.database)


def wait_until_ready(stack: Stack, kratos: str, seconds: float) -> None:
    """Waits for Kratos' public API on this host, then for the UI and the mail inbox.

    Raises:
        NotReady, ServiceFailed, KratosRefusedConfiguration: what did not come up, and what it said last.
    """
    address, ports = readiness.reachable(stack.environment.bind), stack.place.ports
    try:
        readiness.wait(address, ports["public"], kratos, seconds)
    except NotReady:
        # what we remember of the database may be wrong: let the next `up` migrate again
        stack.workspace.save_state(replace(stack.workspace.state(), migrated={}))
        raise
    readiness.wait_for_pages(address, {name: ports[name] for name in ("mail", "ui") if name in ports}, seconds)
    services = compose.services(stack.environment)
    if services == ["kratos"]:
        return
    for container in reading.containers(stack.place.project):
        if container.service in services and container.state != "running":
            said = reading.logs(container.name, 20).strip().splitlines()
            raise ServiceFailed(
                f"service {container.service} did not stay up (exit code {container.exit_code})",
                said[-1][:300] if said else "it printed nothing",
                f"see `kratosctl logs {container.service}`",
            )


def _write(stack: Stack) -> None:
    """Writes the files, and makes the directories that are mounted: Docker would make them as root."""
    stack.workspace.write_all(stack.files, stack.state)
    if stack.database_directory:
        stack.database_directory.mkdir(exist_ok=True)
    if stack.environment.database == "postgres":
        database.initdb(stack.workspace.home)

"""Carries out a plan: write, create, start, migrate, serve, ready."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from kratosctl.console import Console
from kratosctl.database import templates
from kratosctl.engine import client, program, reading
from kratosctl.errors import KratosctlError, NotReady
from kratosctl.files.workspace import SEED_WANTED
from kratosctl.kratos import readiness
from kratosctl.limits import Limits
from kratosctl.stack import compose
from kratosctl.stages import build_image, database_start, images, observe, postgres_start
from kratosctl.stages.assemble import Stack
from kratosctl.stages.plan import Observed, Plan

_UNMIGRATED_AFTER = 3.0  # seconds


def pull(
    stack_images: Mapping[str, str | None], wanted: list[str], console: Console, options: Mapping[str, str]
) -> None:
    """Pulls the images that are not here, one after the other; `options` name others in their place."""
    for reference in wanted:
        with console.step(f"pull {reference}"):
            client.pull(reference, stack_images.get(reference), options.get(reference, ""))


def _provide_images(stack: Stack, plan: Plan, console: Console) -> None:
    locked = images.as_locked(stack.environment, stack.state)
    pull(images.needed(locked), plan.subjects("pull"), console, images.options(locked))
    if stack.custom and plan.subjects("build"):
        build_image.make(stack.custom, plan.subjects("build"), console)


def apply(stack: Stack, observed: Observed, plan: Plan, console: Console, limits: Limits) -> Callable[[], None] | None:
    """Makes what runs be what was asked for.

    Compose creates; starting is done here, in order. `docker compose up` polls what it waits for every half second, and
    says of a failed migration only that it failed.

    Returns:
        What is left to do when Kratos is ready, if anything is; it raises nothing.
    """
    _provide_images(stack, plan, console)
    _write(stack)
    _resume(observed)
    _remove(observed, plan)
    _want_seed(stack, plan, observed.database_exists)
    keeping = None
    # others that want a template which is made here wait for it
    with ExitStack() as until_kept:
        if not plan.subjects("migrate"):
            names = _create_with(stack, compose.services(stack.environment), console)
            if observed.migrated:
                # an image may be called another release than before, as one of somebody's own
                database_start.remember(stack, observed.kratos_id)
        elif database_start.new_from_template(stack, observed):
            names = _new_sqlite(stack, observed, console)
        else:
            template = None if observed.database_exists else postgres_start.template_of(stack, observed)
            names = {}
            if template and templates.found(template, until_kept):
                # whoever cannot copy it removes it, and may be faster
                with suppress(FileNotFoundError):
                    names = _copied_postgres(stack, observed, template, console, limits)
            if not names:
                services = ["kratos-migrate", *compose.services(stack.environment)]
                names, _ = _migrated(stack, services, not observed.database_exists, console, limits)
                keeping = template
        _serve(stack, plan, names, console, limits)
        if stack.beside:
            with console.step(f"start {', '.join(stack.beside)}"):
                stack.project.start_beside(stack.beside)
        # not before: an upgrade that fails at any of this goes back to them
        _forget_unused_locks(stack)
        return _keep(keeping, names["postgres"], until_kept.pop_all()) if keeping else None


def _keep(template: Path, postgres: str, until_kept: ExitStack) -> Callable[[], None]:
    """What keeps a template: it takes a third of a second, and whoever waits for Kratos need not wait for that."""

    def keep() -> None:
        with until_kept, suppress(KratosctlError):
            postgres_start.keep_template(postgres, template)

    return keep


def _forget_unused_locks(stack: Stack) -> None:
    state, needed = stack.workspace.state(), images.needed(stack.environment)
    used = {reference: lock for reference, lock in state.images.items() if reference in needed}
    if used != state.images:
        stack.workspace.save_state(replace(state, images=used))


def _resume(observed: Observed) -> None:
    """Lets paused containers go on: docker neither restarts nor replaces them while they are."""
    paused = [container.name for container in observed.containers if container.state == "paused"]
    if paused:
        program.docker("unpause", *paused)


def _remove(observed: Observed, plan: Plan) -> None:
    """Removes what is no longer asked for. Compose keeps what a profile hides."""
    names = [container.name for container in observed.containers if container.service in plan.subjects("remove")]
    if names:
        program.docker("stop", *names)
        program.docker("rm", *names)


def _new_sqlite(stack: Stack, observed: Observed, console: Console) -> dict[str, str]:
    """A migrated, empty SQLite database, made while Compose creates the containers."""
    kratos_id = observed.kratos_id or database_start.kratos_id(stack)
    how = "copy a migrated database" if database_start.has_sqlite_template(kratos_id) else "migrate an empty database"
    with console.step(f"{how}, create containers"):
        names, _ = reading.together(
            lambda: _create(stack, compose.services(stack.environment)),
            lambda: database_start.make_sqlite(stack, kratos_id),
        )
    database_start.remember(stack, kratos_id)
    made: dict[str, str] = names
    return made


def _copied_postgres(
    stack: Stack, observed: Observed, template: Path, console: Console, limits: Limits
) -> dict[str, str]:
    """A new PostgreSQL with the files of one that this image migrated."""
    postgres_start.begin_first_start(stack)
    names = _create_with(stack, compose.services(stack.environment), console)
    with console.step("copy a migrated database"):
        postgres_start.copy_template(stack, names["postgres"], template)
        postgres_start.adopt_template(stack, names["postgres"], limits.database)
    database_start.remember(stack, observed.kratos_id)
    return names


def _migrated(
    stack: Stack, services: Sequence[str], new: bool, console: Console, limits: Limits
) -> tuple[dict[str, str], list[str]]:
    """A database with all migrations, by kratos-migrate or from a template.

    Args:
        stack: the environment.
        services: those to create: kratos-migrate, and what else is wanted.
        new: the database is not there yet.
        console: where steps are shown.
        limits: how long it may take.

    Returns:
        Container names by service, and the last lines that kratos-migrate printed, if it was run.
    """
    if new:
        postgres_start.begin_first_start(stack)
    names = _create_with(stack, services, console)
    postgres_start.start(stack, names, lambda: _create(stack, services), new, console, limits.database)
    kratos_id = database_start.kratos_id(stack)
    if database_start.in_volume(stack):
        with console.step("look into the volume of the database"):
            filled = database_start.fill_volume(stack, kratos_id, names["kratos-migrate"])
        if filled:
            database_start.remember(stack, kratos_id)
            return names, []
    return names, database_start.migrate(stack, kratos_id, names, console, limits.database)


def _create_with(stack: Stack, services: Sequence[str], console: Console) -> dict[str, str]:
    with console.step("create containers"):
        return _create(stack, services)


def _want_seed(stack: Stack, plan: Plan, exists: bool) -> None:
    """Notes that a database of ours in which nobody is yet is to be filled once Kratos serves from it."""
    empty = stack.environment.database != "external" and not exists
    if stack.environment.database == "memory":
        empty = "kratos" in plan.subjects("create", "replace", "start", "restart")
    if stack.environment.seed and empty:
        stack.workspace.write(SEED_WANTED, stack.environment.database)


def _create(stack: Stack, services: Sequence[str]) -> dict[str, str]:
    """Lets Compose create the containers. Returns their names by service."""
    made = _created(stack, services)
    # what a service needs is created with it; what was there before, Compose does not name
    needed = {*services, *(["postgres"] if stack.environment.database == "postgres" else [])}
    if needed <= set(made):
        return dict(made)
    return {c.service: c.name for c in reading.containers(stack.place.project)}


def _created(stack: Stack, services: Sequence[str]) -> dict[str, str]:
    """Has Compose create them, and refuses an old one, whose own message would not name its age."""
    create = functools.partial(stack.project.create, services)
    if not stack.state.migrated:
        # while it works
        _, made = reading.together(check_compose, create)
        return dict(made)
    # to ask takes a third of the time that creating takes: where it was asked before, only one that fails is asked
    try:
        return create()
    except KratosctlError:
        check_compose()
        raise


@functools.cache
def check_compose() -> None:
    """Refuses a missing or old Compose plugin; asked once in a process."""
    reading.check_compose()


def _serve(stack: Stack, plan: Plan, names: Mapping[str, str], console: Console, limits: Limits) -> None:
    # Kratos' tables were just made in it
    answers = {"postgres"} if plan.subjects("migrate") else set()
    with console.step("start Kratos"):
        reading.start([names[name] for name in compose.services(stack.environment) if name not in answers])
        if "postgres" in {*names} - answers:
            postgres_start.wait(names["postgres"], limits.database)
        if plan.subjects("restart"):
            program.docker("restart", *(names[name] for name in plan.subjects("restart")))
        wait_until_ready(stack, names, limits.ready, bool(plan.subjects("migrate")))
        _check_stayed_up(stack)


def migrate_only(stack: Stack, plan: Plan, console: Console, limits: Limits) -> list[str]:
    """Runs kratos-migrate and nothing that depends on it. Returns the last lines it printed."""
    _provide_images(stack, plan, console)
    _write(stack)
    exists = bool(observe.database_identity(stack))
    _want_seed(stack, plan, exists)
    return _migrated(stack, ["kratos-migrate"], not exists, console, limits)[1]


def wait_until_ready(stack: Stack, names: Mapping[str, str], seconds: float, migrated: bool) -> None:
    """Waits for Kratos' public API on this host, then for the UI and the mail inbox.

    Args:
        stack: what runs.
        names: container names by service.
        seconds: how long to wait.
        migrated: this run has just migrated; else a Kratos that is not ready is not waited for that long.

    Raises:
        NotReady, ServiceFailed, KratosRefusedConfiguration: what did not come up, and what it said last.
    """
    address, ports = readiness.reachable(stack.environment.addresses["public"]), stack.place.ports
    try:
        patience = math.inf if migrated or not stack.environment.migrates else _UNMIGRATED_AFTER
        readiness.wait(address, ports["public"], names["kratos"], seconds, unmigrated_after=patience)
    except NotReady:
        # what we remember of the database may be wrong: let the next `up` migrate again
        stack.workspace.save_state(replace(stack.workspace.state(), migrated={}))
        raise
    pages = {name: ports[name] for name in ("mail", "ui") if name in ports}
    readiness.wait_for_pages(address, pages, names, seconds)


def _check_stayed_up(stack: Stack) -> None:
    services = compose.services(stack.environment)
    if services == ["kratos"]:
        return
    for container in reading.containers(stack.place.project):
        if container.service in services and container.state != "running":
            raise readiness.stopped(container.service, container.name, container.exit_code)


def _write(stack: Stack) -> None:
    """Writes the files, and makes the directories that are mounted: Docker would make them as root."""
    stack.workspace.write_all(stack.files, stack.state)
    if stack.database_directory:
        stack.database_directory.mkdir(exist_ok=True)
    if stack.environment.database == "postgres":
        postgres_start.initdb(stack.workspace.home)

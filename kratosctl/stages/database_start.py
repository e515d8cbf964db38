"""An environment's database on its way to being served: made from a template, migrated."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from kratosctl.console import Console
from kratosctl.database import migration, sqlite_volume, templates
from kratosctl.engine import reading
from kratosctl.stages import observe, postgres_start
from kratosctl.stages.assemble import Stack
from kratosctl.stages.plan import Observed


def in_volume(stack: Stack) -> bool:
    """Whether SQLite lies in a volume, out of this host's reach."""
    return stack.environment.database == "sqlite" and stack.database_directory is None


def fill_volume(stack: Stack, kratos_id: str, container: str) -> bool:
    """Puts a database into a volume that has none: one that waits on this host, else an empty one.

    Args:
        stack: the environment.
        kratos_id: the ID of its Kratos image.
        container: one that mounts the volume, stopped.

    Returns:
        Whether it has all migrations of the image.
    """
    waiting = stack.workspace.sqlite
    new = not sqlite_volume.holds_database(container)
    if not waiting.exists():
        if new:
            template = templates.make_sqlite(stack.kratos_image, kratos_id, stack.environment.platform)
            sqlite_volume.put(container, template)
        return new
    if new:
        sqlite_volume.put(container, waiting)
    # it is served from no more: what acts on the database is to find the one in the volume
    waiting.rename(waiting.with_name(f"db.sqlite.before-{time.strftime('%Y%m%d-%H%M%S')}"))
    return False


def new_from_template(stack: Stack, observed: Observed) -> bool:
    """True where a new SQLite database can be a copy of the image's template."""
    return stack.database_directory is not None and not observed.database_exists


def kratos_id(stack: Stack) -> str:
    """The ID of the image whose migrations count."""
    image = reading.image(stack.kratos_image)
    return image.id if image else stack.kratos_image


def has_sqlite_template(kratos_id: str) -> bool:
    """Whether an empty SQLite database was migrated with this image before."""
    return templates.path_of(kratos_id, "sqlite").exists()


def make_sqlite(stack: Stack, kratos_id: str) -> None:
    """Puts a migrated, empty SQLite database in place."""
    template = templates.make_sqlite(stack.kratos_image, kratos_id, stack.environment.platform)
    templates.copy(template, stack.workspace.sqlite)


def migrate(stack: Stack, kratos_id: str, names: Mapping[str, str], console: Console, seconds: float) -> list[str]:
    """Runs kratos-migrate.

    Args:
        stack: the environment.
        kratos_id: the ID of the image that migrates.
        names: container names by service.
        console: where steps are shown.
        seconds: how long the database may stay unreachable.

    Returns:
        The last lines it printed.
    """
    with console.step("migrate"):
        printed = migration.run(names["kratos-migrate"], seconds)
    remember(stack, kratos_id)
    return printed


def remember(stack: Stack, kratos_id: str) -> None:
    """Notes which image migrated which database, so that it need not run again."""
    mark = observe.migrated_mark(kratos_id, observe.identity(stack))
    before, database = stack.workspace.state(), stack.environment.database
    state = replace(before, migrated=mark, releases=before.releases | {database: stack.environment.facts.tag})
    if database == "postgres":
        state = replace(state, first_start=False, copying=False)
    if state != before:
        stack.workspace.save_state(state)
    postgres_start.forget_snapshot(stack.workspace.home)

"""What is there now: the second stage of `up`, which reads and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection

from kratosctl import catalog
from kratosctl.engine import reading
from kratosctl.engine.objects import Container, Image
from kratosctl.environment import Environment
from kratosctl.errors import DowngradeRefused
from kratosctl.stack.custom_image import CONTENT_LABEL
from kratosctl.stages import images
from kratosctl.stages.assemble import Stack
from kratosctl.stages.plan import Observed


def observe(
    stack: Stack,
    containers: tuple[Container, ...],
    needed: dict[str, Image | None],
    volumes: Callable[[], Collection[str]] | None = None,
) -> Observed:
    """Looks at images, files and the database.

    Args:
        stack: what should be there.
        containers: of its project.
        needed: the images it runs, by reference, those that are locked by what they are locked to; None where one is
            not on this engine.
        volumes: what its project has of them, where that was asked already.
    """
    database = database_identity(stack, volumes)
    locked = images.as_locked(stack.environment, stack.state)
    kratos = needed.get(locked.kratos_image)
    lock = stack.state.images.get(stack.environment.kratos_image, {})
    kratos_id = lock.get("id") or (kratos.id if kratos else "")
    missing = [
        name for name, platform in images.needed(locked).items() if not images.is_here(needed.get(name), platform)
    ]
    images.check_locks(stack.environment, stack.state, missing)
    custom = stack.custom.reference if stack.custom else ""
    return Observed(
        containers=containers,
        changed_files=[file.path for file in stack.workspace.changed(stack.files)],
        missing_images=missing,
        unbuilt=_unbuilt(stack, needed.get(custom)),
        kratos_id=kratos_id,
        postgres_id=_postgres_id(locked, needed),
        database_exists=bool(database) or stack.environment.database == "external",
        migrated=bool(database and kratos_id) and stack.state.migrated == migrated_mark(kratos_id, database),
    )


def _postgres_id(locked: Environment, needed: dict[str, Image | None]) -> str:
    image = needed.get(locked.postgres_image)
    return image.id if image and locked.database == "postgres" else ""


def _unbuilt(stack: Stack, built: Image | None) -> dict[str, str]:
    if stack.custom is None or (built and built.labels.get(CONTENT_LABEL) == stack.custom.content):
        return {}
    return {stack.custom.reference: "the configuration or its base changed" if built else "not built yet"}


def migrated_mark(kratos_id: str, database: str) -> dict[str, str]:
    """What is remembered after a migration: which image migrated which database."""
    return {"image": kratos_id, "database": database}


def database_identity(stack: Stack, volumes: Callable[[], Collection[str]] | None = None) -> str:
    """Tells a database from one that took its place later; empty where there is none, or none that can be told.

    Args:
        stack: the environment.
        volumes: what its project has of them, where that was asked already.
    """
    name = _volume(stack)
    if name and name not in (volumes() if volumes else reading.project_volumes(stack.place.project)):
        return ""
    return identity(stack)


def is_lost(stack: Stack) -> bool:
    """Whether a database on this host was removed; a volume cannot be while its container is there."""
    return stack.database_directory is not None and not identity(stack)


def identity(stack: Stack) -> str:
    """The same of a database that was just served from: nobody has to ask whether its volume is there."""
    name = _volume(stack)
    if name:
        # an engine tells no age of a volume that stays the same: CreatedAt is when its directory last changed
        return f"volume {name}"
    if stack.database_directory is None:
        return ""
    try:
        found = stack.workspace.sqlite.stat()
    except OSError:
        return ""
    return f"file {found.st_ino} {found.st_dev}"


def _volume(stack: Stack) -> str:
    """The volume that holds the database, made or not; empty where it lies elsewhere."""
    in_one = stack.database_directory is None and stack.environment.database in ("sqlite", "postgres")
    return f"{stack.place.project}_{stack.environment.database}" if in_one else ""


def check_downgrade(stack: Stack) -> None:
    """Refuses an older Kratos on data that a newer one migrated.

    Raises:
        DowngradeRefused: naming both releases and the ways out.
    """
    environment = stack.environment
    before = stack.state.releases.get(environment.database)
    if not before or not environment.migrates or environment.database == "external":
        return
    now = catalog.newest_matching(environment.release).tag
    if catalog.version_key(now) < catalog.version_key(catalog.newest_matching(before).tag) and database_identity(stack):
        raise DowngradeRefused(
            f"the data of environment {environment.name} was migrated by Kratos {before}",
            f"{now} is older and does not know these tables",
            f"use --release {before}; or go back to a snapshot of then: kratosctl snapshot restore NAME --with-release"
            f" --env {environment.name}; or start afresh: kratosctl down {environment.name} --volumes",
        )

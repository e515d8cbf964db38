"""What `up` has to do and why. Pure: what was observed in, steps out; printing them is `--dry-run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kratosctl.engine.objects import Container

_LOST = "its database is in memory: nobody who is in it now will be afterwards"


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        kind: pull, build, write, create, replace, remove, start, restart, migrate or keep.
        subject: what it is done to: an image, a file, a service.
        reason: why.
    """

    kind: str
    subject: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind:<8} {self.subject:<28} {self.reason}".rstrip()


@dataclass(frozen=True)
class Observed:
    """What is there now.

    Attributes:
        containers: of this project.
        changed_files: generated files that are new or differ, by path.
        missing_images: references that are not on this engine.
        unbuilt: custom images to build, with the reason.
        database_exists: the database's files or volume are there; of an external one, that cannot be told.
        kratos_id: ID of the Kratos image, empty where it is not here yet.
        postgres_id: ID of the PostgreSQL image, empty where it is not here yet, or there is none.
        migrated: the database is known to have all migrations of this image.
    """

    containers: Sequence[Container] = ()
    changed_files: Sequence[str] = ()
    missing_images: Sequence[str] = ()
    unbuilt: Mapping[str, str] = field(default_factory=dict)
    kratos_id: str = ""
    postgres_id: str = ""
    database_exists: bool = False
    migrated: bool = False


@dataclass(frozen=True)
class Plan:
    """The steps, in order, and what a person should know beside them."""

    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def changes(self) -> bool:
        return any(step.kind != "keep" for step in self.steps)

    def subjects(self, *kinds: str) -> list[str]:
        return [step.subject for step in self.steps if step.kind in kinds]


def make(
    services: Sequence[str],
    revisions: Mapping[str, str],
    migrates: bool,
    observed: Observed,
    notes: Sequence[str] = (),
    beside: Sequence[str] = (),
) -> Plan:
    """Compares what is there with what should be.

    Args:
        services: the long-running services, in the order they start.
        revisions: what each service should be made from, by service; kratos-migrate included where there is one.
        migrates: the database needs migrations before serve.
        observed: what is there.
        notes: what a person should know.
        beside: services that the user's compose.override.yaml adds.
    """
    present = {container.service: container for container in observed.containers}
    steps = [Step("pull", reference, "not on this engine") for reference in observed.missing_images]
    steps += [Step("build", reference, reason) for reference, reason in observed.unbuilt.items()]
    steps += [Step("write", path, "new or changed") for path in observed.changed_files]
    # what carries no label of ours is a service of the user's compose.override.yaml
    ours = [name for name, container in present.items() if container.labels.get("revision")]
    steps += [Step("remove", name, "no longer asked for") for name in ours if name not in revisions]
    serving = [_service_step(name, revisions[name], present.get(name)) for name in services]
    if migrates and not observed.database_exists:
        # it would go on with the one that was removed
        anew = Step("restart", "kratos", "its database is gone")
        serving = [anew if (step.kind, step.subject) == ("keep", "kratos") else step for step in serving]
    kratos = next(step for step in serving if step.subject == "kratos")
    steps += [step for step in serving if step.subject not in ("kratos", "ui")]
    if migrates and (kratos.kind != "keep" or not observed.migrated):
        steps.append(_migrate_step(observed))
    steps += [step for step in serving if step.subject in ("kratos", "ui")]
    steps += [step for name in beside if (step := _beside_step(name, present.get(name)))]
    in_memory = "kratos" in present and present["kratos"].labels.get("database") == "memory"
    lost = [_LOST] if in_memory and kratos.kind in ("replace", "restart") else []
    return Plan(tuple(steps), (*notes, *lost))


def _beside_step(name: str, container: Container | None) -> Step | None:
    if container is None:
        return Step("create", name, "compose.override.yaml adds it")
    done = container.state == "running" or container.exit_code == 0
    return None if done else Step("start", name, container.state)


def _service_step(name: str, revision: str, container: Container | None) -> Step:
    if container is None:
        return Step("create", name, "not there")
    if container.labels.get("revision") != revision:
        return Step("replace", name, "its settings changed")
    if container.state == "paused":
        # gone on, it would be called unhealthy until it is asked again
        return Step("restart", name, "paused")
    if container.state != "running":
        code = f", exit code {container.exit_code}" if container.exit_code else ""
        return Step("start", name, f"{container.state}{code}")
    if container.health == "unhealthy":
        return Step("restart", name, "unhealthy")
    return Step("keep", name, "runs and is up to date")


def _migrate_step(observed: Observed) -> Step:
    if observed.migrated:
        return Step("keep", "kratos-migrate", "the database has this image's migrations")
    why = "other migrations than this image's, or unknown ones" if observed.database_exists else "new database"
    return Step("migrate", "kratos-migrate", why)

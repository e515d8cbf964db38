"""Images before rendering: floating tags are locked to what they mean today, platforms checked against the engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from kratosctl import catalog, questions
from kratosctl.engine.objects import Engine, Image
from kratosctl.environment import Environment
from kratosctl.errors import ChoiceImpossible, ImageMissing
from kratosctl.files.state import State

_KEYS = ("mail_image", "ui_image", "postgres_image", "kratos_image")


def needed(environment: Environment) -> dict[str, str | None]:
    """Every image an environment runs, with the platform it is wanted for."""
    found: dict[str, str | None] = {environment.kratos_image: environment.platform}
    if environment.database == "postgres":
        found[environment.postgres_image] = None
    if environment.mail:
        found[environment.mail_image] = None
    if environment.ui:
        found[environment.ui_image] = None
    return found


def options(environment: Environment) -> dict[str, str]:
    """By image the option that names another one in its place."""
    return {getattr(environment, key): questions.BY_KEY[key].flag for key in _KEYS}


def is_here(image: Image | None, platform: str | None) -> bool:
    """True for an image that is on this engine, for the platform it is wanted for."""
    return image is not None and platform in (None, image.platform)


def floating(environment: Environment) -> list[str]:
    """Those of the images whose tag moves: they are locked."""
    return [reference for reference in needed(environment) if _floats(reference)]


def _floats(reference: str) -> bool:
    tag = catalog.split_reference(reference)[1].removesuffix(catalog.DISTROLESS_SUFFIX)
    return tag in ("", "latest") or bool(re.fullmatch(r"v\d+(\.\d+)?", tag))


def lock(
    environment: Environment, state: State, inspect: Callable[[str], Image | None], renew: bool
) -> tuple[State, list[str], list[str]]:
    """Locks floating tags to the images they mean now.

    Args:
        environment: what was asked for.
        state: with the locks so far.
        inspect: looks a local image up.
        renew: take what the tags mean now, instead of what they are locked to.

    Returns:
        The state with its locks, notes on tags that moved, and references to pull before they can be locked.
    """
    locks = dict(state.images)
    notes: list[str] = []
    missing: list[str] = []
    for reference in floating(environment):
        image, held = inspect(reference), locks.get(reference)
        if image is None:
            # a lock names the image it ran; without a local tag there is nothing newer to compare it with
            missing += [] if held else [reference]
        elif held is None or (renew and held["id"] != image.id):
            if held:
                notes.append(f"{reference} moved: {short(held['id'])} -> {short(image.id)}")
            locks[reference] = _lock(reference, image)
        elif held["id"] != image.id:
            notes.append(
                f"{reference} now means {short(image.id)}; this environment stays on {short(held['id'])}"
                " (take the new one with --pull)"
            )
    return replace(state, images=locks), notes, missing


def as_locked(environment: Environment, state: State) -> Environment:
    """The environment with the images that its floating tags are locked to."""
    locks = {key: state.images.get(getattr(environment, key)) for key in _KEYS}
    locked: dict[str, Any] = {key: what_runs(lock) for key, lock in locks.items() if lock}
    return replace(environment, **locked)


def what_runs(lock: Mapping[str, str]) -> str:
    """The name of a locked image that means no other: one by which it can be pulled, where a registry gave it that."""
    return lock.get("digest") or lock["id"]


def can_be_pulled(reference: str) -> bool:
    """False for the ID of an image, by which no registry knows it."""
    return not reference.startswith("sha256:")


def check_locks(environment: Environment, state: State, missing: Collection[str]) -> None:
    """Refuses a lock whose image is gone for good.

    Args:
        environment: what was asked for.
        state: with the locks.
        missing: images that are not on this engine, by the names of `as_locked`.

    Raises:
        ImageMissing: naming the ways out.
    """
    option = options(environment)
    for reference, lock in state.images.items():
        if reference in option and lock["id"] in missing:
            raise ImageMissing(
                f"the image that {reference} is locked to is gone ({short(lock['id'])})",
                "it has no name in a registry by which it could be pulled again",
                "`kratosctl up {env} --pull` takes what the tag means now; or name an image that is here with "
                f"{option[reference]}",
            )


def _lock(reference: str, image: Image) -> dict[str, str]:
    repository = catalog.split_reference(reference)[0]
    digests = [digest for digest in image.digests if digest.startswith(repository + "@")]
    return {"id": image.id} | ({"digest": digests[0]} if digests else {})


def short(image_id: str) -> str:
    """`sha256:0123…` as people read it."""
    return image_id.removeprefix("sha256:")[:12]


def postgres_major(environment: Environment, image: Image | None) -> int | None:
    """The major version of the PostgreSQL image: from its tag, else from its own environment; None if unknown."""
    named = catalog.postgres_major(environment.postgres_image)
    if named or image is None:
        return named
    variables: Mapping[str, str] = dict(entry.split("=", 1) for entry in image.environment if "=" in entry)
    return int(variables["PG_MAJOR"]) if variables.get("PG_MAJOR", "").isdigit() else None


def check_postgres(major: int | None, state: State, image: str) -> int:
    """The major version to render for.

    Raises:
        ChoiceImpossible: the data was made by another major version, or the version cannot be told.
    """
    if major is None:
        raise ChoiceImpossible(
            f"cannot tell which PostgreSQL {image} is",
            "where its data directory goes depends on the major version",
            "use a tag that starts with it, such as postgres:17",
        )
    if state.postgres_major and state.postgres_major != major:
        raise ChoiceImpossible(
            f"PostgreSQL {major} cannot read data of PostgreSQL {state.postgres_major}",
            "each major version has a data format of its own",
            f"use --postgres-image postgres:{state.postgres_major}, or start afresh: kratosctl down {{env}} --volumes",
        )
    return major


def platform_notes(environment: Environment, engine: Engine, image: Image | None) -> list[str]:
    """Says aloud where an image is emulated.

    Raises:
        ChoiceImpossible: the engine runs no Linux containers.
    """
    if not engine.platform.startswith("linux/"):
        raise ChoiceImpossible(
            f"the Docker engine runs {engine.platform} containers",
            "Kratos is a Linux image",
            "switch it to Linux containers",
        )
    wanted = environment.platform or (image.platform if image else engine.platform)
    if _same_machine(wanted, engine.platform):
        return []
    return [f"Kratos for {wanted} is emulated on this {engine.platform} engine: expect it to be several times slower"]


def _same_machine(wanted: str, engine: str) -> bool:
    """arm64 engines run arm/v6 and arm/v7 programs by themselves."""
    if wanted == engine:
        return True
    return engine in ("linux/arm64", "linux/arm") and wanted.startswith("linux/arm/")

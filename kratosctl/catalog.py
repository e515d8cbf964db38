"""Facts about Kratos releases and images: what each tag can and cannot do.

The facts were read from the source of ory/kratos at each tag and checked against binaries built from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kratosctl.errors import ConfigurationInvalid, FloatingTag

KRATOS_REPOSITORY = "oryd/kratos"
UI_REPOSITORY = "oryd/kratos-selfservice-ui-node"
MAIL_IMAGE = "axllent/mailpit:v1.27.0"
POSTGRES_IMAGE = "postgres:17"

VARIANTS = ("default", "distroless")
DISTROLESS_SUFFIX = "-distroless"


@dataclass(frozen=True)
class Release:
    """One exact release of Kratos.

    Attributes:
        tag: `vX.Y.Z`.
        year: when it was released.
        migrations: SQL migrations that apply to PostgreSQL.
        migrate_status: it has `migrate sql status` and `migrate sql up`.
    """

    tag: str
    year: int
    migrations: int
    migrate_status: bool = False


RELEASES = (
    Release("v1.0.0", 2023, 295),
    Release("v1.1.0", 2024, 307),
    Release("v1.2.0", 2024, 315),
    Release("v1.3.0", 2024, 315),
    Release("v1.3.1", 2024, 315),
    Release("v25.4.0", 2025, 331, migrate_status=True),
    Release("v26.2.0", 2026, 336, migrate_status=True),
)
NEWEST = RELEASES[-1]
ARCHITECTURES = {
    "default": ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6"),
    "distroless": ("linux/amd64", "linux/arm64"),
}

_TAG = re.compile(r"v(\d+)(?:\.(\d+))?(?:\.(\d+))?")


def version_key(tag: str) -> tuple[int, ...]:
    """Orders tags: `v1.3.1` before `v25.4.0`.

    Raises:
        ConfigurationInvalid: the tag is not `vX`, `vX.Y` or `vX.Y.Z`.
    """
    match = _TAG.fullmatch(tag)
    if not match:
        raise ConfigurationInvalid(
            f"{tag!r} is not a Kratos release",
            "a release is written vX.Y.Z, vX.Y or vX",
            f"use --release {NEWEST.tag}; `kratosctl catalog` lists all",
        )
    return tuple(int(part) for part in match.groups() if part is not None)


def is_floating(tag: str) -> bool:
    """True for tags that move: `vX`, `vX.Y` and `latest`."""
    return tag == "latest" or len(version_key(tag)) < 3


def newest_matching(tag: str) -> Release:
    """The newest release of the catalogue that a tag can mean.

    A release newer than this catalogue is taken to be able to do what the newest known one can.

    Raises:
        ConfigurationInvalid: no release matches, or the tag is no version.
    """
    if tag == "latest":
        return NEWEST
    wanted = version_key(tag)
    found = [r for r in RELEASES if version_key(r.tag)[: len(wanted)] == wanted]
    if found:
        return found[-1]
    if wanted > version_key(NEWEST.tag):
        return Release(tag, NEWEST.year, NEWEST.migrations, NEWEST.migrate_status)
    known = ", ".join(r.tag for r in RELEASES)
    raise ConfigurationInvalid(
        f"Kratos {tag} is not in the catalogue", f"known releases: {known}", f"use --release {NEWEST.tag}"
    )


def split_reference(reference: str) -> tuple[str, str]:
    """Splits an image reference into repository and tag; a digest counts as the tag, with its `sha256:`."""
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return repository, digest
    head, _, tail = reference.rpartition("/")
    name, _, tag = tail.partition(":")
    return (f"{head}/{name}" if head else name), tag


def check_reference(reference: str, allow_floating: bool) -> None:
    """Refuses an image reference that can mean something else tomorrow.

    Raises:
        FloatingTag: the reference has no tag, or `latest`, and floating tags were not allowed.
    """
    repository, tag = split_reference(reference)
    if allow_floating or tag not in ("", "latest"):
        return
    said = "has no tag, which means latest" if not tag else "is tagged latest"
    exact = f"{repository}:{NEWEST.tag}" if "kratos" in repository else f"{repository}:<exact tag>"
    raise FloatingTag(
        f"image {reference!r} {said}",
        "latest changes without notice: migrations and configuration would change with it",
        f"use {exact}, or accept the risk with --allow-floating-tag",
    )


def release_of_reference(reference: str) -> str | None:
    """The release that an image's tag names (`…:v1.3.1-distroless` is v1.3.1), if it names one."""
    tag = split_reference(reference)[1].removesuffix(DISTROLESS_SUFFIX)
    return tag if _TAG.fullmatch(tag) else None


def kratos_reference(release: str, variant: str) -> str:
    """The image of a release and variant: `oryd/kratos:v26.2.0-distroless`."""
    suffix = DISTROLESS_SUFFIX if variant == "distroless" else ""
    return f"{KRATOS_REPOSITORY}:{release}{suffix}"


def postgres_major(reference: str) -> int | None:
    """The major version that a PostgreSQL image's tag names (`postgres:17.2-alpine` is 17), if it names one."""
    match = re.match(r"(\d+)", split_reference(reference)[1])
    return int(match[1]) if match else None

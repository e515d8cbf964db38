"""Facts about Kratos releases and images: what each tag can and cannot do.

The facts were read from the source of ory/kratos at each tag and checked against binaries built from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kratosctl.errors import ConfigurationInvalid, FloatingTag

KRATOS_REPOSITORY = "oryd/kratos"
UI_REPOSITORY = "oryd/kratos-selfservice-ui-node"
MAIL_IMAGE = "axllent/mailpit:v1.30.5"
POSTGRES_IMAGE = "postgres:17"
PROXY_IMAGE = "caddy:2.10.2"
# where each listens inside its container
CONTAINER_PORTS = {"public": 4433, "admin": 4434, "ui": 3000, "mail": 8025, "postgres": 5432}
# and which service that is
LISTENERS = {"public": "kratos", "admin": "kratos", "ui": "ui", "mail": "mail", "postgres": "postgres"}

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
    Release("v26.2.0", 2026, 338, migrate_status=True),
)
NEWEST = RELEASES[-1]
ARCHITECTURES = {
    "default": ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6"),
    "distroless": ("linux/amd64", "linux/arm64"),
}

_PART = r"(0|[1-9][0-9]{0,5})"
_TAG = rf"v{_PART}(?:\.{_PART})?(?:\.{_PART})?"


def version_key(tag: str) -> tuple[int, ...]:
    """Orders tags: `v1.3.1` before `v25.4.0`.

    Raises:
        ConfigurationInvalid: the tag is not `vX`, `vX.Y` or `vX.Y.Z`.
    """
    match = re.fullmatch(_TAG, tag)
    if not match:
        raise ConfigurationInvalid(
            f"{tag[:60]!r} is not a Kratos release",
            "a release is written vX.Y.Z, vX.Y or vX",
            f"such as {NEWEST.tag}; `kratosctl catalog` lists all",
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
        # Kratos wants three parts in `version:`
        exact = "v" + ".".join(map(str, (*wanted, 0, 0)[:3]))
        return Release(exact, NEWEST.year, NEWEST.migrations, NEWEST.migrate_status)
    known = ", ".join(r.tag for r in RELEASES)
    raise ConfigurationInvalid(f"Kratos {tag} is not in the catalogue", f"known releases: {known}", "name one of them")


def split_reference(reference: str) -> tuple[str, str]:
    """Splits an image reference into repository and tag; a digest counts as the tag, with its `sha256:`."""
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return repository, digest
    head, _, tail = reference.rpartition("/")
    name, _, tag = tail.partition(":")
    return (f"{head}/{name}" if head else name), tag


def tag_of(reference: str) -> str:
    """The tag of an image reference, also where a digest follows it; empty where there is none."""
    return split_reference(reference.partition("@")[0])[1]


def check_reference(reference: str, allow_floating: bool) -> None:
    """Refuses an image reference that can mean something else tomorrow.

    Raises:
        FloatingTag: the reference has no tag, or `latest`, and floating tags were not allowed.
    """
    repository, tag = split_reference(reference)
    suffix = DISTROLESS_SUFFIX if tag.endswith(DISTROLESS_SUFFIX) else ""
    if allow_floating or tag.removesuffix(suffix) not in ("", "latest"):
        return
    said = "has no tag, which means latest" if not tag else f"is tagged {tag}"
    exact = f"{repository}:{NEWEST.tag}{suffix}" if "kratos" in repository else f"{repository}:<exact tag>"
    raise FloatingTag(
        f"image {reference!r} {said}",
        "latest changes without notice: migrations and configuration would change with it",
        f"use {exact}, or accept the risk with --allow-floating-tag",
    )


def release_of_reference(reference: str) -> str | None:
    """The release that an image's tag names (`…:v1.3.1-distroless` is v1.3.1), if it names one.

    People tag their own images as they like: of those only what is in the catalogue counts.
    """
    tag = tag_of(reference).removesuffix(DISTROLESS_SUFFIX)
    if not re.fullmatch(_TAG, tag):
        return None
    return tag if is_official(reference) or tag in [r.tag for r in RELEASES] else None


def is_official(reference: str) -> bool:
    """True for Ory's own Kratos images and mirrors of them."""
    repository = split_reference(reference.partition("@")[0])[0]
    return f"/{repository}".endswith(f"/{KRATOS_REPOSITORY}")


def is_distroless(reference: str) -> bool:
    """True for an image whose tag says so."""
    return tag_of(reference).endswith(DISTROLESS_SUFFIX)


def kratos_reference(release: str, variant: str) -> str:
    """The image of a release and variant: `oryd/kratos:v26.2.0-distroless`."""
    suffix = DISTROLESS_SUFFIX if variant == "distroless" else ""
    return f"{KRATOS_REPOSITORY}:{release}{suffix}"


def postgres_major(reference: str) -> int | None:
    """The major version that an image's tag names, if any: 17 in `postgres:17.2` and in `timescaledb:2.17-pg17`."""
    tag = tag_of(reference)
    match = re.search(r"pg(\d+)", tag) or re.match(r"(\d+)", tag)
    # what is no version of PostgreSQL is a date, or another program's version
    return int(match[1]) if match and len(match[1]) == 2 else None

"""Which images the tests run: the real ones where they are on this engine, else the stand-ins of tests/images.

KRATOSCTL_TEST_KRATOS and KRATOSCTL_TEST_UI name repositories, KRATOSCTL_TEST_MAIL and KRATOSCTL_TEST_POSTGRES images.
"""

from __future__ import annotations

import functools
import os

from tests.e2e import engine

RELEASES = ("v1.1.0", "v1.3.1", "v25.4.0", "v26.2.0")
NEWEST = RELEASES[-1]
STANDIN = "kratosctl-standin/"
PROXY = "kratosctl-standin/caddy:2"  # Caddy itself, from Debian


def kratos(release: str = NEWEST, variant: str = "default") -> str:
    """The Kratos image of a release and variant."""
    return f"{repository()}:{release}{'-distroless' if variant == 'distroless' else ''}"


def repository() -> str:
    """The repository of the Kratos images."""
    real = [f"oryd/kratos:{release}{suffix}" for release in RELEASES for suffix in ("", "-distroless")]
    return os.environ.get("KRATOSCTL_TEST_KRATOS") or ("oryd/kratos" if here().issuperset(real) else f"{STANDIN}kratos")


def are_standins() -> bool:
    """Whether what is run in Kratos' place is the stand-in."""
    return repository().startswith(STANDIN)


def ui(release: str = NEWEST) -> str:
    """The self-service UI for a release: its own, or the newest there is."""
    given = os.environ.get("KRATOSCTL_TEST_UI") or _unless_standins("oryd/kratos-selfservice-ui-node")
    tags = sorted(image.partition(":")[2] for image in here() if image.startswith(given + ":"))
    return f"{given}:{release if release in tags or not tags else NEWEST if NEWEST in tags else tags[-1]}"


def mail() -> str:
    """The mail inbox."""
    real = sorted(image for image in here() if image.startswith(_unless_standins("axllent/mailpit") + ":"))
    return os.environ.get("KRATOSCTL_TEST_MAIL") or (real[-1] if real else f"{STANDIN}mailpit:v1.30.5")


def postgres() -> str:
    """PostgreSQL."""
    return os.environ.get("KRATOSCTL_TEST_POSTGRES") or ("postgres:17" if "postgres:17" in here() else "postgres:15")


def variables(release: str = NEWEST, variant: str = "default") -> dict[str, str]:
    """What makes kratosctl run these images."""
    return {
        "KRATOSCTL_KRATOS_IMAGE": kratos(release, variant),
        "KRATOSCTL_UI_IMAGE": ui(release),
        "KRATOSCTL_MAIL_IMAGE": mail(),
        "KRATOSCTL_POSTGRES_IMAGE": postgres(),
        "KRATOSCTL_PROXY_IMAGE": PROXY,
    }


def missing() -> list[str]:
    """Those of the images that are not on this engine."""
    kratoses = [kratos(release, variant) for release in RELEASES for variant in ("default", "distroless")]
    return [image for image in (*kratoses, ui(), mail(), postgres()) if image not in here()]


@functools.cache
def here() -> frozenset[str]:
    """The tagged images of this engine."""
    return frozenset(engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split())


def _unless_standins(real: str) -> str:
    """The stand-ins of one program know the others; real and stand-in are not mixed without being asked to."""
    standin = STANDIN + real.rpartition("/")[2]
    found = any(image.startswith(real + ":") for image in here())
    return real if found and not are_standins() else standin

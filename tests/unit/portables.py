"""Seats to render for other machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kratosctl import fragments
from kratosctl.environment import Environment
from kratosctl.stack.portable import Portable, portable
from kratosctl.stack.secrets import Secrets
from tests.unit import stacks

# a database, a variant, and whether there are pages and mail
KINDS: dict[str, Mapping[str, Any]] = {
    "sqlite": {"database": "sqlite"},
    "sqlite without pages": {"database": "sqlite", "ui": False, "mail": False},
    "postgres": {"database": "postgres"},
    "distroless": {"database": "postgres", "variant": "distroless"},
    "memory": {"database": "memory", "preset": "api-only"},
    "oldest": {"release": "v1.0.0", "database": "postgres"},
    "for a platform": {"platform": "linux/arm64"},
    "over the network": {"bind": "0.0.0.0", "host": "192.168.1.5"},
    "all ports": {"database": "postgres", "admin_port": 4434, "postgres_port": 5432},
}


def seat(environment: Environment, secrets: Secrets = stacks.SECRETS, **changes: Any) -> Portable:
    """A seat with the configuration of its preset."""
    texts = fragments.preset_files(environment.preset)
    place = stacks.place(environment, user=None, bind_database=False)
    return replace(portable(environment, place, secrets, texts, stacks.load(texts["kratos.yml"])), **changes)


def of_kind(kind: str) -> Portable:
    return seat(stacks.environment("seat-01", **KINDS[kind]))

"""What is allotted to an environment once and stays, as it lies in its state.json."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class State:
    """What is allotted once and stays.

    Attributes:
        project: the Compose project.
        directory: where the environment lay last.
        origin: where the project was allotted; the label of its volumes, which Compose deletes if it changes.
        home: inode number of the generated directory, to tell a moved one from a copied one.
        ports: TCP ports of this host by name.
        host: the host name in its addresses, as Kratos was told last, by whatever said it.
        https: people come to them by a TLS proxy.
        engine: the Docker engine it was brought up on last, as DOCKER_HOST or a Docker context names it.
        subnet: the addresses of its network, where it was asked to have them from a range.
        images: by reference asked for: the image ID (and `digest`, where it came from a registry) it is locked to.
        secrets_generation: counts changes of the secrets.
        secrets_given: digest of those that Kratos was given last.
        migrated: the image ID and the database (a volume's name or a file's inode) it last migrated.
        releases: by kind of database the release that last migrated it.
        postgres_major: major version that made the PostgreSQL volume.
        first_start: PostgreSQL is making its files for the first time, or was cut short at it.
        copying: its files are being copied from a template and made its own, or that was cut short.
        generated: SHA-256 of each generated file as kratosctl wrote it; two while a write is under way.
        owner: the process an ephemeral environment lives for; empty for any other.
    """

    project: str = ""
    directory: str = ""
    origin: str = ""
    home: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    host: str = "localhost"
    https: bool = False
    engine: str = ""
    subnet: str = ""
    images: dict[str, dict[str, str]] = field(default_factory=dict)
    secrets_generation: int = 1
    secrets_given: str = ""
    migrated: dict[str, str] = field(default_factory=dict)
    releases: dict[str, str] = field(default_factory=dict)
    postgres_major: int = 0
    first_start: bool = False
    copying: bool = False
    generated: dict[str, list[str]] = field(default_factory=dict)
    owner: str = ""


def parse(text: str) -> State:
    """The state that a JSON document holds.

    Raises:
        ValueError, TypeError, RecursionError: it holds none.
    """
    data = json.loads(text)
    if not isinstance(data, dict):
        raise TypeError("it is not an object")
    for name, kind in get_type_hints(State).items():
        if name in data and not _fits(data[name], kind):
            raise TypeError(f"{name} is not {kind.__name__ if isinstance(kind, type) else kind}")
    state = State(**data)
    if not all(1 <= port <= 65535 for port in state.ports.values()):
        raise TypeError("ports are not from 1 to 65535")
    return state


def _fits(value: object, kind: Any) -> bool:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, parts[1]) for item in value.values())
    if origin is list:
        return isinstance(value, list) and all(_fits(item, parts[0]) for item in value)
    return type(value) is kind

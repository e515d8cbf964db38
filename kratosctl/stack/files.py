"""What rendering makes: files, by their place in an environment's generated directory."""

from __future__ import annotations

from dataclasses import dataclass, field

COMPOSE_FILE = "compose.yaml"
ENVIRONMENT_FILE = "environment.yml"


@dataclass(frozen=True)
class File:
    """One file to write: a path relative to the environment's generated directory, and its text."""

    path: str
    text: str = field(repr=False)
    secret: bool = False

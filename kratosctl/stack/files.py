"""What rendering makes: files, by their place in an environment's generated directory."""

from __future__ import annotations

from dataclasses import dataclass, field

COMPOSE_FILE = "compose.yaml"
ENVIRONMENT_FILE = "environment.yml"
SECRETS_FILE = "secrets/kratos.yml"


@dataclass(frozen=True)
class File:
    """One file to write.

    Attributes:
        path: relative to the environment's generated directory.
        text: what is in it.
        secret: for the owner alone, and lost where it is written over.
        private: for the owner alone; it can be made again.
    """

    path: str
    text: str = field(repr=False)
    secret: bool = False
    private: bool = False

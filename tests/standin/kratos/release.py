"""Which Kratos this process stands in for, and what differs between the releases."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    name: str
    commit: str
    built: str
    sqlite_migrations: int
    postgres_migrations: int

    def since(self, name: str) -> bool:
        """It is the release of that name, or a later one."""
        return _numbers(self.name) >= _numbers(name)

    def migrations(self, dialect: str) -> int:
        return self.sqlite_migrations if dialect == "sqlite" else self.postgres_migrations


def _numbers(name: str) -> list[int]:
    return [int(part) for part in name.removeprefix("v").split(".")]


RELEASES = {
    release.name: release
    for release in (
        Release("v1.1.0", "f47675b82012", "2024-02-20T09:34:09Z", 655, 307),
        Release("v1.3.1", "36e624c716e4", "2024-10-28T09:04:20Z", 663, 315),
        Release("v25.4.0", "64e04ace9aaf", "2025-11-07T12:17:44Z", 679, 331),
        Release("v26.2.0", "9d7085948039", "2026-03-20T11:01:06Z", 686, 338),
    )
}


def current() -> Release:
    """The release that the image was built for."""
    return RELEASES[os.environ["KRATOS_STANDIN_RELEASE"]]


def has_sqlite() -> bool:
    """The distroless images of Kratos are built without SQLite."""
    return os.environ["KRATOS_STANDIN_VARIANT"] != "distroless"

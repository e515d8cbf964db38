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
    # From v1.2.0: passkeys, two-step registration, and a configuration may leave mail out.
    has_passkeys: bool
    # From v25.4.0: `migrate sql up`, `down` and `status`; admin paths work without /admin; no courier.sms.
    modern: bool

    def migrations(self, dialect: str) -> int:
        return self.sqlite_migrations if dialect == "sqlite" else self.postgres_migrations


RELEASES = {
    release.name: release
    for release in (
        Release("v1.1.0", "f47675b82012", "2024-02-20T09:34:09Z", 655, 307, has_passkeys=False, modern=False),
        Release("v1.3.1", "36e624c716e4", "2024-10-28T09:04:20Z", 663, 315, has_passkeys=True, modern=False),
        Release("v25.4.0", "64e04ace9aaf", "2025-11-07T12:17:44Z", 679, 331, has_passkeys=True, modern=True),
        Release("v26.2.0", "9d7085948039", "2026-03-20T11:01:06Z", 686, 338, has_passkeys=True, modern=True),
    )
}


def current() -> Release:
    """The release that the image was built for."""
    return RELEASES[os.environ["KRATOS_STANDIN_RELEASE"]]


def has_sqlite() -> bool:
    """The distroless images of Kratos are built without SQLite."""
    return os.environ["KRATOS_STANDIN_VARIANT"] != "distroless"

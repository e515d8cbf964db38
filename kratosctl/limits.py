"""How long a command waits before it gives up."""

from __future__ import annotations

from dataclasses import dataclass

LOCK_WAIT = 600.0  # seconds for somebody else to be done with an environment


@dataclass(frozen=True)
class Limits:
    """Time limits in seconds: for Kratos to be ready, and for its database to be reached."""

    ready: float = 60.0
    database: float = 30.0

    @classmethod
    def of_own_database(cls, seconds: float) -> Limits:
        """Some seconds for Kratos; as long, and its usual time at least, for the database that was made for it."""
        return cls(seconds, max(seconds, cls.database))

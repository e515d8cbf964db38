"""What a database holds, as far as snapshots care."""

from __future__ import annotations

from dataclasses import dataclass

# Filled by migrations and by the first serve; Kratos breaks without their rows.
KEPT_TABLES = ("schema_migration", "identity_credential_types", "networks")
# Rows of courier_messages that the courier holds, and may send whatever becomes of them: those it is processing (3),
# and, after one of a batch failed, those it queued again (1) and yet goes on with.
SENDING = "status = 3 OR (status = 1 AND send_count > 0)"


@dataclass(frozen=True)
class Facts:
    """
    Attributes:
        migrations: rows of schema_migration.
        identities: how many there are.
        network: Kratos' network ID; empty where Kratos never served.
    """

    migrations: int
    identities: int
    network: str

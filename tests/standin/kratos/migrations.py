"""The SQL migrations: as many as Kratos' releases apply, each in a transaction of its own.

The tables are the ones whose rows kratosctl and its tests look at, under Kratos' names. The remaining
migrations only leave their row in schema_migration, so that counting, waiting for and upgrading migrations
behave as with Kratos.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from .database import Database
from .log import Logger
from .release import RELEASES, current

_KEY = "id {uuid} PRIMARY KEY"
_STAMPS = "created_at timestamp NOT NULL, updated_at timestamp NOT NULL"
_NETWORK = "nid {uuid} NOT NULL REFERENCES networks (id) ON DELETE CASCADE"
_OWNER = "identity_id {uuid} NOT NULL REFERENCES identities (id) ON DELETE CASCADE"
_FLOW = (
    f"{_KEY}, {_NETWORK}, type VARCHAR(16) NOT NULL, csrf_token TEXT NOT NULL,"
    f" request_url TEXT NOT NULL, issued_at timestamp NOT NULL, expires_at timestamp NOT NULL, messages {{json}},"
    f" context {{json}}, {_STAMPS}"
)

_TABLES = {
    "networks": f"{_KEY}, {_STAMPS}",
    "identities": (
        f"{_KEY}, schema_id VARCHAR(2048) NOT NULL, traits {{json}} NOT NULL, {_NETWORK},"
        " state VARCHAR(255) NOT NULL DEFAULT 'active', state_changed_at timestamp, metadata_public {json},"
        f" metadata_admin {{json}}, available_aal VARCHAR(4), organization_id {{uuid}}, {_STAMPS}"
    ),
    "identity_credential_types": f"{_KEY}, name VARCHAR(32) NOT NULL",
    "identity_credentials": (
        f"{_KEY}, config {{json}} NOT NULL, {_OWNER}, {_NETWORK}, version INT NOT NULL DEFAULT 0,"
        f" identity_credential_type_id {{uuid}} NOT NULL REFERENCES identity_credential_types (id), {_STAMPS}"
    ),
    "identity_credential_identifiers": (
        f"{_KEY}, identifier VARCHAR(255) NOT NULL, {_NETWORK}, {_STAMPS},"
        " identity_credential_id {uuid} NOT NULL REFERENCES identity_credentials (id) ON DELETE CASCADE,"
        " identity_credential_type_id {uuid} NOT NULL REFERENCES identity_credential_types (id),"
        " UNIQUE (nid, identity_credential_type_id, identifier)"
    ),
    "identity_verifiable_addresses": (
        f"{_KEY}, status VARCHAR(16) NOT NULL, via VARCHAR(16) NOT NULL, verified BOOLEAN NOT NULL,"
        f" value VARCHAR(400) NOT NULL, verified_at timestamp, {_OWNER}, {_NETWORK}, {_STAMPS}"
    ),
    "identity_recovery_addresses": (
        f"{_KEY}, via VARCHAR(16) NOT NULL, value VARCHAR(400) NOT NULL, {_OWNER}, {_NETWORK}, {_STAMPS}"
    ),
    "sessions": (
        f"{_KEY}, {_OWNER}, {_NETWORK}, token VARCHAR(39) NOT NULL, logout_token VARCHAR(39) NOT NULL,"
        " method VARCHAR(32) NOT NULL, active BOOLEAN NOT NULL,"
        f" issued_at timestamp NOT NULL, expires_at timestamp NOT NULL, authenticated_at timestamp NOT NULL, {_STAMPS}"
    ),
    "selfservice_login_flows": _FLOW,
    "selfservice_registration_flows": _FLOW,
    "selfservice_verification_flows": _FLOW,
    "courier_messages": (
        f"{_KEY}, type INT NOT NULL, status INT NOT NULL, recipient VARCHAR(400) NOT NULL,"
        f" body TEXT NOT NULL, subject TEXT NOT NULL, send_count INT NOT NULL DEFAULT 0, {_NETWORK}, {_STAMPS}"
    ),
}

_CREDENTIAL_TYPES = {
    "78c1b41d-8341-4507-aa60-aff1d4369670": "password",
    "6fa5e2e0-bfce-4631-b62b-cf2b0252b289": "oidc",
    "5e29b036-aa47-457f-9fe6-aa8b854a752b": "totp",
    "567a0730-7f48-4dd7-a13d-df87a51c245f": "lookup_secret",
    "6b213fa0-e6ad-46cb-8878-b088d2ce2e3c": "webauthn",
    "14f3b7e2-8725-4068-be39-8a796485fd97": "code",
}
CREDENTIAL_TYPE_IDS = {name: key for key, name in _CREDENTIAL_TYPES.items()}


_IDENTITY_COLUMNS = {
    "available_aal",
    "created_at",
    "id",
    "metadata_admin",
    "metadata_public",
    "nid",
    "organization_id",
    "schema_id",
    "state",
    "state_changed_at",
    "traits",
    "updated_at",
}
_SINCE_V25_4 = ("external_id", "ALTER TABLE identities ADD COLUMN external_id VARCHAR(64)")


@dataclass(frozen=True)
class Migration:
    version: str
    name: str
    statement: str


def pending(database: Database) -> list[Migration]:
    """What this release would still apply."""
    with database.transaction() as transaction:
        done = {version for (version,) in transaction.rows("SELECT version FROM schema_migration")}
    return [migration for migration in all_migrations(database.dialect) if migration.version not in done]


def up(database: Database, log: Logger) -> None:
    prepare(database)
    todo = pending(database)
    for migration in todo:
        fields = {"migration_name": migration.name, "version": migration.version}
        log.info("Migration has not yet been applied, running migration.", **fields)
        with database.transaction() as transaction:
            if migration.statement:
                transaction.run(migration.statement)
            transaction.run("INSERT INTO schema_migration (version) VALUES (?)", migration.version)
        log.info(f"> {migration.name} applied successfully", **fields)
    if current().since("v25.4.0"):
        done = f"Successfully applied {len(todo)} migrations."
        log.info(done if todo else "Migrations already up to date, nothing to apply")


def down(database: Database, steps: int, log: Logger) -> None:
    """Takes the newest migrations back: here only those of which nothing but their row is left."""
    for migration in all_migrations(database.dialect)[-steps:]:
        with database.transaction() as transaction:
            transaction.run("DELETE FROM schema_migration WHERE version = ?", migration.version)
        log.info(f"{migration.name} applied successfully", version=migration.version)


@cache
def all_migrations(dialect: str) -> list[Migration]:
    """Every migration of this release, oldest first. A newer release adds to the end of an older one's list."""
    steps = _steps(dialect)
    steps += [("step", "")] * (RELEASES["v1.3.1"].migrations(dialect) - len(steps))
    steps.append(_SINCE_V25_4)
    steps += [("step", "")] * (RELEASES["v26.2.0"].migrations(dialect) - len(steps))
    del steps[current().migrations(dialect) :]
    return [Migration(f"2020{number:016d}", name, statement) for number, (name, statement) in enumerate(steps)]


def _steps(dialect: str) -> list[tuple[str, str]]:
    steps = [(table, f"CREATE TABLE {table} ({columns})") for table, columns in _TABLES.items()]
    if dialect == "postgres":
        steps += [(name, f"CREATE EXTENSION IF NOT EXISTS {name}") for name in ("pg_trgm", "btree_gin")]
    steps += [
        (f"credential_type_{name}", f"INSERT INTO identity_credential_types (id, name) VALUES ('{key}', '{name}')")
        for key, name in _CREDENTIAL_TYPES.items()
    ]
    return steps


def known_identity_columns() -> set[str]:
    return _IDENTITY_COLUMNS | ({"external_id"} if current().since("v25.4.0") else set())


def prepare(database: Database) -> None:
    """Make the table that remembers what was applied."""
    with database.transaction() as transaction:
        for statement in (
            "TABLE IF NOT EXISTS schema_migration (version VARCHAR (48) NOT NULL, version_self INT NOT NULL DEFAULT 0)",
            "UNIQUE INDEX IF NOT EXISTS schema_migration_version_idx ON schema_migration (version)",
            "INDEX IF NOT EXISTS schema_migration_version_self_idx ON schema_migration (version_self)",
        ):
            transaction.run(f"CREATE {statement}")

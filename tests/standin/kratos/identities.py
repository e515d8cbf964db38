"""Identities with their credentials and addresses, in the rows of one network."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from .config import Config
from .database import Database, Transaction
from .jsonschema import check, describe
from .migrations import CREDENTIAL_TYPE_IDS, known_identity_columns

Record = dict[str, Any]

_ROUNDS = 1000
_FIELDS = "id, schema_id, traits, state, state_changed_at, metadata_public, metadata_admin, created_at, updated_at"
_BODY_KEYS = {
    "credentials",
    "metadata_admin",
    "metadata_public",
    "organization_id",
    "recovery_addresses",
    "schema_id",
    "state",
    "traits",
    "verifiable_addresses",
}


class Invalid(Exception):
    """The request is wrong: 400."""

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class Conflict(Exception):
    """Another identity has this identifier: 409."""


@dataclass(frozen=True)
class Marks:
    """What the `ory.sh/kratos` keys of an identity schema say of some traits."""

    identifiers: dict[str, list[str]]  # by method
    verifiable: list[str]
    recoverable: list[str]


class Identities:
    def __init__(self, database: Database, network: str, config: Config) -> None:
        self._database = database
        self._network = network
        self._config = config

    def create(self, body: Record) -> Record:
        """Store a new identity as POST /admin/identities describes one."""
        prepared = self._prepare(body)
        with self._database.transaction() as transaction:
            return self._insert(transaction, *prepared)

    def create_all(self, bodies: list[Record]) -> list[Record]:
        """All or none."""
        prepared = [self._prepare(body) for body in bodies]
        with self._database.transaction() as transaction:
            return [self._insert(transaction, *item) for item in prepared]

    def get(self, key: str) -> Record | None:
        with self._database.transaction() as transaction:
            row = self._row(transaction, key)
            return self._record(transaction, row, with_credentials=True) if row else None

    def page(self, *, after: str = "", limit: int = 250, identifier: str | None = None) -> list[Record]:
        condition, values = "id > ?", [after or "00000000-0000-0000-0000-000000000000"]
        if identifier is not None:
            condition += (
                " AND id IN (SELECT c.identity_id FROM identity_credentials c JOIN identity_credential_identifiers i"
                " ON i.identity_credential_id = c.id WHERE i.identifier = ?)"
            )
            values.append(identifier.lower())
        with self._database.transaction() as transaction:
            self._know_all_columns(transaction)
            rows = transaction.rows(
                f"SELECT {_FIELDS} FROM identities WHERE nid = ? AND {condition} ORDER BY id LIMIT {limit}",
                self._network,
                *values,
            )
            return [self._record(transaction, row, with_credentials=identifier is not None) for row in rows]

    def _know_all_columns(self, transaction: Transaction) -> None:
        """Kratos reads every column there is, and stumbles over one that a newer release brought."""
        unknown = set(transaction.columns("identities")) - known_identity_columns()
        if unknown:
            raise self._database.errors(f"missing destination name {unknown.pop()} in *identity.Identity")

    def delete(self, key: str) -> bool:
        with self._database.transaction() as transaction:
            if not self._row(transaction, key):
                return False
            transaction.run("DELETE FROM identities WHERE nid = ? AND id = ?", self._network, key)
            return True

    def by_password(self, identifier: str, password: str) -> Record | None:
        """The identity that signs in with these, if there is one."""
        found = self._credential(identifier, "password")
        if found is None or not _matches(password, _decoded(found[1]).get("hashed_password", "")):
            return None
        return self.get(str(found[0]))

    def by_code(self, identifier: str) -> Record | None:
        """The identity that may sign in with a code sent to this address, if there is one."""
        found = self._credential(identifier, "code")
        return self.get(str(found[0])) if found else None

    def _credential(self, identifier: str, method: str) -> tuple[Any, ...] | None:
        with self._database.transaction() as transaction:
            return transaction.row(
                "SELECT c.identity_id, c.config FROM identity_credentials c JOIN identity_credential_identifiers i"
                " ON i.identity_credential_id = c.id"
                " WHERE c.nid = ? AND i.identifier = ? AND CAST(c.identity_credential_type_id AS VARCHAR(64)) = ?",
                self._network,
                identifier.lower(),
                CREDENTIAL_TYPE_IDS[method],
            )

    def check(self, body: Record) -> Marks:
        """What a new identity would be known by.

        Raises:
            Invalid: it breaks its schema.
        """
        return self._prepare(body)[1]

    def mark_sent(self, address: str) -> None:
        """A code is on its way to an address."""
        with self._database.transaction() as transaction:
            transaction.run(
                "UPDATE identity_verifiable_addresses SET status = 'sent' WHERE nid = ? AND value = ?",
                self._network,
                address,
            )

    def verify(self, address: str) -> None:
        """Somebody who reads the mail of an address has shown it."""
        with self._database.transaction() as transaction:
            transaction.run(
                "UPDATE identity_verifiable_addresses SET verified = ?, verified_at = ?, status = 'completed'"
                " WHERE nid = ? AND value = ?",
                True,
                timestamp(),
                self._network,
                address,
            )

    def marks(self, schema_id: str, traits: Record) -> Marks:
        schema = self._config.identity_schemas()[schema_id]
        marks = Marks({}, [], [])
        for value, extension in _extensions(schema["properties"].get("traits", {}), traits):
            for method, said in extension.get("credentials", {}).items():
                if said.get("identifier") and method in ("password", "code"):
                    marks.identifiers.setdefault(method, []).append(value.lower())
            if "verification" in extension:
                marks.verifiable.append(value)
            if "recovery" in extension:
                marks.recoverable.append(value)
        return marks

    def _prepare(self, body: Record) -> tuple[Record, Marks]:
        for name in body:
            if name not in _BODY_KEYS:
                raise Invalid(f'json: unknown field "{name}"')
        body = {"schema_id": self._config.get("identity.default_schema_id"), "traits": {}} | body
        schema = self._config.identity_schemas().get(body["schema_id"])
        if schema is None:
            raise Invalid(_MALFORMED, f"Unable to find JSON Schema ID: {body['schema_id']}")
        violations = check(schema, {"traits": body["traits"]})
        if violations:
            raise Invalid(_MALFORMED, describe(violations))
        return body, self.marks(body["schema_id"], body["traits"])

    def _insert(self, transaction: Transaction, body: Record, marks: Marks) -> Record:
        self._refuse_taken(transaction, [each for found in marks.identifiers.values() for each in found])
        key = self._add(
            transaction,
            "identities",
            schema_id=body["schema_id"],
            traits=json.dumps(body["traits"]),
            state=body.get("state") or "active",
            state_changed_at=timestamp(),
            metadata_public=json.dumps(body.get("metadata_public")),
            metadata_admin=json.dumps(body.get("metadata_admin")),
        )
        self._insert_credentials(transaction, key, body, marks.identifiers)
        self._insert_addresses(transaction, key, body, marks)
        row = self._row(transaction, key)
        assert row is not None
        return self._record(transaction, row, with_credentials=True)

    def _add(self, transaction: Transaction, table: str, **values: Any) -> str:
        """Insert a row with a new id into this network."""
        key, now = str(uuid4()), timestamp()
        transaction.insert(table, id=key, nid=self._network, created_at=now, updated_at=now, **values)
        return key

    def _refuse_taken(self, transaction: Transaction, identifiers: list[str]) -> None:
        taken = "SELECT 1 FROM identity_credential_identifiers WHERE nid = ? AND identifier = ?"
        if any(transaction.row(taken, self._network, identifier) for identifier in identifiers):
            raise Conflict

    def _insert_credentials(
        self, transaction: Transaction, owner: str, body: Record, identifiers: dict[str, list[str]]
    ) -> None:
        config = body.get("credentials", {}).get("password", {}).get("config", {})
        hashed = config.get("hashed_password") or (hash_password(config["password"]) if "password" in config else "")
        without: dict[str, list[str]] = {"password": []}
        for method, found in (without | identifiers).items():
            type_id = CREDENTIAL_TYPE_IDS[method]
            secret = {"hashed_password": hashed} if method == "password" and hashed else {}
            key = self._add(
                transaction,
                "identity_credentials",
                config=json.dumps(secret),
                identity_id=owner,
                identity_credential_type_id=type_id,
            )
            for identifier in found:
                self._add(
                    transaction,
                    "identity_credential_identifiers",
                    identifier=identifier,
                    identity_credential_id=key,
                    identity_credential_type_id=type_id,
                )

    def _insert_addresses(self, transaction: Transaction, owner: str, body: Record, marks: Marks) -> None:
        verified = {item["value"] for item in body.get("verifiable_addresses") or [] if item.get("verified")}
        for value in marks.verifiable:
            self._add(
                transaction,
                "identity_verifiable_addresses",
                status="completed" if value in verified else "pending",
                via="email",
                verified=value in verified,
                verified_at=timestamp() if value in verified else None,
                value=value,
                identity_id=owner,
            )
        for value in marks.recoverable:
            self._add(transaction, "identity_recovery_addresses", via="email", value=value, identity_id=owner)

    def _row(self, transaction: Transaction, key: str) -> tuple[Any, ...] | None:
        # The cast lets a key that is no UUID be looked for, and not found, on PostgreSQL too.
        return transaction.row(
            f"SELECT {_FIELDS} FROM identities WHERE nid = ? AND CAST(id AS VARCHAR(64)) = ?", self._network, key
        )

    def _record(self, transaction: Transaction, row: tuple[Any, ...], *, with_credentials: bool) -> Record:
        key, schema_id, traits, state, changed, public, admin, created, updated = row
        record: Record = {"id": str(key)}
        if with_credentials:
            record["credentials"] = self._credentials(transaction, str(key))
        encoded = base64.urlsafe_b64encode(schema_id.encode()).decode().rstrip("=")
        return record | {
            "schema_id": schema_id,
            "schema_url": self._config.public_url(f"/schemas/{encoded}"),
            "state": state,
            "state_changed_at": shown(changed),
            "traits": _decoded(traits),
            "verifiable_addresses": self._addresses(
                transaction, "verifiable", str(key), "verified, via, status, verified_at"
            ),
            "recovery_addresses": self._addresses(transaction, "recovery", str(key), "via"),
            "metadata_public": _decoded(public),
            "metadata_admin": _decoded(admin),
            "created_at": shown(created),
            "updated_at": shown(updated),
            "organization_id": None,
        }

    def _credentials(self, transaction: Transaction, key: str) -> Record:
        rows = transaction.rows(
            "SELECT t.name, i.identifier, c.version, c.created_at, c.updated_at FROM identity_credentials c"
            " JOIN identity_credential_identifiers i ON i.identity_credential_id = c.id"
            " JOIN identity_credential_types t ON t.id = c.identity_credential_type_id"
            " WHERE c.identity_id = ? ORDER BY t.name, i.identifier",
            key,
        )
        found: dict[str, Record] = {}
        for method, identifier, version, created, updated in rows:
            shared = {"type": method, "version": version, "created_at": shown(created), "updated_at": shown(updated)}
            found.setdefault(method, {**shared, "identifiers": []})["identifiers"].append(identifier)
        return found

    def _addresses(self, transaction: Transaction, kind: str, key: str, columns: str) -> list[Record]:
        names = ["id", "value", *columns.split(", "), "created_at", "updated_at"]
        rows = transaction.rows(
            f"SELECT {', '.join(names)} FROM identity_{kind}_addresses WHERE identity_id = ? ORDER BY value", key
        )
        return [_address(dict(zip(names, row, strict=True))) for row in rows]


def public(identity: Record) -> Record:
    """What somebody sees of themselves."""
    return {name: value for name, value in identity.items() if name not in ("credentials", "metadata_admin")}


_MALFORMED = "The request was malformed or contained invalid parameters"


def timestamp(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def shown(value: Any) -> str | None:
    """A timestamp as the APIs show it; PostgreSQL hands out datetimes, SQLite the text that was stored."""
    if isinstance(value, datetime):
        return timestamp(value)
    return value if value is None else str(value)


def hash_password(password: str) -> str:
    salt = os.urandom(16)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS)
    return f"$pbkdf2-sha256$i={_ROUNDS},l=32${_encoded(salt)}${_encoded(digest)}"


def _matches(password: str, hashed: str) -> bool:
    """Only the hashes made here can be verified; an imported bcrypt hash never matches."""
    kind, _, rest = hashed.removeprefix("$").partition("$")
    if kind != "pbkdf2-sha256":
        return False
    options, salt, digest = rest.split("$")
    rounds = int(options.split(",")[0].removeprefix("i="))
    actual = hashlib.pbkdf2_hmac("sha256", password.encode(), _raw(salt), rounds)
    return hmac.compare_digest(actual, _raw(digest))


def _extensions(schema: Record, value: Any) -> Iterator[tuple[str, Record]]:
    if isinstance(value, str) and "ory.sh/kratos" in schema:
        yield value, schema["ory.sh/kratos"]
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _extensions(schema.get("properties", {}).get(name, {}), item)


def _address(record: Record) -> Record:
    if "verified" in record:
        record["verified"] = bool(record["verified"])
        verified_at = shown(record.pop("verified_at"))
        record |= {"verified_at": verified_at} if verified_at else {}
    return record | {
        "id": str(record["id"]),
        "created_at": shown(record["created_at"]),
        "updated_at": shown(record["updated_at"]),
    }


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")


def _raw(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))

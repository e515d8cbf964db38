"""Makes an identity, as Kratos' Admin API takes one, of a row as a person writes it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kratosctl.seeding.rows import BadRow, Row, is_hash

# what Kratos knows of an identity beside its traits
_OF_KRATOS = (
    "schema_id",
    "credentials",
    "state",
    "metadata_public",
    "metadata_admin",
    "verifiable_addresses",
    "recovery_addresses",
    "organization_id",
    "external_id",
)
_HASHES = ("password_hash", "hashed_password")
_TRUE = ("true", "yes", "1", "on")
_FALSE = ("false", "no", "0", "off")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")

# Kratos' identity schemas by ID; the one of identities that name none stands at ""
Schemas = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Identity:
    """One identity to create.

    Attributes:
        row: where it comes from.
        body: the JSON that Kratos takes.
        secrets: the passwords in it, none of which may be shown.
        plain: whether Kratos has to hash a password, which takes it a while.
    """

    row: Row
    body: bytes
    secrets: tuple[str, ...]
    plain: bool


def identity_of(row: Row, schemas: Schemas, verified: bool = False) -> Identity:
    """The identity that a row means: Kratos' own form where it has `traits`, else the short one.

    Args:
        row: the row.
        schemas: Kratos' identity schemas.
        verified: its addresses are verified unless the row says otherwise.

    Raises:
        BadRow: why it means none.
    """
    values = _nested(row.values) if row.texts else dict(row.values)
    password, hashed = values.pop("password", None), [values.pop(key, None) for key in _HASHES]
    said_verified = _switch(values.pop("verified", None))
    traits = values.pop("traits", {})
    if not isinstance(traits, dict):
        raise BadRow("traits: expected a mapping")
    if row.texts or "traits" not in row.values:
        # the short form: what Kratos does not know by name is a trait
        traits = {**{key: values.pop(key) for key in list(values) if key not in _OF_KRATOS}, **traits}
    if not traits:
        raise BadRow("it is empty")
    schema = _schema(schemas, values.get("schema_id"))
    if row.texts:
        traits = _typed(traits, schema)
    _add_password(values, password, hashed)
    if (verified if said_verified is None else said_verified) and "verifiable_addresses" not in values:
        values["verifiable_addresses"] = [*_verified(schema, traits)]
        if said_verified and not values["verifiable_addresses"]:
            raise BadRow("verified: it has no address that its identity schema verifies")
    body = _json({**values, "traits": traits})
    secrets, plain = _secrets(values)
    return Identity(row, body, secrets, plain)


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError:
        raise BadRow("it is not UTF-8 text") from None
    except (ValueError, TypeError, RecursionError):
        raise BadRow("it holds a value that JSON has not") from None


def _nested(values: Mapping[str, str]) -> dict[str, Any]:
    """`name.first` -> {"name": {"first": …}}; cells that are empty were not filled in."""
    nested: dict[str, Any] = {}
    for key, cell in values.items():
        if cell == "":
            continue
        *path, last = key.split(".")
        place = nested
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise BadRow(f"column {key!r}: there is a column {part!r}, too")
        if isinstance(place.get(last), dict):
            raise BadRow(f"column {key!r}: there are others below {last!r}")
        place[last] = _parsed(cell) if key in _OF_KRATOS and cell[0] in "{[" else cell
    return nested


def _parsed(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def _typed(traits: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the texts of a table the types that the identity schema wants; Kratos says which do not fit."""
    wanted = schema.get("properties")
    wanted = wanted if isinstance(wanted, dict) else {}
    return {key: _cell(value, wanted.get(key)) for key, value in traits.items()}


def _cell(value: Any, schema: Any) -> Any:
    if not isinstance(schema, dict):
        return value
    if isinstance(value, dict):
        return _typed(value, schema)
    kinds = schema.get("type", "string")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "string" in kinds:
        return value
    if "boolean" in kinds and value.lower() in (*_TRUE, *_FALSE):
        return value.lower() in _TRUE
    number = ("integer" in kinds or "number" in kinds) and len(value) <= 300 and _NUMBER.fullmatch(value)
    return _parsed(value) if number or {"array", "object", "null"} & {*kinds} else value


def _switch(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    said = str(value).lower()
    if said not in (*_TRUE, *_FALSE):
        raise BadRow("verified: expected true or false")
    return said in _TRUE


def _add_password(values: dict[str, Any], password: Any, hashed: Sequence[Any]) -> None:
    given = [(password, False), *((value, True) for value in hashed)]
    given = [(value, is_hashed) for value, is_hashed in given if value is not None]
    if not given:
        return
    if len(given) > 1:
        raise BadRow("password and password_hash: one of them is enough")
    ((text, is_hashed),) = given
    if not isinstance(text, str):
        raise BadRow("the password is not text: put it in quotes")
    if not text:
        raise BadRow("the password is empty")
    credentials = values.setdefault("credentials", {})
    if not isinstance(credentials, dict) or "password" in credentials:
        raise BadRow("password and credentials: one of them is enough")
    key = "hashed_password" if is_hashed or is_hash(text) else "password"
    values["credentials"] = {**credentials, "password": {"config": {key: text}}}


def _secrets(values: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """The passwords of an identity, and whether one of them is plain."""
    found: Any = values.get("credentials")
    for key in ("password", "config"):
        found = found.get(key) if isinstance(found, dict) else None
    config = found if isinstance(found, dict) else {}
    texts = {key: config[key] for key in ("password", "hashed_password") if isinstance(config.get(key), str)}
    return tuple(filter(None, texts.values())), "password" in config


def _schema(schemas: Schemas, name: Any) -> Mapping[str, Any]:
    """What the schema of an identity says of its traits; nothing where it is not known."""
    found: Any = schemas.get(name if isinstance(name, str) else "")
    for key in ("properties", "traits"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _verified(schema: Any, traits: Any) -> Iterator[dict[str, Any]]:
    """The addresses that the schema has verified by mail or text message, as verified ones."""
    if not isinstance(schema, Mapping):
        return
    if isinstance(traits, dict):
        properties = schema.get("properties")
        for key, value in traits.items():
            yield from _verified(properties.get(key) if isinstance(properties, Mapping) else None, value)
    elif isinstance(traits, list):
        for value in traits:
            yield from _verified(schema.get("items"), value)
    elif isinstance(traits, str):
        marks: Any = schema.get("ory.sh/kratos")
        verification = marks.get("verification") if isinstance(marks, Mapping) else None
        if isinstance(verification, Mapping) and isinstance(verification.get("via"), str):
            via = verification["via"]
            # Kratos v1.0 finds the address again only as it stores it
            value = traits.lower() if via == "email" else traits
            yield {"value": value, "via": via, "verified": True, "status": "completed"}

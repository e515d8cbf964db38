"""Enough of JSON Schema to check Kratos' configuration and identity traits, with the messages Kratos gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

_TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "number": (int, float)}
_FORMATS = {"email": re.compile(r"[^@\s]+@[^@\s]+"), "uri": re.compile(r"[a-z][a-z0-9+.-]*:.+", re.IGNORECASE)}


@dataclass(frozen=True)
class Violation:
    instance: str
    schema: str
    message: str
    value: Any
    missing: str | None = None

    def __str__(self) -> str:
        return f"I[{self.instance}] S[{self.schema}] {self.message}"


def describe(violations: list[Violation]) -> str:
    if len(violations) == 1:
        return str(violations[0])
    return "\n  ".join(["I[#] S[#] validation failed", *map(str, violations)])


def check(schema: Schema, value: Any, instance: str = "#", path: str = "#") -> list[Violation]:
    """Every place where the value breaks the schema; an unknown keyword is ignored."""

    def violation(keyword: str, message: str, missing: str | None = None) -> list[Violation]:
        return [Violation(instance, f"{path}/{keyword}", message, value, missing)]

    wanted = schema.get("type")
    if wanted and not _is(wanted, value):
        return violation("type", f"expected {wanted}, but got {_name(value)}")
    found: list[Violation] = []
    if isinstance(value, str):
        found += _check_text(schema, value, violation)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += check(schema.get("items", {}), item, f"{instance}/{index}", f"{path}/items")
        if len(value) < schema.get("minItems", 0):
            found += violation("minItems", f"minimum {schema['minItems']} items allowed, but found {len(value)}")
    elif isinstance(value, dict):
        known = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                found += violation("required", f'missing properties: "{name}"', missing=name)
        for name, item in value.items():
            if name in known:
                found += check(known[name], item, f"{instance}/{name}", f"{path}/properties/{name}")
            elif schema.get("additionalProperties") is False:
                found += violation("additionalProperties", f'additionalProperties "{name}" not allowed')
    return found


def _check_text(schema: Schema, value: str, violation: Any) -> list[Violation]:
    found: list[Violation] = []
    if len(value) < schema.get("minLength", 0):
        found += violation("minLength", f"length must be >= {schema['minLength']}, but got {len(value)}")
    if len(value) > schema.get("maxLength", len(value)):
        found += violation("maxLength", f"length must be <= {schema['maxLength']}, but got {len(value)}")
    pattern = _FORMATS.get(schema.get("format", ""))
    if pattern and not pattern.fullmatch(value):
        found += violation("format", f'"{value}" is not valid "{schema["format"]}"')
    return found


def _is(wanted: str, value: Any) -> bool:
    if wanted == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if wanted == "number" and isinstance(value, bool):
        return False
    return isinstance(value, _TYPES[wanted])


def _name(value: Any) -> str:
    if value is None:
        return "null"
    return next(name for name, kind in _TYPES.items() if isinstance(value, kind))

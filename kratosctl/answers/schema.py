"""The JSON Schemas of kratosctl.yaml and workshop.yaml, made from the table of questions."""

from __future__ import annotations

from typing import Any

from kratosctl import catalog
from kratosctl.answers.workshop_file import MOST_SEATS, NOT_OF_SEATS
from kratosctl.questions import ENVIRONMENT_NAME, HOST, ORIGIN, PLAIN_TEXT, QUESTIONS, Question

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema that editors use to check and complete kratosctl.yaml."""
    return {
        "$schema": DRAFT,
        "title": "kratosctl.yaml",
        "description": "The environments that `kratosctl up` makes.",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            "environments": {
                "description": "One entry an environment: its name, and what is asked for.",
                "type": ["object", "null"],
                "propertyNames": {"pattern": _whole(ENVIRONMENT_NAME)},
                "additionalProperties": {"$ref": "#/$defs/environment"},
            }
        },
        "$defs": {"environment": _environment()},
    }


def workshop_schema() -> dict[str, Any]:
    """The same for workshop.yaml."""
    seat = _environment() | {"description": "What every seat is."}
    # seats cannot share a database of somebody's own
    seat["properties"]["database"]["enum"].remove("external")
    return {
        "$schema": DRAFT,
        "title": "workshop.yaml",
        "description": "The class that `kratosctl workshop up` brings up.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "name": {"description": "What it is called.", "type": "string", "minLength": 1, "maxLength": 200},
            "environment": seat,
            "ends": {
                "description": "When it is over, in local time: 2026-12-01 17:00.",
                "type": ["string", "null"],
                "pattern": r"^\s*\d{4}-?\d{2}-?\d{2}",
            },
            "seats": {
                "description": "Who sits where; an empty name is a seat for whoever comes.",
                "type": ["object", "null"],
                "maxProperties": MOST_SEATS,
                "propertyNames": {"pattern": _whole(ENVIRONMENT_NAME), "not": {"enum": list(NOT_OF_SEATS)}},
                "additionalProperties": {"type": ["string", "null"], "maxLength": 200},
            },
        },
    }


def _environment() -> dict[str, Any]:
    return {
        "description": "What is asked for; what is left out takes its default.",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {question.key: _property(question) for question in QUESTIONS},
    }


def _property(question: Question) -> dict[str, Any]:
    described = {"description": question.help} | _values(question)
    return described if question.default is None else described | {"default": question.default}


def _values(question: Question) -> dict[str, Any]:
    """What a row takes, in JSON Schema's terms."""
    if question.kind == "release":
        known = [release.tag for release in reversed(catalog.RELEASES)]
        # the first choice is what editors offer, the second what else is accepted
        return {"anyOf": [{"enum": known}, {"type": "string", "pattern": r"^(v\d+(\.\d+){0,2}|latest)$"}]}
    kinds: dict[str, dict[str, Any]] = {
        "choice": {"enum": list(question.choices)},
        "switch": {"type": "boolean"},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "path": {"type": "string", "minLength": 1},
        "file": {"type": "string", "minLength": 1},
        "text": {"type": "string", "pattern": _whole(PLAIN_TEXT)},
        "host": {"type": "string", "pattern": _whole(HOST)},
        "range": {"type": "string", "pattern": r"^\d{1,3}(\.\d{1,3}){3}/(8|9|1\d|2[0-8])$"},
        "origin": {"type": "string", "pattern": _whole(ORIGIN)},
        "address": {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    }
    return kinds[question.kind]


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"

"""The form that a flow shows: which fields, in which groups, at which step."""

from __future__ import annotations

from collections.abc import Iterator

from .config import Config
from .flows import PASSED, SENT, Flow
from .identities import Record
from .release import current


def described(flow: Flow, config: Config) -> Record:
    """A flow as the APIs show it."""
    nodes = {"login": _login, "registration": _registration, "verification": _verification}[flow.kind](flow, config)
    token = _input("default", "csrf_token", "hidden", flow.csrf_token)
    action, method = config.public_url(f"/self-service/{flow.kind}?flow={flow.key}"), "POST"
    if flow.state == PASSED:
        action, method = str(config.get("selfservice.default_browser_return_url")), "GET"
    ui = {"action": action, "method": method, "nodes": [token, *nodes]}
    shown = {
        "id": flow.key,
        "type": flow.type,
        "expires_at": flow.expires_at,
        "issued_at": flow.issued_at,
        "request_url": flow.request_url,
        "ui": ui | ({"messages": flow.messages} if flow.messages else {}),
        "state": flow.state,
    }
    return shown | ({"active": "code"} if flow.state == SENT else {})


def methods(config: Config) -> list[str]:
    """What people can sign up and in with."""
    enabled = {
        "password": config.get("selfservice.methods.password.enabled", True),
        "code": config.get("selfservice.methods.code.passwordless_enabled", False),
    }
    return [name for name, on in enabled.items() if on]


def _login(flow: Flow, config: Config) -> list[Record]:
    if flow.state == SENT:
        return [_input("default", "identifier", "hidden", flow.context["identifier"]), *_code_fields()]
    return [_input("default", "identifier", "text"), *_methods(config)]


def _registration(flow: Flow, config: Config) -> list[Record]:
    """From v1.2.0 it asks for the traits first, and then for a method."""
    schema = config.identity_schemas()[config.get("identity.default_schema_id")]
    fields = list(_fields("traits", schema["properties"].get("traits", {})))
    if flow.context.get("traits"):
        given = dict(_values("traits", flow.context["traits"]))
        hidden = [_input("default", name, "hidden", value) for name, value in given.items()]
        return [*hidden, *(_code_fields() if flow.state == SENT else _methods(config))]
    two_steps = current().since("v1.2.0")
    group = "password" if methods(config) == ["password"] and not two_steps else "default"
    asked = [_input(group, name, kind, required=required) for name, kind, required in fields]
    return [*asked, *([_input("profile", "method", "submit", "profile")] if two_steps else _methods(config))]


def _verification(flow: Flow, config: Config) -> list[Record]:
    return [] if flow.state == PASSED else _code_fields()


def _methods(config: Config) -> list[Record]:
    fields = {
        "password": [_input("password", "password", "password"), _input("password", "method", "submit", "password")],
        "code": [_input("code", "method", "submit", "code")],
    }
    return [node for method in methods(config) for node in fields[method]]


def _code_fields() -> list[Record]:
    return [
        _input("code", "method", "hidden", "code"),
        _input("code", "code", "text"),
        _input("code", "method", "submit", "code"),
    ]


def _input(group: str, name: str, kind: str, value: str = "", *, required: bool = True) -> Record:
    attributes = {"name": name, "type": kind, "value": value, "disabled": False, "node_type": "input"}
    attributes |= {"required": True} if required else {}
    return {"type": "input", "group": group, "attributes": attributes, "messages": [], "meta": {}}


def _fields(name: str, schema: Record, required: bool = False) -> Iterator[tuple[str, str, bool]]:
    """The name and type of the input for each trait, `traits.name.first`, and whether it has to be filled in."""
    if "properties" in schema:
        for inner, inside in schema["properties"].items():
            yield from _fields(f"{name}.{inner}", inside, inner in schema.get("required", []))
    else:
        yield name, "email" if schema.get("format") == "email" else "text", required


def _values(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for inner, inside in value.items():
            yield from _values(f"{name}.{inner}", inside)
    else:
        yield name, str(value)

"""Every identity schema is valid JSON Schema, and its ory.sh/kratos extensions fit the preset's methods."""

from typing import Any

import jsonschema
import pytest

from .files import NAMES, identity_schema, kratos_yml


def email(name: str) -> dict[str, Any]:
    trait: dict[str, Any] = identity_schema(name)["properties"]["traits"]["properties"]["email"]
    return trait


def extension(name: str) -> dict[str, Any]:
    found: dict[str, Any] = email(name)["ory.sh/kratos"]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_is_valid_json_schema(name: str) -> None:
    jsonschema.Draft7Validator.check_schema(identity_schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_an_email_address_is_enough_to_be_a_person(name: str) -> None:
    validator = jsonschema.Draft7Validator(identity_schema(name))
    assert validator.is_valid({"traits": {"email": "ada@example.org"}})
    assert validator.is_valid({"traits": {"email": "ada@example.org", "name": "Ada Lovelace"}})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "traits",
    [{}, {"name": "Ada"}, {"email": 1}, {"email": "ada@example.org", "colour": "red"}],
    ids=["nothing", "no address", "a number", "an unknown trait"],
)
def test_anything_less_or_unknown_is_refused(name: str, traits: dict[str, object]) -> None:
    assert not jsonschema.Draft7Validator(identity_schema(name)).is_valid({"traits": traits})


@pytest.mark.parametrize("name", NAMES)
def test_the_address_serves_as_the_identifier_of_every_method_that_needs_one(name: str) -> None:
    methods = kratos_yml(name)["selfservice"]["methods"]
    expected: dict[str, dict[str, object]] = {}
    if methods["password"]["enabled"]:
        expected["password"] = {"identifier": True}
    if methods["code"].get("passwordless_enabled"):
        expected["code"] = {"identifier": True, "via": "email"}
    if methods.get("passkey", {}).get("enabled"):
        expected["passkey"] = {"display_name": True}
    if methods.get("totp", {}).get("enabled"):
        expected["totp"] = {"account_name": True}
    assert extension(name)["credentials"] == expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("flow", ["verification", "recovery"])
def test_the_address_takes_part_in_the_flows_that_are_on(name: str, flow: str) -> None:
    on = kratos_yml(name)["selfservice"]["flows"][flow]["enabled"]
    assert extension(name).get(flow) == ({"via": "email"} if on else None)


@pytest.mark.parametrize("name", NAMES)
def test_only_the_address_carries_extensions(name: str) -> None:
    traits = identity_schema(name)["properties"]["traits"]["properties"]
    assert [trait for trait, rules in traits.items() if "ory.sh/kratos" in rules] == ["email"]

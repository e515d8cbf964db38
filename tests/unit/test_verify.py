"""Who `verify` and `upgrade` sign up fills in the forms of anybody's identity schema."""

from __future__ import annotations

from typing import Any

from kratosctl.commands.verify import traits_for

EMAIL = "somebody@example.org"


def form(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"ui": {"nodes": [{"attributes": {"required": True, **field}} for field in fields]}}


def test_each_field_gets_what_its_type_takes() -> None:
    types = ("email", "text", "number", "checkbox", "tel", "date", "datetime-local", "url")
    filled = traits_for(form(*({"name": f"traits.{kind}", "type": kind} for kind in types)), EMAIL)

    assert filled["email"] == EMAIL
    assert {kind: type(filled[kind]) for kind in types} == dict.fromkeys(types, str) | {"number": int, "checkbox": bool}
    assert filled["tel"].startswith("+")


def test_what_may_be_left_out_is_but_for_addresses() -> None:
    asked = form(
        {"name": "traits.contact.email", "type": "text", "required": False},
        {"name": "traits.email_me", "type": "checkbox", "required": False},
        {"name": "traits.name.first", "type": "text"},
        {"name": "traits.number", "type": "number", "disabled": True},
        {"name": "csrf_token", "type": "hidden"},
    )
    assert traits_for(asked, EMAIL) == {"contact": {"email": EMAIL}, "name": {"first": "Verify"}}


def test_a_form_that_asks_for_nothing_still_gets_an_address() -> None:
    assert traits_for(form(), EMAIL) == {"email": EMAIL}

"""Who `verify` and `upgrade` sign up fills in the forms of anybody's identity schema."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from kratosctl.commands.verify import traits_for

EMAIL = "somebody@example.org"


def form(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"ui": {"nodes": [{"attributes": {"required": True, **field}} for field in fields]}}


def test_each_field_gets_what_its_type_takes() -> None:
    types = ("email", "text", "number", "checkbox", "tel", "date", "datetime-local", "url")
    filled = traits_for(form(*({"name": f"traits.{kind}", "type": kind} for kind in types)), EMAIL)

    assert (filled["email"], filled["number"], filled["checkbox"]) == (EMAIL, 1, True)
    assert re.fullmatch(r"\+[0-9]{8,15}", filled["tel"])
    assert date.fromisoformat(filled["date"])
    assert datetime.fromisoformat(filled["datetime-local"]).tzinfo
    assert urlsplit(filled["url"]).hostname


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

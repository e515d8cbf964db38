"""The identity that a row means: short forms, Kratos' own form, passwords and their hashes, addresses, types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.seeding import reasons
from kratosctl.seeding.identity import Identity, identity_of
from kratosctl.seeding.rows import BadRow, Row

SCHEMA = {
    "properties": {
        "traits": {
            "properties": {
                "email": {"type": "string", "ory.sh/kratos": {"verification": {"via": "email"}}},
                "phones": {"type": "array", "items": {"ory.sh/kratos": {"verification": {"via": "sms"}}}},
                "name": {"properties": {"first": {"type": "string"}, "last": {"type": "string"}}},
                "age": {"type": "integer"},
                "score": {"type": ["number", "null"]},
                "newsletter": {"type": "boolean"},
                "zip": {"type": "string"},
            }
        }
    }
}  # fmt: skip
BCRYPT = "$2a$10$ZsCsoVQ3xfBG/K2z2XpBf.tm90GZmtOqtqWcB5.pYd5Eq8y7RlDyq"
HASHES = (
    BCRYPT,
    "$2b$12$abc",
    "$2y$10$abc",
    "$argon2id$v=19$m=65536,t=1,p=1$c2FsdA$aGFzaA",
    "$argon2i$v=19$m=65536,t=1,p=1$c2FsdA$aGFzaA",
    "$pbkdf2-sha256$i=1000,l=32$c2FsdA$aGFzaA",
    "$pbkdf2-sha512$i=1000,l=32$c2FsdA$aGFzaA",
    "$scrypt$ln=16384,r=8,p=1$c2FsdA==$aGFzaA==",
    "$firescrypt$ln=14,r=8,p=1$a$b$c$d",
    "$md5$CY9rzUYh03PK3k6DJie09g==",
    "$sha1$pf=e1NBTFR9$5o6Q$x",
    "$sha256$pf=e1NBTFR9$5o6Q$x",
    "$md5-crypt$salt$hash",
    "$sha256-crypt$rounds=535000$salt$hash",
    "$sha512-crypt$rounds=535000$salt$hash",
    "$hmac-sha256$a$b",
    "{SSHA}JFZFs0oHzxbMwkSJmYVeI8MnTDy/276a",
    "{SSHA512}xPUl/px+1cG55rUH4rzcwxdOIPSB2TingLpiJJumN2xyDWN4Ix1WQG3ihnvHaWUE8MYNkvMi5rf0C9NYixHsE6Yh59M=",
)


def made(values: dict[str, Any], *, texts: bool = False, verified: bool = False) -> Identity:
    return identity_of(Row("people", 1, values, texts), {"": SCHEMA, "person": SCHEMA}, verified)


def body(values: dict[str, Any], *, texts: bool = False, verified: bool = False) -> dict[str, Any]:
    return dict(json.loads(made(values, texts=texts, verified=verified).body))


def why(values: dict[str, Any], *, texts: bool = False) -> str:
    with pytest.raises(BadRow) as caught:
        made(values, texts=texts)
    return str(caught.value)


def test_in_the_short_form_everything_kratos_does_not_know_is_a_trait() -> None:
    assert body({"email": "a@b.example", "name": {"first": "Ada"}, "schema_id": "person", "state": "inactive"}) == {
        "schema_id": "person",
        "state": "inactive",
        "traits": {"email": "a@b.example", "name": {"first": "Ada"}},
    }


def test_kratos_own_form_is_passed_on_as_it_is() -> None:
    whole = {
        "schema_id": "default",
        "traits": {"email": "a@b.example"},
        "credentials": {"oidc": {"config": {"providers": [{"subject": "1", "provider": "google"}]}}},
        "metadata_public": {"plan": "pro"},
        "metadata_admin": {"note": 1},
        "verifiable_addresses": [{"value": "a@b.example", "via": "email", "verified": True}],
        "something_new": 1,
    }

    assert body(whole, verified=True) == whole


def test_a_password_is_plain_unless_it_is_a_hash() -> None:
    assert body({"email": "a", "password": "secret"})["credentials"]["password"]["config"] == {"password": "secret"}
    assert made({"email": "a", "password": "secret"}).plain
    assert body({"traits": {"email": "a"}, "password": "x"})["credentials"]["password"]["config"] == {"password": "x"}


@pytest.mark.parametrize("key", ["password", "password_hash", "hashed_password"])
@pytest.mark.parametrize("hashed", HASHES)
def test_a_hash_is_told_by_its_beginning(key: str, hashed: str) -> None:
    assert body({"email": "a", key: hashed})["credentials"]["password"]["config"] == {"hashed_password": hashed}
    assert not made({"email": "a", key: hashed}).plain


@pytest.mark.parametrize("password", ["$2a", "$ 2a$", "2a$10$", "$pbkdf2$", "{ssha}x", "$", "$money$", "x$2a$10$"])
def test_a_password_that_only_looks_like_one_is_plain(password: str) -> None:
    assert body({"email": "a", "password": password})["credentials"]["password"]["config"] == {"password": password}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"email": "a", "password": 12345678}, "put it in quotes"),
        ({"email": "a", "password": True}, "put it in quotes"),
        ({"email": "a", "password": ""}, "the password is empty"),
        ({"email": "a", "password": "x", "password_hash": BCRYPT}, "one of them is enough"),
        ({"email": "a", "password": "x", "credentials": {"password": {}}}, "one of them is enough"),
        ({"email": "a", "verified": "perhaps"}, "verified: expected true or false"),
        ({"zip": "a", "verified": True}, "no address"),
        ({"email": "a", "schema_id": "unknown", "verified": True}, "no address"),
        ({"traits": ["a"]}, "traits: expected a mapping"),
        ({"schema_id": "default"}, "it is empty"),
        ({"email": "\udcff"}, "not UTF-8"),
        ({"score": float("nan")}, "JSON has not"),
    ],
)
def test_a_row_that_makes_no_identity_says_why(values: dict[str, Any], said: str) -> None:
    assert said in why(values)


def test_addresses_that_the_schema_verifies_are_marked_where_that_is_said() -> None:
    traits = {"email": "Ada@B.example", "phones": ["+49123"], "zip": "no@address.example"}
    marked = [
        {"value": "ada@b.example", "via": "email", "verified": True, "status": "completed"},
        {"value": "+49123", "via": "sms", "verified": True, "status": "completed"},
    ]

    assert body({**traits, "verified": True})["verifiable_addresses"] == marked
    assert body({"traits": traits, "verified": "yes"})["verifiable_addresses"] == marked
    assert body(traits, verified=True)["verifiable_addresses"] == marked
    assert "verifiable_addresses" not in body({**traits, "verified": False}, verified=True)
    assert "verifiable_addresses" not in body(traits)


def test_columns_are_traits_nested_at_their_dots() -> None:
    row = {
        "email": "a",
        "name.first": "Ada",
        "name.last": "",
        "traits.state": "Ohio",
        "state": "inactive",
        "metadata_public.plan": "pro",
        "metadata_admin": '{"n": 1}',
        "password": "",
    }

    assert body(row, texts=True) == {
        "traits": {"email": "a", "name": {"first": "Ada"}, "state": "Ohio"},
        "state": "inactive",
        "metadata_public": {"plan": "pro"},
        "metadata_admin": {"n": 1},
    }


def test_cells_take_the_types_of_the_identity_schema() -> None:
    row = {"age": "42", "score": "1.5", "newsletter": "yes", "zip": "01234", "phones": '["+1"]', "email": "1"}

    assert body(row, texts=True)["traits"] == {
        "age": 42, "score": 1.5, "newsletter": True, "zip": "01234", "phones": ["+1"], "email": "1",
    }  # fmt: skip
    # what does not fit is left to Kratos to refuse
    assert body({"age": "forty", "newsletter": "?"}, texts=True)["traits"] == {"age": "forty", "newsletter": "?"}


@pytest.mark.parametrize("row", [{"name": "A", "name.first": "B"}, {"name.first": "B", "name": "A"}])
def test_a_column_cannot_be_a_value_and_hold_others(row: dict[str, str]) -> None:
    assert "name" in why(row, texts=True)


@given(values=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4))
def test_any_table_makes_an_identity_or_says_why_not(values: dict[str, str]) -> None:
    try:
        found = made(values, texts=True)
    except BadRow as error:
        said = str(error)
    else:
        said = json.dumps(json.loads(found.body)["traits"])
    assert said
    assert "\n" not in said


def test_kratos_reasons_are_told_in_words() -> None:
    said = (
        "I[#/traits/email] S[#/properties/traits/properties/email] validation failed\n"
        '  I[#/traits/email] S[#/properties/traits/properties/email/format] "x" is not valid "email"\n'
        '  I[#/traits/email] S[#/properties/traits/properties/email/format] "x" is not valid "email"'
    )
    assert reasons.in_words({"reason": said, "message": "malformed"}) == 'traits.email: "x" is not valid "email"'
    assert reasons.in_words({"message": 'json: unknown field "foo"'}) == 'unknown field "foo"'
    assert len(reasons.in_words({"reason": "x" * 5000})) == 300


def test_a_password_that_kratos_quotes_is_not_shown() -> None:
    identity = made({"email": "a", "password": "hunter2"})

    assert reasons.in_words({"reason": '"hunter2" is too short'}, identity.secrets) == '"…" is too short'

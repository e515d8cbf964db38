"""Secrets given in the environment: lists as Kratos reads them, its rules, and whatever else may stand there."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kratosctl.errors import SecretTooShort
from kratosctl.stack import secrets
from kratosctl.stack.secrets import Secrets

SECRET = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=16, max_size=40)
PLAIN = st.text(st.characters(categories=("L", "N"), max_codepoint=0x2FF), min_size=16, max_size=40)


def default_of(text: str, kept: Secrets = Secrets()) -> tuple[str, ...]:  # noqa: B008
    return secrets.complete(kept, {"SECRETS_DEFAULT": text}).default


@given(st.lists(SECRET, min_size=1, max_size=4, unique=True))
def test_a_list_in_json_is_read(values: list[str]) -> None:
    assert default_of(json.dumps(values)) == tuple(values)


@given(st.lists(PLAIN, min_size=1, max_size=4, unique=True))
def test_a_list_with_commas_is_read(values: list[str]) -> None:
    assert default_of(",".join(values)) == tuple(values)


def test_a_secret_given_twice_is_one() -> None:
    assert default_of("a" * 16 + "," + "a" * 16) == ("a" * 16,)


def test_a_given_secret_that_is_kept_already_moves_to_the_front_and_none_is_lost() -> None:
    kept = Secrets(default=("a" * 16, "b" * 16, "c" * 16))
    assert default_of("c" * 16, kept) == ("c" * 16, "a" * 16, "b" * 16)


def test_an_empty_variable_is_none() -> None:
    kept = Secrets(default=("a" * 16,))
    assert default_of("", kept) == kept.default


@given(st.sampled_from(list(secrets.VARIABLES)), st.text(st.characters(exclude_characters="\0")))
@example("default", "-of-bytes-that-are-no-text\udcff")
@example("cookie", '["\\udcff hunter2 hunter2 hunter2"]')
def test_any_text_is_secrets_kratos_takes_or_refused_without_being_shown(kind: str, text: str) -> None:
    text = text if "hunter2" in text else f"hunter2{text}"
    try:
        found = secrets.complete(Secrets(), {secrets.VARIABLES[kind]: text}).of(kind)
    except SecretTooShort as error:
        refused = "\n".join(error.lines())
    else:
        refused = ""
        for secret in found:
            secret.encode()
            assert len(secret) == 32 if kind == "cipher" else len(secret) >= 16
    assert "hunter2" not in refused


@pytest.mark.parametrize("text", ["[" * 100_000, "a" * 200_000, '"' * 99, "a" * 16 + "\nb", "[" + "9" * 5000 + "]"])
def test_odd_texts_are_no_traceback(text: str) -> None:
    assert all(len(secret) >= 16 for secret in default_of(text))


@pytest.mark.parametrize(("kind", "length"), [("default", 15), ("cookie", 15), ("cipher", 31), ("cipher", 33)])
def test_the_rule_is_told_with_a_way_to_keep_it(kind: str, length: int) -> None:
    with pytest.raises(SecretTooShort) as caught:
        secrets.complete(Secrets(), {secrets.VARIABLES[kind]: "a" * length})
    assert f"of {length} characters" in caught.value.what
    assert "exactly 32" in caught.value.why if kind == "cipher" else "16 characters or more" in caught.value.why
    assert "openssl rand -base64 24" in caught.value.fix


def test_the_cipher_may_be_rotated_and_each_is_32_long() -> None:
    kept = secrets.complete(Secrets(), {"SECRETS_CIPHER": "a" * 32 + "," + "b" * 32})
    assert kept.cipher == ("a" * 32, "b" * 32)


def test_nothing_shows_a_secret_by_accident() -> None:
    made = secrets.complete(Secrets(), {"DSN": "postgres://a:hunter2@b/c"})
    shown = f"{made!r} {made}"
    for field in fields(made):
        value = getattr(made, field.name)
        for text in value if isinstance(value, tuple) else (value,):
            assert text not in shown


def test_a_dsn_that_is_gone_from_the_environment_is_kept() -> None:
    kept = secrets.complete(Secrets(), {"DSN": "postgres://a"})
    assert secrets.complete(kept, {}).external_dsn == "postgres://a"
    assert secrets.complete(kept, {"DSN": "mysql://b"}).external_dsn == "mysql://b"

"""What stands in a generated file is what was meant, for PyYAML as for Compose and Kratos, which read YAML 1.2."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from kratosctl.stack.render import kratos_secrets
from tests.unit import stacks

# How go-yaml, in Compose and in Kratos, decides that a text without quotes is none. It drops underscores first.
GO_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
GO_INTEGER = re.compile(r"[-+]?(0[bB][01]+|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|[0-9]+)")
GO_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
GO_WORDS = {"", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE", "<<", ".nan", ".inf"}

NUMBER_LIKE = st.from_regex(r"[-+]?[0-9_.]{1,12}([eE][-+]?[0-9_]{1,4})?|0[xob][0-9a-f_]{1,8}", fullmatch=True)
DATE_LIKE = st.from_regex(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ][0-9:.Z]{0,12})?", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


def is_text_for_go(plain: str) -> bool:
    if plain.startswith("_"):
        return True
    bare = plain.replace("_", "")
    number = GO_FLOAT.fullmatch(bare) or GO_INTEGER.fullmatch(bare)
    return not number and not GO_DATE.fullmatch(plain) and plain not in GO_WORDS


def dumped(text: str) -> str:
    return kratos_secrets({"dsn": text}).text


@given(NUMBER_LIKE | DATE_LIKE | st.sampled_from(sorted(GO_WORDS)) | TEXT)
@example("1234567890123e45")
@example("0o17")
@example("2024-1-2")
@example("1_000")
def test_a_text_stays_a_text(text: str) -> None:
    file = dumped(text)
    assert stacks.load(file) == {"dsn": text}
    _, _, scalar = file.partition("dsn: ")
    scalar = scalar.rstrip("\n")
    if scalar == text:
        assert is_text_for_go(scalar), f"{scalar} stands without quotes, and is no text to Compose"


@given(st.lists(NUMBER_LIKE | TEXT, max_size=4))
def test_lists_of_secrets_are_read_back_as_they_were(values: list[str]) -> None:
    content = {"dsn": "memory", "secrets": {"default": values}}
    assert stacks.load(kratos_secrets(content).text) == content


def test_numbers_and_switches_are_not_quoted() -> None:
    asked = stacks.environment()
    text = stacks.files(asked, stacks.place(asked))["compose.yaml"].text
    assert "retries: 3\n" in text
    assert "init: true\n" in text

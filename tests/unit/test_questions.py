"""The table that makes flags, variables, keys and prompts: what each row takes, and what it says of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl import fragments, questions
from kratosctl.errors import KratosctlError, UnknownKey
from kratosctl.questions import BY_KEY, QUESTIONS, check_value

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text("0123456789", min_size=1, max_size=9000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def what(key: str, value: object) -> str:
    with pytest.raises(KratosctlError) as caught:
        check_value(BY_KEY[key], value)
    return caught.value.what


def test_flags_and_variables_follow_from_the_key() -> None:
    assert BY_KEY["public_port"].flag == "--public-port"
    assert BY_KEY["public_port"].variable == "KRATOSCTL_PUBLIC_PORT"
    assert BY_KEY["ui"].flag == "--ui/--no-ui"


def test_the_flags_people_rely_on_are_there() -> None:
    promised = {
        "release", "variant", "database", "preset", "config_dir", "ui", "mail", "public_port", "admin_port", "platform",
        "kratos_image", "postgres_image",
    }  # fmt: skip
    assert promised <= set(BY_KEY)


def test_no_two_rows_have_one_key_flag_or_variable() -> None:
    for attribute in ("key", "flag", "variable"):
        assert len({getattr(row, attribute) for row in QUESTIONS}) == len(QUESTIONS)


def test_every_preset_can_be_asked_for_and_nothing_else() -> None:
    assert set(BY_KEY["preset"].choices) == set(fragments.presets()["presets"])


@pytest.mark.parametrize("row", QUESTIONS, ids=lambda row: row.key)
def test_a_row_takes_its_own_default_and_choices(row: questions.Question) -> None:
    for value in (*row.choices, *([row.default] if row.default is not None else [])):
        assert check_value(row, value) == value
    assert row.help.endswith(".")


@pytest.mark.parametrize("row", QUESTIONS, ids=lambda row: row.key)
@given(value=ANYTHING)
def test_any_value_is_taken_or_refused_in_words(row: questions.Question, value: Any) -> None:
    try:
        taken = check_value(row, value)
    except KratosctlError as error:
        lines = error.lines()
        # a wrong release is told by the catalogue
        said = row.kind == "release" or questions.expected(row) in lines[0]
    else:
        lines, said = [], check_value(row, taken) == taken
    assert said
    assert max(map(len, lines), default=0) < 300
    assert not any("\n" in line for line in lines)


@pytest.mark.parametrize("value", ["1", "true", "True", "yes", "ON", True])
def test_a_switch_is_on(value: object) -> None:
    assert check_value(BY_KEY["ui"], value) is True


@pytest.mark.parametrize("value", ["0", "false", "No", "off", False])
def test_a_switch_is_off(value: object) -> None:
    assert check_value(BY_KEY["ui"], value) is False


@pytest.mark.parametrize("value", ["", "2", "ja", None, 1, 0, "true "])
def test_a_switch_is_nothing_else(value: object) -> None:
    assert "ui: expected true or false" in what("ui", value)


@pytest.mark.parametrize(("value", "number"), [("1", 1), ("65535", 65535), (4433, 4433), ("04433", 4433)])
def test_a_port_is_a_number_from_1_to_65535(value: object, number: int) -> None:
    assert check_value(BY_KEY["public_port"], value) == number


@pytest.mark.parametrize(
    "value", ["0", "65536", "-1", "+1", " 1", "1.0", "0x50", "٤٤٣٣", "9" * 5000, True, 1.0, None, ""]
)
def test_a_port_is_nothing_else(value: object) -> None:
    assert "expected a port number from 1 to 65535" in what("public_port", value)


@pytest.mark.parametrize("value", ["localhost", "auth.example", "a_b", "127.0.0.1", "[::1]"])
def test_a_host_is_what_can_stand_in_an_address(value: str) -> None:
    assert check_value(BY_KEY["host"], value) == value


@pytest.mark.parametrize(
    "value", ["::1", "a/b", "a:80", "http://a", "{ui}", "a b", "-a", "é.example", "a..b", "$HOST", ""]
)
def test_a_host_is_nothing_else(value: str) -> None:
    assert "host: expected a host name" in what("host", value)


@pytest.mark.parametrize("value", ["http://localhost:3000", "https://shop.example", "http://[::1]:80"])
def test_an_application_is_where_browsers_find_it(value: str) -> None:
    assert check_value(BY_KEY["app_url"], value) == value
    assert check_value(BY_KEY["app_url"], value.replace("local", "LOCAL") + "/") == value


@pytest.mark.parametrize(
    "value",
    [
        "localhost:3000",
        "http://a/b",
        "http://a?b",
        "http://me:secret@a",
        "http://a:0",
        "http://a:65536",
        "ftp://a",
        3000,
    ],
)
def test_an_application_is_nothing_else(value: object) -> None:
    assert "app_url: expected an address without a path" in what("app_url", value)


@pytest.mark.parametrize(("value", "address"), [("0.0.0.0", "0.0.0.0"), ("::", "::"), ("0:0:0:0:0:0:0:1", "::1")])
def test_an_address_to_listen_on_is_one_of_ip(value: str, address: str) -> None:
    assert check_value(BY_KEY["bind"], value) == address


@pytest.mark.parametrize("value", ["localhost", "[::1]", "fe80::1%eth0", "1", "256.0.0.1", "127.0.0.1:80", ""])
def test_an_address_to_listen_on_is_nothing_else(value: str) -> None:
    assert "bind: expected an IP address" in what("bind", value)


@pytest.mark.parametrize("value", ["--privileged", "-v", "a b", "a\nb", "", "x" * 256, "é"])
def test_an_image_cannot_be_an_option_or_several_words(value: str) -> None:
    assert "expected text without spaces" in what("kratos_image", value)


def test_a_choice_that_is_almost_right_is_told() -> None:
    with pytest.raises(KratosctlError) as caught:
        check_value(BY_KEY["database"], "postgresql")
    assert caught.value.fix == "did you mean 'postgres'?"


@given(st.text(max_size=400))
def test_an_unknown_key_is_told_in_short_lines(key: str) -> None:
    error = questions.unknown_key(key, list(BY_KEY), "kratosctl.yaml:1:1")
    assert isinstance(error, UnknownKey)
    assert len(error.what) < 400
    assert "did you mean" in error.fix or "known keys" in error.fix

"""A value set in a text that somebody wrote: that one, and nothing else."""

from __future__ import annotations

import difflib
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kratosctl import fragments
from kratosctl.errors import ConfigurationInvalid
from kratosctl.files.yaml_edit import set_at

TEXT = fragments.preset_files("email-password")["kratos.yml"]
SCHEMA = fragments.preset_files("email-password")["identity.schema.json"]


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        ("session.lifespan", "5s", ["-  lifespan: 24h", "+  lifespan: 5s"]),
        ("log.leak_sensitive_values", True, ["+  leak_sensitive_values: true"]),
        ("serve.public.base_url", "http://x", ["+serve: {public: {base_url: 'http://x'}}"]),
        ("session.cookie.domain", "example.org", ["+  cookie: {domain: example.org}"]),
    ],
)
def test_what_people_wrote_stays(path: str, value: object, lines: list[str]) -> None:
    assert changed_lines(TEXT, set_at(TEXT, path.split("."), value, "kratos.yml")) == lines


def test_a_list_takes_the_place_of_a_list() -> None:
    path = ["selfservice", "flows", "registration", "after", "password", "hooks"]
    after = yaml.safe_load(set_at(TEXT, path, [], "kratos.yml"))
    assert after["selfservice"]["flows"]["registration"]["after"] == {"password": {"hooks": []}}
    assert after["selfservice"]["flows"]["login"] == {"lifespan": "10m"}


def test_a_key_without_a_value_gets_one() -> None:
    assert set_at("a:  # why\nb: 1\n", ["a", "c"], 2, "x.yml") == "a: {c: 2}  # why\nb: 1\n"


def test_json_stays_json() -> None:
    path = ["properties", "traits", "required"]
    after = json.loads(set_at(SCHEMA, path, ["email", "tenant"], "identity.schema.json"))
    assert after["properties"]["traits"]["required"] == ["email", "tenant"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("a: &x {b: 1}\nc: *x\n", "x.yml", id="an alias"),
        pytest.param("c: &x {b: 1}\na: *x\n", "x.yml", id="what an alias means, too"),
        pytest.param("- a\n", "x.yml", id="a list"),
        pytest.param("a: 1\n", "x.yml", id="a scalar on the way"),
        pytest.param('{"c": {}}', "x.json", id="a key that JSON lacks"),
    ],
)
def test_what_cannot_be_set_in_one_place_is_refused(text: str, name: str) -> None:
    path = ["c", "b"] if "c" in text else ["a", "b"]
    with pytest.raises(ConfigurationInvalid, match=f"{path[0]}.b"):
        set_at(text, path, 2, name)


@given(st.lists(st.text("abc", min_size=1), min_size=1, max_size=4), st.sampled_from(["x", 1, True, ["y"], {"z": 1}]))
def test_what_was_set_is_read_back(path: list[str], value: object) -> None:
    place = yaml.safe_load(set_at(TEXT, path, value, "kratos.yml"))
    for key in path:
        place = place[key]
    assert place == value

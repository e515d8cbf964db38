"""The JSON Schema of kratosctl.yaml says the same as the reader of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from kratosctl import catalog, questions
from kratosctl.answers import configuration_file, workshop_file
from kratosctl.answers.schema import schema, workshop_schema
from kratosctl.environment import from_answers
from kratosctl.errors import KratosctlError

EXAMPLE = """\
environments:
  dev:  {release: v26.2.0, variant: default, database: sqlite, preset: email-password, ui: true, mail: true}
  ci:   {release: v1.1.0, variant: distroless, database: postgres, config_dir: ./kratos, ui: false, mail: false}
"""


def accepts(text: str) -> bool:
    validator = Draft202012Validator(schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    return bool(validator.is_valid(yaml.safe_load(text)))


def reader_accepts(text: str, directory: Path) -> bool:
    (directory / configuration_file.FILE_NAME).write_text(text)
    try:
        configuration_file.load(directory)
    except KratosctlError:
        return False
    return True


def one(key: str, value: Any) -> str:
    return yaml.safe_dump({"environments": {"dev": {key: value}}})


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_question_is_described() -> None:
    properties = schema()["$defs"]["environment"]["properties"]

    assert list(properties) == [question.key for question in questions.QUESTIONS]
    assert all(value["description"] for value in properties.values())


@pytest.mark.parametrize("preset", questions.PRESETS)
def test_a_default_that_editors_show_holds_whatever_the_preset(preset: str) -> None:
    properties = schema()["$defs"]["environment"]["properties"]
    made = from_answers("dev", {"preset": preset})
    shown = {key: value["default"] for key, value in properties.items() if "default" in value and key != "preset"}
    assert shown == {key: getattr(made, key) for key in shown}


@pytest.mark.parametrize("text", [EXAMPLE, "", "environments:", "environments: {dev: }", "environments: {dev: {}}"])
def test_what_people_write_is_accepted(text: str, tmp_path: Path) -> None:
    assert accepts(text)
    assert reader_accepts(text, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "environment: {dev: {}}",
        "environments: {dev: {relase: v26.2.0}}",
        "environments: {Dev: {}}",
        "environments: {'../x': {}}",
        "environments: [dev]",
        "environments: {dev: sqlite}",
        "- dev",
    ],
)
def test_what_nobody_reads_is_refused(text: str, tmp_path: Path) -> None:
    assert not accepts(text)
    assert not reader_accepts(text, tmp_path)


SAMPLES = [
    *((question.key, choice) for question in questions.QUESTIONS for choice in question.choices),
    *((question.key, question.default) for question in questions.QUESTIONS if question.default is not None),
    *(("release", release.tag) for release in catalog.RELEASES),
    ("release", "v26"),
    ("release", "v26.2"),
    ("release", "latest"),
    ("public_port", 1),
    ("public_port", 65535),
    ("config_dir", "../my configuration"),
    ("platform", "linux/arm64"),
    ("kratos_image", "registry.example.org:5000/kratos@sha256:0123"),
]


@pytest.mark.parametrize(("key", "value"), SAMPLES)
def test_both_accept(key: str, value: Any, tmp_path: Path) -> None:
    assert accepts(one(key, value))
    assert reader_accepts(one(key, value), tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("preset", "password"),
        ("database", "mysql"),
        ("variant", "alpine"),
        ("release", "26.2.0"),
        ("release", ""),
        ("ui", "perhaps"),
        ("public_port", 0),
        ("public_port", 65536),
        ("public_port", 80.5),
        ("public_port", True),
        ("config_dir", ""),
        ("kratos_image", "two words"),
        ("kratos_image", ""),
        ("kratos_image", ["a"]),
    ],
)
def test_both_refuse(key: str, value: Any, tmp_path: Path) -> None:
    assert not accepts(one(key, value))
    assert not reader_accepts(one(key, value), tmp_path)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (
            "name: x\nenvironment: {release: v26.2.0, ui: true}\nends: 2026-12-01 17:00\nseats: {seat-01: Ada}",
            True,
        ),
        ("seats: {seat-01: , seat-02: Grace Hopper}", True),
        ("name: x", True),
        ("name: x\nenvironment:\nseats:\n", True),
        ("{}", True),
        ("seats: {Seat_1: Ada}", False),
        ("seats: {seat-01: [Ada]}", False),
        ("seats: [seat-01]", False),
        ("environment: {relase: v26.2.0}", False),
        ("environment: {database: oracle}", False),
        ("environment: {database: postgres}", True),
        # one that all seats would share
        ("environment: {database: external}", False),
        ("ends: soon", False),
        ("rooms: 2", False),
        ("name: ''", False),
    ],
)
def test_the_schema_of_a_workshop_and_its_reader_say_the_same(text: str, fits: bool) -> None:
    Draft202012Validator.check_schema(workshop_schema())
    assert Draft202012Validator(workshop_schema()).is_valid(yaml.safe_load(text)) is fits
    try:
        workshop_file.parse(text)
    except KratosctlError:
        assert not fits
    else:
        assert fits

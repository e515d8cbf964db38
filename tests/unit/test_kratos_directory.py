"""A user's own Kratos configuration directory: read as Kratos would, and refused before anything starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.errors import ConfigDirectoryMissing, ConfigurationInvalid, KratosctlError
from kratosctl.files import yaml_text
from kratosctl.kratos import config_dir


def write(tmp_path: Path, name: str, text: str) -> Path:
    (tmp_path / "kratos").mkdir(exist_ok=True)
    (tmp_path / "kratos" / name).write_text(text, encoding="utf-8")
    return tmp_path


def refusal(tmp_path: Path) -> KratosctlError:
    with pytest.raises(KratosctlError) as caught:
        config_dir.read(tmp_path, "kratos")
    return caught.value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kratos.yml", "serve: {public: {base_url: x}}\n"),
        ("kratos.yaml", "\ufeffserve:\r\n  public:\r\n    base_url: x\r\n"),
        ("kratos.json", '{"serve": {"public": {"base_url": "x"}}}'),
        ("kratos.json", '{\n\t"serve": {\n\t\t"public": {"base_url": "x"}\n\t}\n}\n'),
    ],
)
def test_every_way_kratos_is_configured_is_read(tmp_path: Path, name: str, text: str) -> None:
    found = config_dir.read(write(tmp_path, name, text), "kratos")
    assert found == (name, {"serve": {"public": {"base_url": "x"}}})


def test_the_first_of_the_known_names_is_the_main_file(tmp_path: Path) -> None:
    write(tmp_path, "kratos.json", "{}")
    assert config_dir.read(write(tmp_path, "kratos.yml", "a: 1"), "./kratos") == ("kratos.yml", {"a": 1})


def test_an_absolute_directory_is_taken(tmp_path: Path) -> None:
    write(tmp_path, "kratos.yml", "a: 1")
    assert config_dir.read(Path("/nowhere"), str(tmp_path / "kratos")) == ("kratos.yml", {"a": 1})


class TestMissing:
    def test_a_name_that_no_directory_can_have_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigDirectoryMissing, match="cannot be used") as caught:
            config_dir.read(tmp_path, "x" * 300)
        assert caught.value.why == "File name too long"
        assert max(map(len, caught.value.lines())) < 200

    def test_a_directory_that_is_not_there_is_said_and_not_made(self, tmp_path: Path) -> None:
        error = refusal(tmp_path)
        assert isinstance(error, ConfigDirectoryMissing)
        assert error.what == "configuration directory kratos is not there"
        assert "kratosctl init" in error.fix
        assert list(tmp_path.iterdir()) == []

    def test_an_empty_one_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "kratos").mkdir()
        assert refusal(tmp_path).what == "configuration directory kratos is empty"

    def test_a_file_in_its_place_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "kratos").write_text("", encoding="utf-8")
        assert refusal(tmp_path).what == "configuration directory kratos is not a directory"

    def test_one_without_the_main_file_is_said(self, tmp_path: Path) -> None:
        assert refusal(write(tmp_path, "schema.json", "{}")).what == "configuration directory kratos has no kratos.yml"
        error = refusal(write(tmp_path, "kratos.toml", ""))
        assert error.what == "configuration directory kratos has kratos.toml alone, which kratosctl does not read"
        assert error.fix.startswith("write it as kratos.yml or kratos.json")


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("kratos.yml", "a: [1\n", "kratos/kratos.yml:2:1: not valid YAML"),
        ("kratos.yml", "# c\n\ta: 1\n", "kratos/kratos.yml:2:1: not valid YAML"),
        ("kratos.yml", "a: !env X\n", "kratos/kratos.yml:1:4: not valid YAML"),
        ("kratos.yml", "- a\n", "kratos/kratos.yml:1:1: expected a mapping"),
        ("kratos.yml", "", "kratos/kratos.yml is empty"),
        ("kratos.yml", "# nothing\n", "kratos/kratos.yml is empty"),
        ("kratos.json", "", "kratos/kratos.json is empty"),
        ("kratos.json", '{\n "a": 1\n "b": 2}', "kratos/kratos.json:3:2: not valid JSON"),
        ("kratos.json", "[]", "kratos/kratos.json:1:1: expected a mapping"),
        ("kratos.json", "[" * 100_000, "kratos/kratos.json: not valid JSON"),
        ("kratos.yml", "{a: " * 100_000, "kratos/kratos.yml:1:401: nested more than 100 levels deep"),
        ("kratos.yml", "a: 2024-99-99\n", "kratos/kratos.yml: not valid YAML"),
        (
            "kratos.yml",
            "serve: {admin: {tls: {key: {path: /k}}}}\n",
            "kratos/kratos.yml: serve.admin.tls has Kratos speak",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_its_place(tmp_path: Path, name: str, text: str, what: str) -> None:
    error = refusal(write(tmp_path, name, text))
    assert isinstance(error, ConfigurationInvalid)
    assert error.what.startswith(what)
    assert max(map(len, error.lines())) < 250


@given(st.text(st.characters(codec="utf-8")) | st.text("{}[]:,&*!|>'\"%@`#-? \n\tab<0", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        yaml_text.load(text, "kratos.yml")
    except KratosctlError as error:
        what = error.what
    else:
        what = "kratos.yml: read"
    assert what.startswith("kratos.yml:")


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_json_is_read_as_json(data: dict[str, str | int]) -> None:
    text = json.dumps(data, ensure_ascii=True)
    # every JSON text is YAML, but for its surrogate pairs and very large numbers
    if "\\u" not in text:
        assert yaml_text.load(text, "kratos.yml") == data

"""A compose.override.yaml of somebody's own: what it takes from elsewhere counts as much as its text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.stages import assemble
from tests.unit.stacks import environment

OVERRIDE = """\
services:
  kratos:
    environment:
      PROVIDER: ${PROVIDER_SECRET:-none}
      PRICE: $$5
      PASSED_ON:
    env_file:
      - provider.env
      - path: more.env
        required: false
  side:
    env_file: side.env
    environment:
      - "LISTED"
"""


def revision(directory: Path, variables: Mapping[str, str] | None = None) -> str:
    """What says that Kratos' container is to be made anew."""
    return stack(directory, variables).revisions["kratos"]


def stack(directory: Path, variables: Mapping[str, str] | None = None) -> assemble.Stack:
    state = State(project="app-dev-1", ports={"public": 4433})
    asked = environment(ui=False, mail=False)
    return assemble.assemble(asked, Workspace(directory, "dev"), state, None, {4433}, variables or {})


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "compose.override.yaml").write_text(OVERRIDE)
    (tmp_path / ".env").write_text("PROVIDER_SECRET=one\nPASSED_ON=1\n# of the shop itself\nPRICES=5\n")
    (tmp_path / "provider.env").write_text("KEY=one\n")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".env", "PROVIDER_SECRET=two\nPASSED_ON=1\n"),
        (".env", "PROVIDER_SECRET=one\nPASSED_ON=2\n"),
        ("provider.env", "KEY=two\n"),
        ("more.env", "KEY=two\n"),
        ("side.env", "KEY=two\n"),
    ],
)
def test_a_value_that_it_takes_from_a_file_is_not_served_on_when_it_changed(shop: Path, file: str, text: str) -> None:
    """Such as a provider's new secret: `up` said that all is up to date, and Kratos went on with the old one."""
    before = revision(shop)
    (shop / file).write_text(text)
    assert revision(shop) != before


@pytest.mark.parametrize("name", ["PROVIDER_SECRET", "PASSED_ON", "LISTED"])
def test_nor_is_one_that_it_takes_from_the_shell(shop: Path, name: str) -> None:
    assert len({revision(shop), revision(shop, {name: "a"}), revision(shop, {name: "b"})}) == 3


def test_what_it_does_not_read_makes_nothing_anew(shop: Path) -> None:
    before = revision(shop)
    (shop / ".env").write_text("PRICES=6\nPROVIDER_SECRET=one\nPASSED_ON=1\n")
    (shop / "other.env").write_text("KEY=two\n")
    assert revision(shop, {"PRICES": "7", "HOME": "/elsewhere", "5": "6"}) == before


@pytest.mark.parametrize(("base", "merged"), [("services: {web: {}}", False), ("# Made by kratosctl.\n", True)])
def test_an_applications_own_is_merged_over_the_applications_compose_file_alone(
    shop: Path, base: str, merged: bool
) -> None:
    """Else its services are started here too, or Compose refuses them: `web` has neither image nor build."""
    (shop / "compose.yaml").write_text(base)
    found = stack(shop)
    assert [file.name for file in found.project.files] == ["compose.yaml", *(["compose.override.yaml"] * merged)]
    assert found.beside == (("side",) if merged else ())
    assert bool(found.notes) is not merged


@pytest.fixture
def split(shop: Path) -> Path:
    (shop / "compose.override.yaml").write_text(
        "include: [tools/compose.yaml, {path: [more.yaml]}]\n"
        "services: {kratos: {extends: {file: common.yaml, service: base}}}\n"
    )
    (shop / "tools").mkdir()
    (shop / "tools/compose.yaml").write_text("services: {inspector: {image: 'x:${TAG}'}, seldom: {profiles: [a]}}\n")
    (shop / "tools/.env").write_text("TAG=1\n")
    (shop / "more.yaml").write_text("include: [compose.override.yaml]\nservices: {more: {image: x:1}}\n")
    (shop / "common.yaml").write_text("services: {base: {env_file: provider.env}}\n")
    return shop


@pytest.mark.parametrize("file", ["tools/compose.yaml", "tools/.env", "more.yaml", "common.yaml", "provider.env"])
def test_files_that_it_includes_or_extends_are_served_as_they_are(split: Path, file: str) -> None:
    before = revision(split)
    (split / file).write_text((split / file).read_text() + "# TAG=2\nTAG=2\n")
    assert revision(split) != before


def test_a_service_that_it_includes_runs_as_one_that_it_adds(split: Path) -> None:
    """It was merged, and never started."""
    assert stack(split).beside == ("inspector", "more")
    assert stack(split).overridden == ("kratos",)


def test_a_file_that_compose_will_refuse_is_left_to_it(tmp_path: Path) -> None:
    for wrong in (
        "services: [",
        "services: {kratos: {env_file: {a: b}}}",
        "services: {kratos: {env_file: [[a], null]}}",
    ):
        (tmp_path / "compose.override.yaml").write_text(wrong)
        assert revision(tmp_path)

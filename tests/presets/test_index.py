"""configs/presets.yaml says what is there, completely, and nothing that is not."""

from string import Formatter
from typing import Any

import pytest

from .files import CONFIGS, INDEX, NAMES, PRESETS, RELEASES, identity_schema, kratos_yml, leaves

REQUIRED = {"title", "description", "since", "methods", "ui", "mail", "notes"}
OPTIONAL = {"addresses", "overlays"}
PLACEHOLDERS = {"ui", "app", "public", "host"}

# The first release with a feature, by the method it needs.
METHOD_SINCE = {"passkey": "v1.2.0"}
PASSWORDLESS_CODE_SINCE = "v1.1.0"


def placeholders(tree: object) -> set[str]:
    fields: set[str] = set()
    for _, value in leaves(tree):
        if isinstance(value, str):
            fields |= {name for _, name, _, _ in Formatter().parse(value) if name is not None}
    return fields


def address_trees() -> dict[str, Any]:
    trees = {name: preset["addresses"] for name, preset in PRESETS.items() if "addresses" in preset}
    return trees | {key: INDEX[key] for key in ("ui_addresses", "app_addresses", "api_addresses")}


def test_every_directory_is_a_preset_and_every_preset_a_directory() -> None:
    assert sorted(NAMES) == sorted(path.name for path in CONFIGS.iterdir() if path.is_dir())


def test_the_index_holds_the_presets_and_the_common_trees() -> None:
    assert set(INDEX) == {"presets", "ui_addresses", "app_addresses", "api_addresses"}


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_has_all_its_keys_and_no_others(name: str) -> None:
    assert set(PRESETS[name]) >= REQUIRED
    assert set(PRESETS[name]) <= REQUIRED | OPTIONAL


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_reads_well_on_one_line(name: str) -> None:
    preset = PRESETS[name]
    assert len(preset["title"]) <= 40
    assert len(preset["description"]) <= 100
    assert not preset["description"].endswith(".")
    for text in (preset["title"], preset["description"], *preset["notes"]):
        assert text == " ".join(text.split())
    for note in preset["notes"]:
        assert note.endswith("."), "notes are sentences"


def test_titles_differ() -> None:
    assert len({preset["title"] for preset in PRESETS.values()}) == len(PRESETS)


@pytest.mark.parametrize("name", NAMES)
def test_since_is_a_release_that_has_everything_the_preset_uses(name: str) -> None:
    since = RELEASES.index(PRESETS[name]["since"])
    for method in PRESETS[name]["methods"]:
        assert since >= RELEASES.index(METHOD_SINCE.get(method, RELEASES[0]))
    if kratos_yml(name)["selfservice"]["methods"]["code"].get("passwordless_enabled"):
        assert since >= RELEASES.index(PASSWORDLESS_CODE_SINCE)


@pytest.mark.parametrize("name", NAMES)
def test_the_methods_listed_are_those_switched_on(name: str) -> None:
    methods = kratos_yml(name)["selfservice"]["methods"]
    assert [m for m in PRESETS[name]["methods"] if not methods[m]["enabled"]] == []
    assert {m for m, settings in methods.items() if settings["enabled"]} == set(PRESETS[name]["methods"])


@pytest.mark.parametrize("name", NAMES)
def test_mail_is_needed_where_codes_are_mailed_to_people(name: str) -> None:
    selfservice = kratos_yml(name)["selfservice"]
    mails = selfservice["flows"]["verification"]["enabled"] or selfservice["methods"]["code"].get(
        "passwordless_enabled", False
    )
    assert PRESETS[name]["mail"] is mails


@pytest.mark.parametrize("name", NAMES)
def test_an_unchecked_password_is_said_to_the_user(name: str) -> None:
    said = any("haveibeenpwned" in note for note in PRESETS[name]["notes"])
    assert said is ("password" in PRESETS[name]["methods"])


@pytest.mark.parametrize("tree", address_trees().values(), ids=address_trees().keys())
def test_addresses_use_only_known_placeholders(tree: dict[str, Any]) -> None:
    used = placeholders(tree)
    assert used
    assert used <= PLACEHOLDERS


@pytest.mark.parametrize("tree", address_trees().values(), ids=address_trees().keys())
def test_addresses_name_no_host_of_their_own(tree: dict[str, Any]) -> None:
    for path, value in leaves(tree):
        if isinstance(value, str):
            assert value.startswith("{"), path


def test_an_environment_without_pages_needs_no_address_of_pages() -> None:
    assert "ui" not in placeholders(INDEX["api_addresses"])


def test_the_self_service_ui_has_a_page_for_every_flow() -> None:
    flows = INDEX["ui_addresses"]["selfservice"]["flows"]
    pages = {flow: settings["ui_url"] for flow, settings in flows.items() if "ui_url" in settings}
    assert pages == {
        flow: "{ui}/" + flow for flow in ("login", "registration", "recovery", "verification", "settings", "error")
    }


def test_pages_may_call_the_public_api_from_their_own_origin() -> None:
    public = INDEX["ui_addresses"]["serve"]["public"]
    assert public["cors"] == {"enabled": True, "allowed_origins": ["{ui}"]}


@pytest.mark.parametrize("name", [n for n in NAMES if "passkey" in PRESETS[n]["methods"]])
def test_a_passkey_is_bound_to_the_host_and_origin_of_the_pages(name: str) -> None:
    relying_party = PRESETS[name]["addresses"]["selfservice"]["methods"]["passkey"]["config"]["rp"]
    assert relying_party == {"id": "{host}", "origins": ["{ui}"]}


@pytest.mark.parametrize("name", [n for n in NAMES if "overlays" in PRESETS[n]])
def test_overlays_cover_releases_the_preset_works_on(name: str) -> None:
    for overlay in PRESETS[name]["overlays"]:
        assert set(overlay) <= {"from", "until", "config"}
        start = RELEASES.index(overlay["from"])
        assert start >= RELEASES.index(PRESETS[name]["since"])
        if "until" in overlay:
            assert start < RELEASES.index(overlay["until"])
        assert overlay["config"]
        assert placeholders(overlay["config"]) == set()


@pytest.mark.parametrize("name", [n for n in NAMES if "overlays" in PRESETS[n]])
def test_what_holds_for_every_release_is_in_the_preset_and_not_in_an_overlay(name: str) -> None:
    for overlay in PRESETS[name]["overlays"]:
        assert overlay["from"] != PRESETS[name]["since"] or "until" in overlay


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_directory_holds_only_what_kratos_reads(name: str) -> None:
    expected = {"kratos.yml", "identity.schema.json"}
    if "oidc" in PRESETS[name]["methods"]:
        expected.add("oidc.example.jsonnet")
    assert {path.name for path in (CONFIGS / name).iterdir()} == expected
    assert identity_schema(name)["title"]

"""Every kratos.yml is safe to start with, and leaves to kratosctl what depends on the environment."""

import re

import pytest

from .files import CONFIGS, MOUNTED_AT, NAMES, PRESETS, kratos_yml, leaves

GENERATED = re.compile(
    r"dsn|version|dev|(secrets|serve|cookies)\..*|session\.cookie\..*|courier\.smtp\.connection_uri"
    r"|.*\bui_url|.*\bdefault_browser_return_url|selfservice\.allowed_return_urls"
    r"|.*\.rp\.(id|origins?)"
)


def text(name: str) -> str:
    return (CONFIGS / name / "kratos.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_kratosctl_generates_is_set(name: str) -> None:
    assert [path for path, _ in leaves(kratos_yml(name)) if GENERATED.fullmatch(path)] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_log_tells_what_happens_and_leaks_nothing(name: str) -> None:
    assert kratos_yml(name)["log"] == {"level": "info", "format": "text"}
    assert "leak_sensitive_values" not in text(name)


@pytest.mark.parametrize("name", NAMES)
def test_methods_that_kratos_switches_on_by_itself_are_decided_on(name: str) -> None:
    methods = kratos_yml(name)["selfservice"]["methods"]
    for method in ("password", "code"):
        assert isinstance(methods[method]["enabled"], bool)


@pytest.mark.parametrize("name", [n for n in NAMES if "password" in PRESETS[n]["methods"]])
def test_passwords_are_not_looked_up_on_the_internet_and_the_comment_says_why(name: str) -> None:
    password = kratos_yml(name)["selfservice"]["methods"]["password"]
    assert password["config"]["haveibeenpwned_enabled"] is False
    comment = re.search(r"((?:^ *#.*\n)+) *haveibeenpwned_enabled", text(name), re.MULTILINE)
    assert comment is not None
    assert "15 seconds" in comment[1]
    assert "In production switch it on" in comment[1]


@pytest.mark.parametrize("name", NAMES)
def test_files_it_names_are_beside_it(name: str) -> None:
    urls = [value for path, value in leaves(kratos_yml(name)) if path.endswith("url") and "issuer" not in path]
    assert urls
    for url in urls:
        assert isinstance(url, str)
        assert url.startswith(MOUNTED_AT)
        assert (CONFIGS / name / url.removeprefix(MOUNTED_AT)).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_the_default_identity_schema_is_one_of_the_schemas(name: str) -> None:
    identity = kratos_yml(name)["identity"]
    assert identity["default_schema_id"] in [schema["id"] for schema in identity["schemas"]]


@pytest.mark.parametrize("name", NAMES)
def test_whoever_signs_up_is_signed_in_by_every_method(name: str) -> None:
    selfservice = kratos_yml(name)["selfservice"]
    signs_up = {"password", "passkey", "oidc"} & set(PRESETS[name]["methods"])
    if selfservice["methods"]["code"].get("passwordless_enabled"):
        signs_up.add("code")
    after = selfservice["flows"]["registration"]["after"]
    assert set(after) == signs_up
    for settings in after.values():
        assert settings["hooks"][0] == {"hook": "session"}


@pytest.mark.parametrize("name", NAMES)
def test_the_verification_page_is_shown_last_and_only_where_there_is_verification(name: str) -> None:
    flows = kratos_yml(name)["selfservice"]["flows"]
    for settings in flows["registration"]["after"].values():
        hooks = [hook["hook"] for hook in settings["hooks"]]
        if "show_verification_ui" in hooks:
            assert hooks[-1] == "show_verification_ui"
            assert flows["verification"]["enabled"]


@pytest.mark.parametrize("name", NAMES)
def test_a_second_factor_is_asked_for_where_there_is_one(name: str) -> None:
    config = kratos_yml(name)
    second_factors = {"totp", "lookup_secret"} & set(PRESETS[name]["methods"])
    expected = "highest_available" if second_factors else "aal1"
    assert config["session"]["whoami"]["required_aal"] == expected
    assert config["selfservice"]["flows"]["settings"]["required_aal"] == expected


@pytest.mark.parametrize("name", [n for n in NAMES if "oidc" in PRESETS[n]["methods"]])
def test_an_oidc_provider_is_a_placeholder_that_cannot_be_mistaken_for_a_real_one(name: str) -> None:
    for provider in kratos_yml(name)["selfservice"]["methods"]["oidc"]["config"]["providers"]:
        assert provider["client_id"] == provider["client_secret"] == "replace-me"
        assert provider["issuer_url"].endswith(".example.org")


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is_and_where_the_rest_is(name: str) -> None:
    first, *_ = text(name).splitlines()
    assert first.startswith(f"# Kratos preset {name}: ")
    for generated in ("environment.yml", "secrets/kratos.yml"):
        assert generated in text(name).split("\n\n")[0]


@pytest.mark.parametrize("name", NAMES)
def test_comments_are_short(name: str) -> None:
    header, _, body = text(name).partition("\n\n")
    assert all(len(line) <= 112 for line in text(name).splitlines())
    assert not re.search(r"(?:^ *#.*\n){4}", body, re.MULTILINE), "at most three lines of comment in a row"
    assert header.count("\n") < 8

"""Doctor's rules over a configuration of Kratos that somebody wrote: each finds its fault, and no other preset's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from kratosctl import fragments
from kratosctl.doctor.facts import Ended, EnvironmentFacts, Facts, KratosFacts
from kratosctl.doctor.finding import Finding
from kratosctl.doctor.rules import diagnose
from kratosctl.questions import PRESETS

HOOK = {"hooks": [{"hook": "web_hook", "config": {"url": "http://localhost:3000/new"}}]}
PUBLIC, UI = "http://localhost:4433", "http://localhost:4455"


def kratos_of(preset: str) -> KratosFacts:
    files = fragments.preset_files(preset)
    schemas = {name: json.loads(text) for name, text in files.items() if name.endswith(".json")}
    return KratosFacts("kratos/kratos.yml", yaml.safe_load(files["kratos.yml"]), schemas, "localhost", PUBLIC, UI, True)


def found(change: Callable[[dict[str, Any]], Any], preset: str = "email-password") -> list[Finding]:
    kratos = kratos_of(preset)
    changed = dict(kratos.configuration)
    change(changed)
    kratos = replace(kratos, configuration=changed)
    return findings(kratos)


def findings(kratos: KratosFacts, ready: int | None = None) -> list[Finding]:
    facts = Facts(Path("/app"), environments=(EnvironmentFacts("dev", kratos=kratos, ready=ready),))
    return [finding for finding in diagnose(facts) if finding.level != "ok"]


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_has_a_fault(preset: str) -> None:
    assert findings(kratos_of(preset), ready=200) == []


@pytest.mark.parametrize(
    ("said", "rule", "word"),
    [
        ({"cookies": {"domain": "example.org"}}, "cookie-domain", "cookies.domain is example.org"),
        ({"session": {"cookie": {"domain": "example.org"}}}, "cookie-domain", "session.cookie.domain"),
        ({"cookies": {"same_site": "None"}}, "cookie-same-site", "cookies.same_site is None"),
        ({"session": {"cookie": {"same_site": "None"}}}, "cookie-same-site", "session.cookie.same_site is None"),
        ({"serve": {"public": {"base_url": "http://localhost:4434/"}}}, "base-url", "http://localhost:4434"),
        ({"dsn": "postgres://me:secret@db/kratos"}, "database-named", "names a database by dsn"),
        ({"courier": {"smtp": {"connection_uri": "smtp://mail:25"}}}, "mail-server", "port 25"),
        ({"courier": {"smtp": {"connection_uri": "smtp://localhost:1025"}}}, "mail-server", "own container"),
        ({"courier": {"smtp": {"connection_uri": "smtp://mail:1025"}}}, "mail-server", "wants TLS of the mail inbox"),
        ({"courier": {"smtp": {"connection_uri": "smtps://mail:1025/?disable_starttls=true"}}}, "mail-server", "TLS"),
        (
            {"courier": {"smtp": {"connection_uri": "smtps://me:secret@smtp.example.org:465"}}},
            "mail-server",
            "is smtp.example.org, not the mail inbox",
        ),
        (
            {"selfservice": {"flows": {"login": {"ui_url": "http://127.0.0.1:4455/login"}}}},
            "pages",
            "selfservice.flows.login.ui_url is at 127.0.0.1, and its form goes to localhost",
        ),
        ({"selfservice": {"flows": {"x": HOOK}}}, "calls-itself", "flows.x.hooks.0.config.url is at localhost"),
        ({"serve": {"public": {"cors": {"allowed_origins": ["https://a.org"]}}}}, "cross-origin", UI),
        ({"serve": {"public": {"cors": {"allowed_origins": ["*"]}}}}, "cross-origin", "every origin"),
        ({"serve": {"public": {"cors": {"enabled": False, "allowed_origins": [UI]}}}}, "cross-origin", UI),
        ({"selfservice": {"allowed_return_urls": ["https://a.org"]}}, "return-urls", UI),
        ({"session": {"lifespan": "10s"}}, "session-lifespan", "10s"),
        ({"log": {"leak_sensitive_values": True}}, "log-secrets", "leak_sensitive_values"),
    ],
)
def test_a_fault_is_found_by_its_rule_alone(said: dict[str, Any], rule: str, word: str) -> None:
    (finding,) = found(lambda kratos: kratos.update(fragments.merge(kratos, said)))
    assert finding.rule == rule
    assert word in finding.what
    assert finding.why
    assert finding.fix


@pytest.mark.parametrize(
    "said",
    [
        {"cookies": {"domain": "localhost", "same_site": "Strict"}},
        # browsers take that on localhost
        {"cookies": {"same_site": "None", "secure": "true"}, "session": {"cookie": {"secure": "true"}}},
        {"serve": {"public": {"base_url": PUBLIC + "/"}}},
        {"courier": {"smtp": {"connection_uri": "smtp://mail:1025/?disable_starttls=true"}}},
        {
            "oauth2_provider": {"url": "http://host.docker.internal:4445"},
            "hook": {"url": "http://127.0.0.1:4434/admin"},
        },
        {"selfservice": {"flows": {"login": {"ui_url": "http://localhost:3000/login"}, "error": {"ui_url": 5}}}},
        {
            "serve": {"public": {"base_url": "https://auth.example.org"}},
            "selfservice": {"flows": {"login": {"ui_url": "https://app.example.org/login"}}},
        },
        {"serve": {"public": {"cors": {"allowed_origins": ["https://a.org", "http://localhost:*"]}}}},
        {"selfservice": {"allowed_return_urls": [UI + "/"]}},
        {"dsn": "memory"},
        {"session": {"lifespan": "1h30m"}},
        {"session": {"lifespan": "forever"}},
        {"serve": None, "session": [], "courier": {"smtp": {"connection_uri": 5}}},
        {"serve": {"public": {"base_url": "http://[::1"}}, "selfservice": {"allowed_return_urls": "x"}},
    ],
)
def test_what_works_or_is_no_configuration_at_all_is_no_fault_of_theirs(said: dict[str, Any]) -> None:
    assert not [f for f in found(lambda kratos: kratos.update(fragments.merge(kratos, said))) if f.rule != "base-url"]


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"serve": {"public": {"cors": {"allowed_origins": [UI]}}}}, "cross-origin"),
        ({"selfservice": {"allowed_return_urls": [UI]}}, "return-urls"),
    ],
)
def test_an_application_that_a_configuration_leaves_out_is_named(said: dict[str, Any], rule: str) -> None:
    kratos = kratos_of("email-password")
    theirs = replace(kratos, configuration=fragments.merge(dict(kratos.configuration), said))
    assert findings(theirs) == []
    (finding,) = findings(replace(theirs, app="http://localhost:3000"))
    assert finding.rule == rule
    assert "http://localhost:3000" in finding.what
    assert UI not in finding.what
    assert "http://localhost:3000" in finding.fix


def test_the_advice_about_other_origins_mends_what_was_found() -> None:
    """Followed once, it is not given again."""

    def advice(cors: dict[str, Any]) -> str:
        said = {"serve": {"public": {"cors": cors}}}
        (finding,) = found(lambda kratos: kratos.update(fragments.merge(kratos, said)))
        assert "kratosctl restart dev kratos" in finding.fix, "Kratos does not take it while it runs"
        return f"{finding.why}: {finding.fix}"

    assert "enabled" in advice({"enabled": False, "allowed_origins": [UI]})
    for origins in (["*"], ["*", UI]):
        assert "in place of *" in advice({"enabled": True, "allowed_origins": origins})
    other = advice({"enabled": True, "allowed_origins": ["https://a.org"]})
    assert f"put {UI} into" in other
    assert "enabled" not in other


def test_cookies_for_other_sites_are_no_fault_behind_tls() -> None:
    kratos = replace(kratos_of("email-password"), public="https://localhost:4433", ui="https://localhost:4455")
    assert findings(replace(kratos, configuration={**kratos.configuration, "cookies": {"same_site": "None"}})) == []


@pytest.mark.parametrize("key", ["issuer_url", "token_url", "mapper_url"])
def test_a_provider_on_this_host_is_named_as_kratos_reaches_it(key: str) -> None:
    """From its container `localhost` is Kratos itself; browsers are sent to the issuer, too."""
    kratos = kratos_of("oidc")
    kratos.configuration["selfservice"]["methods"]["oidc"]["config"]["providers"][0][key] = (
        "http://localhost:8080/realm"
    )
    (finding,) = findings(kratos)
    assert finding.rule == "calls-itself"
    assert f"providers.0.{key} is at localhost" in finding.what
    assert "host.docker.internal" in finding.why
    assert ("/etc/hosts" in finding.fix) == (key == "issuer_url")


def test_an_edit_that_waits_for_a_restart_is_told_the_command_for_it() -> None:
    environment = EnvironmentFacts("two", kratos=kratos_of("oidc"), rejected="serve.port cannot change while it runs")
    (finding,) = [f for f in diagnose(Facts(Path("/app"), environments=(environment,))) if f.level != "ok"]
    assert "kratos/kratos.yml" in finding.fix, "or the edit was wrong"
    assert "kratosctl restart two kratos" in finding.fix, "saved again, it would be refused again"


@pytest.mark.parametrize(
    "said",
    [
        {"serve": {"public": {"base_url": "http://me:secret@example.org"}}},
        {"courier": {"smtp": {"connection_uri": "smtps://me:secret@smtp.example.org:465"}}},
    ],
)
def test_no_finding_shows_a_password(said: dict[str, Any]) -> None:
    (finding,) = found(lambda kratos: kratos.update(said))
    assert "secret" not in str(finding)


def test_mail_that_goes_to_real_people_on_purpose_is_no_fault_where_there_is_no_inbox() -> None:
    kratos = replace(kratos_of("email-password"), mail=False)
    kratos.configuration["courier"]["smtp"]["connection_uri"] = "smtps://smtp.example.org:465"
    assert findings(kratos) == []


def test_files_that_kratos_will_not_find_are_named_with_where_it_looks() -> None:
    """It opens Jsonnet and templates only once somebody comes that far: until then all looks well."""
    here, elsewhere = "file:///etc/config/kratos/nobody.jsonnet", "file:///etc/config/google.jsonnet"
    kratos = replace(kratos_of("oidc"), absent={"hooks.0.config.body": here, "providers.0.mapper_url": elsewhere})
    missing, outside = findings(kratos)
    assert missing.what == "dev: hooks.0.config.body names nobody.jsonnet, which is not in kratos/"
    assert elsewhere in outside.what
    assert outside.fix == "write file:///etc/config/kratos/google.jsonnet in kratos/kratos.yml"


def test_a_schema_that_refuses_its_own_form() -> None:
    kratos = kratos_of("email-password")
    traits = kratos.schemas["identity.schema.json"]["properties"]["traits"]
    traits["required"].append("tenant")
    (finding,) = findings(kratos)
    assert "requires tenant" in finding.what
    traits["additionalProperties"] = True
    assert findings(kratos) == []


def test_a_schema_without_an_identifier() -> None:
    kratos = kratos_of("email-password")
    email = kratos.schemas["identity.schema.json"]["properties"]["traits"]["properties"]["email"]
    email["ory.sh/kratos"]["credentials"]["password"]["identifier"] = False
    (finding,) = findings(kratos)
    assert "no trait as an identifier" in finding.what
    kratos.configuration["selfservice"]["methods"]["password"]["enabled"] = False
    assert findings(kratos) == []


def test_a_service_that_ended_by_itself() -> None:
    ended = (Ended("kratos", "exited with exit code 1", "Kratos refuses its configuration", "correct it"),)
    facts = Facts(Path("/app"), environments=(EnvironmentFacts("dev", ended=ended),))
    (finding,) = [found for found in diagnose(facts) if found.level == "problem"]
    assert finding.what == "dev: kratos does not run: exited with exit code 1"
    assert (finding.why, finding.fix) == ("Kratos refuses its configuration", "correct it")
    facts = Facts(Path("/app"), environments=(EnvironmentFacts("dev", ended=(Ended("ui", "dead", ""),)),))
    assert "kratosctl logs dev ui, then kratosctl up dev" in [found.fix for found in diagnose(facts)]


@pytest.mark.parametrize(("ready", "rules"), [(200, []), (503, ["kratos-ready"]), (0, []), (None, [])])
def test_a_kratos_that_says_it_is_not_ready(ready: int | None, rules: list[str]) -> None:
    assert [finding.rule for finding in findings(kratos_of("api-only"), ready)] == rules

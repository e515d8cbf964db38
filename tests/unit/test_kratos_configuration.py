"""What kratosctl adds to Kratos' configuration: where the user's own is silent, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl import catalog
from kratosctl.environment import Environment
from kratosctl.stack import kratos_configuration, secrets
from kratosctl.stack.place import Place
from tests.unit import stacks

KEYS = st.sampled_from(["serve", "public", "base_url", "session", "cookie", "name", "courier", "smtp", "log", "x"])
ANY_YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS | st.integers() | st.none(), inner, max_size=4),
    max_leaves=10,
)
THEIRS = st.dictionaries(
    st.sampled_from(["serve", "session", "courier", "log", "version", "selfservice", "secrets", "dsn", "x"]), ANY_YAML
)


def configuration(theirs: dict[str, Any] | None = None, **answers: Any) -> dict[str, Any]:
    asked = stacks.environment(**answers)
    return kratos_configuration.environment_configuration(asked, stacks.place(asked), theirs or {})


def paths(data: Any, at: tuple[object, ...] = ()) -> dict[tuple[object, ...], Any]:
    if isinstance(data, dict) and data:
        return {path: leaf for key, value in data.items() for path, leaf in paths(value, (*at, key)).items()}
    return {at: data}


def lookup(data: Any, path: tuple[object, ...]) -> Any:
    for key in path:
        if not isinstance(data, dict) or key not in data:
            return None
        data = data[key]
    return data


class TestAddresses:
    def test_people_are_sent_to_the_ui_where_there_is_one(self) -> None:
        found = configuration(ui=True, ui_port=5000, public_port=5001, host="auth.example")
        assert found["serve"]["public"]["base_url"] == "http://auth.example:5001"
        assert found["selfservice"]["flows"]["login"]["ui_url"] == "http://auth.example:5000/login"

    def test_without_a_ui_no_address_of_one_is_set(self) -> None:
        found = configuration(ui=False, public_port=5001)
        assert "flows" not in found["selfservice"]
        assert found["selfservice"]["default_browser_return_url"] == "http://localhost:5001"

    def test_people_come_back_to_their_application_from_the_ui(self) -> None:
        found = configuration(ui=True, ui_port=5000, app_url="http://localhost:3000")
        assert found["selfservice"]["flows"]["login"]["ui_url"] == "http://localhost:5000/login"
        assert found["selfservice"]["default_browser_return_url"] == "http://localhost:3000"
        assert found["selfservice"]["allowed_return_urls"] == ["http://localhost:5000", "http://localhost:3000"]
        assert found["serve"]["public"]["cors"]["allowed_origins"] == ["http://localhost:5000", "http://localhost:3000"]

    def test_without_a_ui_the_application_shows_the_pages(self) -> None:
        found = configuration(ui=False, app_url="http://localhost:3000")
        pages = {name: flow.get("ui_url") for name, flow in found["selfservice"]["flows"].items()}
        assert pages["login"] == "http://localhost:3000/login"
        assert found["selfservice"]["default_browser_return_url"] == "http://localhost:3000"
        assert found["selfservice"]["allowed_return_urls"] == ["http://localhost:3000"]
        assert found["serve"]["public"]["cors"] == {"enabled": True, "allowed_origins": ["http://localhost:3000"]}

    def test_a_passkey_is_bound_to_the_host(self) -> None:
        written = configuration(preset="passkey", host="auth.example", https=True)
        party = written["selfservice"]["methods"]["passkey"]["config"]["rp"]
        assert party == {"id": "auth.example", "origins": ["https://auth.example:4455"]}

    @given(stacks.stacks())
    def test_no_placeholder_is_left_and_every_address_is_this_environments(
        self, stack: tuple[Environment, Place]
    ) -> None:
        asked, place = stack
        for leaf in paths(kratos_configuration.environment_configuration(asked, place, {})).values():
            for text in leaf if isinstance(leaf, list) else [leaf]:
                assert "{" not in str(text)
                if str(text).startswith("http"):
                    port = int(
                        str(text).removeprefix(f"http{'s' if asked.https else ''}://{asked.host}:").partition("/")[0]
                    )
                    assert port in place.ports.values()


class TestReleases:
    @pytest.mark.parametrize("release", [*catalog.RELEASES, "v26", "v27", "v26.3"], ids=str)
    def test_the_version_is_one_kratos_takes(self, release: Any) -> None:
        tag = getattr(release, "tag", release)
        version = configuration(release=tag)["version"]
        assert len(catalog.version_key(version)) == 3

    def test_an_overlay_is_added_from_its_release_on(self) -> None:
        assert "feature_flags" not in configuration(preset="api-only", release="v1.0.0")
        assert configuration(preset="api-only", release="v1.1.0")["feature_flags"]
        assert configuration(preset="api-only", release="v26.2.0")["feature_flags"]


class TestMail:
    def test_mail_goes_to_the_inbox(self) -> None:
        assert configuration(mail=True)["courier"]["smtp"]["connection_uri"].startswith("smtp://mail:1025/")

    def test_without_one_kratos_still_has_an_address_it_accepts(self) -> None:
        assert configuration(mail=False)["courier"]["smtp"]["connection_uri"].startswith("smtp://")

    @pytest.mark.parametrize(
        ("theirs", "named"),
        [
            ({}, False),
            ({"courier": None}, False),
            ({"courier": "smtp"}, False),
            ({"courier": ["smtp"]}, False),
            ({"courier": {"smtp": None}}, False),
            ({"courier": {"smtp": "x"}}, False),
            ({"courier": {"smtp": {"connection_uri": ""}}}, False),
            ({"courier": {"smtp": {"connection_uri": "smtp://x"}}}, True),
            ({"courier": {"http": {"request_config": {}}}}, True),
            ({"courier": {"channels": [{"id": "sms"}]}}, True),
        ],
    )
    def test_whether_the_user_names_a_server_is_seen(self, theirs: dict[str, Any], named: bool) -> None:
        assert kratos_configuration.names_mail_server(theirs) is named


class TestTheirs:
    def test_what_they_set_is_left_to_them(self) -> None:
        theirs = {
            "version": "v1.0.0",
            "serve": {"public": {"base_url": "https://auth.example"}},
            "session": {"cookie": {"name": "mine"}},
            "courier": {"smtp": {"connection_uri": "smtps://mail.example"}},
            "log": {"level": "debug"},
        }
        found = configuration(theirs)
        assert "version" not in found
        assert "session" not in found
        assert "courier" not in found
        assert "base_url" not in found["serve"]["public"]
        assert found["log"] == {"format": "text", "leak_sensitive_values": False}

    def test_kratos_listens_where_it_is_published_from_though_theirs_was_made_for_another_place(self) -> None:
        theirs = {
            "serve": {
                "public": {"base_url": "https://auth.example", "port": 80, "host": "127.0.0.1"},
                "admin": {"port": 4434, "host": "localhost"},
            }
        }
        serve = configuration(theirs)["serve"]
        assert (serve["public"]["port"], serve["public"]["host"]) == (4433, "0.0.0.0")
        assert serve["admin"] == {"host": "0.0.0.0"}
        assert "port" not in configuration({"serve": {"public": {"port": 4433, "host": ""}}})["serve"]["public"]

    def test_what_they_leave_empty_is_filled_in(self) -> None:
        assert configuration({"session": None, "log": {"level": None}})["log"]["level"] == "info"

    @given(THEIRS)
    def test_nothing_they_set_is_overridden(self, theirs: dict[str, Any]) -> None:
        for path in paths(configuration(theirs)):
            assert path == () or lookup(theirs, path) is None

    @given(THEIRS)
    def test_any_configuration_of_theirs_can_be_rendered(self, theirs: dict[str, Any]) -> None:
        asked = stacks.environment(config_dir="./kratos")
        found = stacks.files(asked, stacks.place(asked), theirs)
        assert not any(path.startswith("kratos/") for path in found)
        for path in ("environment.yml", "compose.yaml", "secrets/kratos.yml"):
            assert stacks.load(found[path].text) is not None
        kratos_configuration.names_mail_server(theirs)

    def test_secrets_that_are_no_mapping_are_kratos_to_refuse(self) -> None:
        for theirs in (True, "default", ["default"], None):
            assert set(secrets.as_kratos(stacks.SECRETS, "memory", {"secrets": theirs})["secrets"]) == set(
                secrets.KINDS
            )

    def test_their_secrets_are_left_to_them_kind_by_kind(self) -> None:
        kept = secrets.as_kratos(stacks.SECRETS, "memory", {"secrets": {"cookie": ["theirs"]}})
        assert set(kept["secrets"]) == {"default", "cipher"}
        assert kept["dsn"] == "memory"


@pytest.mark.parametrize(
    ("database", "dsn"),
    [
        ("memory", "memory"),
        ("sqlite", "sqlite:///var/lib/sqlite/db.sqlite?_fk=true&mode=rwc"),
        ("external", stacks.SECRETS.external_dsn),
        (
            "postgres",
            "postgres://kratos:postgres-password-4@postgres:5432/kratos?sslmode=disable&max_conns=20&max_idle_conns=4",
        ),
    ],
)
def test_kratos_is_given_the_address_of_its_database(database: str, dsn: str) -> None:
    assert kratos_configuration.dsn(stacks.environment(database=database), stacks.SECRETS) == dsn

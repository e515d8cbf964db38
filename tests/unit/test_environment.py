"""The model: defaults, and every combination that cannot work, refused with the ways out before anything starts."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given

from kratosctl import catalog, fragments, questions
from kratosctl.environment import Environment, from_answers, reason_against
from kratosctl.errors import ChoiceImpossible, ConfigurationInvalid, FloatingTag, NameInvalid
from tests.unit import stacks


def refused(**answers: Any) -> ChoiceImpossible:
    with pytest.raises(ChoiceImpossible) as caught:
        from_answers("dev", answers)
    assert len(caught.value.lines()) == 3
    return caught.value


class TestDefaults:
    def test_nothing_asked_for_is_the_newest_kratos_on_sqlite_with_pages_and_mail(self) -> None:
        asked = from_answers("dev", {})
        assert (asked.release, asked.variant, asked.database) == (catalog.NEWEST.tag, "default", "sqlite")
        assert (asked.preset, asked.ui, asked.mail) == ("email-password", True, True)
        assert asked.kratos_image == f"oryd/kratos:{catalog.NEWEST.tag}"
        assert asked.ui_image == f"oryd/kratos-selfservice-ui-node:{catalog.NEWEST.tag}"
        assert (asked.host, asked.bind, asked.admin_bind) == ("localhost", "127.0.0.1", "127.0.0.1")
        assert (asked.admin_port, asked.postgres_port) == (None, None)

    def test_every_default_image_is_pinned(self) -> None:
        asked = from_answers("dev", {"database": "postgres"})
        for image in (asked.kratos_image, asked.postgres_image, asked.ui_image, asked.mail_image, asked.proxy_image):
            catalog.check_reference(image, allow_floating=False)

    def test_an_answer_that_is_none_is_no_answer(self) -> None:
        assert from_answers("dev", dict.fromkeys(questions.BY_KEY)) == from_answers("dev", {})
        assert from_answers("dev", {"preset": "api-only", "ui": None}).ui is False

    def test_without_pages_there_is_no_ui_unless_it_was_asked_for(self) -> None:
        assert from_answers("dev", {"preset": "api-only"}).ui is False
        assert from_answers("dev", {"preset": "api-only", "ui": True}).ui is True

    def test_the_self_service_ui_is_of_the_same_release(self) -> None:
        assert from_answers("dev", {"release": "v1.3.1"}).ui_image.endswith(":v1.3.1")
        assert from_answers("dev", {"release": "v1.3"}).ui_image.endswith(f":{catalog.NEWEST.tag}")

    def test_a_memory_database_has_nothing_to_migrate(self) -> None:
        assert not from_answers("dev", {"database": "memory"}).migrates
        assert all(from_answers("dev", {"database": d}).migrates for d in ("sqlite", "postgres", "external"))

    def test_the_admin_api_follows_bind_only_with_the_flag_that_names_the_risk(self) -> None:
        assert from_answers("dev", {"bind": "0.0.0.0"}).admin_bind == "127.0.0.1"
        flag = {"expose_admin_without_authentication": True}
        assert from_answers("dev", {"bind": "0.0.0.0", **flag}).admin_bind == "0.0.0.0"
        assert from_answers("dev", flag).admin_bind == "127.0.0.1"


class TestApplication:
    @pytest.mark.parametrize(
        ("app_url", "host"),
        [
            ("http://localhost:3000", None),
            ("http://127.0.0.1:3000", "127.0.0.1"),
            ("http://[::1]:3000", "[::1]"),
            ("https://shop.example.test", "auth.example.test"),
        ],
    )
    def test_it_may_be_where_browsers_send_it_kratos_cookies(self, app_url: str, host: str | None) -> None:
        assert from_answers("dev", {"app_url": app_url, "host": host}).app_url == app_url

    def test_at_another_name_of_this_host_it_gets_none_and_is_refused(self) -> None:
        error = refused(app_url="http://127.0.0.1:3000")
        assert "127.0.0.1" in error.what
        assert "localhost" in error.what
        assert "--app-url http://localhost:3000, or --host 127.0.0.1" in error.fix
        refused(app_url="http://localhost:3000", host="teacher.local")


class TestImages:
    def test_what_listens_on_loopback_alone_is_not_called_by_the_name_that_others_call_this_host(self) -> None:
        lan = {"bind": "0.0.0.0", "host": "teacher.local", "admin_port": 4434}
        assert from_answers("dev", lan).url("admin", 4434) == "http://localhost:4434"
        assert from_answers("dev", lan).url("public", 4433) == "http://teacher.local:4433"
        assert from_answers("dev", {"host": "teacher.local"}).url("admin", 4434) == "http://teacher.local:4434"

    def test_a_named_image_tells_its_release_and_variant(self) -> None:
        asked = from_answers("dev", {"kratos_image": "oryd/kratos:v1.3.1-distroless", "database": "postgres"})
        assert (asked.release, asked.variant) == ("v1.3.1", "distroless")
        assert asked.kratos_image == "oryd/kratos:v1.3.1-distroless"

    def test_a_distroless_image_does_not_meet_sqlite_by_another_way(self) -> None:
        """Kratos would retry for five minutes: "sqlite3 support was not compiled into the binary"."""
        assert "SQLite" in refused(kratos_image="oryd/kratos:v26.2.0-distroless").what
        assert "distroless image" in refused(kratos_image="oryd/kratos:v26.2.0-distroless", variant="default").what

    def test_an_image_of_another_release_than_asked_for_is_refused(self) -> None:
        error = refused(kratos_image="oryd/kratos:v1.3.1", release="v26.2.0")
        assert error.lines()[::2] == ["oryd/kratos:v1.3.1 is not Kratos v26.2.0", "use --release v1.3.1"]
        assert from_answers("dev", {"kratos_image": "oryd/kratos:v1.3.1", "release": "v1.3"}).release == "v1.3"

    def test_people_tag_their_own_images_as_they_like(self) -> None:
        asked = from_answers("dev", {"kratos_image": "acme/login:v3", "release": "v1.1.0"})
        assert (asked.release, asked.kratos_image) == ("v1.1.0", "acme/login:v3")
        assert from_answers("dev", {"kratos_image": "acme/login:v3"}).release == catalog.NEWEST.tag

    @pytest.mark.parametrize("key", ["kratos_image", "ui_image", "mail_image", "proxy_image"])
    def test_latest_and_no_tag_are_refused_for_every_image(self, key: str) -> None:
        for reference in ("x/y", "x/y:latest"):
            answers = {key: reference, "https": True}
            with pytest.raises(FloatingTag):
                from_answers("dev", answers)
            assert getattr(from_answers("dev", {**answers, "allow_floating_tag": True}), key) == reference

    def test_an_image_that_does_not_run_may_be_called_anything(self) -> None:
        asked: dict[str, str | bool] = dict.fromkeys(["ui_image", "mail_image", "postgres_image", "proxy_image"], "x")
        asked |= {"ui": False, "mail": False}
        assert from_answers("dev", asked).ui_image == "x"
        with pytest.raises(FloatingTag):
            from_answers("dev", {"postgres_image": "x", "database": "postgres"})

    def test_release_latest_is_refused_with_the_exact_one_to_use(self) -> None:
        with pytest.raises(FloatingTag) as caught:
            from_answers("dev", {"release": "latest"})
        assert catalog.NEWEST.tag in caught.value.fix
        assert from_answers("dev", {"release": "latest", "allow_floating_tag": True}).kratos_image.endswith(":latest")


class TestImpossible:
    @pytest.mark.parametrize("database", ["sqlite", "memory"])
    def test_distroless_cannot_use_sqlite_and_both_ways_out_are_named(self, database: str) -> None:
        error = refused(variant="distroless", database=database)
        assert "--variant default" in error.fix
        assert "--database postgres" in error.fix

    @pytest.mark.parametrize("variant", catalog.VARIANTS)
    def test_a_platform_no_image_is_built_for_is_refused_with_those_there_are(self, variant: str) -> None:
        error = refused(variant=variant, database="postgres", platform="linux/riscv64")
        assert all(platform in error.why for platform in catalog.ARCHITECTURES[variant])
        assert "--variant default" not in error.fix

    def test_a_platform_the_other_variant_has_is_said(self) -> None:
        assert "--variant default" in refused(variant="distroless", database="postgres", platform="linux/arm/v7").fix

    @pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "192.168.1.5"])
    def test_a_passkey_needs_a_host_name(self, host: str) -> None:
        assert refused(preset="passkey", host=host).fix.startswith("use --host localhost")

    def test_people_on_other_machines_are_not_told_to_open_localhost_for_a_passkey(self) -> None:
        fix = refused(preset="passkey", host="192.168.1.20", https=True).fix
        assert "--host teacher.local" in fix
        assert "localhost" not in fix

    def test_a_passkey_needs_localhost_or_tls(self) -> None:
        assert "browsers make them on localhost, or by TLS" in refused(preset="passkey", host="teacher.local").why
        for host, https in (("teacher.local", True), ("localhost", False), ("dev.localhost", False)):
            assert from_answers("dev", {"preset": "passkey", "host": host, "https": https}).host == host

    def test_every_combination_is_refused_exactly_where_it_cannot_work(self) -> None:
        presets = fragments.presets()["presets"]
        for preset, release, variant, database in itertools.product(
            questions.PRESETS, catalog.RELEASES, catalog.VARIANTS, questions.DATABASES
        ):
            answers = {"preset": preset, "release": release.tag, "variant": variant, "database": database}
            too_old = catalog.version_key(release.tag) < catalog.version_key(presets[preset]["since"])
            no_sqlite = variant == "distroless" and database in ("sqlite", "memory")
            if too_old or no_sqlite:
                error = refused(**answers)
                assert (release.tag in error.what) == (too_old and not no_sqlite)
            else:
                assert from_answers("dev", answers).preset == preset

    @pytest.mark.parametrize("key", ["database", "variant", "preset", "platform", "config", "release"])
    def test_what_is_not_answered_yet_is_no_reason_against_a_choice(self, key: str) -> None:
        """The prompts ask before everything is known."""
        for value in questions.BY_KEY[key].choices or (None,):
            reason = reason_against({key: value})
            assert reason is None or value == "passkey"

    @given(stacks.environments())
    def test_what_the_model_takes_has_nothing_against_it(self, asked: Environment) -> None:
        assert reason_against(vars(asked)) is None


class TestNames:
    @pytest.mark.parametrize("name", ["dev", "a", "0", "seat-07", "a" * 32, "null", "1e5"])
    def test_a_plain_name_is_one(self, name: str) -> None:
        assert from_answers(name, {}).name == name

    @pytest.mark.parametrize(
        "name",
        ["", "../x", "a b", "é", "A", "a" * 300, "$HOME", "$(id)", "-a", "a-", "a_b", "a/b", "a\n", "\0", ".", "ａ"],
    )
    def test_a_hostile_name_is_refused_in_three_short_lines(self, name: str) -> None:
        with pytest.raises(NameInvalid) as caught:
            from_answers(name, {})
        assert len(caught.value.lines()) == 3
        assert max(map(len, caught.value.lines())) < 120
        assert all(line.isprintable() for line in caught.value.lines())

    def test_a_release_that_is_none_is_refused(self) -> None:
        with pytest.raises(ConfigurationInvalid):
            from_answers("dev", {"release": "v0.13.0"})

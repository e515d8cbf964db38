"""Which questions are put, which choices can work, and what the last look shows. No terminal takes part."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kratosctl import catalog, questions
from kratosctl.answers import asking, selection
from kratosctl.answers.asking import Choice, Host, Prompt
from kratosctl.environment import from_answers
from kratosctl.errors import ChoiceImpossible, FloatingTag, KratosctlError, PortTaken

ORDER = ["preset", "database", "release", "variant", "ui", "mail", "public_port"]
QUIET = Host(is_taken=lambda _port, _address: False, holder=lambda port: f"nobody, not even on {port}")


def host(*taken: int, dsn: bool = False) -> Host:
    return Host(lambda port, _address: port in taken, lambda port: f"program {port}", "" if dsn else asking.NO_DSN)


def prompt(key: str, /, on: Host = QUIET, **answers: Any) -> Prompt:
    return asking.prompt_for("dev", questions.BY_KEY[key], answers, on)


def choices(found: Prompt) -> dict[Any, str]:
    """Value -> why it cannot work."""
    return {choice.value: choice.against for choice in found.choices}


def asked(skip: tuple[str, ...] = (), on: Host = QUIET, **answers: Any) -> list[Prompt]:
    """The prompts a person sees who takes every default."""
    seen: list[Prompt] = []

    def take_default(put: Prompt) -> Any:
        seen.append(put)
        return put.default

    asking.interview("dev", answers, skip, on, take_default)
    return seen


def test_the_questions_come_in_the_order_of_the_documentation() -> None:
    assert [question.key for question in asking.open_questions({})] == ORDER


@pytest.mark.parametrize("key", ORDER)
def test_what_a_flag_or_variable_said_is_not_asked(key: str) -> None:
    said = {
        "preset": "oidc",
        "database": "postgres",
        "release": "v1.1.0",
        "variant": "distroless",
        "ui": False,
        "mail": False,
        "public_port": 5000,
    }[key]
    assert [q.key for q in asking.open_questions({key: said})] == [other for other in ORDER if other != key]


def test_a_directory_of_ones_own_leaves_the_preset_unasked() -> None:
    assert "preset" not in [q.key for q in asking.open_questions({"config_dir": "./kratos"}, {"preset"})]


@pytest.mark.parametrize(
    ("image", "open_keys"),
    [
        ("oryd/kratos:v1.3.1", {"preset", "database", "ui", "mail", "public_port"}),
        ("registry.example/oryd/kratos:v1.1.0-distroless", {"preset", "database", "ui", "mail", "public_port"}),
        ("mine/kratos:2024-11", set(ORDER)),
        ("oryd/kratos@sha256:" + "0" * 64, set(ORDER)),
    ],
)
def test_what_an_image_of_ones_own_decides_is_not_asked(image: str, open_keys: set[str]) -> None:
    assert {q.key for q in asking.open_questions({"kratos_image": image})} == open_keys


def test_a_distroless_image_of_ones_own_rules_sqlite_out() -> None:
    answers = asking.interview(
        "dev", {"kratos_image": "oryd/kratos:v1.3.1-distroless"}, (), QUIET, lambda put: put.default
    )
    assert (answers["database"], answers["variant"], answers["release"]) == ("postgres", "distroless", "v1.3.1")


def test_releases_are_offered_newest_first() -> None:
    tags = list(choices(prompt("release")))
    assert tags == [release.tag for release in reversed(catalog.RELEASES)]
    assert prompt("release").default == tags[0]


def test_every_choice_says_what_it_is_good_for() -> None:
    about = [choice.about for put in asked() for choice in put.choices]
    assert about
    assert all(about)


def test_distroless_with_sqlite_is_shown_and_cannot_be_picked() -> None:
    for database in ("sqlite", "memory"):
        assert "SQLite" in choices(prompt("variant", database=database))["distroless"]
    assert choices(prompt("variant", database="postgres"))["distroless"] == ""


def test_with_the_distroless_image_postgres_is_the_default_and_sqlite_cannot_be_picked() -> None:
    put = prompt("database", variant="distroless")
    assert put.default == "postgres"
    assert {value for value, against in choices(put).items() if "SQLite" in against} == {"sqlite", "memory"}


def test_a_preset_too_new_for_the_release_cannot_be_picked() -> None:
    against = choices(prompt("preset", release="v1.1.0"))
    assert "v1.2.0" in against["passkey"]
    assert not any(reason for preset, reason in against.items() if preset != "passkey")


def test_a_release_too_old_for_the_preset_cannot_be_picked() -> None:
    against = choices(prompt("release", preset="passkey"))
    assert {tag for tag, reason in against.items() if reason} == {"v1.0.0", "v1.1.0"}


def test_an_external_database_can_be_picked_only_where_dsn_is_set() -> None:
    assert "DSN" in choices(prompt("database"))["external"]
    assert choices(prompt("database", host(dsn=True)))["external"] == ""


@pytest.mark.parametrize("preset", questions.PRESETS)
def test_enter_alone_answers_as_yes_does(preset: str) -> None:
    pressed = asking.interview("dev", {"preset": preset}, (), QUIET, lambda put: put.default)
    assert from_answers("dev", pressed) == from_answers("dev", {"preset": preset})


def test_the_usual_port_is_offered_where_it_is_free() -> None:
    put = prompt("public_port")
    assert [choice.title for choice in put.choices] == ["4433", "another"]
    assert put.default is None, "kratosctl chooses, now and later"


def test_a_taken_port_is_shown_with_its_holder_and_the_next_free_one_offered() -> None:
    taken, offered, _ = prompt("public_port", host(4433)).choices
    assert taken == Choice(4433, "4433", against="taken by program 4433")
    assert (offered.title, offered.value) == ("4533", None)


def test_the_port_offered_is_the_one_that_is_then_chosen() -> None:
    # 4433 itself is free, but the UI's and the inbox's go together with it
    on = host(4455, 8125)
    offered = next(choice for choice in prompt("public_port", on).choices if choice.value is None)
    assert asking.allot(from_answers("dev", {}), on)["public"] == int(offered.title)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("5000", ""),
        (" 5000 ", ""),
        ("4433", "taken by program 4433"),
        ("0", "from 1 to 65535"),
        ("70000", "from 1 to 65535"),
        ("abc", "from 1 to 65535"),
        ("", "from 1 to 65535"),
        ("-1", "from 1 to 65535"),
        ("9" * 5000, "from 1 to 65535"),
    ],
)
def test_a_typed_port_is_refused_with_the_reason(typed: str, reason: str) -> None:
    put: list[Prompt] = []

    def answer(prompt: Prompt) -> Any:
        put.append(prompt)
        return "another" if prompt.kind == "choice" else "5000"

    answers = {key: None for key in ORDER if key != "public_port"}
    asking.interview("dev", answers, (), host(4433), answer)
    assert put[-1].kind == "text"
    assert reason in put[-1].check(typed)
    assert bool(put[-1].check(typed)) == bool(reason)


def test_a_typed_port_is_kept_and_an_offered_one_left_to_kratosctl() -> None:
    typed = asking.interview("dev", {}, (), QUIET, lambda put: _port(put, "another"))
    offered = asking.interview("dev", {}, (), QUIET, lambda put: put.default)
    assert typed["public_port"] == 6000
    assert "public_port" not in offered


def _port(put: Prompt, which: str) -> Any:
    if put.kind == "text":
        return "6000"
    return which if any(choice.value == which for choice in put.choices) else put.default


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        ({"variant": "distroless", "database": "sqlite"}, ChoiceImpossible),
        ({"variant": "distroless", "database": "memory"}, ChoiceImpossible),
        ({"release": "v1.1.0", "preset": "passkey"}, ChoiceImpossible),
        ({"release": "latest"}, FloatingTag),
        ({"variant": "distroless", "platform": "linux/arm/v7"}, ChoiceImpossible),
        ({"platform": "linux/riscv64"}, ChoiceImpossible),
        ({"public_port": 4433}, PortTaken),
        ({"kratos_image": "oryd/kratos"}, FloatingTag),
        ({"kratos_image": "oryd/kratos:v1.3.1", "release": "v1.1.0"}, ChoiceImpossible),
        ({"kratos_image": "oryd/kratos:v1.1.0", "preset": "passkey"}, ChoiceImpossible),
    ],
)
def test_flags_that_cannot_work_are_refused_before_the_first_question(
    flags: dict[str, Any], error: type[KratosctlError]
) -> None:
    with pytest.raises(error):
        asking.refuse_impossible("dev", flags, (), host(4433))


@pytest.mark.parametrize("flags", [{"variant": "distroless"}, {"release": "v1.0.0"}, {"platform": "linux/arm/v7"}])
def test_flags_that_some_answer_makes_work_are_not_refused(flags: dict[str, Any]) -> None:
    asking.refuse_impossible("dev", flags, (), QUIET)


def test_enter_alone_answers_what_no_question_at_all_would() -> None:
    answers = asking.interview("dev", {}, (), QUIET, lambda put: put.default)
    assert from_answers("dev", answers) == from_answers("dev", {})


FLAGS = st.fixed_dictionaries(
    {},
    optional={
        "preset": st.sampled_from(questions.PRESETS),
        "database": st.sampled_from(questions.DATABASES),
        "release": st.sampled_from([*[release.tag for release in catalog.RELEASES], "v1", "v1.3", "v25", "latest"]),
        "variant": st.sampled_from(catalog.VARIANTS),
        "ui": st.booleans(),
        "mail": st.booleans(),
        "public_port": st.integers(1, 20000),
        "ui_port": st.integers(20001, 65535),
        "platform": st.sampled_from([*catalog.ARCHITECTURES["default"], "linux/s390x"]),
        "host": st.sampled_from(["localhost", "127.0.0.1", "auth.example"]),
        "allow_floating_tag": st.booleans(),
        "kratos_image": st.sampled_from(
            ["oryd/kratos:v1.1.0", "oryd/kratos:v26.2.0-distroless", "mine:1", "mine:1-distroless", "oryd/kratos"]
        ),
    },
)


@settings(deadline=None)
@given(FLAGS, st.data(), st.booleans())
def test_no_way_through_the_questions_ends_in_an_environment_that_cannot_work(
    flags: dict[str, Any], data: st.DataObject, dsn: bool
) -> None:
    on = host(4433, 4533, 8025, dsn=dsn)
    try:
        asking.refuse_impossible("dev", flags, (), on)
    except KratosctlError:
        return
    answers = asking.interview("dev", flags, (), on, lambda put: _any_answer(put, data))
    environment = from_answers("dev", answers)
    assert {key: answers[key] for key in flags} == flags, "a flag goes before an answer"
    assert "public" in asking.allot(environment, on)
    again = selection.saved_answers(answers, environment)
    assert from_answers("dev", again) == environment, "what is written to kratosctl.yaml means the same"


def _any_answer(put: Prompt, data: st.DataObject) -> Any:
    if put.kind == "yes-no":
        return data.draw(st.booleans())
    if put.kind == "text":
        return next(text for text in map(str, itertools.count(7000)) if not put.check(text))
    possible = [choice.value for choice in put.choices if not choice.against]
    assert put.default in possible
    return data.draw(st.sampled_from(possible))


def _summary(writes: tuple[str, ...] = (), **answers: Any) -> Iterator[str]:
    environment = from_answers("dev", answers)
    yield from asking.summary(environment, asking.allot(environment, QUIET), writes).splitlines()


def test_the_summary_names_everything_that_was_chosen_and_what_will_be_written() -> None:
    said = " ".join(" ".join(_summary(("kratosctl.yaml", ".kratosctl/dev/"), database="postgres", mail=False)).split())
    for part in (
        "Environment dev:",
        f"release {catalog.NEWEST.tag}",
        "variant default",
        "database postgres",
        "preset email-password",
        "public API http://localhost:4433",
        "UI http://localhost:4455",
        "mail inbox no",
        "writes kratosctl.yaml .kratosctl/dev/",
    ):
        assert part in said


def test_the_summary_says_that_passwords_are_not_checked_against_leaks() -> None:
    assert "haveibeenpwned.com" in "\n".join(_summary())


def test_the_summary_shows_ports_that_are_published_on_request() -> None:
    said = "\n".join(_summary(database="postgres", admin_port=4434, postgres_port=5432))
    assert "http://localhost:4434" in said
    assert "localhost:5432" in said


def test_the_summary_fits_a_terminal_of_eighty_columns_and_twenty_four_rows() -> None:
    for preset in questions.PRESETS:
        lines = list(_summary(("kratosctl.yaml", ".kratosctl/dev/ (Compose file, secrets, data)"), preset=preset))
        assert max(map(len, lines)) < 80
        assert len(lines) <= 20


def test_no_question_with_its_choices_is_wider_than_eighty_columns() -> None:
    for put in asked(on=host(4433)):
        width = max((len(choice.title) for choice in put.choices), default=0) + 3
        for choice in put.choices:
            assert 3 + width + len(choice.against or choice.about) + 2 < 80

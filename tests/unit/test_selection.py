"""Which environment is meant, and whose word counts: flag, then variable, then kratosctl.yaml, then default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl import questions
from kratosctl.answers import configuration_file, selection
from kratosctl.answers.configuration_file import FILE_NAME
from kratosctl.environment import from_answers
from kratosctl.errors import ConfigurationInvalid, KratosctlError, NameInvalid, UnknownKey, UsageError
from kratosctl.questions import BY_KEY

DSN = "postgres://ada:pa%24s@db.example:5432/shop"


def select(
    directory: Path, name: str | None = None, flags: dict[str, Any] | None = None, **variables: str
) -> selection.Selection:
    return selection.select(directory, name, flags or {}, variables)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / FILE_NAME).write_text("environments:\n  dev: {database: postgres, ui: false}\n", encoding="utf-8")
    return tmp_path


class TestPrecedence:
    @pytest.mark.parametrize(
        ("flag", "variable", "expected"),
        [("memory", "sqlite", "memory"), (None, "sqlite", "sqlite"), (None, "", "postgres"), (None, None, "postgres")],
    )
    def test_flag_before_variable_before_file(
        self, file: Path, flag: str | None, variable: str | None, expected: str
    ) -> None:
        variables = {} if variable is None else {"KRATOSCTL_DATABASE": variable}
        assert select(file, None, {"database": flag}, **variables).answers["database"] == expected

    def test_the_file_before_the_default(self, file: Path) -> None:
        assert selection.environment_of(select(file)).ui is False
        assert selection.environment_of(select(file)).mail is True

    @pytest.mark.parametrize("row", questions.QUESTIONS, ids=lambda row: row.key)
    def test_every_row_has_a_flag_and_a_variable_of_the_same_weight(
        self, tmp_path: Path, row: questions.Question
    ) -> None:
        value = {
            "switch": "off", "port": "10001", "path": "./k", "file": "./p.csv", "text": "x:1", "release": "v1.1.0",
            "host": "auth.example", "address": "0.0.0.0", "range": "10.9.0.0/16", "origin": "http://auth.example",
            "choice": (row.choices or ("",))[-1],
        }[row.kind]  # fmt: skip
        by_flag = select(tmp_path, None, {row.key: value}).answers
        by_variable = selection.select(tmp_path, None, {}, {row.variable: value}).answers
        assert by_flag == by_variable == {row.key: questions.check_value(row, value)}

    def test_a_wrong_value_is_told_with_its_flag_and_variable(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationInvalid) as caught:
            select(tmp_path, KRATOSCTL_PUBLIC_PORT="x")
        assert caught.value.what.startswith("--public-port (or KRATOSCTL_PUBLIC_PORT): expected a port number")

    def test_so_is_a_release_that_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationInvalid) as caught:
            select(tmp_path, KRATOSCTL_RELEASE="v1 3")
        assert caught.value.what == "--release (or KRATOSCTL_RELEASE): 'v1 3' is not a Kratos release"

    def test_what_differs_from_the_file_is_told(self, file: Path) -> None:
        assert select(file, None, {"database": "postgres", "ui": True, "mail": True}).differs == ("ui", "mail")
        assert select(file).differs == ()
        assert select(file, "new", {"ui": True}).differs == ()


class TestPicking:
    def test_dev_where_there_is_nothing(self, tmp_path: Path) -> None:
        found = select(tmp_path)
        assert (found.name, found.known, dict(found.answers)) == ("dev", False, {})

    def test_the_only_one_whatever_its_name(self, tmp_path: Path) -> None:
        (tmp_path / FILE_NAME).write_text("environments: {ci: {}}\n", encoding="utf-8")
        assert (select(tmp_path).name, select(tmp_path).known) == ("ci", True)

    def test_dev_among_several(self, tmp_path: Path) -> None:
        (tmp_path / FILE_NAME).write_text("environments: {ci: {}, dev: {}}\n", encoding="utf-8")
        assert select(tmp_path).name == "dev"

    def test_several_without_dev_have_to_be_named(self, tmp_path: Path) -> None:
        (tmp_path / FILE_NAME).write_text("environments: {ci: {}, stage: {}}\n", encoding="utf-8")
        with pytest.raises(UsageError) as caught:
            select(tmp_path)
        assert caught.value.why == "there are ci, stage"
        assert select(tmp_path, "stage").name == "stage"

    def test_of_a_whole_class_only_the_first_are_named(self) -> None:
        assert questions.listed([f"seat-{number:02d}" for number in range(1, 31)]).endswith("seat-12 and 18 more")
        assert questions.listed(["ci"]) == "ci"

    def test_a_wrong_file_and_a_hostile_name_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(NameInvalid):
            select(tmp_path, "../x")
        (tmp_path / FILE_NAME).write_text("environment: {}\n", encoding="utf-8")
        with pytest.raises(UnknownKey):
            select(tmp_path)


class TestDsn:
    @pytest.mark.parametrize("scheme", ["postgres", "postgresql", "mysql", "cockroach"])
    def test_a_dsn_makes_the_database_external_where_nothing_else_says_which(self, file: Path, scheme: str) -> None:
        chosen = select(file, "new", DSN=f"{scheme}://u:p@h/d")
        assert chosen.answers["database"] == "external"
        selection.refuse_other_dsn(chosen)
        (file / FILE_NAME).write_text("environments: {dev: {ui: false}}", encoding="utf-8")
        assert select(file, DSN=DSN).answers["database"] == "external"
        assert select(file, DSN=DSN).differs == ("database",)

    def test_memory_makes_it_memory(self, tmp_path: Path) -> None:
        assert select(tmp_path, DSN="memory").answers["database"] == "memory"

    @pytest.mark.parametrize(
        ("kept", "dsn", "named"),
        [("sqlite", DSN, "external"), ("postgres", "memory", "memory"), ("memory", "redis://x", "external")],
    )
    def test_another_database_in_the_file_is_meant_until_somebody_says_otherwise(
        self, file: Path, kept: str, dsn: str, named: str
    ) -> None:
        (file / FILE_NAME).write_text(f"environments: {{dev: {{database: {kept}}}}}", encoding="utf-8")
        chosen = select(file, DSN=dsn)
        assert (chosen.answers["database"], chosen.differs) == (kept, ())
        with pytest.raises(ConfigurationInvalid) as caught:
            selection.refuse_other_dsn(chosen)
        assert caught.value.fix == f"say which: --database {named}, or --database {kept}, or unset DSN"

    @pytest.mark.parametrize("database", ["external", "memory"])
    def test_a_dsn_and_a_file_that_mean_the_same_go_together(self, file: Path, database: str) -> None:
        (file / FILE_NAME).write_text(f"environments: {{dev: {{database: {database}}}}}", encoding="utf-8")
        selection.refuse_other_dsn(select(file, DSN="memory" if database == "memory" else DSN))

    def test_an_empty_one_is_none(self, file: Path) -> None:
        assert select(file, DSN="").answers["database"] == "postgres"

    @pytest.mark.parametrize("database", ["sqlite", "postgres", "memory"])
    def test_a_database_asked_for_by_flag_or_variable_counts_more(self, file: Path, database: str) -> None:
        selection.refuse_other_dsn(select(file, None, {"database": database}, DSN=DSN))
        selection.refuse_other_dsn(select(file, DSN=DSN, KRATOSCTL_DATABASE=database))
        assert select(file, None, {"database": database}, DSN=DSN).answers["database"] == database
        assert select(file, DSN=DSN, KRATOSCTL_DATABASE=database).answers["database"] == database
        assert select(file, None, {"database": database}, DSN="sqlite:///x").answers["database"] == database

    def test_external_with_a_dsn_that_is_none_is_refused(self, tmp_path: Path) -> None:
        for dsn in ("memory", "sqlite:///x", "redis://x"):
            with pytest.raises(ConfigurationInvalid):
                select(tmp_path, None, {"database": "external"}, DSN=dsn)

    @pytest.mark.parametrize(
        ("dsn", "said"),
        [
            ("sqlite:///x.db", "an SQLite file inside a container"),
            ("redis://x", "scheme 'redis'"),
            ("hunter2-hunter2", "no scheme"),
            ("ada:hunter2@db/shop", "no scheme"),
            ("postgres://a:hunter2%zz@db/shop", "a % that encodes nothing"),
            ("postgres://a:hunter2\n@db/shop", "not plain text"),
            ("postgres://a:hunter2\udcff@db/shop", "not plain text"),
        ],
    )
    def test_what_kratos_would_retry_in_silence_is_refused_and_not_quoted(
        self, tmp_path: Path, dsn: str, said: str
    ) -> None:
        with pytest.raises(ConfigurationInvalid) as caught:
            select(tmp_path, DSN=dsn)
        assert said in caught.value.what
        assert "hunter2" not in " ".join(caught.value.lines())

    @given(st.text(min_size=1))
    def test_no_dsn_is_ever_quoted(self, secret: str) -> None:
        secret = f"hunter2{secret}"
        for dsn in (secret.replace("://", ""), f"postgres://u:{secret}@h/d", f"redis://{secret}", f"://{secret}"):
            try:
                lines = [selection.select(Path("/nowhere"), None, {}, {"DSN": dsn}).answers["database"]]
            except KratosctlError as error:
                lines = error.lines()
            assert "hunter2" not in " ".join(lines)


class TestSaving:
    def test_what_a_colleague_needs_is_saved_and_pinned(self, tmp_path: Path) -> None:
        chosen = select(tmp_path, None, {"admin_port": 4434})
        saved = selection.saved_answers(chosen.answers, selection.environment_of(chosen))
        assert saved == {
            "release": "v26.2.0", "variant": "default", "database": "sqlite", "preset": "email-password",
            "ui": True, "mail": True, "admin_port": 4434,
        }  # fmt: skip

    def test_a_preset_that_is_not_used_is_not_saved(self, tmp_path: Path) -> None:
        chosen = select(tmp_path, None, {"config_dir": "./kratos"})
        assert "preset" not in selection.saved_answers(chosen.answers, selection.environment_of(chosen))

    @given(st.fixed_dictionaries({}, optional={"ui": st.booleans(), "release": st.sampled_from(["v1.1.0", "v26"])}))
    def test_what_is_saved_selects_the_same_again(self, answers: dict[str, Any]) -> None:
        chosen = selection.select(Path("/nowhere"), "dev", answers, {})
        environment = selection.environment_of(chosen)
        text = configuration_file.add("", "dev", selection.saved_answers(chosen.answers, environment))
        again = selection.Selection("dev", configuration_file.parse(text)["dev"], True)
        assert selection.environment_of(again) == environment

    def test_every_saved_key_is_a_row_of_the_table(self, tmp_path: Path) -> None:
        chosen = select(tmp_path)
        assert set(selection.saved_answers(chosen.answers, selection.environment_of(chosen))) <= set(BY_KEY)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"postgres_port": 5433}, "--postgres-port has no effect: the database is sqlite"),
        ({"ui": False, "ui_port": 4456}, "--ui-port has no effect: there is no self-service UI"),
        ({"preset": "api-only", "mail": False, "mail_port": 8026}, "--mail-port has no effect: there is no mail inbox"),
        ({"database": "external", "seed": "people.yaml"}, "--seed has no effect: the database is external, and"),
        (
            {"expose_admin_without_authentication": True},
            "--expose-admin-without-authentication has no effect: the admin",
        ),
    ],
)
def test_who_asks_for_what_the_environment_does_not_have_is_told(asked: dict[str, Any], said: str) -> None:
    (note,) = selection.without_effect(asked, from_answers("dev", asked))

    assert note.startswith(said)


def test_what_has_an_effect_is_not_spoken_of() -> None:
    asked = {
        "database": "postgres",
        "postgres_port": 5433,
        "ui_port": 4456,
        "mail_port": 8026,
        "seed": "people.yaml",
        "admin_port": 4434,
        "expose_admin_without_authentication": True,
    }

    assert selection.without_effect(asked, from_answers("dev", asked)) == ()

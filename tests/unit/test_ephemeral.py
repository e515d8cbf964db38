"""What is asked of an ephemeral environment, and what that makes of its files."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
import yaml

from kratosctl import questions, running
from kratosctl.answers import selection
from kratosctl.answers.wishes import Wishes
from kratosctl.commands import status
from kratosctl.console import Console
from kratosctl.database import sqlite_volume
from kratosctl.engine import program, reading
from kratosctl.engine.objects import Container, Labelled
from kratosctl.environment import Environment
from kratosctl.ephemeral import environments, remains
from kratosctl.ephemeral.remains import Remains
from kratosctl.errors import ChoiceImpossible, DatabaseUnreachable, NotReady, NotRunning, SeedFailed, UnknownKey
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.host import ports
from kratosctl.kratos import readiness
from kratosctl.limits import Limits
from kratosctl.running import Found
from kratosctl.seeding import seed
from kratosctl.seeding.rows import Bad
from kratosctl.snapshots import sqlite
from kratosctl.snapshots.live import SqliteVolume
from kratosctl.snapshots.subject import Subject
from kratosctl.stack import compose, kratos_configuration
from kratosctl.stack.labels import LABEL
from kratosctl.stages import postgres_start, up
from kratosctl.testing import Asked
from tests.unit import stacks

BASE = Path("/project")


def chosen(answers: dict[str, Any] | None = None, **variables: str) -> dict[str, Any]:
    return dict(environments.choose(answers or {}, variables, BASE).answers)


class TestChoosing:
    def test_tests_get_no_ui_unless_they_ask_for_one(self) -> None:
        assert chosen() == {"ui": False}
        assert chosen({"ui": True})["ui"] is True
        assert chosen(KRATOSCTL_UI="true")["ui"] is True

    def test_mail_is_there_where_the_preset_wants_it(self) -> None:
        for preset, wants in (("email-password", True), ("api-only", False)):
            asked = environments.choose({"preset": preset}, {}, BASE)
            assert selection.environment_of(asked).mail is wants

    def test_what_is_given_goes_before_variables(self) -> None:
        assert chosen({"database": "postgres"}, KRATOSCTL_DATABASE="sqlite")["database"] == "postgres"
        assert chosen({"database": None}, KRATOSCTL_DATABASE="postgres")["database"] == "postgres"

    def test_ports_and_databases_of_a_lasting_environment_are_not_taken(self) -> None:
        found = chosen(KRATOSCTL_PUBLIC_PORT="4433", KRATOSCTL_ADMIN_PORT="4434", DSN="postgres://a:b@c/d")
        assert found == {"ui": False}

    def test_a_database_that_is_not_kratosctls_is_refused(self) -> None:
        with pytest.raises(ChoiceImpossible):
            chosen({"database": "external"})
        with pytest.raises(ChoiceImpossible):
            chosen(KRATOSCTL_DATABASE="external")

    def test_no_variable_opens_a_test_environment_to_the_network(self) -> None:
        found = chosen(KRATOSCTL_BIND="0.0.0.0", KRATOSCTL_EXPOSE_ADMIN_WITHOUT_AUTHENTICATION="yes")
        assert found == {"ui": False}
        assert chosen({"bind": "0.0.0.0"})["bind"] == "0.0.0.0"

    def test_no_variable_asks_for_what_a_test_environment_has_not(self) -> None:
        assert chosen(KRATOSCTL_HTTPS="true", KRATOSCTL_CONFIG="image") == {"ui": False}

    @pytest.mark.parametrize("key", ["config", "https", "proxy_image"])
    def test_what_a_test_environment_has_not_cannot_be_asked(self, key: str) -> None:
        with pytest.raises(UnknownKey, match="a test environment"):
            chosen({key: "true"})

    def test_a_configuration_directory_is_the_projects(self) -> None:
        assert chosen({"config_dir": "kratos"})["config_dir"] == "/project/kratos"
        assert chosen({"config_dir": "/elsewhere"})["config_dir"] == "/elsewhere"

    def test_an_unknown_question_is_refused(self) -> None:
        with pytest.raises(UnknownKey, match="did you mean 'database'"):
            chosen({"databse": "sqlite"})

    def test_every_question_can_be_asked_with_its_choices(self) -> None:
        hints = get_type_hints(Asked)
        assert set(hints) == {question.key for question in questions.OF_TESTS}
        for question in questions.OF_TESTS:
            for choice in set(question.choices) - {"external"}:
                assert repr(choice) in str(hints[question.key])


class TestFiles:
    @pytest.fixture(params=["sqlite", "postgres"])
    def model(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        environment = stacks.environment(database=request.param)
        place = stacks.place(environment, owner="host/boot/1/2/3")
        return compose.compose_model(environment, place, "")

    def test_each_part_says_whose_it_is(self, model: dict[str, Any]) -> None:
        parts = [*model["services"].values(), *model.get("volumes", {}).values(), *model["networks"].values()]
        assert {part["labels"][LABEL + "owner"] for part in parts} == {"host/boot/1/2/3"}

    def test_no_part_of_a_lasting_environment_says_so(self) -> None:
        environment = stacks.environment(database="postgres")
        assert LABEL + "owner" not in str(compose.compose_model(environment, stacks.place(environment), ""))

    def test_the_admin_api_is_published_on_loopback_alone(self) -> None:
        environment = stacks.environment(bind="0.0.0.0")
        assert "admin" in ports.wanted(environment, admin=True)
        assert "admin" not in ports.wanted(environment)
        place = stacks.place(environment, owner="x", ports={"public": 1, "admin": 2, "ui": 3, "mail": 4})
        model = compose.compose_model(environment, place, "")
        assert "127.0.0.1:2:4434" in model["services"]["kratos"]["ports"]

    def test_passwords_are_hashed_cheaply_unless_the_user_says_how(self) -> None:
        environment = stacks.environment()
        place = stacks.place(environment, owner="x")
        ours = kratos_configuration.environment_configuration(environment, place, {})
        assert ours["hashers"] == {"algorithm": "bcrypt", "bcrypt": {"cost": 4}}
        theirs = yaml.safe_load("hashers: {algorithm: argon2, bcrypt: {cost: 12}}")
        assert "hashers" not in kratos_configuration.environment_configuration(environment, place, theirs)
        lasting = kratos_configuration.environment_configuration(environment, stacks.place(environment), {})
        assert "hashers" not in lasting


def test_what_stays_of_it_at_the_end_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(up, "up", lambda *_: SimpleNamespace(after=None, data={"endpoints": {}}))
    monkeypatch.setattr(running, "find", lambda *_: Found(Workspace(tmp_path, "test"), State(), ()))
    monkeypatch.setattr(remains, "remove_dead", lambda: None)
    monkeypatch.setattr(remains, "remove", lambda *_: "network test_default has active endpoints")
    with environments.made(environments.choose({}, {}, BASE), False, 60.0, Console()):
        pass

    assert "network test_default has active endpoints" in capsys.readouterr().err


@pytest.mark.parametrize("keep", [False, True])
def test_commands_find_in_its_directory_what_it_was_asked_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    """`kratosctl -C DIRECTORY reset` would take a PostgreSQL for SQLite, and `up` would make it one."""
    found: list[Environment] = []

    def begin(environment: Environment, workspace: Workspace, *_: object) -> None:
        found.append(selection.environment_of(selection.select(workspace.directory, environment.name, {}, {})))
        raise NotRunning("")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(remains, "remove_dead", lambda: None)
    monkeypatch.setattr(remains, "remove", lambda *_: "")
    monkeypatch.setattr(up, "up", begin)
    asked = {"database": "postgres", "preset": "api-only", "release": "v1.1.0"}
    with pytest.raises(NotRunning), environments.made(environments.choose(asked, {}, BASE), keep, 60.0, Console()):
        pass

    assert [(one.database, one.preset, one.release, one.ui) for one in found] == [
        ("postgres", "api-only", "v1.1.0", False)
    ]


def test_a_bad_seed_of_a_test_is_not_said_to_be_undone_in_a_database_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "people.yaml").write_text("- {email: eve}\n")
    container = Container("1", "k", "kratos", "p", "running", "", "", None, "i", {"127.0.0.1:4433": 4433}, {})
    subject = Subject(Found(Workspace(tmp_path, "test"), State(), (container,)), stacks.environment(seed="people.yaml"))
    refused = seed.Tally(failed=1, bad=[Bad("people.yaml", 1, 'traits.email: "eve" is not valid "email"')])
    monkeypatch.setattr(seed, "_fill", lambda *_: refused)

    with pytest.raises(SeedFailed) as caught:
        environments._seed(subject)

    assert caught.value.lines() == [
        "the seed of test is not whole",
        'people.yaml:1: traits.email: "eve" is not valid "email"',
        "correct it and run it again",
    ]


class TestPatience:
    """Where a machine is slow, such as a busy one of CI, or one that emulates another's processor."""

    @pytest.fixture(autouse=True)
    def no_engine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")

    def made(self, seconds: float = 60.0) -> None:
        with environments.made(environments.choose({}, {}, BASE), False, seconds, Console(quiet=True)):
            pass

    @pytest.mark.parametrize(("seconds", "database"), [(600.0, 600.0), (5.0, 30.0)])
    def test_a_database_may_take_as_long_as_kratos(
        self, seconds: float, database: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[Limits] = []

        def begin(_environment: object, _workspace: object, wishes: Wishes, *_: object) -> None:
            asked.append(wishes.limits)
            raise NotRunning("")

        monkeypatch.setattr(up, "up", begin)
        with pytest.raises(NotRunning):
            self.made(seconds)

        assert asked == [Limits(seconds, database)]

    def test_kratos_may_take_as_long_each_time_it_is_started_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As for each reset of SQLite where the engine is in a virtual machine."""
        container = Container("1", "k", "kratos", "p", "running", "", "", None, "i", {"127.0.0.1:4433": 4433}, {})
        found, waited = Found(Workspace(tmp_path, "test"), State(), (container,)), []
        monkeypatch.setattr(up, "up", lambda *_: SimpleNamespace(after=None, data={"endpoints": {}}))
        monkeypatch.setattr(running, "find", lambda *_: found)
        monkeypatch.setattr(remains, "remove_dead", lambda: None)
        monkeypatch.setattr(remains, "remove", lambda *_: "")
        monkeypatch.setattr(program, "docker", lambda *_, **__: None)
        monkeypatch.setattr(reading, "state", lambda _: ("running", None))
        monkeypatch.setattr(reading, "start", lambda _: None)
        monkeypatch.setattr(sqlite_volume, "put", lambda *_: None)
        monkeypatch.setattr(sqlite, "facts", lambda *_, **__: None)
        monkeypatch.setattr(readiness, "wait", lambda *words: waited.append(words[-1]))

        with environments.made(environments.choose({}, {}, BASE), False, 600.0, Console(quiet=True)) as made:
            SqliteVolume(made.found, "k").restore(tmp_path, same_tables=True)
        SqliteVolume(found, "k").restore(tmp_path, same_tables=True)

        assert waited == [600.0, 60.0]

    @pytest.mark.parametrize("slow", ["postgres", "mail"])
    def test_whoever_waited_in_vain_is_told_how_to_wait_longer(
        self, slow: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def begin(*_: object) -> None:
            if slow == "postgres":
                postgres_start.wait("postgres", 1)
            readiness.wait_for_pages("127.0.0.1", {"mail": 1}, {"mail": "mail"}, 0)

        monkeypatch.setattr(up, "up", begin)
        monkeypatch.setattr(program, "docker", lambda *_, **__: subprocess.CompletedProcess((), 9, "it starts", ""))
        monkeypatch.setattr(remains, "remove_dead", lambda: None)
        with pytest.raises((DatabaseUnreachable, NotReady)) as caught:
            self.made()

        for way in ("--wait-timeout", "--kratos-wait-timeout", "wait_timeout="):
            assert way in caught.value.fix
        assert "correct it" not in caught.value.fix


@pytest.fixture
def unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of somebody else's, who lets nobody in."""
    theirs = tmp_path / "theirs" / "app"
    was = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.is_relative_to(theirs.parent):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return was(path, follow_symlinks=follow_symlinks)

    def read_text(path: Path, *_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(Path, "read_text", read_text)
    # as Python 3.14 has them
    for name in ("is_file", "is_dir", "exists"):
        monkeypatch.setattr(Path, name, lambda path: False)
    return theirs


def test_what_somebody_else_keeps_to_herself_is_not_taken_for_gone(unseen: Path) -> None:
    """Else `prune --gone` deletes her data: on an engine that several people use it may."""
    assert not Remains("app-dev-1", "dev", str(unseen)).gone
    assert Remains("app-dev-1", "dev", str(unseen.parent.parent / "gone")).gone


def test_what_took_the_place_of_a_directory_does_not_keep_what_was_made_in_the_old_one(tmp_path: Path) -> None:
    """As a repository that was deleted and cloned again: nothing but `prune --gone` could remove the old one's."""
    Workspace(tmp_path, "dev").save_state(State(project="app-dev-2"))
    assert Remains("app-dev-1", "dev", str(tmp_path)).gone
    assert not Remains("app-dev-2", "dev", str(tmp_path)).gone


def test_every_environment_of_the_engine_is_listed_also_where_one_cannot_look(
    unseen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "containers", list)
    volume = Labelled("volume", "app-dev-1_sqlite", "app-dev-1", "dev", str(unseen), "")
    monkeypatch.setattr(reading, "labelled_as", lambda kind: [volume])
    monkeypatch.setattr(status, "_asked_for", lambda directory: ({}, []))
    monkeypatch.setattr(running, "names_of", lambda directory, asked_for: [])

    (row,) = status.listing(unseen.parent.parent).data["environments"]

    assert (row["environment"], row["directory_gone"]) == ("dev", False)

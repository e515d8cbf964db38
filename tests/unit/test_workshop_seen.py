"""What is said of a seat at a glance, in a word and as a table."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from kratosctl import results
from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.console import Console
from kratosctl.engine import reading, window
from kratosctl.engine.objects import Container
from kratosctl.kratos import log_lines
from kratosctl.states import ended, state_of
from kratosctl.workshop import status
from kratosctl.workshop.counting import Count
from kratosctl.workshop.observe import Observer
from kratosctl.workshop.seen import Picture, Seen


def container(service: str = "kratos", state: str = "running", health: str = "", code: int | None = None) -> Container:
    return Container(service, service, service, "p", state, "", health, code, "image")


DEAD = container(state="exited", code=137)
UI = container("ui")


class TestStates:
    @pytest.mark.parametrize(
        ("containers", "answers", "state"),
        [
            ([], None, "absent"),
            ([container("kratos-migrate", "exited", code=0)], None, "absent"),
            ([container(), container("kratos-migrate", "created")], True, "ready"),
            ([container(health="healthy"), UI], True, "ready"),
            ([container(), UI], False, "starting"),
            ([container(), UI], None, "starting"),
            ([container(), container("ui", "created")], True, "starting"),
            ([container(state="created")], None, "starting"),
            ([container(state="restarting")], None, "starting"),
            ([container(health="unhealthy")], False, "broken"),
            ([container(health="unhealthy")], True, "ready"),
            ([container(), container("ui", health="unhealthy")], True, "broken"),
            ([container(), container("ui", "exited", code=0)], True, "broken"),
            ([DEAD, UI], None, "broken"),
            ([DEAD], None, "broken"),
            ([container(state="paused")], None, "broken"),
            ([container(state="exited", code=1)], None, "broken"),
            ([container(state="exited", code=0), container("ui", "exited", code=143)], None, "stopped"),
            ([container(state="exited", code=0), container("ui", "exited", code=1)], None, "broken"),
            ([container(), container("load-people", "exited", code=0)], True, "ready"),
            ([container(), container("load-people", "exited", code=1)], True, "broken"),
            ([container(), container("app", "exited", code=137)], True, "broken"),
        ],
    )
    def test_each_is_told_by_a_word(self, containers: Sequence[Container], answers: bool | None, state: str) -> None:
        assert state_of(containers, answers) == state

    @pytest.mark.parametrize(
        ("containers", "said"),
        [
            ([DEAD, UI], "kratos was killed"),
            ([container(), container("ui", "exited", code=3)], "ui ended with exit code 3"),
            ([container(state="paused"), container("mail", "exited", code=0)], "kratos is paused, mail ended"),
            ([container(health="unhealthy")], "kratos does not answer its health check"),
            ([container(), container("kratos-migrate", "created")], ""),
        ],
    )
    def test_what_a_broken_one_lacks_is_said(self, containers: Sequence[Container], said: str) -> None:
        assert ended(containers) == said


PICTURE = Picture(
    "class",
    None,
    (
        Seen("seat-01", "Ada", "ready", "v26.2.0", "sqlite", 3, address="http://localhost:4533"),
        Seen("seat-02", None, "broken", "v26.2.0", "sqlite", error="kratos was killed, and much is to be said of it"),
        Seen("seat-03", "Bob", "absent"),
    ),
)


class TestTable:
    def test_every_seat_has_a_row_under_what_there_is_in_all(self) -> None:
        head, blank, _, ada, broken, absent = status.text(PICTURE).splitlines()

        assert head == "class: 1 of 3 seats ready, 1 broken, 1 absent"
        assert blank == ""
        assert ada.split() == ["seat-01", "Ada", "ready", "v26.2.0", "sqlite", "3", "http://localhost:4533", "-"]
        assert broken.endswith("kratos was killed, and much is to be said of it")
        assert absent.split() == ["seat-03", "Bob", "absent", "-", "-", "-", "-", "-"]

    def test_on_a_terminal_no_line_is_longer_than_it_is_wide(self) -> None:
        rows = status.text(PICTURE, columns=120).splitlines()

        assert max(map(len, rows)) == 120
        assert rows[4].endswith("…")

    @pytest.mark.parametrize("columns", [200, 100, 80, 40])
    def test_on_a_narrow_terminal_each_seat_has_a_line(self, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
        monkeypatch.setattr(results, "terminal_width", lambda: columns)

        rows = status.text(PICTURE, columns, 24).splitlines()

        assert len(rows) == 6
        assert max(map(len, rows)) <= columns
        assert ("kratos was" in rows[4]) == (columns >= 80)

    def test_on_a_low_terminal_those_that_are_not_ready_come_first(self) -> None:
        rows = status.text(PICTURE, columns=200, lines=6).splitlines()

        assert len(rows) <= 6
        assert rows[3].startswith("seat-02")
        assert rows[-1] == "and 2 more"

    def test_who_watches_is_told_what_is_to_be_said_of_the_whole_class(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ends = datetime.datetime.now() + datetime.timedelta(minutes=5)
        workshop_file.write(tmp_path, Workshop("class", {}, {"seat-01": "Ada"}, ends))
        picture = replace(PICTURE, warnings=("the TLS proxy does not run",))
        monkeypatch.setattr(reading, "engine", lambda timeout: SimpleNamespace(local=True))
        monkeypatch.setattr(window, "opened", lambda engine: None)
        monkeypatch.setattr(Observer, "look", lambda *_, **__: picture)

        def sleep(_: float) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            status.watch(tmp_path, Console(), sleep)

        said = capsys.readouterr().out
        assert "warning: class ends in " in said
        assert "warning: the TLS proxy does not run" in said
        shown = status.screen(picture, picture.warnings, 60, 10)
        assert len(shown.splitlines()) < 10
        assert shown.endswith("warning: the TLS proxy does not run")

    def test_a_teacher_sees_whose_seat_is_broken_on_purpose(self) -> None:
        seats = (Seen("seat-01", "Ada", "ready", lesson="no-mail"), Seen("seat-02", "Bob", "ready"))
        assert status.text(Picture("class", None, seats)).splitlines()[-1] == "lessons: seat-01 no-mail"

    def test_scripts_are_told_how_many_there_are_of_each(self) -> None:
        assert PICTURE.data()["count"] == {"broken": 1, "starting": 0, "stopped": 0, "absent": 1, "ready": 1}


class TestLastErrors:
    def test_it_is_the_last_line_of_that_level_and_not_what_came_after(self) -> None:
        lines = [
            "time=2026-11-24T13:29:22Z level=error msg=the first service_name=Ory Kratos",
            "time=2026-11-24T13:29:23Z level=fatal msg=the second service_name=Ory Kratos",
            "time=2026-11-24T13:29:24Z level=info msg=An error occurred service_name=Ory Kratos",
        ]

        assert log_lines.last_error(lines) == ("the second", "2026-11-24T13:29:23Z")
        assert log_lines.last_error(lines[2:]) == ("", "")

    def test_what_was_asked_and_answered_is_no_part_of_it(self) -> None:
        asked = "http_request=map[method:GET path:/health/ready] http_response=map[status_code:503 text_status:bad]"
        line = f"level=error msg=failed error=map[message:it was obfuscated] {asked} service_name=Ory Kratos"

        assert log_lines.last_error([line])[0] == "it was obfuscated"

    def test_json_is_understood(self) -> None:
        line = '{"level":"error","msg":"it failed","time":"2026-11-24T13:29:22Z"}'

        assert log_lines.last_error([line]) == ("it failed", "2026-11-24T13:29:22Z")

    def test_neither_passwords_nor_what_steers_a_terminal_is_shown(self) -> None:
        said, _ = log_lines.last_error(["level=error msg=cannot reach postgres://kratos:se.cret@db/x \x1b[31mred\x07"])

        assert said.endswith("cannot reach postgres://kratos:***@db/x red")
        assert log_lines.shown("a\tb\x9b2J") == "a b2J"


class TestCounting:
    @pytest.fixture
    def database(self, tmp_path: Path) -> Path:
        path = tmp_path / "a #1" / "db.sqlite"
        path.parent.mkdir()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE identities (id TEXT)")
        connection.close()
        return path

    def add(self, database: Path) -> None:
        with sqlite3.connect(database) as connection:
            connection.execute("INSERT INTO identities VALUES ('x')")
        connection.close()

    def test_a_file_is_counted_again_once_it_has_changed(self, database: Path) -> None:
        count = Count()
        count.of_file(database)
        first = count.known
        self.add(database)
        count.of_file(database)

        assert (first, count.known) == (0, 1)

    def test_a_file_that_is_as_it_was_is_not_opened(self, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        count = Count()
        count.of_file(database)
        monkeypatch.setattr(sqlite3, "connect", lambda *_a, **_k: pytest.fail("opened"))

        count.of_file(database)

    def test_one_that_is_written_to_is_counted_later(self, database: Path) -> None:
        self.add(database)
        count = Count()
        writer = sqlite3.connect(database, isolation_level=None)
        writer.execute("BEGIN EXCLUSIVE")
        count.of_file(database)
        assert count.known is None
        writer.execute("ROLLBACK")
        writer.close()

        count.of_file(database)

        assert count.known == 1

    def test_a_file_that_is_gone_has_nobody(self, database: Path) -> None:
        count = Count()
        count.of_file(database)
        database.unlink()
        count.of_file(database)

        assert count.known is None

    def test_postgresql_is_asked_seldom(self) -> None:
        class Window:
            asked = 0

            def run(self, _container: str, _words: Sequence[str]) -> str:
                self.asked += 1
                return "7\n"

        now = 0.0
        count, window = Count(lambda: now), Window()
        assert count.is_due
        count.of_postgres(window, [container("postgres")])  # type: ignore[arg-type]
        assert (count.known, count.is_due) == (7, False)
        now = 31.0
        assert count.is_due
        count.forget()
        assert count.is_due

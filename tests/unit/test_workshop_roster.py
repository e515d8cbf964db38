"""Rosters as spreadsheets write them: nobody is left out, nobody is made up."""

from __future__ import annotations

import csv
import io
import platform
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.console import Console
from kratosctl.errors import ConfigurationInvalid, KratosctlError, UsageError
from kratosctl.files.atomic import write_atomically
from kratosctl.main import main
from kratosctl.workshop import init, roster


def read(directory: Path, text: str) -> list[str]:
    path = directory / "names.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return roster.read(path)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ada\nGrace\n", ["Ada", "Grace"]),
        ("\ufeffName;E-mail\r\nAda;a@x\r\n\r\nGrace;g@x", ["Ada", "Grace"]),
        ('E-mail,Name\na@x,"Lovelace, Ada"\n', ["Lovelace, Ada"]),
        ("sep=;\r\nName;E-mail\r\nAda, the first;a@x\r\n", ["Ada, the first"]),
        ("SEP=,\nAda\nGrace", ["Ada", "Grace"]),
        ("Lovelace, Ada;a@x\r\nHopper, Grace;g@x\r\n", ["Lovelace, Ada", "Hopper, Grace"]),
        ('"Lovelace, Ada";a@x\n', ["Lovelace, Ada"]),
        ('Name,"Notes; all of them"\nAda,late\n', ["Ada"]),
        ("First name\tLast name\nAda\tLovelace\nMadonna\t\n", ["Ada Lovelace", "Madonna"]),
        ('"Grace ""Amazing"" Hopper"\n李小龍\n  José   María \n', ['Grace "Amazing" Hopper', "李小龍", "José María"]),
        ("No,First,Last\r\n1,Ada,Lovelace\r\n", ["Ada Lovelace"]),
        ("first_name;last_name\nAda;Lovelace\n", ["Ada Lovelace"]),
        ("Email,Participant Name\na@x,Ada\n", ["Ada"]),
        ("\n;;\nName;E-mail;\nAda, the first;a@x;\n", ["Ada, the first"]),
        ("Ada\nAda\n", ["Ada", "Ada"]),
        ('"Two\nlines"\n', ["Two lines"]),
        ("=cmd|' /C calc'!A0\n<script>\n- x: [y]\n", ["=cmd|' /C calc'!A0", "<script>", "- x: [y]"]),
    ],
)
def test_names_are_read_in_their_order(tmp_path: Path, text: str, names: list[str]) -> None:
    assert read(tmp_path, text) == names


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "names.csv holds no names"),
        ("Name\n", "names.csv holds no names"),
        ("Name,E-mail\n,a@x\n", "names.csv:2: no name that can be shown"),
        ("Teilnehmer,Email\nAda,a@x\n", "names.csv:1: no column of names"),
        ("sep=;\nName;E-mail\n;a@x\n", "names.csv:3: no name that can be shown"),
        ("Ada\nbell \x07\n", "names.csv:2: no name that can be shown"),
        ('Ada\n"Grace\n', "names.csv:2: not valid CSV"),
        ("Name\nLovelace, Ada\n", "names.csv:2: more cells than columns"),
        ("Ada\n" * 1001, "names.csv holds 1001 names"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        read(tmp_path, text)

    assert caught.value.what.startswith(what)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_file_that_a_spreadsheet_wrote_in_another_encoding_is_refused_with_how_to_save_it(
    tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "names.csv").write_bytes("Name;E-mail\r\nJörg;j@x\r\n".encode(encoding))

    with pytest.raises(ConfigurationInvalid) as caught:
        roster.read(tmp_path / "names.csv")

    assert "not UTF-8" in caught.value.what
    assert "CSV UTF-8" in caught.value.fix


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=20))
def test_any_spreadsheet_gives_its_names_or_a_plain_refusal(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str]
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["Name"], *[[cell] for cell in cells]])
    try:
        found = read(tmp_path_factory.mktemp("roster"), text.getvalue())
    except KratosctlError:
        return
    assert found == [" ".join(cell.split()) for cell in cells if cell.split()]


def class_of(name: str, *attendees: str, spares: int = 0) -> Workshop:
    return Workshop(name, seats=init.seated(attendees, spares))


class TestSeating:
    def test_a_thousand_rows_get_a_seat_each(self, tmp_path: Path) -> None:
        rows = [f"Attendee {number}" for number in range(1000)]
        (tmp_path / "names.csv").write_text("\n".join(rows))

        init.init(tmp_path, class_of("big", *init.attendees(None, tmp_path / "names.csv")))

        seats = workshop_file.load(tmp_path).seats
        assert list(seats.values()) == rows
        assert list(seats)[:2] == ["seat-01", "seat-02"]
        assert list(seats)[-1] == "seat-1000"

    def test_who_has_a_seat_keeps_it_and_only_who_is_new_gets_one(self, tmp_path: Path) -> None:
        (tmp_path / "names.csv").write_text("Ada\nGrace\nAda\n")
        init.init(tmp_path, class_of("class", "Ada", "", spares=1))

        said, again = (init.add(tmp_path, [], 0, tmp_path / "names.csv", Console(quiet=True)) for _ in range(2))

        assert dict(workshop_file.load(tmp_path).seats) == {
            "seat-01": "Ada",
            "seat-02": "Grace",
            "spare-01": "",
            "seat-03": "Ada",
        }
        assert said.warnings == ["Ada is there 2 times: each has a seat"]
        assert again.text() == "everybody has a seat"

    def test_of_many_who_are_added_at_once_each_has_a_seat(self, tmp_path: Path) -> None:
        init.init(tmp_path, class_of("class", "", ""))
        people = [f"Person {number}" for number in range(8)]
        program = [sys.executable, "-m", "kratosctl", "-C", str(tmp_path), "workshop", "add"]

        adding = [subprocess.Popen([*program, who], stdout=subprocess.DEVNULL) for who in people]

        assert [process.wait() for process in adding] == [0] * 8
        assert sorted(workshop_file.load(tmp_path).seats.values()) == people

    def test_of_two_workshops_that_are_made_at_once_one_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def write_slowly(path: Path, text: str) -> None:
            time.sleep(0.1)
            write_atomically(path, text)

        monkeypatch.setattr(workshop_file, "write_atomically", write_slowly)

        def make(name: str) -> str:
            try:
                init.init(tmp_path, class_of(name, "Ada"))
            except UsageError:
                return ""
            return name

        with ThreadPoolExecutor(2) as pool:
            made = list(filter(None, pool.map(make, ["one", "two"])))

        assert made == [workshop_file.load(tmp_path).name]

    def test_more_names_than_seats_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "names.csv").write_text("Ada\nGrace\n")
        with pytest.raises(UsageError, match="2 names for 1 seats"):
            init.attendees(1, tmp_path / "names.csv")

    def test_a_second_workshop_does_not_replace_the_first(self, tmp_path: Path) -> None:
        init.init(tmp_path, class_of("one", "Ada"))
        with pytest.raises(UsageError, match="already"):
            init.init(tmp_path, class_of("two", "Grace"))
        assert workshop_file.load(tmp_path).name == "one"

    @pytest.mark.parametrize("answers", [{"database": "external"}, {"public_port": 4433}, {"variant": "distroless"}])
    def test_what_no_seat_can_be_is_refused_before_anything_is_written(
        self, tmp_path: Path, answers: dict[str, object]
    ) -> None:
        with pytest.raises(KratosctlError):
            init.init(tmp_path, replace(class_of("class", "Ada"), environment=answers))
        assert not workshop_file.exists(tmp_path)


def test_a_roster_can_lie_where_its_teacher_is_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, directory = tmp_path / "home", tmp_path / "class"
    for path in (home, directory):
        path.mkdir()
    (home / "names.csv").write_text("Ada\n")
    monkeypatch.setenv("HOME", str(home))

    assert main(["workshop", "init", "--roster", "~/names.csv", "--yes", "--directory", str(directory)]) == 0

    assert dict(workshop_file.load(directory).seats) == {"seat-01": "Ada"}


class TestWhereAttendeesComeFrom:
    """A host whose network kratosctl does not recognize, such as one that goes over a bridge."""

    @pytest.fixture(autouse=True)
    def unknown_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(psutil, "net_if_addrs", dict)

    def init(self, directory: Path, *flags: str) -> int:
        return main(["workshop", "init", "--seats", "1", "--yes", "--directory", str(directory), *flags])

    @pytest.mark.parametrize(
        ("reach", "said"), [("lan", ("--host", "10.0.0.5")), ("tls", ("--host", "class.test", "--bind", "10.0.0.5"))]
    )
    def test_whoever_says_the_address_is_not_asked_for_it(
        self, tmp_path: Path, reach: str, said: tuple[str, ...]
    ) -> None:
        assert self.init(tmp_path, "--reach", reach, *said) == 0

        asked = workshop_file.load(tmp_path).environment
        assert (asked["host"], asked["bind"]) == (said[1], "0.0.0.0" if reach == "lan" else "10.0.0.5")

    def test_whoever_does_not_is_told_how(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.init(tmp_path, "--reach", "lan") == ConfigurationInvalid.exit_code
        assert "say which address attendees use: --host" in capsys.readouterr().err

    def test_in_wsl_an_address_that_only_windows_reaches_is_on_no_handout(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        nat = SimpleNamespace(family=socket.AF_INET, address="172.27.112.5")
        monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": [nat]})
        monkeypatch.setattr(psutil, "net_if_stats", lambda: {"eth0": SimpleNamespace(isup=True)})
        monkeypatch.setattr(platform, "release", lambda: "5.15.167.4-microsoft-standard-WSL2")

        assert self.init(tmp_path, "--reach", "lan") == 30

        assert "--host" in capsys.readouterr().err
        assert self.init(tmp_path, "--reach", "lan", "--host", "192.168.1.20") == 0

"""workshop.yaml: what is written is read again, whoever comes; a change touches the lines it means."""

from __future__ import annotations

import datetime
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.answers import configuration_file, selection, workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.errors import ConfigurationInvalid, KratosctlError, UsageError
from kratosctl.files.atomic import write_atomically

WRITTEN = """\
# our class
name: identity-101   # every autumn
environment: {release: v26.2.0, database: sqlite, ui: false}
ends: 2026-12-01 17:00

seats:
  # the front row
  seat-01: Ada Lovelace   # left-handed
  seat-02: 'Hopper, "Amazing" Grace'
  seat-03:
"""
PEOPLE = st.text(min_size=1, max_size=40).map(str.strip).filter(workshop_file.is_name)


def put(directory: Path, text: str = WRITTEN) -> Path:
    (directory / workshop_file.FILE_NAME).write_text(text, encoding="utf-8")
    return directory


def test_what_people_write_is_read(tmp_path: Path) -> None:
    workshop = workshop_file.load(put(tmp_path))

    assert workshop.name == "identity-101"
    assert workshop.ends == datetime.datetime(2026, 12, 1, 17)
    assert dict(workshop.seats) == {"seat-01": "Ada Lovelace", "seat-02": 'Hopper, "Amazing" Grace', "seat-03": ""}


def test_every_seat_is_an_environment_that_other_commands_know(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "kratosctl.yaml").write_text("environments: {dev: {ui: true}, seat-02: {release: v1.3.1}}\n")

    found = configuration_file.load(tmp_path)

    assert list(found) == ["dev", "seat-02", "seat-01", "seat-03"]
    shared = {"subnets": "10.213.0.0/16", "database": "sqlite", "ui": False}
    assert found["seat-01"] == {"release": "v26.2.0", **shared}
    assert found["seat-02"] == {"release": "v1.3.1", **shared}


@given(names=st.lists(PEOPLE | st.just(""), max_size=12), title=PEOPLE)
def test_whoever_comes_is_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], title: str
) -> None:
    directory = tmp_path_factory.mktemp("class")
    seats = dict(zip(workshop_file.next_seats({}, len(names)), names, strict=True))

    workshop_file.write(directory, Workshop(title, {"ui": False}, seats))

    assert workshop_file.load(directory) == Workshop(title, {"ui": False}, seats)


@given(before=st.lists(PEOPLE, min_size=1, max_size=5), who=PEOPLE)
def test_a_change_of_one_seat_leaves_the_others_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, before: list[str], who: str
) -> None:
    directory = tmp_path_factory.mktemp("class")
    seats = dict(zip(workshop_file.next_seats({}, len(before)), before, strict=True))
    workshop_file.write(directory, Workshop("class", {}, seats))

    workshop_file.change(directory, {"seat-01": who, "seat-99": who})

    assert dict(workshop_file.load(directory).seats) == {**seats, "seat-01": who, "seat-99": who}


def test_comments_and_all_other_lines_stay_as_they_were(tmp_path: Path) -> None:
    workshop_file.change(put(tmp_path), {"seat-03": "Linus", "seat-02": None, "seat-04": ""})

    after = (tmp_path / workshop_file.FILE_NAME).read_text()
    assert after == WRITTEN.replace("  seat-02: 'Hopper, \"Amazing\" Grace'\n", "").replace(
        "  seat-03:\n", "  seat-03: Linus\n  seat-04:\n"
    )


def test_changes_of_many_at_once_undo_none_of_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop_file.write(tmp_path, Workshop("class", {}, {"seat-01": ""}))

    def write_slowly(path: Path, text: str) -> None:
        time.sleep(0.02)
        write_atomically(path, text)

    monkeypatch.setattr(workshop_file, "write_atomically", write_slowly)
    names = [f"seat-{number:02d}" for number in range(1, 9)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: workshop_file.change(tmp_path, {name: "Ada"}), names))

    assert dict(workshop_file.load(tmp_path).seats) == dict.fromkeys(names, "Ada")


@pytest.mark.parametrize("seats", ["seats: {seat-01: Ada}\n", "seats:\n  seat-01:\n    Ada\n"])
def test_what_is_not_one_seat_a_line_is_left_alone_with_what_to_write(tmp_path: Path, seats: str) -> None:
    put(tmp_path, seats)

    with pytest.raises(ConfigurationInvalid) as caught:
        workshop_file.change(tmp_path, {"seat-01": "Grace"})

    assert "change it yourself" in caught.value.fix
    assert (tmp_path / workshop_file.FILE_NAME).read_text() == seats


@pytest.mark.parametrize(
    "text", ["name: empty\n", "name: empty\nseats:\n", "seats:  # all gone\nname: empty\n", "seats:"]
)
def test_the_first_seat_of_a_workshop_without_any_can_be_added(tmp_path: Path, text: str) -> None:
    put(tmp_path, text)

    assert dict(workshop_file.change(tmp_path, {"seat-01": "Ada"}).seats) == {"seat-01": "Ada"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("seats: [a]\n", "workshop.yaml:1:8: expected a mapping of seats to attendees, found a list"),
        ("seats: {seat 1: Ada}\n", "workshop.yaml:1:9: 'seat 1' cannot name an environment"),
        ("seats: {a: b, a: c}\n", "workshop.yaml:1:15: 'a' stands here a second time"),
        ("seats: {a: [b]}\n", "workshop.yaml:1:12: expected a name on one line, found a list"),
        ("seat: {}\n", "workshop.yaml:1:1: unknown key 'seat'"),
        ("ends: tomorrow\n", "workshop.yaml:1:7: expected a time such as 2026-12-01 17:00, found 'tomorrow'"),
        # for ever, as some write it: nobody's clock shows it
        ("ends: 9999-12-31T23:59:59-12:00\n", "workshop.yaml:1:7: expected a time such as 2026-12-01 17:00, found"),
        ("ends: 0001-01-01 00:00\n", "workshop.yaml:1:7: expected a time such as 2026-12-01 17:00, found"),
        ("environment: {databse: sqlite}\n", "workshop.yaml:1:15: unknown key 'databse'"),
        ("environment: {database: sqlit}\n", "workshop.yaml:1:25: database: expected one of"),
        ("", "workshop.yaml is empty"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, what: str) -> None:
    with pytest.raises(KratosctlError) as caught:
        workshop_file.parse(text)

    assert caught.value.what.startswith(what)


def test_a_dsn_in_the_shell_of_who_gives_a_class_makes_no_seat_serve_their_database(tmp_path: Path) -> None:
    (tmp_path / "workshop.yaml").write_text("environment: {ui: false}\nseats: {seat-01: Ada}\n")

    chosen = selection.select(tmp_path, "seat-01", {}, {"DSN": "postgres://me:secret@production/kratos"})

    assert chosen.answers["database"] == "sqlite"
    with pytest.raises(ConfigurationInvalid, match="DSN is set"):
        selection.refuse_other_dsn(chosen)


def test_where_there_is_no_workshop_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        workshop_file.load(tmp_path)

    assert caught.value.fix == "make one: kratosctl workshop init"


def test_too_many_seats_are_refused() -> None:
    with pytest.raises(ConfigurationInvalid, match="1001 seats are too many"):
        workshop_file.parse("seats:\n" + "".join(f"  seat-{number}:\n" for number in range(1001)))

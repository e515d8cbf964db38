"""Bringing a class up: what is decided before and after its seats. Without an engine."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.errors import NotReady
from kratosctl.workshop import seats, up
from kratosctl.workshop.up import Came

CAME = Came({}, changed=True, seconds=1.0)


def classroom(directory: Path, **people: int | None) -> None:
    """A class of seats by name, with so many identities at each; None: no database yet."""
    named = {name.replace("_", "-"): count for name, count in people.items()}
    who = {name: "Ada" if name == "seat-01" else "" for name in named}
    workshop_file.write(directory, Workshop("class", {"database": "sqlite"}, who))
    for name, count in named.items():
        if count is not None:
            home = directory / ".kratosctl" / name / "database"
            home.mkdir(parents=True)
            connection = sqlite3.connect(home / "db.sqlite")
            with connection:
                connection.execute("CREATE TABLE identities (id)")
                connection.executemany("INSERT INTO identities VALUES (?)", [(number,) for number in range(count)])
            connection.close()


@pytest.mark.parametrize(
    ("others", "moved"),
    [
        ({"seat_02": 3}, None),
        ({"seat_02": 3, "seat_03": 0}, "seat-03"),
        # its seed is all that is there
        ({"seat_02": 3, "spare_01": 3}, "spare-01"),
        ({"seat_02": 0, "spare_01": 0}, "spare-01"),
    ],
)
def test_who_moves_to_a_free_seat_finds_nobody_elses_work_there(
    tmp_path: Path, others: dict[str, int], moved: str | None
) -> None:
    classroom(tmp_path, seat_01=None, **others)
    workshop, everyone = seats.chosen(tmp_path, (), everybody=True)
    outcomes = {seat.name: NotReady("Kratos is not ready") if seat.attendee else CAME for seat in everyone}

    found, _ = up._replace(tmp_path, workshop, everyone, outcomes)

    assert found == ({"seat-01": moved} if moved else {})
    sits = {who: name for name, who in workshop_file.load(tmp_path).seats.items() if who}
    assert sits == {"Ada": moved or "seat-01"}

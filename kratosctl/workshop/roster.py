"""A roster: the names of those who come, from a CSV file as spreadsheets write it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from kratosctl.answers.workshop_file import MOST_SEATS, is_name
from kratosctl.errors import ConfigurationInvalid
from kratosctl.files import yaml_text

_NAMED = (
    *("name", "full name", "names", "attendee", "attendees", "attendee name"),
    *("participant", "participants", "participant name", "student", "students", "student name"),
)
# names a column as well, but nobody
_BESIDE = ("e-mail", "email", "mail", "e-mail address", "email address")
# by which a spreadsheet tells another one what parts the columns
_PARTED_BY = re.compile(r"sep=[,;\t]\s*", re.IGNORECASE)
_QUOTED = re.compile('"[^"]*"')
_FIRST = ("first name", "given name", "firstname", "first", "forename")
_LAST = ("last name", "surname", "family name", "lastname", "last")


def read(path: Path) -> list[str]:
    """Reads the names of a roster, in its order; who is in it twice comes twice.

    A first line that names columns (name, or first name and last name) says which to read; without one it is the first
    column. Comma, semicolon or tab part the columns.

    Args:
        path: the CSV file.

    Raises:
        ConfigurationInvalid: it cannot be read, its columns are named and none is of names, or a line holds no name,
            or more than the first one names; with the line.
    """
    text = _text(path)
    head = next((line for line in text.splitlines() if line.strip(",;\t ")), "")
    if _PARTED_BY.fullmatch(head):
        # its line stays: lines are counted
        text = text.replace(head, "", 1)
    # names have commas: where one of the others stands, it is that
    parted_by = next((mark for mark in ("\t", ";") if mark in _QUOTED.sub("", head)), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=parted_by, strict=True)
    names: list[str] = []
    columns: list[int] | None = None
    width = 0
    try:
        for row in reader:
            cells = [re.sub(r"\s+", " ", cell).strip() for cell in row]
            if not any(cells):
                continue
            if columns is None:
                columns = _columns(cells)
                if columns:
                    width = len(cells)
                    continue
                _refuse_nameless(cells, f"{path.name}:{reader.line_num}")
                columns = [0]
            place = f"{path.name}:{reader.line_num}"
            if width and any(cells[width:]):
                found = f"found {', '.join(cells)[:60]!r}"
                raise ConfigurationInvalid(f"{place}: more cells than columns", found, 'quote it: "Lovelace, Ada"')
            names.append(_name(cells, columns, place))
    except csv.Error as error:
        raise ConfigurationInvalid(f"{path.name}:{reader.line_num}: not valid CSV: {error}") from error
    if not names:
        raise ConfigurationInvalid(f"{path.name} holds no names", fix="write one name to a line")
    if len(names) > MOST_SEATS:
        raise ConfigurationInvalid(
            f"{path.name} holds {len(names)} names", f"a workshop has {MOST_SEATS} seats at most"
        )
    return names


def _text(path: Path) -> str:
    try:
        return yaml_text.read_text(path).removeprefix(yaml_text.BYTE_ORDER_MARK)
    except ConfigurationInvalid as error:
        if isinstance(error.__cause__, UnicodeDecodeError):
            error.fix = "where a spreadsheet wrote it: save it as CSV UTF-8"
        raise


def _columns(cells: Sequence[str]) -> list[int]:
    """The columns to read a name from, where this line names them; else none."""
    low = [cell.lower().replace("_", " ") for cell in cells]
    whole = [low.index(word) for word in _NAMED if word in low]
    if whole:
        return whole[:1]
    parts = [next((low.index(word) for word in words if word in low), None) for words in (_FIRST, _LAST)]
    return [part for part in parts if part is not None]


def _refuse_nameless(cells: Sequence[str], place: str) -> None:
    if any(cell.lower() in _BESIDE for cell in cells):
        found = f"found {', '.join(cells)[:60]!r}"
        raise ConfigurationInvalid(f"{place}: no column of names", found, "call the one with the names: Name")


def _name(cells: Sequence[str], columns: Sequence[int], place: str) -> str:
    name = " ".join(cells[column] for column in columns if column < len(cells) and cells[column])
    if not is_name(name):
        raise ConfigurationInvalid(f"{place}: no name that can be shown", f"found {', '.join(cells)[:60]!r}")
    return name

"""workshop.yaml: what every seat is, and who sits where. Read with exact error positions; changed line by line."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kratosctl import questions
from kratosctl.answers import yaml_answers
from kratosctl.errors import ChoiceImpossible, ConfigurationInvalid, KratosctlError, NameInvalid, UsageError
from kratosctl.files import yaml_text
from kratosctl.files.atomic import one_writer, write_atomically
from kratosctl.host.subnets import DEFAULT_POOL

FILE_NAME = yaml_answers.WORKSHOP_FILE
MOST_SEATS = 1000
SPARE = "spare"
_DATABASE = questions.BY_KEY["database"]
_KEYS = ("name", "environment", "ends", "seats")
# what handouts and renderings have beside the pages and directories of seats
NOT_OF_SEATS = ("index", "all", "handouts")
_HEADER = """\
# A classroom: `kratosctl workshop up` gives every seat a Kratos of its own. Yours to edit and commit;
# `kratosctl schema workshop.yaml` prints the JSON Schema of this file.
"""
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,200}")


@dataclass(frozen=True)
class Workshop:
    """
    Attributes:
        name: what it is called; shown to people.
        environment: what every seat's environment is asked to be: answers by key.
        seats: who sits where: the environment's name -> the attendee's, empty where nobody does.
        ends: when it is over, in local time; None where nobody said.
    """

    name: str
    environment: Mapping[str, Any] = field(default_factory=dict)
    seats: Mapping[str, str] = field(default_factory=dict)
    ends: datetime.datetime | None = None

    def environments(self) -> dict[str, dict[str, Any]]:
        """The answers of every seat's environment, by its name. Each has a network from the workshop's own range."""
        # said, so that a DSN in somebody's shell means none of them
        shared = {"subnets": DEFAULT_POOL, "database": _DATABASE.default, **self.environment}
        return {seat: dict(shared) for seat in self.seats}

    def label(self, seat: str) -> str:
        """A seat and who sits there: `seat-07 (Ada Lovelace)`."""
        return f"{seat} ({self.seats[seat]})" if self.seats.get(seat) else seat


def exists(directory: Path) -> bool:
    """Whether there is a workshop in a directory."""
    return os.path.lexists(directory / FILE_NAME)


def load(directory: Path) -> Workshop:
    """Reads the workshop of a directory.

    Raises:
        UsageError: there is none.
        ConfigurationInvalid, UnknownKey, NameInvalid: with file, line, column and what was expected.
    """
    if not exists(directory):
        raise UsageError(f"no workshop in {directory}", f"there is no {FILE_NAME}", "make one: kratosctl workshop init")
    return parse(yaml_text.read_text(directory / FILE_NAME))


def parse(text: str) -> Workshop:
    """Reads a workshop from the text of workshop.yaml; raises what `load` raises."""
    root = yaml_text.parse(text, FILE_NAME)
    if root is None or yaml_answers.is_empty(root):
        raise ConfigurationInvalid(f"{FILE_NAME} is empty", fix="make it anew: kratosctl workshop init")
    found = {key.value: value for key, value in yaml_answers.items(root, FILE_NAME, _KEYS, "a mapping with `seats:`")}
    named = found.get("name")
    environment = yaml_answers.answers(found["environment"], FILE_NAME) if "environment" in found else {}
    check_shared(environment)
    return Workshop(
        name=_text(named) if named else "workshop",
        environment=environment,
        seats=_seats(found["seats"]) if "seats" in found else {},
        ends=_moment(found["ends"]) if "ends" in found else None,
    )


def check_shared(answers: Mapping[str, Any]) -> None:
    """Refuses what seats cannot have together.

    Raises:
        ChoiceImpossible: a database that only one of them could have.
    """
    if answers.get("database") == "external":
        raise ChoiceImpossible(
            "seats cannot share an external database",
            "each Kratos needs its own, and kratosctl does not make databases elsewhere",
            "use sqlite, or postgres",
        )


def _seats(node: yaml.Node) -> dict[str, str]:
    if yaml_answers.is_empty(node):
        return {}
    seats = {}
    for key, value in yaml_answers.items(node, FILE_NAME, None, "a mapping of seats to attendees"):
        name = yaml_answers.name(key, FILE_NAME)
        if name in NOT_OF_SEATS:
            what = f"{yaml_answers.place(key, FILE_NAME)}: no seat can be called {name!r}"
            raise NameInvalid(what, "handouts for the whole class are called that", "rename it, such as seat-07")
        seats[name] = "" if yaml_answers.is_empty(value) else _text(value)
    if len(seats) > MOST_SEATS:
        raise ConfigurationInvalid(
            f"{yaml_answers.place(node, FILE_NAME)}: {len(seats)} seats are too many",
            f"one workshop has {MOST_SEATS} at most",
            "make a second one in another directory",
        )
    return seats


def is_name(text: str) -> bool:
    """Whether a text can be somebody's name: one line that can be shown."""
    return bool(_NAME.fullmatch(text)) and text.strip() == text


def checked_name(text: str) -> str:
    """Returns a name if it is one.

    Raises:
        ConfigurationInvalid: it is no line that can be shown.
    """
    if is_name(text.strip()):
        return text.strip()
    raise ConfigurationInvalid(
        f"{ascii(text)[:60]} is no name", "it holds nothing, or what cannot be shown on one line"
    )


def _text(node: yaml.Node) -> str:
    plain = isinstance(node, yaml.ScalarNode) and yaml_answers.is_plain(node)
    if plain and is_name(node.value.strip()):
        return str(node.value.strip())
    place = yaml_answers.place(node, FILE_NAME)
    raise ConfigurationInvalid(f"{place}: expected a name on one line, found {yaml_answers.found(node)}")


def _moment(node: yaml.Node) -> datetime.datetime:
    with contextlib.suppress(ValueError):
        if isinstance(node, yaml.ScalarNode) and yaml_answers.is_plain(node):
            return moment(node.value)
    place = yaml_answers.place(node, FILE_NAME)
    raise ConfigurationInvalid(f"{place}: expected a time such as 2026-12-01 17:00, found {yaml_answers.found(node)}")


def moment(text: str) -> datetime.datetime:
    """A local time that somebody wrote, such as 2026-12-01 17:00; ValueError where it is none."""
    found = datetime.datetime.fromisoformat(text.strip())
    try:
        local = found.astimezone()
    except OverflowError as error:
        # at the ends of the calendar, of which a part is beyond them somewhere
        raise ValueError(str(error)) from error
    return local.replace(tzinfo=None) if found.tzinfo else found


def write(directory: Path, workshop: Workshop) -> None:
    """Writes a new workshop.yaml.

    Raises:
        DiskFull, DirectoryReadOnly: nothing was written.
    """
    lines = [_HEADER, f"name: {yaml_text.flow(workshop.name)}\n"]
    lines.append(f"environment: {yaml_text.flow(dict(workshop.environment))}\n")
    if workshop.ends:
        lines.append(f"ends: {workshop.ends:%Y-%m-%d %H:%M}\n")
    lines.append("# who sits where; an empty name is a seat for whoever comes\nseats:\n")
    lines += [_line(seat, attendee) for seat, attendee in workshop.seats.items()]
    write_atomically(directory / FILE_NAME, "".join(lines))


def _line(seat: str, attendee: str) -> str:
    return f"  {seat}: {yaml_text.flow(attendee) if attendee else ''}".rstrip() + "\n"


def change(directory: Path, seats: Mapping[str, str | None]) -> Workshop:
    """Changes who sits where, and leaves all else as it was written, also what others change at the same time.

    Args:
        directory: where workshop.yaml lies.
        seats: by seat, who sits there now; empty: nobody; None: the seat goes.

    Returns:
        The workshop as it now is.

    Raises:
        ConfigurationInvalid: it is written in a way that cannot be changed line by line. Nothing was changed.
    """
    with one_writer(directory):
        after, found = _with(yaml_text.read_text(directory / FILE_NAME), seats)
        write_atomically(directory / FILE_NAME, after)
    return found


def check_change(directory: Path, seats: Mapping[str, str | None]) -> None:
    """Refuses a change that `change` would refuse, before what depends on it is done; takes and raises the same."""
    _with(yaml_text.read_text(directory / FILE_NAME), seats)


def _with(text: str, seats: Mapping[str, str | None]) -> tuple[str, Workshop]:
    """The text with some seats changed, and what it then says; raises what `change` raises."""
    before = parse(text)
    wanted = {seat: who for seat, who in {**before.seats, **seats}.items() if who is not None}
    after = _changed(text, before, seats)
    with contextlib.suppress(KratosctlError):
        found = parse(after)
        if dict(found.seats) == wanted and (found.name, found.environment) == (before.name, before.environment):
            return after, found
    raise ConfigurationInvalid(
        f"{FILE_NAME}: kratosctl cannot change its seats",
        "they are not written one to a line, as `seat-01: Ada Lovelace`",
        "change it yourself: " + ", ".join(_asked(seat, who) for seat, who in list(seats.items())[:3]),
    )


def _asked(seat: str, who: str | None) -> str:
    return f"take {seat} out" if who is None else f"{seat}: {who}"


def _changed(text: str, before: Workshop, seats: Mapping[str, str | None]) -> str:
    """The text with whole lines replaced, removed, and added after the last seat."""
    lines = [line if line.endswith("\n") else line + "\n" for line in text.splitlines(keepends=True)]
    root = yaml_text.parse(text, FILE_NAME)
    found = dict(_lines_of(yaml_text.value_of(root, "seats")))
    added = [_line(seat, who) for seat, who in seats.items() if who is not None and seat not in before.seats]
    last = max(found.values(), default=None)
    for seat, number in sorted(found.items(), key=lambda item: item[1], reverse=True):
        if number == last and added:
            lines[number + 1 : number + 1] = added
        if seat in seats:
            who = seats[seat]
            lines[number : number + 1] = [] if who is None else [_line(seat, who)]
    if last is None:
        keys = {key.value: key.start_mark.line for key, _ in root.value} if isinstance(root, yaml.MappingNode) else {}
        if "seats" in keys:
            # it stands there with nothing below
            return "".join([*lines[: keys["seats"] + 1], *added, *lines[keys["seats"] + 1 :]])
        return "".join([*lines, "seats:\n", *added])
    return "".join(lines)


def _lines_of(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    """The line, from 0, on which each seat stands alone."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        for key, value in node.value:
            if key.start_mark.line == value.end_mark.line or yaml_answers.is_empty(value):
                yield key.value, key.start_mark.line


def is_spare(seat: str) -> bool:
    """Whether a seat is one of those kept for whom another one fails."""
    return seat.startswith(SPARE)


def next_seats(taken: Mapping[str, str], count: int, prefix: str = "seat") -> list[str]:
    """Names of seats that are not taken yet: the lowest numbers, two digits at least."""
    names = (f"{prefix}-{number:02d}" for number in range(1, MOST_SEATS + len(taken) + 1))
    free = [name for name in names if name not in taken]
    return free[:count]

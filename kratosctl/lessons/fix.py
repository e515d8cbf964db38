"""`lesson fix`: gives a lesson up, shows its solution, and puts back what was there before."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from kratosctl import running
from kratosctl.console import Console
from kratosctl.errors import LessonMissing
from kratosctl.lessons import breaking, catalogue, notes, telling
from kratosctl.lessons.notes import Note
from kratosctl.limits import LOCK_WAIT, Limits
from kratosctl.results import Result
from kratosctl.running import Found

_CREDENTIALS = re.compile(r"://[^\s/@'\"]+@")


def note_of(found: Found) -> Note:
    """The note of the lesson to give up, started or half started.

    Raises:
        LessonMissing: there is none.
    """
    note = notes.load(found.workspace)
    if note is None:
        raise LessonMissing(f"no lesson is running in environment {found.name}", "there is nothing to put back")
    return note


def fix(found: Found, limits: Limits, console: Console, variables: Mapping[str, str]) -> Result:
    """Puts everything back, and tells what was wrong.

    Args:
        found: the environment, running or not.
        limits: time limits.
        console: where steps are shown.
        variables: the process environment.

    Raises:
        LessonMissing: no lesson runs there.
        KratosctlError: running it again goes on.
    """
    with found.workspace.locked("lesson fix", LOCK_WAIT, console.note):
        note = note_of(found)
        lesson = catalogue.find(note.lesson)
        differences = "".join(_differences(found, note))
        with console.step(f"put {found.name} back as it was"):
            safety = breaking.put_back(found, note, limits, variables)
        found = running.find(found.workspace.directory, found.name)
        notes.remove(found.workspace)
    solution = telling.solution(lesson, found.name)
    data = {
        "environment": found.name,
        "lesson": lesson.name,
        "solution": solution,
        "diff": differences,
        "safety": safety or None,
    }
    return Result("lesson fix", data, lambda: telling.fixed(solution, found.name, differences, safety))


def _differences(found: Found, note: Note) -> Iterator[str]:
    """What putting the configuration back changes. The secrets file is none of it; passwords in URLs are left out."""
    for name, before in note.configuration.items():
        shown = str(Path(note.config_dir, name))
        try:
            now = (found.workspace.directory / note.config_dir / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            now = ""
        lines = difflib.unified_diff(now.splitlines(), before.splitlines(), f"now/{shown}", f"then/{shown}", "", "", 0)
        yield from (f"{_CREDENTIALS.sub('://…@', line.rstrip())}\n" for line in lines)

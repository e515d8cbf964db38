"""`lesson fix`: gives a lesson up, shows its solution, and puts back what was there before."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from kratosctl import running
from kratosctl.console import Console
from kratosctl.errors import KratosctlError, LessonMissing
from kratosctl.files import yaml_text
from kratosctl.lessons import breaking, catalogue, notes, telling
from kratosctl.lessons.notes import Note
from kratosctl.limits import LOCK_WAIT, Limits
from kratosctl.results import Result
from kratosctl.running import Found
from kratosctl.stack.kratos_configuration import secret_texts

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
            safety = breaking.put_back(found, note, limits, console, variables)
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
    """What putting the configuration back changes. The secrets file is none of it; secrets in the others are left
    out."""
    for name, before in note.configuration.items():
        shown = str(Path(note.config_dir, name))
        try:
            now = (found.workspace.directory / note.config_dir / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            now = ""
        try:
            secrets = [*_secrets_in(now, name), *_secrets_in(before, name)]
        except (KratosctlError, ValueError, RecursionError):
            yield f"{shown} is put back; what it holds now cannot be read\n"
            continue
        lines = difflib.unified_diff(now.splitlines(), before.splitlines(), f"now/{shown}", f"then/{shown}", "", "", 0)
        for line in lines:
            told = _CREDENTIALS.sub("://…@", line.rstrip())
            for secret in sorted(secrets, key=len, reverse=True):
                told = told.replace(secret, "…")
            yield f"{told}\n"


def _secrets_in(text: str, name: str) -> Iterator[str]:
    """The lines of secrets in a file of Kratos' configuration; of addresses the password alone is one."""
    plain = _CREDENTIALS.sub("://…@", text)
    # not as YAML: JSON may be indented by tabs
    data = json.loads(plain or "null") if name.endswith(".json") else yaml_text.load(plain, name)
    for secret in secret_texts(data):
        yield from filter(str.strip, secret.splitlines())

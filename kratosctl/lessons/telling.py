"""What lessons say to people, and the list of them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kratosctl.commands import status
from kratosctl.console import Console
from kratosctl.doctor.finding import Finding
from kratosctl.errors import UsageError
from kratosctl.files.workspace import Workspace
from kratosctl.lessons import catalogue, notes
from kratosctl.lessons.lesson import Lesson
from kratosctl.results import Result, table, terminal_width
from kratosctl.running import Found

# characters of a line: the most that is read with ease, and the least where a terminal has less
_WIDTH, _LEAST = 100, 20
_HEAD = 9


def listing(workspace: Workspace | None) -> Result:
    """All lessons, and how far an environment is with them.

    Args:
        workspace: the environment's; None where none is meant.
    """
    note = notes.load(workspace) if workspace else None
    solved = notes.solved(workspace) if workspace else {}
    rows = [
        {
            "number": number,
            "lesson": lesson.name,
            "title": lesson.title,
            "teaches": lesson.teaches,
            "minutes": lesson.minutes,
            "since": lesson.since,
            "needs": list(lesson.needs),
            "not_with": list(lesson.not_with),
            "running": bool(note and note.lesson == lesson.name),
            "solved": solved.get(lesson.name),
        }
        for number, lesson in enumerate(catalogue.LESSONS, 1)
    ]
    data = {"environment": workspace.name if workspace else None, "lessons": rows}
    return Result("lesson list", data, lambda: _listed(rows))


def _listed(rows: Sequence[dict[str, Any]]) -> str:
    cells = [[row["number"], row["lesson"], row["minutes"], _state(row), row["teaches"]] for row in rows]
    return table(("", "LESSON", "MIN", "STATE", "TEACHES"), cells)


def _state(row: dict[str, Any]) -> str:
    return "running" if row["running"] else "solved" if row["solved"] else "-"


def ui_of(found: Found) -> str:
    """URL of the self-service UI; empty where there is none."""
    return status.endpoints(found).get("ui", "")


def _filled(text: str, found: Found) -> str:
    urls = status.endpoints(found)
    for name, value in {"env": found.name, "public": urls.get("public", ""), "ui": urls.get("ui", "")}.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def started(lesson: Lesson, found: Found, config_dir: str) -> Result:
    """What somebody is told when a lesson begins: what they see, never why."""
    symptom, look = (_filled(text, found) for text in (lesson.symptom, lesson.look))
    data = {
        "environment": found.name,
        "lesson": lesson.name,
        "title": lesson.title,
        "minutes": lesson.minutes,
        "symptom": symptom,
        "look": look,
        "config_dir": config_dir,
    }

    def text() -> str:
        return "\n".join(
            [
                f"{lesson.title} (about {lesson.minutes} minutes)",
                "",
                *_paragraph("you see", symptom),
                *_paragraph("look", look),
                *_paragraph("mend", f"Kratos' configuration is {config_dir}; edit, and run what you need"),
                *_paragraph("done?", f"kratosctl lesson check {found.name}"),
                *_paragraph("stuck?", f"kratosctl lesson hint {found.name}"),
                *_paragraph("give up?", f"kratosctl lesson fix {found.name} mends it"),
            ]
        )

    return Result("lesson start", data, text)


def checked(lesson: Lesson, name: str, wrong: str, findings: Sequence[Finding]) -> str:
    """The outcome of a check in an environment, for a person."""
    if not wrong:
        return "\n".join([f"solved: {lesson.title}", "", *_wrapped(f"You now know {lesson.teaches}.")])
    lines = ["not yet", "", *_paragraph("still", wrong)]
    for finding in findings:
        lines += _paragraph("doctor", finding.what)
    return "\n".join([*lines, *_paragraph("stuck?", f"kratosctl lesson hint {name}")])


def hint(found: Found, again: bool, console: Console) -> Result:
    """The next hint of the lesson that runs, or those that were given.

    Raises:
        LessonMissing: no lesson runs there.
        UsageError: all hints were given, or none yet to be read again.
    """
    with notes.held(found.workspace, "lesson hint", console.note) as note:
        lesson = catalogue.find(note.lesson)
        if again and not note.hints:
            raise UsageError("no hint was given yet", fix=f"kratosctl lesson hint {found.name} gives the first")
        if not again and note.hints == len(lesson.hints):
            gives_up = f"kratosctl lesson fix {found.name} gives up and shows the solution"
            fix = f"kratosctl lesson hint {found.name} --again shows them; {gives_up}"
            raise UsageError(f"all {len(lesson.hints)} hints were given", "", fix)
        given = note.hints if again else note.hints + 1
        if not again:
            notes.save(found.workspace, replace(note, hints=given))
    shown = list(enumerate(lesson.hints[:given], 1)) if again else [(given, lesson.hints[given - 1])]
    said = [_filled(text, found) for _, text in shown]
    data = {"environment": found.name, "lesson": lesson.name, "hints": said, "given": given, "of": len(lesson.hints)}

    def text() -> str:
        pairs = zip(shown, said, strict=True)
        return "\n".join(line for (number, _), words in pairs for line in _paragraph(f"hint {number}", words))

    return Result("lesson hint", data, text)


def solution(lesson: Lesson, name: str) -> str:
    """What was done to an environment, and what mends it."""
    return lesson.solution.replace("{env}", name)


def fixed(said: str, name: str, differences: str, safety: str) -> str:
    """The solution, and what was put back, for a person."""
    parts = ["\n".join(_wrapped(said))]
    parts += [differences.rstrip()] if differences else []
    parts.append(f"{name} is as it was before the lesson")
    if safety:
        parts[-1] += f"; what its database held meanwhile is snapshot {safety}"
    return "\n\n".join(parts)


def _paragraph(head: str, text: str) -> list[str]:
    return [f"{head if number == 0 else '':<{_HEAD}}{line}" for number, line in enumerate(_wrapped(text, _HEAD))]


def _wrapped(text: str, beside: int = 0) -> list[str]:
    """The lines of a text, beside which stand so many characters."""
    columns = terminal_width()
    width = _WIDTH if columns is None else max(min(_WIDTH, columns - beside), _LEAST)
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)

"""`lesson start`: an environment that works is broken in a known way, and what was there is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kratosctl import running
from kratosctl.answers import selection
from kratosctl.answers.wishes import Wishes
from kratosctl.commands.verify import Person, Target, target_of
from kratosctl.console import Console
from kratosctl.environment import Environment
from kratosctl.errors import ChoiceImpossible, LessonRunning
from kratosctl.lessons import breaking, ground, notes, telling
from kratosctl.lessons.lesson import Broken, Lesson
from kratosctl.lessons.notes import Note
from kratosctl.limits import LOCK_WAIT, Limits
from kratosctl.results import Result
from kratosctl.running import Found
from kratosctl.snapshots import saving, store
from kratosctl.snapshots.subject import Subject
from kratosctl.stages import converge


def start(lesson: Lesson, found: Found, limits: Limits, console: Console, variables: Mapping[str, str]) -> Result:
    """Breaks an environment, and says what somebody sees of it.

    Args:
        lesson: the lesson.
        found: the environment, which runs.
        limits: time limits.
        console: where steps are shown.
        variables: the process environment.

    Raises:
        LessonRunning: another one runs there; or files were edited since the start of one was interrupted.
        ChoiceImpossible: this one cannot be given there. Nothing is broken then.
        KratosctlError: killed or failed on the way, `lesson fix` puts everything back.
    """
    workspace = found.workspace
    with workspace.locked(f"lesson start {lesson.name}", LOCK_WAIT, console.note):
        # whoever was waited for may have stopped it, or brought another release up
        found = running.find(workspace.directory, found.name)
        _check_free(found)
        chosen = selection.select(workspace.directory, found.name, {}, variables)
        environment = selection.environment_of(chosen)
        ground.check_fits(lesson, found, chosen, environment)
        _undo_interrupted(found, limits, console, variables)
        config_dir = ground.take_over(found, chosen, environment, console)
        environment = replace(environment, config_dir=config_dir)
        converge.converge(environment, workspace, Wishes(limits=limits), Console(quiet=True), variables)
        found = running.find(workspace.directory, found.name)
        target = target_of(found, environment)
        before = ground.ground_of(found, config_dir, target, telling.ui_of(found))
        broken = ground.broken_by(lesson, before, found.name)
        with console.step("try everything, as long as it works"):
            note = _prepared(lesson, found, target)
        with console.step("break something"):
            note = replace(
                note,
                phase="breaking",
                config_dir=config_dir,
                configuration={name: before.texts[name] for name in broken.configuration},
                broken=broken.configuration,
                generated={path: workspace.read(path) for path in broken.generated},
            )
            _break(lesson, found, environment, note, broken, limits, variables)
    return telling.started(lesson, found, config_dir)


def _check_free(found: Found) -> None:
    there = notes.load(found.workspace)
    if there and there.phase == "running":
        raise LessonRunning(
            f"lesson {there.lesson} is running in environment {found.name}",
            "one at a time",
            f"`kratosctl lesson check {found.name}` ends it when it is solved;"
            f" `kratosctl lesson fix {found.name}` gives it up",
        )


def _undo_interrupted(found: Found, limits: Limits, console: Console, variables: Mapping[str, str]) -> None:
    """Puts back what a start that was killed had broken, so that this one begins with what works."""
    there = notes.load(found.workspace)
    if there is None:
        return
    edited = [name for name in there.configuration if _is_edited(found, there, name)]
    if edited:
        raise LessonRunning(
            f"you edited {Path(there.config_dir, edited[0])} since the start of lesson {there.lesson} was interrupted",
            "what was there before the lesson would be put in its place",
            f"copy your edit elsewhere, then kratosctl lesson fix {found.name}: it shows what it puts back",
        )
    breaking.put_back(found, there, limits, console, variables)
    notes.remove(found.workspace)
    if there.phase == "breaking":
        console.note(f"the start of lesson {there.lesson} was interrupted: undone")


def _is_edited(found: Found, note: Note, name: str) -> bool:
    """Whether a file is neither as it was nor as the lesson broke it."""
    try:
        text = (found.workspace.directory / note.config_dir / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    except (OSError, UnicodeDecodeError):
        return True
    return text not in (note.configuration[name], note.broken.get(name))


def _prepared(lesson: Lesson, found: Found, target: Target) -> Note:
    """Tries everything, and has somebody sign up who will be there afterwards.

    Raises:
        ChoiceImpossible: something does not work as it is.
    """
    visitor, witness = Person(target), Person(target)
    witness.email = witness.email.replace("kratosctl-verify", "kratosctl-lesson")
    # first, so that whoever comes after a kill knows whom to delete
    note = Note(lesson.name, "preparing", witness={"email": witness.email}, visitor=visitor.email)
    notes.save(found.workspace, note)
    steps = list(visitor.prove())
    failed = next((f"{step.name}: {step.said}" for step in steps if step.ok is False), "")
    if not failed:
        ok, said, _ = witness.sign_up()
        failed = "" if ok else f"sign up: {said}"
    if failed:
        breaking.forget_witness(found, note)
        notes.remove(found.workspace)
        raise ChoiceImpossible(
            f"environment {found.name} does not work as it is, so there is nothing to break",
            failed,
            f"kratosctl verify {found.name} says more",
        )
    if witness.client.whoami().status == 401:
        witness.sign_in()
    return replace(note, tried=tuple(steps), witness=notes.describe(witness))


def _break(
    lesson: Lesson,
    found: Found,
    environment: Environment,
    note: Note,
    broken: Broken,
    limits: Limits,
    variables: Mapping[str, str],
) -> None:
    if lesson.rolls_back:
        kept = saving.keep(Subject(found, environment), store.BEFORE_LESSON, f"before lesson {lesson.name}")
        note = replace(note, snapshot=kept.name)
    notes.save(found.workspace, note)
    breaking.put(found, note.config_dir, broken)
    if lesson.rolls_back:
        breaking.roll_back(found, lesson.rolls_back, limits)
    else:
        breaking.run(found, environment, limits, variables)
    notes.save(found.workspace, replace(note, phase="running"))

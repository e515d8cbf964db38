"""`lesson check`: whether an environment is mended, by what it does. Which mend it was does not matter."""

from __future__ import annotations

from dataclasses import asdict

from kratosctl import running
from kratosctl.commands.verify import Person, Step, Target, target_of
from kratosctl.console import Console
from kratosctl.doctor import gather_kratos, kratos_rules
from kratosctl.doctor.facts import EnvironmentFacts
from kratosctl.doctor.finding import Finding
from kratosctl.environment import Environment
from kratosctl.errors import NotRunning
from kratosctl.kratos import readiness
from kratosctl.lessons import breaking, catalogue, notes, telling
from kratosctl.lessons.lesson import Lesson
from kratosctl.lessons.notes import Note
from kratosctl.lessons.trial import Trial
from kratosctl.results import Result
from kratosctl.running import Found

_SLOW = 5.0
_WAITS_FOR_MAIL = "verify the address"


def check(found: Found, environment: Environment, console: Console) -> Result:
    """Tries whether the lesson that runs is solved; one that is ends with that.

    Args:
        found: the environment.
        environment: what is asked for now.
        console: where steps are shown.

    Returns:
        What is still wrong; exit code 1 where something is.

    Raises:
        LessonMissing: no lesson runs there.
    """
    with notes.held(found.workspace, "lesson check", console.note) as note:
        # whoever was waited for may have made other containers, at other ports
        found = running.find(found.workspace.directory, found.name)
        lesson = catalogue.find(note.lesson)
        with console.step(f"check lesson {lesson.name}"):
            findings = explained(lesson, found, environment)
            wrong = _wrong(lesson, note, found, environment, findings)
        if not wrong:
            breaking.forget_witness(found, note)
            notes.add_solved(found.workspace, lesson.name)
            notes.remove(found.workspace)
    data = {
        "environment": found.name,
        "lesson": lesson.name,
        "solved": not wrong,
        "wrong": wrong,
        "doctor": [asdict(finding) for finding in findings] if wrong else [],
    }
    return Result(
        "lesson check", data, lambda: telling.checked(lesson, found.name, wrong, findings), exit_code=1 if wrong else 0
    )


def explained(lesson: Lesson, found: Found, environment: Environment) -> list[Finding]:
    """What the rules of `doctor` that belong to a lesson find in one environment."""
    directory = found.workspace.directory
    facts = EnvironmentFacts(
        found.name,
        kratos=gather_kratos.kratos_facts(directory, environment, found.state),
        ready=gather_kratos.ready(found),
    )
    return [finding for finding in kratos_rules.findings(facts) if finding.rule in lesson.rules]


def _wrong(lesson: Lesson, note: Note, found: Found, environment: Environment, findings: list[Finding]) -> str:
    """What is still wrong, in a sentence; empty where nothing is."""
    try:
        found.running("kratos")
    except NotRunning as error:
        return f"{error.what}: {error.fix}"
    address = found.public_address()
    status = readiness.http_status(*address) if address else 0
    if status != 200:
        return f"Kratos is not ready: asked, it answers {f'HTTP {status}' if status else 'nothing'}"
    ui = telling.ui_of(found)
    if "ui" in lesson.needs and not ui:
        return "the self-service UI does not run"
    target = target_of(found, environment)
    witness, before = notes.person_of(note.witness, target), notes.session_of(note.witness, target)
    try:
        # what people meet, new ones and old ones, and then what the lesson is about: all of it read from answers
        wrong = _of_journey(note, target) or _of_witness(witness)
        wrong = wrong or lesson.probe(Trial(found, target.public, ui, witness, before))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # a form may have been sent anywhere
        return "what answers is not Kratos: look where forms are sent, and what listens there"
    if not wrong and lesson.rules_must_be_silent and findings:
        return f"it does not show any more, but it is still there: {findings[0].what}"
    return wrong


def _of_journey(note: Note, target: Target) -> str:
    """What somebody new meets who signs up, verifies the address, signs out and in: all as before the lesson."""
    before = {tried.name: tried for tried in note.tried}
    wrong = ""
    for step in Person(target).prove():
        wrong = wrong or _of_step(step, before.get(step.name))
    return wrong


def _of_step(step: Step, before: Step | None) -> str:
    if step.ok is False:
        return f"{step.name}: {step.said}"
    if before and (step.ok, step.said) != (before.ok, before.said):
        return f"{step.name}: {step.said}; before the lesson it was: {before.said}"
    if before and step.name != _WAITS_FOR_MAIL and step.seconds > max(_SLOW, 10 * before.seconds):
        return f"{step.name}: works, and takes {step.seconds:.0f} s"
    return ""


def _of_witness(witness: Person) -> str:
    """Whether who was there before is still there, and the same."""
    ok, said, _ = witness.sign_in()
    if not ok:
        return f"who signed up before the lesson cannot sign in any more ({said}): is their account still there?"
    ok, said, _ = witness.whoami()
    return "" if ok else f"who signed up before the lesson is not who they were: {said}"

"""What is kept on disk of a lesson: what was there before it, how far it came, and which were solved."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from http.cookiejar import Cookie
from typing import Any, Literal

from kratosctl.commands.verify import Person, Step, Target
from kratosctl.errors import LessonMissing
from kratosctl.files.workspace import LESSON_NOTE, Workspace
from kratosctl.kratos.api import Client
from kratosctl.limits import LOCK_WAIT

_SOLVED = "lessons.json"

Phase = Literal["preparing", "breaking", "running"]


@dataclass(frozen=True)
class Note:
    """
    Attributes:
        lesson: its name.
        phase: preparing: nothing is broken yet; breaking: some of it may be; running.
        config_dir: Kratos' configuration directory as kratosctl.yaml names it.
        configuration: the texts that were there, by name in that directory.
        generated: the same by path in the generated directory; None where there was no such file.
        snapshot: of the database as it was; empty where the lesson does not touch it.
        tried: what `verify` said before, step by step.
        witness: somebody who signed up before.
        visitor: the e-mail address of somebody who signed up to try everything, and is deleted at once unless killed.
        hints: how many were given.
        broken: the texts that the lesson puts in place of those of `configuration`.
    """

    lesson: str
    phase: Phase
    config_dir: str = ""
    configuration: Mapping[str, str] = field(default_factory=dict, repr=False)
    generated: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    snapshot: str = ""
    tried: tuple[Step, ...] = ()
    witness: Mapping[str, Any] = field(default_factory=dict, repr=False)
    visitor: str = ""
    hints: int = 0
    broken: Mapping[str, str] = field(default_factory=dict, repr=False)


def load(workspace: Workspace) -> Note | None:
    """The note of the lesson in an environment; None where there is none."""
    found = workspace.note(LESSON_NOTE)
    if found is None:
        return None
    return replace(Note(**found), tried=tuple(Step(**each) for each in found["tried"]))


def running(workspace: Workspace) -> Note:
    """The note of a lesson that was started.

    Raises:
        LessonMissing: there is none, or its start was interrupted.
    """
    note = load(workspace)
    if note is None:
        fix = f"kratosctl lesson list shows them; kratosctl lesson start NAME {workspace.name} begins one"
        raise LessonMissing(f"no lesson is running in environment {workspace.name}", "", fix)
    if note.phase != "running":
        again = f"kratosctl lesson start {note.lesson} {workspace.name}"
        fix = f"begin it again: {again}; or give it up: kratosctl lesson fix {workspace.name}"
        raise LessonMissing(f"the start of lesson {note.lesson} was interrupted", "", fix)
    return note


@contextlib.contextmanager
def held(workspace: Workspace, command: str, say: Callable[[str], None]) -> Iterator[Note]:
    """The note of a lesson that was started, which nobody ends, or begins another after, until the block ends.

    Args:
        workspace: of the environment.
        command: what is done, for those who wait.
        say: told who is waited for.

    Raises:
        LessonMissing: there is none, or its start was interrupted.
    """
    # nothing is made to say that there is none
    running(workspace)
    with workspace.locked(command, LOCK_WAIT, say):
        yield running(workspace)


def save(workspace: Workspace, note: Note) -> None:
    """Writes the note, whole or not at all, for its owner alone."""
    workspace.write(LESSON_NOTE, json.dumps(asdict(note)) + "\n", 0o600)


def remove(workspace: Workspace) -> None:
    """The lesson is over."""
    workspace.remove_note(LESSON_NOTE)


def solved(workspace: Workspace) -> dict[str, str]:
    """When each lesson was last solved in an environment, by name."""
    return workspace.note(_SOLVED) or {}


def add_solved(workspace: Workspace, lesson: str) -> None:
    """Notes that a lesson was solved now."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    workspace.write_note(_SOLVED, {**solved(workspace), lesson: now})


def describe(person: Person) -> dict[str, Any]:
    """What is kept of a person: who they are, and the session they have."""
    cookies = [{key: value for key, value in vars(each).items() if key != "_rest"} for each in person.client.cookies]
    return {
        "email": person.email,
        "password": person.password,
        "method": person.method,
        "identity": person.identity,
        "cookies": cookies,
        "token": person.client.token,
    }


def person_of(witness: Mapping[str, Any], target: Target) -> Person:
    """The person that was kept, with no session."""
    person = Person(target)
    person.email, person.password = witness["email"], witness["password"]
    person.method, person.identity = witness["method"], witness["identity"]
    person.signed_up = True
    return person


def session_of(witness: Mapping[str, Any], target: Target) -> Client:
    """The session that person had when they were kept."""
    client = Client(target.public, target.browser, authority=target.authority)
    client.token = witness["token"]
    for cookie in witness["cookies"]:
        client.cookies.set_cookie(Cookie(**cookie, rest={}))
    return client

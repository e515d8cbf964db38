"""Environments that live as long as one process: a directory, a project and ports of their own, and nothing left."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kratosctl import questions, running
from kratosctl.answers import configuration_file, selection
from kratosctl.answers.selection import Selection
from kratosctl.answers.wishes import Wishes
from kratosctl.console import Console
from kratosctl.engine import reading
from kratosctl.environment import Environment
from kratosctl.ephemeral import owner, remains
from kratosctl.errors import ChoiceImpossible, KratosctlError, SeedFailed
from kratosctl.files.state import State
from kratosctl.files.workspace import SEED_WANTED, Workspace
from kratosctl.limits import Limits
from kratosctl.running import Found
from kratosctl.seeding import files
from kratosctl.snapshots.subject import Subject
from kratosctl.stages import up

NAME = "test"
_AGAIN = "correct it and run it again"
_LONGER = "give it longer: --wait-timeout (with pytest --kratos-wait-timeout, in Python wait_timeout=)"
_TOO_SHORT = re.compile(r"--(wait|database)-timeout")
# what an error tells to do with an environment that is gone by then
_OF_ONE_THAT_STAYS = re.compile(rf"kratosctl (up|down|logs|snapshot)|docker logs|{_TOO_SHORT.pattern}")


@dataclass(frozen=True)
class Ephemeral:
    """One that runs.

    Attributes:
        environment: what it is.
        found: where it is.
        urls: its addresses by name: public, admin, and ui, mail where there are.
    """

    environment: Environment
    found: Found
    urls: Mapping[str, str]


def choose(answers: Mapping[str, Any], variables: Mapping[str, str], base: Path) -> Selection:
    """What is asked for: answers, then KRATOSCTL_ variables, then what suits tests.

    Args:
        answers: by key of `questions.OF_TESTS`; None where nothing was said.
        variables: the process environment. Its DSN, secrets, ports and addresses are those of a lasting environment.
        base: what relative paths are relative to.

    Raises:
        UnknownKey, ConfigurationInvalid, ChoiceImpossible.
    """
    known = [question.key for question in questions.OF_TESTS]
    for key in answers:
        if key not in known:
            raise questions.unknown_key(key, known, "a test environment")
    read = {question.variable for question in questions.OF_ALL_TESTS}
    said = selection.said(answers, {name: value for name, value in variables.items() if name in read})
    # nobody looks at pages in a test, unless they say so
    said.setdefault("ui", False)
    for key in ("config_dir", "seed"):
        if said.get(key):
            said[key] = str((base / said[key]).resolve())
    if said.get("database") == "external":
        raise ChoiceImpossible(
            "a test environment cannot use an external database",
            "whatever is in it would be deleted",
            "use sqlite or postgres",
        )
    return Selection(NAME, said, known=False)


@contextlib.contextmanager
def made(chosen: Selection, keep: bool, wait_timeout: float, console: Console) -> Iterator[Ephemeral]:
    """Makes an ephemeral environment, and removes it at the end, whatever happens meanwhile.

    What killed processes left behind is removed first.

    Args:
        chosen: what to make.
        keep: leave it at the end, for somebody to look at.
        wait_timeout: seconds for Kratos to be ready. Its database, which is made for it, may take as long.
        console: where steps are shown.

    Raises:
        KratosctlError: anything that stands in the way; nothing is left then, unless it is kept and has containers.
    """
    environment = selection.environment_of(chosen)
    if environment.seed:
        # before a second is spent on Kratos
        files.sources([environment.seed], Path(), None)
    with contextlib.suppress(KratosctlError):
        remains.remove_dead()
    maker, whose = os.getpid(), owner.KEPT if keep else owner.this_process()
    directory = remains.new_directory()
    workspace = Workspace(directory, environment.name)
    stays = False
    try:
        remains.make_directory(directory, whose)
        workspace.save_state(State(owner=whose))
        # so that every command works there
        answers = selection.saved_answers(chosen.answers, environment)
        configuration_file.save(directory, environment.name, answers)
        try:
            limits = Limits.of_own_database(wait_timeout)
            started = _start(environment, workspace, Wishes(limits=limits), console)
        except KratosctlError as error:
            stays = keep and _has_containers(workspace)
            if stays:
                where = shlex.quote(str(directory))
                error.fix = f"it is kept: see `kratosctl -C {where} logs`; remove it: kratosctl prune --kept"
            elif _OF_ONE_THAT_STAYS.search(error.fix):
                again = _LONGER if _TOO_SHORT.search(error.fix) else _AGAIN
                error.fix = f"{again}; --keep (with pytest --kratos-keep) leaves it there to look at"
            raise
        stays = keep
        yield started
    finally:
        # a process that was forked meanwhile is not the one that ends it
        if not stays and os.getpid() == maker:
            left = remains.remove(workspace.state().project, directory, whose)
            if left:
                console.note(f"not all of it could be removed: {left}\nthen: kratosctl prune")


def _start(environment: Environment, workspace: Workspace, wishes: Wishes, console: Console) -> Ephemeral:
    done = up.up(environment, workspace, wishes, console, {})
    if done.after:
        done.after()
    found = replace(running.find(workspace.directory, environment.name), patience=wishes.limits.ready)
    if environment.seed:
        _seed(Subject(found, environment))
    return Ephemeral(environment, found, done.data["endpoints"])


def _has_containers(workspace: Workspace) -> bool:
    """Whether there is something to look at, as far as the engine can be asked."""
    with contextlib.suppress(KratosctlError):
        project = workspace.state().project
        return bool(project and reading.containers(project))
    return False


def _seed(subject: Subject) -> None:
    """Fills a new environment with its seed: all of it, or an error."""
    from kratosctl.seeding import seed

    fill, _ = seed.for_reset(subject)
    try:
        if fill:
            fill()
    except SeedFailed as error:
        # there is no database of before to go back to
        error.fix = _AGAIN
        raise
    (subject.found.workspace.home / SEED_WANTED).unlink(missing_ok=True)

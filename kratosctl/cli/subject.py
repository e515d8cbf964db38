"""What commands act on: an environment's directory, what runs of it, or its database, held off others meanwhile."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from kratosctl.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kratosctl.environment import Environment
    from kratosctl.files.workspace import Workspace
    from kratosctl.running import Found
    from kratosctl.snapshots.subject import Subject


def workspace_of(session: Session, name: str | None) -> Workspace:
    """The directory of an environment, in which its snapshots lie: to look at them takes no engine."""
    from kratosctl import running
    from kratosctl.files.workspace import Workspace

    return Workspace(session.directory, running.pick(session.directory, name))


def found_of(session: Session, name: str | None) -> tuple[Found, Environment]:
    """An environment as it is, and as it is asked for now."""
    from kratosctl import running
    from kratosctl.answers import selection

    found = running.find(session.directory, name)
    return found, selection.environment_of(selection.select(session.directory, found.name, {}, os.environ))


@contextlib.contextmanager
def subject_of(session: Session, name: str | None, command: str) -> Iterator[Subject]:
    """The environment whose database is meant, which nobody else changes meanwhile.

    Args:
        session: the run.
        name: the environment; None takes the only one, or `dev`.
        command: what is done, for those who wait.
    """
    from kratosctl import running
    from kratosctl.engine import reading
    from kratosctl.limits import LOCK_WAIT

    workspace = workspace_of(session, name)
    lock = workspace.locked(f"{command} {workspace.name}", LOCK_WAIT, session.console.note)
    # what is acted on is read when nobody changes it any more; one that was never made has nothing to lock, and nothing
    # is made to say so
    with lock if workspace.home.exists() else contextlib.nullcontext():
        if workspace.has_unfinished:
            from kratosctl.commands import upgrade

            upgrade.settle(session.directory, workspace.name, session.console, os.environ)
        finding = reading.begin(lambda: running.find(session.directory, workspace.name))
        # their 60 ms pass while docker answers
        from kratosctl.answers import selection
        from kratosctl.snapshots.subject import Subject

        chosen, found = selection.select(session.directory, workspace.name, {}, os.environ), finding()
        kratos = found.container("kratos")
        as_it_runs = selection.as_it_runs(chosen, kratos.labels if kratos else {})
        subject = Subject(found, selection.environment_of(as_it_runs))
        try:
            yield subject
        except KeyboardInterrupt:
            if workspace.has_unfinished:
                session.after_interrupt = f"`kratosctl up {workspace.name}` finishes or undoes it, and says which"
            raise

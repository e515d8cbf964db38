"""Where a command asks: on a terminal, what flags, variables and kratosctl.yaml left open."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kratosctl import questions
from kratosctl.answers import configuration_file, selection
from kratosctl.answers.selection import Selection
from kratosctl.cli.session import Session
from kratosctl.errors import Interrupted, KratosctlError
from kratosctl.files.workspace import Workspace

if TYPE_CHECKING:
    from kratosctl.answers.asking import Host

NOTHING_WRITTEN = "nothing was written"


def asks(session: Session, yes: bool) -> bool:
    """Whether questions may be put: to a person at a terminal who wants neither --yes, --json nor --quiet."""
    return session.interactive and not session.console.quiet and not yes


def select(session: Session, name: str | None, flags: Mapping[str, Any], yes: bool) -> Selection:
    """Picks the environment, on a terminal by asking where kratosctl.yaml holds several and none is named.

    Args:
        session: this run of the program.
        name: the environment, if it was named.
        flags: flags and KRATOSCTL_ variables by key.
        yes: ask nothing.

    Raises:
        What `selection.select` raises; KeyboardInterrupt and EOFError at the question.
    """
    if name is None and asks(session, yes):
        found = configuration_file.load(session.directory)
        if len(found) > 1:
            from kratosctl.answers import asking, prompting

            session.after_interrupt = NOTHING_WRITTEN
            choices = [asking.Choice(known, known, asking.in_short(answers)) for known, answers in found.items()]
            name = str(prompting.select("Which environment?", choices, questions.DEFAULT_NAME))
    return selection.select(session.directory, name, flags, os.environ)


def complete(
    session: Session, chosen: Selection, writes: Sequence[str], last: str, skip: Collection[str] = ()
) -> Selection:
    """Asks what is open about an environment, shows what was chosen, and has it confirmed.

    Args:
        session: this run of the program.
        chosen: the environment and what flags and variables said.
        writes: what will be written, for the summary.
        last: the last question, which confirms.
        skip: keys not to ask.

    Raises:
        KeyboardInterrupt, EOFError: Ctrl-C, Ctrl-D.
        Interrupted: the last answer was no.
        ChoiceImpossible, FloatingTag, PortTaken: flags that cannot work, whatever is answered.
    """
    from kratosctl.answers import asking, prompting
    from kratosctl.environment import from_answers

    session.after_interrupt = NOTHING_WRITTEN
    host = _host(Workspace(session.directory, chosen.name))
    asking.refuse_impossible(chosen.name, chosen.answers, skip, host)
    if not asking.open_questions(chosen.answers, skip):
        return chosen
    session.console.note(f"Environment {chosen.name} is new. Nothing is written before the last question.\n")
    answers = asking.interview(chosen.name, chosen.answers, skip, host, prompting.ask)
    environment = from_answers(chosen.name, answers)
    session.console.note("\n" + asking.summary(environment, asking.allot(environment, host), writes) + "\n")
    if not prompting.confirm(last, default=True):
        raise Interrupted(NOTHING_WRITTEN)
    return replace(chosen, answers=answers)


def _host(workspace: Workspace) -> Host:
    from kratosctl import ownership
    from kratosctl.answers import asking
    from kratosctl.host import ports

    state = ownership.settled_state(workspace)
    no_external = "" if os.environ.get("DSN") else asking.NO_DSN
    return asking.Host(ports.is_taken, ports.holder, no_external, state.ports, _own_ports(state.project))


def _own_ports(project: str) -> frozenset[int]:
    from kratosctl.engine import reading
    from kratosctl.stages import assemble

    try:
        return frozenset(assemble.ports_held(reading.containers(project)))
    except KratosctlError:
        # questions need no engine: it may be down, or not installed yet
        return frozenset()

"""`kratosctl lesson`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from kratosctl.cli.options import environment_argument, seconds_option, yes_option
from kratosctl.cli.session import Group, Session, define
from kratosctl.cli.subject import found_of, workspace_of

if TYPE_CHECKING:
    from kratosctl.results import Result


@click.group(cls=Group)
def command() -> None:
    """Break an environment in a known way, for somebody to mend: for workshops, and to learn what goes wrong."""


def _lessons(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from kratosctl.lessons import catalogue

    found = [lesson for lesson in catalogue.LESSONS if lesson.name.startswith(incomplete)]
    return [CompletionItem(lesson.name, help=lesson.title) for lesson in found]


@define(environment_argument())
def list_(session: Session, name: str | None) -> Result:
    """Show what can be learned, how long it takes, and what was solved in an environment."""
    from kratosctl.errors import UsageError
    from kratosctl.lessons import telling

    try:
        workspace = workspace_of(session, name)
    except UsageError:
        if name:
            raise
        return telling.listing(None)
    return telling.listing(workspace)


@define(
    click.argument("lesson", shell_complete=_lessons),
    environment_argument(),
    seconds_option("--wait-timeout", 60, "For Kratos to be ready"),
)
def start(session: Session, lesson: str, name: str | None, wait_timeout: float) -> Result:
    """Break a running environment, and say what is seen of it. What was there is kept."""
    from kratosctl import running
    from kratosctl.lessons import catalogue
    from kratosctl.lessons.start import start as begin
    from kratosctl.limits import Limits

    chosen = catalogue.find(lesson)
    found = running.find(session.directory, name)
    session.after_interrupt = f"`kratosctl lesson fix {found.name}` puts everything back"
    return begin(chosen, found, Limits.of_own_database(wait_timeout), session.console, os.environ)


@define(environment_argument())
def check(session: Session, name: str | None) -> Result:
    """Try whether it is mended, as people use it. Any mend that works will do; exit code 1 while none does."""
    from kratosctl.lessons.check import check as try_it

    return try_it(*found_of(session, name), session.console)


@define(environment_argument(), click.option("--again", is_flag=True, help="Show the hints that were given."))
def hint(session: Session, name: str | None, again: bool) -> Result:
    """Give the next hint: where to look, what is wrong, nearly the answer."""
    from kratosctl import running
    from kratosctl.lessons import telling

    return telling.hint(running.find(session.directory, name), again, session.console)


@define(
    environment_argument(),
    seconds_option("--wait-timeout", 60, "For Kratos to be ready"),
    yes_option(),
)
def fix(session: Session, name: str | None, wait_timeout: float, yes: bool) -> Result:
    """Give up: show the solution, and put back what was there before."""
    from kratosctl import running
    from kratosctl.lessons import fix as giving_up
    from kratosctl.limits import Limits

    found = running.find(session.directory, name)
    giving_up.note_of(found)
    if not yes:
        question = f"Show the solution, and put {found.name} back as it was before the lesson?"
        session.confirm(question, "what was mended since would be written over, and", "the lesson goes on")
    session.after_interrupt = "running it again goes on"
    return giving_up.fix(found, Limits.of_own_database(wait_timeout), session.console, os.environ)


for _name, _command in {"list": list_, "start": start, "check": check, "hint": hint, "fix": fix}.items():
    command.add_command(_command, _name)

"""Flags made from the table of questions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from kratosctl import catalog
from kratosctl.questions import NAME_VARIABLE, QUESTIONS, Question

if TYPE_CHECKING:
    from pathlib import Path

    from kratosctl.running import Found

_FOREVER = 1e9


def seconds_option(flag: str, default: float, help: str) -> Callable[[Any], Any]:
    """How long a command waits before it gives up."""
    said = f"{help} [{default:g}]."
    return click.option(flag, type=float, default=default, metavar="SECONDS", help=said, callback=_some_time)


def lines_options() -> list[Callable[[Any], Any]]:
    """Which lines of logs to show."""
    return [
        click.option("--follow", "-f", is_flag=True, help="Go on until Ctrl-C."),
        click.option("--tail", "-n", default="all", metavar="N", help="Only the last N lines of each service."),
        click.option("--since", metavar="TIME", help="Only lines since a time, such as 10m."),
        click.option(
            "--matching", "-m", metavar="PATTERN", help="Only lines that match a regular expression, in any case."
        ),
    ]


def yes_option() -> Callable[[Any], Any]:
    """Whoever says it is not asked."""
    return click.option("--yes", "-y", is_flag=True, envvar="KRATOSCTL_YES", help="Ask nothing.")


def _some_time(_context: click.Context, _parameter: click.Parameter, seconds: float) -> float:
    # no number at all is less than that, too
    if not 0 < seconds < _FOREVER:
        raise click.BadParameter(f"expected seconds, more than 0, found {seconds:g}")
    return seconds


def question_options(asked: Sequence[Question] = QUESTIONS) -> list[Callable[[Any], Any]]:
    """One flag a question. Their variables are read elsewhere: click would blame the flag for what is wrong in one."""
    return [_option(question) for question in asked]


def _option(question: Question) -> Callable[[Any], Any]:
    if question.kind == "switch":
        return click.option(question.flag, question.key, default=None, help=question.help)
    return click.option(
        question.flag,
        question.key,
        metavar="|".join(question.choices) or {"port": "N", "path": "DIR", "file": "PATH"}.get(question.kind, "TEXT"),
        help=_with_default(question),
        shell_complete=_completer(question),
    )


def _with_default(question: Question) -> str:
    default = catalog.NEWEST.tag if question.kind == "release" else question.default
    return f"{question.help.removesuffix('.')} [{default}]." if default else question.help


def _completer(question: Question) -> Callable[..., list[CompletionItem]]:
    def complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        if question.kind in ("path", "file"):
            return [CompletionItem(incomplete, type="dir" if question.kind == "path" else "file")]
        choices = question.choices
        if question.kind == "release":
            choices = tuple(release.tag for release in reversed(catalog.RELEASES))
        return [CompletionItem(choice) for choice in choices if choice.startswith(incomplete)]

    return complete


def environment_argument() -> Callable[[Any], Any]:
    """The optional name of an environment, which completes to those of kratosctl.yaml."""
    return click.argument("name", metavar="[ENV]", required=False, envvar=NAME_VARIABLE, shell_complete=_names)


def environment_option() -> Callable[[Any], Any]:
    """The environment as a flag, for commands whose arguments are something else."""
    return click.option(
        "--env", "name", metavar="ENV", envvar=NAME_VARIABLE, help="The environment.", shell_complete=_names
    )


def environment_or_services() -> Callable[[Any], Any]:
    """Names of services, and at most one of an environment."""
    return click.argument("words", metavar="[ENV] [SERVICE]...", nargs=-1, shell_complete=_names_and_services)


def find_with_services(directory: Path, words: Sequence[str]) -> tuple[Found, list[str]]:
    """The environment that such names mean, and the services.

    Raises:
        UsageError: there is no such environment or service, or it cannot be told which is meant.
    """
    from kratosctl import running
    from kratosctl.errors import UsageError

    name, services = running.environment_and_services(directory, words)
    try:
        found = running.find(directory, name or os.environ.get(NAME_VARIABLE))
    except UsageError as error:
        unknown = [word for word in services if word not in running.SERVICES]
        if name or not unknown:
            raise
        # an environment was named, if not rightly
        raise UsageError(f"neither a service nor an environment: {unknown[0]}", error.why) from None
    found.check_services(services)
    return found, services


def directory_typed(context: click.Context) -> Path:
    """The directory of a line that is being typed: no shell has read its `~` yet."""
    from pathlib import Path

    given = Path(context.params.get("directory") or context.find_root().params.get("directory") or ".")
    with contextlib.suppress(RuntimeError):
        # unless nobody is called that
        return given.expanduser()
    return given


def _names_and_services(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from kratosctl.running import SERVICES

    services = [CompletionItem(name) for name in SERVICES if name.startswith(incomplete)]
    return services + _names(context, parameter, incomplete)


def _names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from kratosctl.answers import configuration_file
    from kratosctl.errors import KratosctlError

    try:
        names = configuration_file.load(directory_typed(context))
    except (KratosctlError, OSError):
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]

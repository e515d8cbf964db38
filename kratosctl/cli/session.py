"""What every command shares: the flags all have, the directory, the console, and how a Result is printed."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from click.shell_completion import CompletionItem

    from kratosctl.console import Console
    from kratosctl.results import Result

_LONGEST = 200  # characters of a help line: more than any has
_CONTEXT = {"help_option_names": ["-h", "--help"]}


class Session:
    """One run of the program. What it needs is imported when it is needed: `--help` and completion need nothing."""

    def __init__(self, json: bool = False) -> None:
        self.json, self.quiet = json, False
        self.command = ""
        self.directory_given: str | None = None
        self.after_interrupt = ""
        # Ctrl-C is how the command is meant to end
        self.until_interrupt = False
        # of the result that is being printed
        self.exit_code = 0

    @property
    def console(self) -> Console:
        from kratosctl.cli import COMMANDS
        from kratosctl.console import Console

        return Console(self.json, self.quiet, self.directory_given or "", COMMANDS)

    @property
    def interactive(self) -> bool:
        """There is a person to ask: both ends of the conversation are a terminal, and nobody wants JSON."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not self.json

    @property
    def directory(self) -> Path:
        """The absolute directory of kratosctl.yaml, without symbolic links.

        Raises:
            ConfigurationInvalid: it does not exist.
        """
        from pathlib import Path

        from kratosctl.errors import ConfigurationInvalid

        given = Path(self.directory_given or ".")
        try:
            found = given.resolve(strict=True)
        except OSError as error:
            raise ConfigurationInvalid(f"directory {given} cannot be used", error.strerror or "") from error
        except RuntimeError as error:
            # how Python before 3.13 says it
            why = "it is a symbolic link that leads back to itself"
            raise ConfigurationInvalid(f"directory {given} cannot be used", why) from error
        if not found.is_dir():
            raise ConfigurationInvalid(f"{given} is not a directory")
        return found

    def confirm(self, question: str, why: str = "", otherwise: str = "nothing was deleted") -> None:
        """Asks before something is lost.

        Args:
            question: what is asked.
            why: more of why it is, for where nobody can answer.
            otherwise: what there is to say where the answer is no.

        Raises:
            ConfirmationNeeded: there is nobody to ask.
            Interrupted: the answer was no.
        """
        from kratosctl.errors import ConfirmationNeeded, Interrupted

        if not self.interactive:
            nobody = "with --json nothing is asked" if self.json else "there is no terminal to ask at"
            because = f"{why} {nobody}".lstrip()
            raise ConfirmationNeeded(question, because, "say --yes if that is what you want")
        from kratosctl.answers import prompting

        if not prompting.confirm(question, default=False):
            raise Interrupted(otherwise)


class Group(click.Group):
    """A command that has commands of its own: alone it shows its help, and each of their help lines in full."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shown = [(name, one) for name, one in sorted(self.commands.items()) if not one.hidden]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(_LONGEST)) for name, one in shown])


def define(
    *parameters: Callable[[Any], Any], reports: bool = True, context: dict[str, Any] | None = None, **settings: Any
) -> Callable[[Any], click.Command]:
    """Makes a click command of a function from a Session and its options to a Result, or an exit code.

    Args:
        parameters: click options and arguments.
        reports: the command has a Result, so it takes --json.
        context: further settings of click's context.
        settings: passed to click.
    """

    def make(function: Callable[..., Result | int | None]) -> click.Command:
        @functools.wraps(function)
        @click.pass_obj
        def run(session: Session, /, directory: str | None, quiet: bool, json: bool = False, **options: Any) -> int:
            session.command = click.get_current_context().command_path.partition(" ")[2]
            session.directory_given = directory or session.directory_given
            session.json, session.quiet = json, quiet
            result = function(session, **options)
            if result is None or isinstance(result, int):
                return result or 0
            session.exit_code = result.exit_code
            session.console.result(result)
            if result.after:
                with contextlib.suppress(KeyboardInterrupt):
                    result.after()
            return result.exit_code

        decorated: Any = run
        for parameter in reversed((*parameters, *_common(reports))):
            decorated = parameter(decorated)
        to_command: Callable[[Any], click.Command] = click.command(
            context_settings=_CONTEXT | (context or {}), **settings
        )
        return to_command(decorated)

    return make


def directory_option() -> Callable[[Any], Any]:
    """Where kratosctl.yaml lies; before the command or behind it."""
    return click.option(
        "--directory", "-C", metavar="DIR", help="Run as if started in DIR.", shell_complete=directories
    )


def directories(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The shell completes a directory."""
    return click.Path(file_okay=False).shell_complete(context, parameter, incomplete)


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The shell completes a file."""
    return click.Path().shell_complete(context, parameter, incomplete)


def _common(reports: bool) -> list[Callable[[Any], Any]]:
    common: list[Callable[[Any], Any]] = [
        directory_option(),
        click.option("--quiet", "-q", is_flag=True, help="Print results and errors only."),
    ]
    if reports:
        common.append(click.option("--json", is_flag=True, help="Print one JSON envelope on standard output."))
    return common

"""`kratosctl kratos -- ARGS`: Kratos' own command line, inside the environment."""

from __future__ import annotations

import sys

import click

from kratosctl.cli.options import environment_option
from kratosctl.cli.session import Session, define

# these read the database's address from the configuration, the others ask the admin API
_READ_CONFIGURATION = ("migrate", "cleanup", "courier")


@define(
    click.argument("arguments", nargs=-1, type=click.UNPROCESSED),
    environment_option(),
    reports=False,
)
def command(session: Session, name: str | None, arguments: tuple[str, ...]) -> int:
    """Run Kratos' own command line inside the environment: kratosctl kratos -- list identities."""
    from kratosctl import running
    from kratosctl.engine import program

    kratos = running.find(session.directory, name).running("kratos")
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    words = [
        "exec",
        "--interactive",
        *terminal,
        "--env",
        "KRATOS_ADMIN_URL=http://127.0.0.1:4434",
        kratos.name,
    ]
    return program.with_terminal(*words, "kratos", *arguments, *_configuration(arguments, kratos.name))


def _configuration(arguments: tuple[str, ...], container: str) -> list[str]:
    """The -c flags Kratos itself was started with, for commands that need them and were given none."""
    given = any(word.startswith(("-c", "--config")) for word in arguments)
    if not arguments or arguments[0] not in _READ_CONFIGURATION or given:
        return []
    from kratosctl.engine import reading

    return reading.configuration_flags(container)

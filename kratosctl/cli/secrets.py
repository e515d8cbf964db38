"""`kratosctl secrets`."""

from __future__ import annotations

import os

import click

from kratosctl.cli.options import environment_argument
from kratosctl.cli.session import Group, Session, define
from kratosctl.results import Result

KINDS = ("default", "cookie", "cipher")


@click.group(cls=Group)
def command() -> None:
    """Rotate the secrets that Kratos signs and encrypts with."""


@define(
    environment_argument(),
    click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only this kind; may be repeated."),
    name="rotate",
    short_help="Put new secrets in front, keep the old ones.",
)
def rotate(session: Session, name: str | None, kinds: tuple[str, ...]) -> Result:
    """Put new secrets in front, keep the old ones behind them, and let Kratos run with both. Nobody is logged out."""
    from kratosctl import running
    from kratosctl.answers import selection
    from kratosctl.commands import rotation

    found = running.find(session.directory, name)
    environment = selection.environment_of(selection.select(session.directory, found.name, {}, os.environ))
    return rotation.rotate(environment, found, kinds, session.console, os.environ)


command.add_command(rotate)

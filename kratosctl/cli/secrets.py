"""`kratosctl secrets`."""

from __future__ import annotations

import os

import click

from kratosctl.cli.options import environment_argument
from kratosctl.cli.session import Group, Session, define
from kratosctl.cli.subject import subject_of
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
    from kratosctl.commands import rotation

    with subject_of(session, name, "secrets rotate") as subject:
        return rotation.rotate(subject.environment, subject.found, kinds, session.console, os.environ)


command.add_command(rotate)

"""`kratosctl seed`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kratosctl.cli.options import environment_option
from kratosctl.cli.session import Session, define
from kratosctl.cli.subject import subject_of

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(
    click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path()),
    environment_option(),
    click.option("--format", type=click.Choice(["yaml", "json", "csv"]), help="How the files are written."),
    click.option("--atomic", is_flag=True, help="Keep all identities or none."),
    click.option("--verified", is_flag=True, help="Addresses are verified unless a row says otherwise."),
)
def command(
    session: Session, files: tuple[str, ...], name: str | None, format: str | None, atomic: bool, verified: bool
) -> Result:
    """Create the identities of YAML, JSON or CSV files, each once; `-` is standard input.

    Without FILE, those of the environment's own seed. Rows that make no identity are named with their line.
    """
    from kratosctl.seeding import seed

    if name is None:
        _refuse_environment(session, files)
    with subject_of(session, name, "seed") as subject:
        found = seed.named_or_own(subject, files, format)
        session.after_interrupt = "running it again creates what is missing"
        if atomic:
            session.after_interrupt = "the database is as it was"
        return seed.seed(subject, found, session.console, atomic, verified)


def _refuse_environment(session: Session, files: tuple[str, ...]) -> None:
    """Says how to name an environment, where one stands among the files.

    Raises:
        UsageError: with the flag.
    """
    from kratosctl import running
    from kratosctl.errors import UsageError

    for file in files:
        if not (session.directory / file).exists() and file in running.names(session.directory):
            others = " ".join(other for other in files if other != file)
            raise UsageError(
                f"{file} is an environment, and no file", fix=f"kratosctl seed {others} --env {file}".replace("  ", " ")
            )

"""`kratosctl run -- COMMAND`: a command with a Kratos of its own, in any language."""

from __future__ import annotations

from typing import Any

import click

from kratosctl.cli.options import question_options, seconds_option
from kratosctl.cli.session import Session, define, files
from kratosctl.questions import OF_TESTS


@define(
    click.argument(
        "words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED, shell_complete=files
    ),
    *question_options(OF_TESTS),
    click.option("--keep", is_flag=True, help="Leave it there at the end; `kratosctl prune --kept` removes it."),
    seconds_option("--wait-timeout", 60, "For Kratos to be ready"),
    reports=False,
    context={"allow_interspersed_args": False},
)
def command(session: Session, words: tuple[str, ...], keep: bool, wait_timeout: float, **flags: Any) -> int:
    """Run a command with an ephemeral Kratos, whose addresses it finds in KRATOS_PUBLIC_URL and KRATOS_ADMIN_URL."""
    import os

    from kratosctl.commands import command_run
    from kratosctl.ephemeral import environments

    chosen = environments.choose(flags, os.environ, session.directory)
    return command_run.run(words, chosen, keep, wait_timeout, session.directory, session.console)

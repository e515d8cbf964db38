"""`kratosctl render`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from kratosctl.cli.options import environment_argument, question_options
from kratosctl.cli.session import Session, define, directories
from kratosctl.results import Result


@define(
    environment_argument(),
    *question_options(),
    click.option(
        "--output",
        "-o",
        metavar="DIR",
        help="Write everything docker compose needs to DIR instead.",
        shell_complete=directories,
    ),
    click.option("--overwrite", is_flag=True, help="Write over files in DIR that differ; never over secrets."),
)
def command(session: Session, name: str | None, output: str | None, overwrite: bool, **flags: Any) -> Result:
    """Print the Compose file, or write all of an environment to a directory and leave kratosctl behind."""
    from kratosctl.answers import selection
    from kratosctl.commands import export
    from kratosctl.files.workspace import Workspace

    directory = session.directory
    chosen = selection.select(directory, name, flags, os.environ)
    selection.refuse_other_dsn(chosen)
    environment = selection.environment_of(chosen)
    workspace = Workspace(directory, environment.name)
    if output is None:
        return export.show(environment, workspace, os.environ)
    target = (directory / Path(output)).resolve()
    return export.write(environment, workspace, target, overwrite, session.console, os.environ)

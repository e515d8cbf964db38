"""`kratosctl image`."""

from __future__ import annotations

import os
from typing import Any

import click

from kratosctl.cli.options import environment_argument, question_options
from kratosctl.cli.session import Group, Session, define
from kratosctl.results import Result


@click.group(cls=Group)
def command() -> None:
    """Build an image with your configuration in it."""


@define(
    environment_argument(),
    *question_options(),
    click.option("--tag", "-t", metavar="REF", help="Tag of the image [kratosctl/<project>:<release>]."),
    click.option("--print", "show", is_flag=True, help="Print the Dockerfile; build nothing."),
    name="build",
    short_help="Build Kratos with your configuration in it.",
)
def build(session: Session, name: str | None, tag: str | None, show: bool, **flags: Any) -> Result:
    """Build Kratos with your configuration in it: no bind mount, one thing to ship.

    `up` builds and runs it by itself where kratosctl.yaml says `config: image`.
    """
    from kratosctl.answers import selection
    from kratosctl.commands import image_build
    from kratosctl.files.workspace import Workspace

    directory = session.directory
    environment = selection.environment_of(selection.select(directory, name, flags, os.environ))
    workspace = Workspace(directory, environment.name)
    if show:
        return image_build.show(environment, workspace)
    return image_build.build(environment, workspace, tag, session.console)


command.add_command(build)

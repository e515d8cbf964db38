"""`kratosctl snapshot`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from kratosctl.cli.options import environment_argument, environment_option, yes_option
from kratosctl.cli.session import Group, Session, define, files
from kratosctl.cli.subject import subject_of, workspace_of

if TYPE_CHECKING:
    from pathlib import Path

    from kratosctl.results import Result


@click.group(cls=Group)
def command() -> None:
    """Save the database under a name, and put it back under a running Kratos."""


@define(
    click.argument("snapshot"),
    environment_option(),
    click.option("--note", default="", help="What it is, for the list."),
    click.option("--overwrite", is_flag=True, help="Replace the one of that name."),
)
def save(session: Session, snapshot: str, name: str | None, note: str, overwrite: bool) -> Result:
    """Save the database under a name, while Kratos runs."""
    from kratosctl.snapshots import saving

    with subject_of(session, name, "snapshot save") as subject:
        return saving.save(subject, snapshot, note, overwrite, session.console)


@define(environment_option())
def list_(session: Session, name: str | None) -> Result:
    """Show the snapshots of an environment."""
    from kratosctl.snapshots import showing

    return showing.listing(workspace_of(session, name))


@define(click.argument("snapshot"), environment_option())
def show(session: Session, snapshot: str, name: str | None) -> Result:
    """Show what is known of a snapshot, and check that it is whole."""
    from kratosctl.snapshots import showing

    return showing.show(workspace_of(session, name), snapshot)


@define(click.argument("snapshot"), environment_option(), yes_option())
def remove(session: Session, snapshot: str, name: str | None, yes: bool) -> Result:
    """Delete a snapshot; asks first."""
    from kratosctl.limits import LOCK_WAIT
    from kratosctl.snapshots import showing

    workspace = workspace_of(session, name)
    question = showing.question(workspace, snapshot)
    if not yes:
        session.confirm(question)
    with workspace.locked(f"snapshot remove {workspace.name}", LOCK_WAIT, session.console.note):
        if showing.is_needed(workspace, snapshot):
            from kratosctl.commands import upgrade

            upgrade.settle(session.directory, workspace.name, session.console, os.environ)
        return showing.remove(workspace, snapshot)


@define(
    click.argument("snapshot", required=False),
    environment_option(),
    click.option("--undo", is_flag=True, help="Take back the last restore, reset, atomic seed, upgrade or lesson fix."),
    click.option("--with-release", is_flag=True, help="Go back to the Kratos release it was made with, too."),
)
def restore(session: Session, snapshot: str | None, name: str | None, undo: bool, with_release: bool) -> Result:
    """Put a snapshot back under a running Kratos. What was there is kept for `--undo`."""
    from kratosctl.errors import UsageError
    from kratosctl.snapshots import restoring

    if snapshot and undo:
        raise UsageError("--undo takes no snapshot: it takes back what was done last", fix="say one of the two")
    if not snapshot and not undo:
        raise UsageError("name a snapshot, or say --undo", fix="kratosctl snapshot list shows them")
    # undone is undone: the release of then comes back with its data
    with_release = with_release or undo
    with subject_of(session, name, "snapshot restore") as subject:
        return restoring.restore(subject, snapshot, session.console, with_release, os.environ)


@define(
    click.argument("snapshot"),
    click.argument("file", required=False, shell_complete=files),
    environment_option(),
    click.option("--with-secrets", is_flag=True, help="Put its secrets in, too: who has the file can forge sessions."),
    click.option("--overwrite", is_flag=True, help="Replace a file that is there."),
)
def export(
    session: Session, snapshot: str, file: str | None, name: str | None, with_secrets: bool, overwrite: bool
) -> Result:
    """Write one file to hand on: the database, what the environment was asked to be, Kratos' configuration."""
    from kratosctl.answers import selection
    from kratosctl.snapshots import handing

    target, workspace = _file(session, file or f"{snapshot}{handing.SUFFIX}"), workspace_of(session, name)
    environment = selection.environment_of(selection.select(session.directory, workspace.name, {}, os.environ))
    return handing.export(workspace, environment, snapshot, target, with_secrets, overwrite)


@define(
    click.argument("file", shell_complete=files),
    environment_argument(),
    click.option("--as", "snapshot", metavar="SNAPSHOT", help="Its name here [the name it had]."),
    click.option("--overwrite", is_flag=True, help="Replace a snapshot of that name."),
)
def import_(session: Session, file: str, name: str | None, snapshot: str | None, overwrite: bool) -> Result:
    """Take such a file in: as a snapshot of an environment that is there, or as a new environment."""
    from kratosctl.snapshots import handing

    directory = session.directory
    return handing.import_(_file(session, file), directory, name, snapshot, overwrite, session.console)


def _file(session: Session, name: str) -> Path:
    """A file as whoever runs the program finds it, named as if she were in --directory."""
    from pathlib import Path

    return Path(session.directory_given or ".", name)


for _name, _command in {
    "save": save,
    "list": list_,
    "show": show,
    "restore": restore,
    "remove": remove,
    "export": export,
    "import": import_,
}.items():
    command.add_command(_command, _name)

"""`kratosctl up`."""

from __future__ import annotations

import os
from typing import Any

import click

from kratosctl import configuration_file, selection, workspace
from kratosctl.apply import Limits
from kratosctl.cli import interview
from kratosctl.cli.options import environment_argument, question_options
from kratosctl.cli.session import Session, define
from kratosctl.questions import BY_KEY
from kratosctl.results import Result
from kratosctl.up import Wishes, up


@define(
    environment_argument(),
    *question_options(),
    click.option("--yes", "-y", is_flag=True, envvar="KRATOSCTL_YES", help="Ask nothing."),
    click.option("--save", is_flag=True, help="Write flags that differ to kratosctl.yaml."),
    click.option("--dry-run", is_flag=True, help="Print the plan and the differences of files; change nothing."),
    click.option("--overwrite", is_flag=True, help="Write over generated files you edited."),
    click.option("--pull", is_flag=True, help="Take what floating tags mean now."),
    click.option("--attach/--detach", default=False, help="Follow the logs; Ctrl-C stops the environment."),
    click.option("--open", "open_page", is_flag=True, help="Open the UI (or the API) in a browser."),
    click.option("--wait-timeout", type=float, default=60.0, metavar="SECONDS", help="For Kratos to be ready [60]."),
    click.option("--database-timeout", type=float, default=30.0, metavar="SECONDS", help="To reach the database [30]."),
)
def command(session: Session, name: str | None, **options: Any) -> Result | None:
    """Bring an environment up, and wait until Kratos is ready. Run again, it changes nothing needlessly."""
    directory = session.directory
    flags = {key: options.pop(key) for key in list(options) if key in BY_KEY}
    chosen = interview.select(session, name, flags, options["yes"])
    if not chosen.known and interview.asks(session, options["yes"]):
        skip = {"preset"} if chosen.answers.get("config_dir") else set()
        chosen = interview.complete(session, chosen, *_last_look(chosen.name, options["dry_run"]), skip)
    environment = selection.environment_of(chosen)
    wishes = Wishes(
        dry_run=options["dry_run"],
        overwrite=options["overwrite"],
        pull=options["pull"],
        limits=Limits(options["wait_timeout"], options["database_timeout"]),
    )
    session.after_interrupt = f"`kratosctl up {chosen.name}` goes on from here; `kratosctl down {chosen.name}` stops it"
    if not wishes.dry_run and (not chosen.known or (options["save"] and chosen.differs)):
        saved = selection.saved_answers(chosen.answers, environment)
        text = configuration_file.add(directory, chosen.name, saved)
        workspace.write_atomically(directory / configuration_file.FILE_NAME, text)
    return up(environment, workspace.Workspace(directory, chosen.name), wishes, session.console, os.environ)


def _last_look(name: str, dry_run: bool) -> tuple[list[str], str]:
    """What the questions say at their end: what will be written, and what is confirmed."""
    if dry_run:
        return ["nothing (--dry-run)"], "Show the plan?"
    home = f"{workspace.GENERATED}/{name}/"
    return [configuration_file.FILE_NAME, f"{home} (Compose file, secrets, data)"], "Bring it up?"

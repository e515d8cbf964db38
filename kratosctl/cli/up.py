"""`kratosctl up`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import click

from kratosctl import configuration_file, down, logs, running, selection, workspace
from kratosctl.apply import Limits
from kratosctl.cli import interview
from kratosctl.cli.open import open_page
from kratosctl.cli.options import environment_argument, question_options
from kratosctl.cli.session import Session, define
from kratosctl.environment import Environment
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
def command(session: Session, name: str | None, **options: Any) -> Result:
    """Bring an environment up, and wait until Kratos is ready. Run again, it changes nothing needlessly."""
    directory = session.directory
    flags = {key: options.pop(key) for key in list(options) if key in BY_KEY}
    chosen = interview.select(session, name, flags, options["yes"])
    if not chosen.known and interview.asks(session, options["yes"]):
        skip = {"preset"} if chosen.answers.get("config_dir") else set()
        chosen = interview.complete(session, chosen, *_last_look(chosen.name, options["dry_run"]), skip)
    environment = selection.environment_of(chosen)
    saving = not chosen.known or (options["save"] and bool(chosen.differs))
    wishes = Wishes(
        dry_run=options["dry_run"],
        overwrite=options["overwrite"],
        pull=options["pull"],
        limits=Limits(options["wait_timeout"], options["database_timeout"]),
        save=(lambda: _save(directory, chosen, environment)) if saving else None,
    )
    session.after_interrupt = f"`kratosctl up {chosen.name}` goes on from here; `kratosctl down {chosen.name}` stops it"
    result = up(environment, workspace.Workspace(directory, chosen.name), wishes, session.console, os.environ)
    if wishes.dry_run:
        return result
    if options["open_page"]:
        urls = result.data["endpoints"]
        open_page(session, urls.get("ui") or urls["public"] + "/health/ready")
    if options["attach"]:
        return _attach(session, chosen.name, result)
    return result


def _save(directory: Path, chosen: selection.Selection, environment: Environment) -> None:
    configuration_file.save(directory, chosen.name, selection.saved_answers(chosen.answers, environment))


def _attach(session: Session, name: str, result: Result) -> Result:
    """Follows the logs until Ctrl-C, which stops the environment, as `docker compose up` does."""
    session.console.note(result.text())
    found = running.find(session.directory, name)
    with contextlib.suppress(KeyboardInterrupt):
        logs.show(found, logs.Wishes(follow=True, tail="0"))
    return down.down(found, None, session.console)


def _last_look(name: str, dry_run: bool) -> tuple[list[str], str]:
    """What the questions say at their end: what will be written, and what is confirmed."""
    if dry_run:
        return ["nothing (--dry-run)"], "Show the plan?"
    home = f"{workspace.GENERATED}/{name}/"
    return [configuration_file.FILE_NAME, f"{home} (Compose file, secrets, data)"], "Bring it up?"

"""`kratosctl init`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from kratosctl import configuration_file, init, selection
from kratosctl.cli import interview
from kratosctl.cli.options import environment_argument, question_options
from kratosctl.cli.session import Session, define
from kratosctl.results import Result
from kratosctl.selection import Selection


@define(
    environment_argument(),
    *question_options(),
    click.option("--yes", "-y", is_flag=True, envvar="KRATOSCTL_YES", help="Ask nothing."),
)
def command(session: Session, name: str | None, yes: bool, **flags: Any) -> Result:
    """Write kratosctl.yaml, and Kratos' own configuration in kratos/, both yours to edit. Starts nothing."""
    directory = session.directory
    chosen = interview.select(session, name, flags, yes)
    if chosen.known:
        init.refuse_change(directory, chosen)
    found = init.target(directory, chosen.answers)
    if found.preset:
        chosen = replace(chosen, answers={**chosen.answers, "preset": found.preset})
    if not chosen.known and interview.asks(session, yes):
        chosen = _asked(session, chosen, found)
    chosen = replace(chosen, answers={**_with_preset(chosen, found), "config_dir": found.given})
    return init.init(directory, chosen, selection.environment_of(chosen), found)


def _asked(session: Session, chosen: Selection, found: init.Target) -> Selection:
    kept = "kept as found" if found.in_use else "Kratos' own configuration, yours to edit"
    writes = [configuration_file.FILE_NAME, f"{found.shown} ({kept})"]
    return interview.complete(session, chosen, writes, "Write it?", {"preset"} if found.in_use else ())


def _with_preset(chosen: Selection, found: init.Target) -> dict[str, Any]:
    """The preset that is written is said in kratosctl.yaml, also where nobody chose it."""
    default = selection.environment_of(chosen).preset
    return {**({} if found.in_use else {"preset": default}), **chosen.answers}

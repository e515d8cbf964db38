"""`kratosctl init`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kratosctl.cli.options import environment_argument, question_options, yes_option
from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from kratosctl.answers.selection import Selection
    from kratosctl.commands.init import Target
    from kratosctl.results import Result


@define(
    environment_argument(),
    *question_options(),
    yes_option(),
)
def command(session: Session, name: str | None, yes: bool, **flags: Any) -> Result:
    """Write kratosctl.yaml, and Kratos' own configuration in kratos/, both yours to edit. Starts nothing."""
    from dataclasses import replace

    from kratosctl.answers import selection
    from kratosctl.cli import interview
    from kratosctl.commands import init

    directory = session.directory
    chosen = interview.select(session, name, flags, yes)
    if chosen.known:
        init.refuse_change(directory, chosen)
    found = init.target(directory, chosen.answers)
    if found.preset:
        chosen = replace(chosen, answers={**chosen.answers, "preset": found.preset})
    if not chosen.known and interview.asks(session, yes):
        chosen = _asked(session, chosen, found)
    # the preset that is written is said in kratosctl.yaml, also where nobody chose it
    preset = {} if found.in_use else {"preset": selection.environment_of(chosen).preset}
    chosen = replace(chosen, answers={**preset, **chosen.answers, "config_dir": found.given})
    return init.init(directory, chosen, selection.environment_of(chosen), found)


def _asked(session: Session, chosen: Selection, found: Target) -> Selection:
    from kratosctl.answers import configuration_file
    from kratosctl.cli import interview

    what = "kept as found" if found.in_use else "Kratos' own configuration, yours to edit"
    writes = [configuration_file.FILE_NAME, f"{found.shown} ({what})"]
    return interview.complete(session, chosen, writes, "Write it?", {"preset"} if found.in_use else ())

"""`kratosctl reset`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kratosctl.cli.options import environment_argument
from kratosctl.cli.session import Session, define
from kratosctl.cli.subject import subject_of

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(environment_argument())
def command(session: Session, name: str | None) -> Result:
    """Take the database back to just migrated plus the environment's seed, under a running Kratos.

    What was there is kept for `kratosctl snapshot restore --undo`.
    """
    from dataclasses import replace

    with subject_of(session, name, "reset") as subject:
        from kratosctl.snapshots import resetting

        fill, key = None, ""
        if subject.environment.seed:  # what seeds takes as long to import as all the rest
            from kratosctl.seeding import seed

            fill, key = seed.for_reset(subject)
        result = resetting.reset(subject, fill, key, session.console)
        lesson = subject.found.workspace.lesson
    if not lesson:
        return result
    warning = f"lesson {lesson} still runs: kratosctl lesson fix {subject.found.name} gives it up"
    return replace(result, warnings=[*result.warnings, warning])

"""`kratosctl doctor`."""

from __future__ import annotations

import os

from kratosctl.cli.session import Session, define
from kratosctl.results import Result


@define()
def command(session: Session) -> Result:
    """Look for what is wrong: engine, Compose, disk, ports, files, remains, configuration. Each finding has its fix.

    The exit code is 1 where there is a problem. Nothing is changed, and no network is asked.
    """
    from kratosctl.doctor import gather, report, rules

    return report.report(rules.diagnose(gather.gather(session.directory, os.environ)))

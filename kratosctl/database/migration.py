"""Running the init service kratos-migrate, with a time limit of our own: Kratos retries in silence for five minutes."""

from __future__ import annotations

import re
import threading
import time
from collections import deque

from kratosctl.engine import program
from kratosctl.errors import KratosctlError, MigrationFailed
from kratosctl.kratos import log_lines

# what Kratos prints only once it has reached the database
_REACHED = re.compile(
    r"Migration has not yet been applied|migration plan|successfully applied|already up to date", re.I
)


def run(container: str, database_seconds: float) -> list[str]:
    """Starts the created container of kratos-migrate and waits until it has exited.

    Args:
        container: its name or ID.
        database_seconds: how long the database may stay unreachable. Migrations themselves take as long as they take.

    Returns:
        The last lines it printed.

    Raises:
        MigrationFailed, DatabaseUnreachable, DatabasePasswordWrong: with Kratos' message.
    """
    process = program.talking("start", "--attach", container)
    lines: deque[str] = deque(maxlen=300)
    reached = False
    given_up: list[KratosctlError] = []

    def give_up(line: str) -> None:
        if not given_up:
            given_up.append(log_lines.database_error(line, database_seconds))
            program.docker("kill", container, check=False)

    def look() -> None:
        # an address that swallows what is sent to it keeps Kratos silent for minutes
        if not reached:
            give_up(next((line for line in reversed(lines) if log_lines.is_database_fault(line)), ""))

    end = time.monotonic() + database_seconds
    limit = threading.Timer(database_seconds, look)
    limit.daemon = True
    limit.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            reached = reached or bool(_REACHED.search(line))
            late = time.monotonic() > end and log_lines.is_database_fault(line)
            if late or log_lines.is_wrong_password(line):
                give_up(line)
        code = process.wait()
    finally:
        limit.cancel()
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    if given_up:
        raise given_up[0]
    if code != 0:
        raise _failed(container, list(lines), code)
    return list(lines)


def _failed(container: str, lines: list[str], code: int) -> KratosctlError:
    refused = log_lines.refused_configuration("\n".join(lines))
    said = refused or log_lines.last_telling(lines)
    return MigrationFailed(
        f"the SQL migrations failed (exit code {code})",
        said,
        f"all it printed: docker logs {container}; running `kratosctl up {{env}}` again is safe",
    )

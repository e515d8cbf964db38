"""Running the init service kratos-migrate, with a time limit of our own: Kratos retries in silence for five minutes."""

from __future__ import annotations

import subprocess
import threading
from collections import deque

from kratosctl import kratos_logs
from kratosctl.engine import reading
from kratosctl.errors import KratosctlError, MigrationFailed


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
    process = subprocess.Popen(
        ["docker", "start", "--attach", container],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    lines: deque[str] = deque(maxlen=300)
    given_up: list[KratosctlError] = []

    def give_up(line: str) -> None:
        given_up.append(kratos_logs.database_error(line, database_seconds))
        reading.docker("kill", container, check=False)

    def look() -> None:
        if lines and kratos_logs.is_database_fault(lines[-1]):
            give_up(lines[-1])

    limit = threading.Timer(database_seconds, look)
    limit.daemon = True
    limit.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if kratos_logs.is_wrong_password(line) and not given_up:
                give_up(line)
        code = process.wait()
    finally:
        limit.cancel()
        process.kill()
    if given_up:
        raise given_up[0]
    if code != 0:
        raise _failed(container, list(lines), code)
    return list(lines)


def _failed(container: str, lines: list[str], code: int) -> KratosctlError:
    refused = kratos_logs.refused_configuration("\n".join(lines))
    said = refused or kratos_logs.last_telling(lines)
    return MigrationFailed(
        f"the SQL migrations failed (exit code {code})",
        said,
        f"all it printed: docker logs {container[:12]}; running `kratosctl up` again is safe",
    )

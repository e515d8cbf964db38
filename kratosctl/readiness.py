"""Waiting until Kratos answers that it is ready: database reached, no migration pending."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable

from kratosctl import kratos_logs
from kratosctl.engine import reading
from kratosctl.errors import KratosctlError, NotReady

_PAUSE = 0.02
_LOOK_EVERY = 0.5


def is_ready(address: str, port: int) -> int:
    """Asks the public API's /health/ready.

    Args:
        address: where the port listens on this host.
        port: TCP port.

    Returns:
        The HTTP status; 0 where nothing answers.
    """
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def wait(address: str, port: int, container: str, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
    """Waits until Kratos is ready, and says why if it is not.

    Args:
        address: where the public API's port listens on this host.
        port: its TCP port.
        container: Kratos' container, looked at while waiting.
        seconds: how long to wait.
        clock: seconds that only go forward.

    Raises:
        KratosRefusedConfiguration, DatabaseUnreachable, DatabasePasswordWrong, ServiceFailed: Kratos stopped.
        NotReady: it runs, but did not become ready in time.
    """
    began = clock()
    look = began + _LOOK_EVERY
    status = 0
    while clock() - began < seconds:
        status = is_ready(address, port)
        if status == 200:
            return
        if clock() >= look:
            look = clock() + _LOOK_EVERY
            if reading.state(container)[0] not in ("running", "created"):
                raise kratos_logs.explain(reading.logs(container), "stay up")
        time.sleep(_PAUSE)
    raise _not_ready(container, status, seconds)


def _not_ready(container: str, status: int, seconds: float) -> KratosctlError:
    logs = reading.logs(container)
    for line in reversed(logs.splitlines()):
        if kratos_logs.is_database_fault(line):
            return kratos_logs.database_error(line, seconds)
    said = "migrations are pending" if status == 503 else kratos_logs.last_telling(logs.splitlines())
    return NotReady(
        f"Kratos was not ready within {seconds:g} s",
        said,
        "see `kratosctl logs kratos`; give it longer with --wait-timeout",
    )

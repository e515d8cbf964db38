"""Waiting until Kratos answers that it is ready: database reached, no migration pending."""

from __future__ import annotations

import http.client
import math
import time
from collections.abc import Callable, Mapping

from kratosctl.engine import reading
from kratosctl.errors import KratosctlError, NotReady, ServiceFailed
from kratosctl.kratos import log_lines

_PAUSE = 0.02
_LOOK_EVERY = 0.5
_MOMENT = 25  # pauses
_PAGES = {"mail": "/readyz", "ui": "/health/alive"}
# what every Kratos prints when its port is open
_SERVES = "Starting the public httpd"
# who asks for a password is there
_UP = (200, 401)


def is_ready(address: str, port: int, path: str = "/health/ready", patience: float = 5) -> bool:
    """Whether a service says that it is ready; as `http_status`."""
    return http_status(address, port, path, patience) == 200


def http_status(address: str, port: int, path: str = "/health/ready", patience: float = 5) -> int:
    """What a service answers when it is asked whether it is ready.

    Args:
        address: where the port listens on this host.
        port: TCP port.
        path: what to ask for; Kratos' own by default.
        patience: seconds it may take to answer.

    Returns:
        The HTTP status; 0 where nothing answers.
    """
    connection = http.client.HTTPConnection(address, port, timeout=patience)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def reachable(bind: str) -> str:
    """The address at which this host reaches a port bound to `bind`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)


def wait(
    address: str,
    port: int,
    container: str,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    unmigrated_after: float = math.inf,
) -> None:
    """Waits until Kratos is ready, and says why if it is not.

    Args:
        address: where the public API's port listens on this host.
        port: its TCP port.
        container: Kratos' container, looked at while waiting.
        seconds: how long to wait.
        clock: seconds that only go forward.
        unmigrated_after: seconds after which a Kratos that serves without being ready is taken to need migrations.

    Raises:
        KratosRefusedConfiguration, DatabaseUnreachable, DatabasePasswordWrong, ServiceFailed: Kratos stopped.
        DatabasePasswordWrong, DiskFull: it tries in vain.
        NotReady: it runs, but did not become ready in time.
    """
    began = clock()
    look = began + _LOOK_EVERY
    status, told = 0, math.inf
    full: str | None = None
    while clock() - began < seconds:
        status = http_status(address, port)
        if status == 200:
            return
        # to whoever asks from outside it does not say why, and a database that starts passes
        told = min(told, clock()) if status == 503 else math.inf
        if clock() - told > unmigrated_after:
            break
        if clock() >= look:
            look = clock() + _LOOK_EVERY
            if reading.state(container)[0] not in ("running", "created"):
                raise log_lines.explain(reading.logs(container))
            full = _check_tries(container, full)
        time.sleep(_PAUSE)
    raise _not_ready(address, port, container, status, seconds)


def _check_tries(container: str, full_before: str | None) -> str:
    """Raises where Kratos, which would go on for minutes, tries in vain.

    Args:
        container: Kratos'.
        full_before: what this returned at the last look; None at the first one. A try of before then says nothing: the
            disk may have room by now.

    Returns:
        The last line that says that the disk is full.
    """
    said = reading.logs_since_start(container).splitlines()
    wrong = next((line for line in said if log_lines.is_wrong_password(line)), "")
    full = next((line for line in reversed(said) if log_lines.is_full_disk(line)), "")
    if wrong or (full and full_before not in (None, full)):
        raise log_lines.database_error(wrong or full, 0)
    return full


def wait_for_pages(
    address: str,
    ports: Mapping[str, int],
    containers: Mapping[str, str],
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Waits until the mail inbox and the UI answer.

    Args:
        address: where the ports listen on this host.
        ports: TCP ports by service: mail, ui.
        containers: names by service, looked at while waiting.
        seconds: how long to wait for all of them.
        clock: seconds that only go forward.

    Raises:
        ServiceFailed: one stopped.
        NotReady: one runs, but did not answer in time.
    """
    end, look = clock() + seconds, clock() + _LOOK_EVERY
    for service, port in ports.items():
        while http_status(address, port, _PAGES[service]) not in _UP:
            if clock() >= look:
                look = clock() + _LOOK_EVERY
                state, code = reading.state(containers[service])
                if state not in ("running", "created"):
                    raise stopped(service, containers[service], code)
            if clock() > end:
                raise NotReady(
                    f"service {service} did not answer within {seconds:g} s",
                    reading.last_line(containers[service]),
                    f"see `kratosctl logs {{env}} {service}`; give it longer with --wait-timeout",
                )
            time.sleep(_PAUSE)


def stopped(service: str, container: str, exit_code: int | None) -> ServiceFailed:
    """What is to be said of a service whose container ended: with its last line."""
    return ServiceFailed(
        f"service {service} did not stay up (exit code {exit_code})",
        reading.last_line(container),
        f"see `kratosctl logs {{env}} {service}`",
    )


def _answers(address: str, port: int) -> bool:
    """Whether a Kratos that says that it serves is reached from here; it says so a moment before."""
    for _ in range(_MOMENT):
        if http_status(address, port):
            return True
        time.sleep(_PAUSE)
    return False


def _not_ready(address: str, port: int, container: str, status: int, seconds: float) -> KratosctlError:
    logs = reading.logs(container)
    for line in reversed(logs.splitlines()):
        if log_lines.is_database_fault(line):
            return log_lines.database_error(line, seconds)
    pending = status == 503
    why, fix = log_lines.last_telling(logs.splitlines()), "give it longer with --wait-timeout"
    if pending:
        why, fix = "it says that migrations are pending", "run `kratosctl up {env}` again: it migrates first"
    elif status == 0 and _SERVES in reading.logs_since_start(container, 300) and not _answers(address, port):
        why = f"it serves, but nothing answers from here at {address}:{port}, where Docker publishes it"
        fix = "inside a container, share the host's network (docker run --network host); else see what a firewall stops"
    error = NotReady(f"Kratos was not ready within {seconds:g} s", why, fix)
    error.unmigrated = pending
    return error

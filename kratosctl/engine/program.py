"""The docker program: run to its end, talked to while it works, or left alone with the terminal."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from kratosctl.engine import faults
from kratosctl.errors import EngineFailed

# how docker ends when it can write no more: itself, or Compose below it
_CUT_SHORT = (-signal.SIGPIPE, 255)


def engine() -> str:
    """Which engine docker asks: an address, as DOCKER_HOST holds it, or the name of a Docker context."""
    return os.environ.get("DOCKER_HOST") or _context()


def _context() -> str:
    return os.environ.get("DOCKER_CONTEXT") or _used(os.environ.get("DOCKER_CONFIG", ""))


@functools.cache
def _used(config: str) -> str:
    """The context of `docker context use`. Read once: whoever uses another one meanwhile means other commands."""
    with contextlib.suppress(OSError, RuntimeError, ValueError, AttributeError):
        file = (Path(config) if config else Path.home() / ".docker") / "config.json"
        return str(json.loads(file.read_text(encoding="utf-8")).get("currentContext") or "default")
    return "default"


def docker(
    *arguments: str,
    timeout: float | None = None,
    check: bool = True,
    doing: str = "",
    stdin: IO[bytes] | str = "",
    stdout: IO[bytes] | None = None,
    at: str = "",
) -> subprocess.CompletedProcess[str]:
    """Runs one docker command and returns what it printed.

    Where nothing is given to read, whatever docker or Compose would ask, such as whether to recreate a volume whose
    labels changed, which deletes its data, is not answered.

    Args:
        arguments: the command's words. Never a secret: they are visible in the process list.
        timeout: seconds it may take.
        check: raise on a non-zero exit code.
        doing: what failed, for the error; the command's name by default.
        stdin: what the command reads.
        stdout: the file that what it prints goes to, where that is no text.
        at: another engine than the one that is asked now, as `engine` names it.

    Raises:
        DockerMissing, DaemonDown past the time, or what `faults.from_output` makes of its standard error stream.
    """
    try:
        with _found():
            done = subprocess.run(
                ["docker", *arguments],
                input=stdin if isinstance(stdin, str) else None,
                stdin=None if isinstance(stdin, str) else stdin,
                stdout=stdout or subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=timeout,
                env=environ(at),
                encoding="utf-8",
                errors="replace",
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise faults.too_slow(timeout) from None
    if check and done.returncode != 0:
        raise faults.from_output(done.stderr, doing or f"docker {arguments[0]}")
    return done


def talking(
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    stderr: int | None = subprocess.STDOUT,
    own_session: bool = False,
) -> subprocess.Popen[str]:
    """Starts one docker command whose lines are read as they come.

    Args:
        arguments: the command's words, as for `docker`.
        stdin: what it reads, as `subprocess` names it.
        stderr: where its errors go: among its lines by default; None is our own.
        own_session: Ctrl-C at our terminal is not for it.

    Raises:
        DockerMissing, EngineFailed: it cannot be run.
    """
    with _found():
        return subprocess.Popen(
            ["docker", *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environ(),
            encoding="utf-8",
            errors="replace",
            start_new_session=own_session,
        )


def environ(at: str = "") -> dict[str, str]:
    """The process environment, with the engine that a command asks from its beginning to its end. Docker and Compose
    collect their garbage less often in it: they end in a moment, and are a fortieth faster so.

    Args:
        at: another engine than that.
    """
    own = {"GOGC": "400", **os.environ, "DOCKER_CONTEXT": _context()}
    if not at:
        return own
    # DOCKER_HOST comes first; no context's name holds a colon
    return own | ({"DOCKER_HOST": at} if ":" in at else {"DOCKER_HOST": "", "DOCKER_CONTEXT": at})


def with_terminal(*arguments: str) -> int:
    """Runs one docker command that reads and prints where we do. Returns its exit code, or 128 and the number of the
    signal that ended it; 0 where nobody reads on, as `| grep -q` does: that is no failure of ours either.

    Raises:
        DockerMissing, EngineFailed: it cannot be run.
    """
    with _found():
        code = subprocess.call(["docker", *arguments], env=environ())
    if code in _CUT_SHORT and _is_unread():
        return 0
    return 128 - code if code < 0 else code


def _is_unread() -> bool:
    """Whether standard output is a pipe that its reader has closed."""
    look = select.poll()
    look.register(1, 0)
    return any(found & (select.POLLERR | select.POLLHUP) for _, found in look.poll(0))


@contextlib.contextmanager
def _found() -> Iterator[None]:
    """Says of a docker that cannot be run why."""
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise faults.docker_missing() from None
    except OSError as error:
        raise EngineFailed("docker cannot be run", error.strerror or "", "install Docker anew") from None

"""The lock of an environment: one process at a time changes it, and the others are told which."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kratosctl.errors import EnvironmentBusy
from kratosctl.files.atomic import said_plainly

FILE = "lock"


@contextlib.contextmanager
def held(home: Path, called: str, command: str, timeout: float, say: Callable[[str], None]) -> Iterator[bool]:
    """Holds a lock, which the kernel releases however the process ends. Whoever has it goes on.

    Args:
        home: the directory that is locked.
        called: what it is called where somebody waits for it.
        command: what the holder does, shown to those who wait.
        timeout: seconds to wait for another holder.
        say: told once who is waited for.

    Yields:
        Whether it was not held before, by this thread.

    Raises:
        EnvironmentBusy: another process held it for all that time, or deleted what it is of.
    """
    # 15 ms, of which commands that change nothing need none
    from filelock import FileLock, Timeout

    with said_plainly(home):
        lock = FileLock(home / FILE, mode=0o600, is_singleton=True)
    if lock.is_locked:
        yield False
        return
    holder = home / "lock-holder"
    try:
        with said_plainly(home):
            lock.acquire(timeout=0)
    except Timeout:
        who = _read(holder)
        say(f"waiting for {who}, which holds {called}")
        try:
            lock.acquire(timeout=timeout, poll_interval=0.05)
        except FileNotFoundError:
            fix = "if that is what you still want, run the same command again"
            raise EnvironmentBusy(f"{called} was deleted meanwhile", f"by {who}", fix) from None
        except Timeout:
            raise EnvironmentBusy(
                f"{called} is held by {_read(holder)}",
                f"it did not finish within {timeout:g} s",
                "wait for it, or stop that process",
            ) from None
    try:
        with contextlib.suppress(OSError):
            holder.write_text(f"`kratosctl {command}` (process {os.getpid()}, since {time.strftime('%H:%M:%S')})")
        yield True
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        lock.release()


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock of a file; where that cannot be told, somebody does."""
    from filelock import FileLock, Timeout

    if not path.exists():
        return False
    try:
        with FileLock(path, mode=0o600).acquire(timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") or "another kratosctl"
    except OSError:
        return "another kratosctl"

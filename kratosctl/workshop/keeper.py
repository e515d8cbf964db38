"""Ends a workshop at its time: a process of its own that sleeps until then, and is gone when the seats are.

It reads workshop.yaml again every few seconds, so that a changed end counts; data stays, as with `workshop down`.
"""

from __future__ import annotations

import contextlib
import datetime
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.engine import program
from kratosctl.errors import KratosctlError, UsageError
from kratosctl.files import lock
from kratosctl.files.atomic import said_plainly
from kratosctl.workshop import seats
from kratosctl.workshop.board_acts import PROGRAM

WARNED = datetime.timedelta(minutes=10)
_LOOK_EVERY = 10.0  # seconds
_LOG, _LOCK = "keeper.log", "keeper"


def left(workshop: Workshop, now: datetime.datetime) -> datetime.timedelta | None:
    """How long a workshop still lasts; None where it has no end."""
    return workshop.ends - now if workshop.ends else None


def refuse_ended(workshop: Workshop, now: datetime.datetime) -> None:
    """Refuses to bring up what would be taken down at once.

    Raises:
        UsageError: it is over.
    """
    remaining = left(workshop, now)
    if remaining is not None and remaining <= datetime.timedelta():
        raise UsageError(
            f"{workshop.name} ended at {workshop.ends:%Y-%m-%d %H:%M}",
            fix=f"change `ends` in {workshop_file.FILE_NAME}, or take the line out",
        )


def warning(workshop: Workshop, now: datetime.datetime) -> str:
    """What to say shortly before the end; empty before that."""
    remaining = left(workshop, now)
    if remaining is None or not datetime.timedelta() < remaining <= WARNED:
        return ""
    minutes = max(1, round(remaining.total_seconds() / 60))
    where = workshop_file.FILE_NAME
    return f"{workshop.name} ends in {minutes} min: `ends` in {where} says when; what attendees made stays"


def missing(directory: Path, workshop: Workshop) -> str:
    """What to say where seats run that nobody will stop at the end; empty where somebody will, or there is no end."""
    # whoever brings the class up starts a keeper last, and only then lets go
    if not workshop.ends or seats.home(directory).is_held or _is_kept(directory):
        return ""
    ends = f"{workshop.ends:%Y-%m-%d %H:%M}"
    return (
        f"{workshop.name} does not end by itself at {ends}: nothing waits for that; run `kratosctl workshop up` again,"
        " or `kratosctl workshop down` then"
    )


def _is_kept(directory: Path) -> bool:
    """Whether a keeper waits; where that cannot be told, one does."""
    return lock.is_held(seats.home(directory).home / _LOCK)


@contextlib.contextmanager
def kept(directory: Path, workshop: Workshop) -> Iterator[None]:
    """What runs at the end of a block ends at its time, however the block ends: by Ctrl-C, or because the disk is full.

    Raises:
        DiskFull, DirectoryReadOnly: the keeper's log cannot be written.
    """
    try:
        yield
    finally:
        if workshop.ends:
            _start(directory)


def _start(directory: Path) -> None:
    """Starts the keeper of a workshop that has an end, unless there is one. It outlives its caller and the terminal."""
    home = seats.home(directory).home
    with said_plainly(home), (home / _LOG).open("ab") as log:
        keeper = subprocess.Popen(
            [*PROGRAM, "--directory", str(directory), "workshop", "keep"],
            env=program.environ(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            # of the caller's terminal and its directory nothing is held
            cwd="/",
        )
    # who asks next is told that there is one
    while keeper.poll() is None and not _is_kept(directory):
        time.sleep(0.02)


def keep(
    directory: Path,
    down: Callable[[], None],
    now: Callable[[], datetime.datetime] = datetime.datetime.now,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Waits for the end of a workshop, then takes it down. Returns at once where another keeper waits.

    Args:
        directory: where workshop.yaml lies.
        down: takes it down; called again while it raises a KratosctlError.
        now: the local time.
        sleep: waits for some seconds.
    """
    from filelock import FileLock, Timeout

    home = seats.home(directory).home
    home.mkdir(parents=True, exist_ok=True)
    # whoever asks whether there is a keeper holds the lock for a moment
    with contextlib.suppress(Timeout), FileLock(home / _LOCK, mode=0o600).acquire(timeout=1):
        while (remaining := _remaining(directory, now)) is not None:
            if remaining > datetime.timedelta():
                # not beyond the end, and not so long that a changed one is missed
                sleep(min(_LOOK_EVERY, max(0.2, remaining.total_seconds())))
                continue
            try:
                down()
            except KratosctlError as error:
                # a log on a full disk keeps no class from ending
                with contextlib.suppress(OSError):
                    print(f"{now():%H:%M:%S} {'; '.join(error.lines())}", file=sys.stderr, flush=True)
                sleep(_LOOK_EVERY)
            else:
                return


def _remaining(directory: Path, now: Callable[[], datetime.datetime]) -> datetime.timedelta | None:
    """How long it is until there is something to do; None where there is nothing to wait for."""
    try:
        remaining = left(workshop_file.load(directory), now())
    except KratosctlError:
        # somebody is writing it, or took it away
        return datetime.timedelta(seconds=_LOOK_EVERY) if workshop_file.exists(directory) else None
    return remaining if remaining is not None and _any_seat(directory) else None


def _any_seat(directory: Path) -> bool:
    """Whether any seat runs; where the engine does not answer, one may."""
    try:
        known = workshop_file.load(directory).seats
        labels = [one.labels for of_project in seats.by_project().values() for one in of_project]
    except KratosctlError:
        return True
    # other environments of the directory do not end with the class
    return any(one.get("directory") == str(directory) and one.get("environment") in known for one in labels)

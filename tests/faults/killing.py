"""Killing kratosctl somewhere on its way."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.conftest import in_common
from tests.e2e.program import Directory

FLAGS = ("--yes", "--no-ui", "--no-mail", "--json")
# KRATOSCTL_TEST_POINTS is how many points are killed at, of each way and on each database
POINTS = {
    database: int(os.environ.get("KRATOSCTL_TEST_POINTS", few)) for database, few in (("sqlite", 3), ("postgres", 2))
}
CASES = [(database, point) for database, points in POINTS.items() for point in range(points)]


@dataclass(frozen=True)
class Lasts:
    """How many seconds an `up` takes here: the first, and one after `down`."""

    first: float
    again: float


@pytest.fixture(scope="session")
def lasts(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> dict[str, Lasts]:
    """In which span to kill, by database; measured once for all processes that run tests."""
    kept = in_common(tmp_path_factory) / "lasts.json"
    with FileLock(kept.with_suffix(".lock")):
        if not kept.exists():
            measured = {database: _measured(tmp_path_factory, cache, database) for database in POINTS}
            kept.write_text(json.dumps(measured))
    return {database: Lasts(*times) for database, times in json.loads(kept.read_text()).items()}


def _measured(tmp_path_factory: pytest.TempPathFactory, cache: Path, database: str) -> tuple[float, float]:
    # the first of all makes the template
    for number in range(2):
        directory = Directory(tmp_path_factory.mktemp(f"lasts-{database}-{number}"), cache)
        first = seconds(directory, "up", "--database", database, *FLAGS)
        if number:
            directory.down()
            again = seconds(directory, "up", *FLAGS)
        directory.wipe()
    return first, again


def kill(directory: Directory, after: float, point: int, *words: str) -> None:
    """Starts kratosctl and kills it: alone, as the kernel does, or with all it runs, as a closed terminal does."""
    _kill_after(directory.start(*words, heard=False), after, point)


def kill_once_there(directory: Directory, note: str, after: float, point: int, *words: str) -> None:
    """Starts kratosctl and kills it some time after it has left a note: within what changes data, however long the way
    there takes on a busy machine."""
    process = directory.start(*words, heard=False)
    path = directory.home() / note
    while not path.exists() and process.poll() is None:
        time.sleep(0.001)
    _kill_after(process, after, point)


def moment(lasts: float, case: str, point: int, points: int = 0) -> float:
    """A moment of a run: another one at each point, the same in each run of the tests.

    Args:
        lasts: how many seconds a whole run takes.
        case: what is killed.
        point: the number of the moment.
        points: how many there are.
    """
    points = points or POINTS[case]
    return lasts * (point + random.Random(f"{case} {point}").random()) / points


def seconds(directory: Directory, *words: str) -> float:
    """How long a run of kratosctl takes."""
    began = time.monotonic()
    directory.run(*words)
    return time.monotonic() - began


def _kill_after(process: subprocess.Popen[str], after: float, point: int) -> None:
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        if point % 2:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()

"""What all tests share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import gettempdir

import pytest

from kratosctl.host import ports

# the program has to say all that it prints where it is not set, too
os.environ.pop("PYTHONUNBUFFERED", None)

NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])  # of this process among those that run tests at once
# of the process that ends last: the one that started this one, where several run tests
_SWARM = Path(
    gettempdir(), f"kratosctl-tests-swarm-{os.getppid() if 'PYTEST_XDIST_WORKER' in os.environ else os.getpid()}"
)
_STEPS = 60  # hundreds above the usual ports: more than the tests of one process ever hold at once


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where kratosctl keeps migrated templates during the tests.

    Of several processes that run tests at once, each leaves the ports of the others alone: a test that stops an
    environment finds its ports free again. The templates are everybody's.
    """
    directory = tmp_path_factory.mktemp("cache")
    for name in ("templates", "locks"):
        everybodys = in_common(tmp_path_factory) / f"cache-{name}"
        everybodys.mkdir(mode=0o700, exist_ok=True)
        (directory / name).symlink_to(everybodys)
    of = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    with ExitStack() as held:
        for step in range(_STEPS):
            if step % of != NUMBER:
                for usual in ports.DEFAULTS.values():
                    _claim(directory / "ports" / str(usual + step * ports.STRIDE), held)
        yield directory


def in_common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that is the same for all processes that run tests at once."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def leave_at_the_end() -> None:
    """Has the engine leave its swarm once all tests have ended.

    An engine that leaves forgets the names by which containers of its other networks find each other (20.10).
    """
    _SWARM.touch()


def pytest_sessionfinish() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ and _SWARM.exists():
        _SWARM.unlink()
        for words in (("swarm", "leave", "--force"), ("network", "rm", "docker_gwbridge")):
            subprocess.run(["docker", *words], check=False, capture_output=True)


def _claim(file: Path, held: ExitStack) -> None:
    """Claims a port as a run of kratosctl does: by the lock of its file."""
    import fcntl

    file.parent.mkdir(exist_ok=True)
    opened = held.enter_context(file.open("w"))
    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)

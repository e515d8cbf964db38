"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kratosctl import ports

_STEPS = 60  # hundreds above the usual ports: more than the tests of one process ever hold at once


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where kratosctl keeps migrated templates during the tests.

    Of several processes that run tests at once, each leaves the ports of the others alone: a test that stops an
    environment finds its ports free again.
    """
    directory = tmp_path_factory.mktemp("cache")
    mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    of = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    with ExitStack() as held:
        for step in range(_STEPS):
            if step % of != mine:
                for usual in ports.DEFAULTS.values():
                    _claim(directory / "ports" / str(usual + step * ports.STRIDE), held)
        yield directory


def _claim(file: Path, held: ExitStack) -> None:
    """Claims a port as a run of kratosctl does: by the lock of its file."""
    import fcntl

    file.parent.mkdir(exist_ok=True)
    opened = held.enter_context(file.open("w"))
    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)

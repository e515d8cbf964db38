"""What is said beside a result: on standard error, to whoever reads it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import pytest

from kratosctl.console import Console


@contextlib.contextmanager
def standard_error(descriptor: int) -> Iterator[None]:
    stream, before = os.fdopen(descriptor, "w", buffering=1), sys.stderr
    sys.stderr = stream
    try:
        yield
    finally:
        sys.stderr = before
        with contextlib.suppress(OSError):
            stream.close()


def unread() -> int:
    """What nobody reads any further, as behind `2>&1 | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("full", [False, True], ids=["the reader is gone", "the disk is full"])
def test_work_goes_on_where_what_is_said_of_it_cannot_be_printed(full: bool) -> None:
    done = []
    with standard_error(os.open("/dev/full", os.O_WRONLY) if full else unread()):
        with Console().step("write the files"):
            done.append("written")
        Console().note("waiting for another kratosctl")
        with Console().progress("seed dev") as show:
            show(0.5, "half of it")
            done.append("seeded")

    assert done == ["written", "seeded"]

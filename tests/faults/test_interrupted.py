"""Ctrl-C anywhere."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

import pytest

from tests.e2e import engine
from tests.e2e.program import Directory
from tests.faults.killing import FLAGS, Lasts, moment
from tests.faults.soundness import assert_sound, secrets

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("point", range(4))
def test_ctrl_c_ends_up_at_once_with_130_and_the_next_goes_on(
    directory: Directory, lasts: dict[str, Lasts], point: int
) -> None:
    directory.choose()
    up = directory.start("up", *FLAGS[:-1])
    engine.until((directory.home() / "lock").exists, why="it has begun")
    with contextlib.suppress(subprocess.TimeoutExpired):
        up.wait(moment(lasts["sqlite"].first, "interrupt", point, 4))
    # as a terminal does: to kratosctl and to all that it runs
    with contextlib.suppress(ProcessLookupError):
        os.killpg(up.pid, signal.SIGINT)
    out, said = up.communicate(timeout=60)
    before = secrets(directory)

    assert "Traceback" not in said
    if not out:
        # cut short, and not just as it ended
        assert up.returncode == 130, said
        assert "error: interrupted" in said
        assert "kratosctl up dev" in said
    told = directory.run("up", *FLAGS).data
    assert_sound(directory, told)
    assert {name: text for name, text in secrets(directory).items() if name in before} == before

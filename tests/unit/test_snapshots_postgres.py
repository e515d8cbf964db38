"""The psql that stays open between resets, as far as no PostgreSQL is needed to tell."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from kratosctl.snapshots.facts import Facts
from kratosctl.snapshots.postgres import Session

# answers each script when it has read all of it; it begins with that once there is a file `go`
PSQL = r"""#!/bin/sh
while read -r line; do
  case "$line" in
    *kratosctl-emptied*) said=kratosctl-emptied ;;
    *networks*) said='7|8|a-network' ;;
    *kratosctl-end-of-answer*)
      until [ -e "{go}" ]; do sleep 0.01; done
      printf '%s\nkratosctl-end-of-answer 00000\n' "$said" ;;
  esac
done
"""


class TooLong(Exception):
    pass


@contextlib.contextmanager
def limit(seconds: float) -> Iterator[None]:
    """A time limit as pytest-timeout keeps it: an exception wherever the main thread is."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_after_a_reset_that_was_interrupted_the_next_one_waits_for_its_own_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the answer of the one before it would end too soon, and what the next test makes would be emptied."""
    go = tmp_path / "go"
    docker = tmp_path / "docker"
    docker.write_text(PSQL.replace("{go}", str(go)))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with contextlib.closing(Session("a-postgres")) as session:
        with pytest.raises(TooLong), limit(0.3):
            session.empty(unless_sending=False)
        go.touch()

        assert session.facts() == Facts(7, 8, "a-network")
        assert session.empty(unless_sending=False)

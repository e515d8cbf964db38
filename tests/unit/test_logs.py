"""What `logs` takes for a time and a number of lines, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.commands import logs
from kratosctl.errors import NotRunning, UsageError
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace


def show(tmp_path: Path, tail: str = "all", since: str | None = None) -> None:
    """Asks for the logs of an environment that has none."""
    logs.show(running.Found(Workspace(tmp_path, "dev"), State(), ()), tail=tail, since=since)


@pytest.mark.parametrize("tail", ["-5", "five", "1.5", ""])
def test_lines_that_are_no_number_are_refused(tmp_path: Path, tail: str) -> None:
    with pytest.raises(UsageError, match="--tail"):
        show(tmp_path, tail=tail)


@pytest.mark.parametrize("since", ["yesterday", "", "10 minutes", "-5m", "2026-13-01", "2026-W48-2"])
def test_what_docker_takes_for_no_time_is_refused(tmp_path: Path, since: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        show(tmp_path, since=since)


@pytest.mark.parametrize(
    "since",
    ["10m", "1h30m", "1.5h", "1700000000", "1700000000.5", "2026-11-24", "2026-11-24T09:30", "2026-11-24T09:30:00Z",
     "2026-11-24T09:30:00.123456789Z", "2026-11-24T09:30:00+01:00"],
)  # fmt: skip
def test_what_docker_takes_for_a_time_is_handed_on(tmp_path: Path, since: str) -> None:
    with pytest.raises(NotRunning):
        show(tmp_path, since=since, tail="10")


@pytest.mark.parametrize(
    ("docker", "reader", "code"),
    [
        # as docker and Compose say that nobody reads: by their signal, or by a code of theirs
        ("exec yes", "head -1", 0),
        ("trap '' PIPE; yes 2>&-; exit 255", "head -1", 0),
        ("exit 3", "true", 3),
        ("kill -9 $$", "cat", 137),
    ],
)
def test_a_pipe_that_is_closed_early_is_no_failure_of_what_docker_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker: str, reader: str, code: int
) -> None:
    """`kratosctl logs | grep -q` under pipefail; what went wrong in docker is told all the same."""
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{docker}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    logs = "import sys; from kratosctl.engine import program; sys.exit(program.with_terminal('logs'))"
    words = f'set -o pipefail; {sys.executable} -c "{logs}" | {reader}'

    assert subprocess.run(["bash", "-c", words], capture_output=True, check=False).returncode == code

"""What `logs` takes for a time and a number of lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.commands import logs
from kratosctl.errors import NotRunning, UsageError
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace


def show(tmp_path: Path, tail: str = "all", since: str | None = None) -> None:
    """Asks for the logs of an environment that has none."""
    logs.show(running.Found(Workspace(tmp_path, "dev"), State(), ()), logs.Wishes(tail=tail, since=since))


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

"""How long commands wait that were told to wait longer for Kratos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kratosctl import running
from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.commands import upgrade
from kratosctl.errors import Interrupted
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.lessons import start
from kratosctl.limits import Limits
from kratosctl.main import main
from kratosctl.running import Found
from kratosctl.workshop import up


@pytest.mark.parametrize(("seconds", "database"), [("600", 600.0), ("5", 30.0)])
@pytest.mark.parametrize(
    ("words", "room"),
    [
        (("upgrade", "seat-01", "--to", "v26.2.0"), upgrade),
        (("lesson", "start", "no-way-back", "seat-01"), start),
        (("workshop", "up"), up),
    ],
)
def test_where_a_machine_is_slow_the_database_may_be_as_slow_as_kratos(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    room: Any,
    seconds: str,
    database: float,
) -> None:
    workshop_file.write(tmp_path, Workshop("class", {"release": "v1.1.0"}, {"seat-01": "Ada"}))
    monkeypatch.setattr(running, "find", lambda directory, name: Found(Workspace(directory, name), State(), ()))
    given: list[Limits] = []

    def look(*about: Any) -> None:
        for one in about:
            limits = getattr(getattr(one, "wishes", one), "limits", one)
            given.extend([limits] if isinstance(limits, Limits) else [])
        raise Interrupted("how long it would wait is all there is to see")

    monkeypatch.setattr(room, room.__name__.rpartition(".")[2], look)

    assert main([*words, "--wait-timeout", seconds, "-C", str(tmp_path)]) == Interrupted.exit_code
    assert given == [Limits(float(seconds), database)]

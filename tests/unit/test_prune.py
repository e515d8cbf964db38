"""What `prune` removes, and says of what it cannot."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from kratosctl.commands import prune
from kratosctl.console import Console
from kratosctl.engine import program, reading
from kratosctl.engine.objects import Labelled
from kratosctl.ephemeral.remains import Remains
from kratosctl.errors import EngineFailed
from kratosctl.main import main

BUSY = "Error response from daemon: error while removing network: network stuck_default has active endpoints"


class Engine:
    """An engine with a network for each project; somebody's own container is in that of `stuck`."""

    def __init__(self) -> None:
        self.networks = {"stuck", "other"}

    def docker(self, kind: str, action: str, *words: str, **_: Any) -> subprocess.CompletedProcess[str]:
        project = words[-1].rpartition("=")[2]
        if action == "ls":
            there = kind == "network" and project in self.networks
            return subprocess.CompletedProcess((), 0, project if there else "", "")
        if project == "stuck":
            return subprocess.CompletedProcess((), 1, "", BUSY + "\n")
        self.networks.remove(project)
        return subprocess.CompletedProcess((), 0, "", "")


def test_what_cannot_be_removed_is_said_with_its_reason_and_keeps_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine()
    monkeypatch.setattr(program, "docker", engine.docker)
    found = [prune.Useless(Remains(name, "test", str(tmp_path / name)), "gone") for name in ("stuck", "other")]
    with pytest.raises(EngineFailed) as caught:
        prune.prune(found, Console(quiet=True))

    assert engine.networks == {"stuck"}
    assert "stuck" in caught.value.what
    assert "network stuck_default has active endpoints" in caught.value.why
    assert "other" not in str(caught.value)


def test_what_would_go_is_named_in_the_question_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --quiet there is nothing else to see before the answer, and with --json nothing else to read."""
    gone = str(tmp_path / "gone")
    found = [Labelled("network", "a_default", "shop-a-1", "a", gone, ""), Labelled("volume", "b", "b-2", "b", gone, "")]
    monkeypatch.setattr(reading, "labelled", lambda: found)
    # no directories that other tests left behind
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    assert main(["prune", "--gone", "--json"]) == 38

    what = json.loads(capsys.readouterr().out)["error"]["what"]
    assert what == "Remove shop-a-1, b-2, with the data of b-2? It cannot be brought back."

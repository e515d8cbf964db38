"""`open`, and a browser that does as it likes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

OPEN = """
from kratosctl.cli.open import open_page
from kratosctl.cli.session import Session

session = Session(json=True)
session.console.result(open_page(session, "http://localhost:4455"))
"""


@pytest.mark.parametrize("way", ["{} %s", "{} %s &"], ids=["waited for", "in the background"])
def test_a_browser_that_stays_open_and_prints_is_no_part_of_what_scripts_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """`url=$(kratosctl open --json)` goes on while the browser is open; some print that they use one that is there."""
    browser, told = tmp_path / "browser", tmp_path / "open"
    stays = f"while [ -e {told} ]; do sleep 0.1; done" if way.endswith("&") else ":"
    browser.write_text(f"#!/bin/sh\necho $1 > {told}\necho Opening in existing browser session.\n{stays}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", way.format(browser))
    try:
        done = subprocess.run(
            [sys.executable, "-c", OPEN], capture_output=True, stdin=subprocess.DEVNULL, timeout=20, check=True
        )
    finally:
        told.unlink(missing_ok=True)

    assert json.loads(done.stdout)["data"] == {"url": "http://localhost:4455", "opened": True}
    assert done.stderr == b""

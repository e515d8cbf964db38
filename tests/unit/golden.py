"""Golden files: what is rendered, compared whole with what lies in tests/golden.

After a change that was meant, write them anew and read the difference:

    KRATOSCTL_UPDATE_GOLDEN=1 pytest tests/unit/test_golden.py
"""

from __future__ import annotations

import os
from pathlib import Path

DIRECTORY = Path(__file__).parents[1] / "golden"
UPDATE = "KRATOSCTL_UPDATE_GOLDEN"


def check(name: str, text: str) -> None:
    """Compares a text with its golden file, or writes it where that was asked for."""
    path = DIRECTORY / name
    if os.environ.get(UPDATE):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"there is no {path}: {__doc__}"
    assert text == path.read_text(encoding="utf-8")

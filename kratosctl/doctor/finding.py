"""What a rule finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """
    Attributes:
        rule: the name of the rule that found it.
        what: one line.
        why: why it matters; may be empty.
        fix: a command, or what to do; empty where nothing is to be done.
    """

    rule: str
    level: Level
    what: str
    why: str = ""
    fix: str = ""

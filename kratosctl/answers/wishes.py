"""How a person wants `up` to go about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kratosctl.engine import reading
from kratosctl.engine.objects import Engine
from kratosctl.limits import Limits


@dataclass(frozen=True)
class Wishes:
    """How `up` is to go about it.

    Attributes:
        dry_run: print the plan and the differences of the files; change nothing.
        overwrite: write over generated files that somebody edited.
        pull: take what floating tags mean now.
        limits: time limits.
        save: writes kratosctl.yaml; called once everything that can be refused was not.
        notes: what a person should know of what was asked for.
        presented: the preset's own notes were shown when it was chosen.
        engine: asks for the engine; whoever began to ask earlier passes on what waits for the answer.
    """

    dry_run: bool = False
    overwrite: bool = False
    pull: bool = False
    limits: Limits = field(default_factory=Limits)
    save: Callable[[], None] | None = None
    notes: tuple[str, ...] = ()
    presented: bool = False
    engine: Callable[[], Engine] = reading.engine

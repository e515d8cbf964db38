"""`logs`: what an environment's services print, followed and filtered."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from kratosctl.engine import program
from kratosctl.errors import NotRunning, UsageError
from kratosctl.running import Found
from kratosctl.stack.files import COMPOSE_FILE

# as Go writes how long something takes
_SPAN = r"([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))+"
# not all that Python reads: Docker wants hyphens, and a T
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}(:[0-9]{2}){0,2}|$)"


def show(
    found: Found,
    services: Sequence[str] = (),
    follow: bool = False,
    tail: str = "all",
    since: str | None = None,
    matching: str | None = None,
) -> int:
    """Prints the lines to standard output.

    Args:
        found: the environment.
        services: names; none means all.
        follow: go on until Ctrl-C.
        tail: only the last lines, or "all".
        since: a time stamp or a span such as 10m.
        matching: a regular expression; other lines are left out.

    Returns:
        Compose's exit code.

    Raises:
        NotRunning: the environment has no containers.
        UsageError: `matching` is no regular expression, `tail` no number, `since` no time.
    """
    _check(tail, since)
    if not found.containers or not (found.workspace.home / COMPOSE_FILE).exists():
        fix = f"start it: kratosctl up {found.name}"
        raise NotRunning(f"environment {found.name} has no containers, so no logs", fix=fix)
    words = ["compose", *found.project.where, "logs", "--tail", tail, *(["--follow"] if follow else [])]
    words += ["--since", since] if since else []
    if matching is None:
        return program.with_terminal(*words, *services)
    try:
        pattern = re.compile(matching, re.IGNORECASE)
    except re.error as error:
        raise UsageError(f"--matching {matching!r} is not a regular expression", str(error)) from error
    return _filtered([*words, *services], pattern)


def _check(tail: str, since: str | None) -> None:
    if tail != "all" and not re.fullmatch("[0-9]{1,9}", tail):
        raise UsageError(f"--tail: expected a number of lines, found {tail[:60]!r}")
    if since is not None and not (re.fullmatch(_SPAN, since) or _is_time(since)):
        fix = "such as 10m, 1h30m, 2026-11-24 or 2026-11-24T09:30:00"
        raise UsageError(f"--since: expected a time or how long ago, found {since[:60]!r}", fix=fix)


def _is_time(text: str) -> bool:
    """Whether Docker takes it for a time: seconds since 1970, or a date, with or without a time of day."""
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text):
        return True
    from datetime import datetime

    try:
        datetime.fromisoformat(re.sub(r"\.[0-9]+", "", text))
    except ValueError:
        return False
    return bool(re.match(_DATE, text))


def _filtered(words: list[str], pattern: re.Pattern[str]) -> int:
    process = program.talking(*words, stderr=None)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if pattern.search(line):
                sys.stdout.write(line)
                sys.stdout.flush()
        return process.wait()
    finally:
        process.terminate()
        process.wait()

"""What a board does to a seat: each act is a command of kratosctl, run beside the board and shown with its outcome."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kratosctl import questions
from kratosctl.engine import program
from kratosctl.errors import EnvironmentBusy, UsageError

ACTS = ("reset", "restart")
# -P: a file of the workshop's directory, such as secrets.py, is no module of Python's
PROGRAM = (sys.executable, "-P", "-m", "kratosctl")
# of the shell that the board was started in; `workshop up` asks for none of it at a seat either
_NOT_OF_SEATS = {"DSN", *(question.variable for question in questions.QUESTIONS)}
_AT_ONCE = 4  # the others wait: a class that is reset seat by seat still has to be served


@dataclass(frozen=True)
class Act:
    """Something that is done to a seat, or was.

    Attributes:
        doing: reset or restart.
        command: the command that does it, as somebody would type it.
        began: when.
        seconds: how long it took; None while it is under way.
        error: what stood in the way: code, what, why, fix; None where nothing did.
    """

    doing: str
    command: str
    began: str
    seconds: float | None = None
    error: Mapping[str, str] | None = None


class Acts:
    """The last act of each seat. A seat has one at a time."""

    def __init__(self, directory: Path, changed: Callable[[str, bool], None]) -> None:
        """
        Args:
            directory: where workshop.yaml lies.
            changed: told of the seat whose act began or, True, ended.
        """
        self._directory, self._changed = directory, changed
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(_AT_ONCE)
        self._acts: dict[str, Act] = {}
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False

    def data(self) -> dict[str, dict[str, Any]]:
        """The last act of each seat, as JSON-able data."""
        with self._lock:
            return {seat: asdict(act) for seat, act in self._acts.items()}

    def begin(self, seat: str, doing: str, whole: bool) -> None:
        """Begins an act, and returns at once.

        Args:
            seat: the seat; it exists.
            doing: one of ACTS.
            whole: every service of it runs; else a restart brings it up.

        Raises:
            UsageError: there is no such act.
            EnvironmentBusy: another one is under way there.
        """
        if doing not in ACTS:
            raise UsageError(f"no act {doing!r}", f"there are {', '.join(ACTS)}")
        words = ["up", seat, "--yes"] if doing == "restart" and not whole else ["workshop", doing, seat]
        act = Act(doing, shlex.join(["kratosctl", *words]), datetime.now(UTC).isoformat(timespec="seconds"))
        with self._lock:
            before = self._acts.get(seat)
            if before and before.seconds is None:
                fix = "wait until it has ended"
                raise EnvironmentBusy(f"{seat} is busy", f"a {before.doing} is under way", fix)
            self._acts[seat] = act
        threading.Thread(target=self._do, args=(seat, act, words), daemon=True).start()
        self._changed(seat, False)

    def end(self) -> None:
        """Interrupts what is under way: each command ends whole or undoes what it began, which nobody waits for."""
        with self._lock:
            self._ended = True
            running = list(self._running)
        for process in running:
            with contextlib.suppress(OSError):
                process.send_signal(signal.SIGINT)

    def _do(self, seat: str, act: Act, words: list[str]) -> None:
        with self._turns:
            began = time.monotonic()
            error = self._run(words)
        done = replace(act, seconds=round(time.monotonic() - began, 1), error=error)
        with self._lock:
            self._acts[seat] = done
        self._changed(seat, True)

    def _run(self, words: list[str]) -> Mapping[str, str] | None:
        """Runs kratosctl to its end, and returns the error it met."""
        command = [*PROGRAM, *words, "--directory", str(self._directory), "--json", "--quiet"]
        try:
            with self._lock:
                if self._ended:
                    return None
                process = subprocess.Popen(
                    command,
                    env={name: value for name, value in program.environ().items() if name not in _NOT_OF_SEATS},
                    # Ctrl-C in the terminal is the board's: it tells each command once
                    start_new_session=True,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    encoding="utf-8",
                    errors="replace",
                )
                self._running.add(process)
            said, _ = process.communicate()
        except OSError as error:
            return _fault("kratosctl cannot be run", error.strerror or "")
        with self._lock:
            self._running.discard(process)
        return outcome(said, process.returncode)


def outcome(said: str, code: int) -> Mapping[str, str] | None:
    """The error that a command met; None where it met none.

    Args:
        said: its JSON envelope.
        code: its exit code.
    """
    try:
        error = json.loads(said)["error"]
    except (ValueError, KeyError, TypeError):
        return None if code == 0 else _fault("the command ended without a word", f"its exit code is {code}")
    if error is None:
        return None if code == 0 else _fault("it did not go well", f"its exit code is {code}")
    return {key: str(error[key]) for key in ("code", "what", "why", "fix")}


def _fault(what: str, why: str) -> Mapping[str, str]:
    return {"code": "act-failed", "what": what, "why": why, "fix": "run the command in a terminal, which says more"}

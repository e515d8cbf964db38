"""`run`: somebody's command beside an ephemeral Kratos. What it reads and prints is its own; so is its exit code."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from kratosctl.answers.selection import Selection
from kratosctl.console import Console
from kratosctl.ephemeral import environments
from kratosctl.ephemeral.environments import Ephemeral
from kratosctl.errors import CommandNotExecutable, CommandNotFound

_VARIABLES = {
    "public": "KRATOS_PUBLIC_URL",
    "admin": "KRATOS_ADMIN_URL",
    "ui": "KRATOS_UI_URL",
    "mail": "KRATOS_MAIL_URL",
}
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Ended(BaseException):
    """A signal came while there was no command to give it to."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Signals:
    """Hands the signals this process gets to the command; before there is one, a signal ends this process."""

    def __init__(self) -> None:
        self._command: subprocess.Popen[bytes] | None = None
        self._waiting: list[int] | None = None
        self._deaf = False

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Catches them for a block, but for those that whoever started this process wants ignored."""
        numbers = [number for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._come) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self, words: Sequence[str], directory: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Starts the command. A signal that comes meanwhile is the command's."""
        self._waiting = []
        self._command = subprocess.Popen(words, cwd=directory, env=variables)
        waiting, self._waiting = self._waiting, None
        for number in waiting:
            self._come(number, None)
        return self._command

    def ignore(self) -> None:
        """From now on nothing is interrupted: what is there is being removed."""
        self._deaf = True

    def _come(self, number: int, _frame: FrameType | None) -> None:
        if self._deaf:
            return
        if self._waiting is not None:
            self._waiting.append(number)
        elif self._command is None:
            self.ignore()
            raise _Ended(number)
        elif number != signal.SIGINT or not _typed():
            self._command.send_signal(number)


def run(
    words: Sequence[str], chosen: Selection, keep: bool, wait_timeout: float, directory: Path, console: Console
) -> int:
    """Runs a command with an ephemeral Kratos, and removes that at the end.

    Args:
        words: the command.
        chosen: what Kratos to run.
        keep: leave Kratos there at the end.
        wait_timeout: seconds for Kratos to be ready.
        directory: where the command runs.
        console: where steps are shown.

    Returns:
        The command's exit code; 128 and the signal's number where a signal ended it.

    Raises:
        CommandNotFound, CommandNotExecutable: the command cannot be run.
        KratosctlError: anything that stands in Kratos' way.
    """
    _check(words[0], directory)
    signals = _Signals()
    with signals.caught():
        try:
            with environments.made(chosen, keep, wait_timeout, console) as made:
                try:
                    return _run(words, made, directory, signals)
                finally:
                    signals.ignore()
                    if keep:
                        console.note(said_of_kept(made.found.workspace.directory, made.urls))
        except _Ended as ended:
            return 128 + ended.number


def said_of_kept(directory: Path, urls: Mapping[str, str]) -> str:
    """How somebody reaches what was kept, and gets rid of it."""
    where = "  ".join(f"{name} {url}" for name, url in urls.items())
    return f"kept: {where}\nlook: kratosctl -C {shlex.quote(str(directory))} status\nremove: kratosctl prune --kept"


def _run(words: Sequence[str], made: Ephemeral, directory: Path, signals: _Signals) -> int:
    ours = {_VARIABLES[name]: url for name, url in made.urls.items() if name in _VARIABLES}
    # where this Kratos has no UI, that of another one is none of the command's
    theirs = {name: value for name, value in os.environ.items() if name not in _VARIABLES.values()}
    try:
        code = signals.start(words, directory, theirs | ours).wait()
    except OSError as error:
        raise CommandNotExecutable(f"{words[0]} cannot be run", error.strerror or "") from error
    return 128 - code if code < 0 else code


def _check(word: str, directory: Path) -> None:
    """Refuses what is no command before a second is spent on Kratos."""
    path = str(directory / word) if "/" in word else word
    if shutil.which(path):
        return
    if "/" in word and Path(path).exists():
        raise CommandNotExecutable(f"{word} cannot be run", "it is no executable file")
    raise CommandNotFound(f"no command {word!r}", "" if "/" in word else "it is not on PATH")


def _typed() -> bool:
    """Whether a SIGINT is a Ctrl-C typed at the terminal, which has given it to the command as well."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)

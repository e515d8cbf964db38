"""The one place that prints. Results go to standard output; steps, warnings, errors and prompts to standard error."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TextIO

from kratosctl import results
from kratosctl.errors import KratosctlError

_LINE_EVERY = 5.0  # seconds
# what steers a terminal, or hides what stands before it
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Console:
    """How to speak.

    Attributes:
        json: results and errors are printed as the JSON envelope.
        quiet: steps and notes are not printed; results and errors are.
        directory: as it was given with --directory: commands that are told to type act on it, too.
        commands: the names by which such a command is known.
    """

    json: bool = False
    quiet: bool = False
    directory: str = ""
    commands: Collection[str] = ()

    @property
    def styled(self) -> bool:
        return _is_screen(sys.stderr) and not self.quiet

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Shows a long step while it runs, and how long it took: in place on a terminal, one plain line elsewhere."""
        if self.quiet:
            yield
            return
        what, began = _plain(what), time.monotonic()
        if self.styled:
            with self._spinner(what):
                yield
        else:
            yield
        mark = self._coloured("32", "✓") if self.styled else "-"
        _say(f"{mark} {what} ({time.monotonic() - began:.1f} s)")

    @contextlib.contextmanager
    def _spinner(self, what: str) -> Iterator[None]:
        from rich.console import Console as RichConsole
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(*columns, console=RichConsole(stderr=True), transient=True) as progress:
            progress.add_task(what)
            yield

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[Callable[[float | None, str], None]]:
        """Shows how far a long step is: a bar on a terminal, a plain line now and then elsewhere.

        Args:
            what: the step.

        Yields:
            Takes the part that is done, from 0 to 1 (None: unknown), and what there is to say of it.
        """
        if self.styled:
            with self._bar(_plain(what)) as show:
                yield show
            return
        due = time.monotonic() + _LINE_EVERY

        def say(part: float | None, said: str) -> None:
            nonlocal due
            if time.monotonic() >= due:
                due = time.monotonic() + _LINE_EVERY
                self.note(f"- {what}: {'' if part is None else f'{part:.0%}, '}{said}")

        with self.step(what):
            yield say

    @contextlib.contextmanager
    def _bar(self, what: str) -> Iterator[Callable[[float | None, str], None]]:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[said]}", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=RichConsole(stderr=True), transient=True) as progress:
            task = progress.add_task(what, total=None, said="")

            def show(part: float | None, said: str) -> None:
                progress.update(task, total=None if part is None else 1.0, completed=part, said=_plain(said))

            yield show

    def note(self, line: str) -> None:
        """Says something a person should know; not with --quiet."""
        if not self.quiet:
            _say(self._shown(line))

    def warn(self, result: results.Result) -> None:
        """Says what a result warns of; not with --quiet."""
        for warning in () if self.quiet else result.warnings:
            _say(self._coloured("33", "warning: ") + self._shown(warning))

    def result(self, result: results.Result) -> None:
        """Prints what a command found."""
        if not self.json:
            self.warn(result)
        text = result.json(self._told) if self.json else self._shown(result.text())
        if text:
            print(text, flush=True)

    def redraw(self, text: str) -> None:
        """Shows a result that replaces the one shown before: in its place on a terminal, below it elsewhere."""
        if _is_screen(sys.stdout):
            print(f"\x1b[H\x1b[J{self._shown(text)}", flush=True)
        else:
            print(self._shown(text) + "\n", flush=True)

    def error(self, command: str, error: KratosctlError) -> None:
        """Prints an error: one to three lines, or the envelope on standard output."""
        if self.json:
            print(results.error_json(command, error, self._told), flush=True)
            return
        first, *rest = map(self._shown, error.lines())
        _say("\n  ".join([self._coloured("31", "error: ") + first, *rest]))

    def _shown(self, text: str) -> str:
        """A text as a person reads it."""
        return _plain(self._told(text))

    def _told(self, text: str) -> str:
        """The text, in which each command to type says which directory it is about."""
        if not self.directory:
            return text
        command = rf"kratosctl(?=\s+(?:{'|'.join(self.commands)})\b)"
        return re.sub(command, lambda _: f"kratosctl -C {shlex.quote(self.directory)}", text)

    def _coloured(self, code: str, text: str) -> str:
        wanted = _is_screen(sys.stderr) and not os.environ.get("NO_COLOR")
        return f"\x1b[{code}m{text}\x1b[0m" if wanted else text


def _plain(text: str) -> str:
    """A text that steers no terminal: others choose labels of containers, names of programs, and what logs say."""
    return _STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _is_screen(stream: TextIO) -> bool:
    """A terminal with colours and a cursor that moves; those of some editors only print lines, and say so."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def _say(text: str) -> None:
    """Prints on standard error. That nobody reads it (`2>&1 | head`), or has room for it, is no reason to stop half-way
    through what it tells of."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)

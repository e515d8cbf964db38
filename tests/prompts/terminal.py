"""A terminal with a program in it, as a person sees it: the screen, the keys, the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pexpect
import pyte

ENTER, UP, DOWN, CTRL_C, CTRL_D = "\r", "\x1b[A", "\x1b[B", "\x03", "\x04"
_LIMIT = 60
# of the person who runs the tests: none of it may reach the program
_NOT_INHERITED = ("KRATOSCTL_", "SECRETS_", "DSN", "COMPOSE_", "DOCKER_", "PROMPT_TOOLKIT_", "NO_COLOR")


def environ(variables: Mapping[str, str] | None = None, engine: bool = False) -> dict[str, str]:
    """The process environment of a run.

    Args:
        variables: further variables.
        engine: with the Docker engine of this machine; else with one that is not there.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)}
    if engine:
        inherited |= {key: value for key, value in os.environ.items() if key.startswith("DOCKER_")}
    else:
        inherited["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    return {**inherited, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(variables or {})}


class Terminal:
    """kratosctl in a terminal of its own.

    Args:
        directory: where it runs.
        words: its command line.
        variables: its process environment.
        redirect: what a shell does with its streams, such as `> out`.
    """

    def __init__(
        self,
        directory: Path,
        *words: str,
        variables: Mapping[str, str] | None = None,
        redirect: str = "",
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        self._screen = _Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        program = [sys.executable, "-m", "kratosctl", *words]
        self._child: pexpect.spawn[str] = pexpect.spawn(
            "/bin/sh",
            ["-c", f'exec "$@" {redirect}', "sh", *program],
            cwd=str(directory),
            env=dict(environ() if variables is None else variables),
            encoding="utf-8",
            dimensions=(rows, columns),
            timeout=_LIMIT,
        )
        self._child.delaybeforesend = None
        self._child.delayafterclose = self._child.delayafterterminate = 0
        self._screen.child = self._child

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._child.close(force=True)

    @property
    def screen(self) -> str:
        """What can be read on it now."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    @property
    def flowing(self) -> str:
        """The same with every space and line break as one space: for texts that wrap."""
        return " ".join(self.screen.split())

    def see(self, text: str) -> str:
        """Waits until a text stands on the screen, wrapped or not, and returns the screen."""
        while "".join(text.split()) not in "".join(self.screen.split()):
            try:
                self._stream.feed(self._child.read_nonblocking(65536, timeout=_LIMIT))
            except (pexpect.EOF, pexpect.TIMEOUT) as error:
                raise AssertionError(
                    f"{text!r} never came ({type(error).__name__}); the screen:\n{self.screen}"
                ) from None
        return self.screen

    def press(self, keys: str) -> None:
        self._child.send(keys)

    def answer(self, question: str, keys: str = ENTER) -> None:
        """Waits for a question, which stands alone on the last lines, and presses keys."""
        self.see(question)
        self.press(keys)

    def end(self) -> int:
        """Waits until the program ends, and returns its exit code."""
        try:
            while True:
                self._stream.feed(self._child.read_nonblocking(65536, timeout=_LIMIT))
        except pexpect.EOF:
            # a program whose streams are all redirected is not at its end yet
            self._child.wait()
            self._child.close()
        except pexpect.TIMEOUT:
            raise AssertionError(f"it did not end; the screen:\n{self.screen}") from None
        assert "Traceback" not in self.screen, self.screen
        assert self._child.exitstatus is not None, f"ended by signal {self._child.signalstatus}"
        return self._child.exitstatus


class _Screen(pyte.Screen):
    """Answers where its cursor is when it is asked, as terminals do."""

    child: pexpect.spawn[str]

    def write_process_input(self, data: str) -> None:
        self.child.send(data)


def tree(directory: Path) -> dict[str, str]:
    """Every file and directory below one, with its contents."""
    return {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8") if path.is_file() else "directory"
        for path in sorted(directory.rglob("*"))
    }


def lines_with(screen: str, text: str) -> Sequence[str]:
    """The lines of a screen that hold a text."""
    return [line for line in screen.splitlines() if text in line]

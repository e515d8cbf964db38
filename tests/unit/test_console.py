"""What is said beside a result: on standard error, to whoever reads it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from kratosctl.console import Console
from kratosctl.errors import KratosctlError
from kratosctl.results import Result


@contextlib.contextmanager
def standard_error(descriptor: int) -> Iterator[None]:
    stream, before = os.fdopen(descriptor, "w", buffering=1), sys.stderr
    sys.stderr = stream
    try:
        yield
    finally:
        sys.stderr = before
        with contextlib.suppress(OSError):
            stream.close()


def unread() -> int:
    """What nobody reads any further, as behind `2>&1 | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("full", [False, True], ids=["the reader is gone", "the disk is full"])
def test_work_goes_on_where_what_is_said_of_it_cannot_be_printed(full: bool) -> None:
    done = []
    with standard_error(os.open("/dev/full", os.O_WRONLY) if full else unread()):
        with Console().step("write the files"):
            done.append("written")
        Console().note("waiting for another kratosctl")
        with Console().progress("seed dev") as show:
            show(0.5, "half of it")
            done.append("seeded")

    assert done == ["written", "seeded"]


def on_a_terminal(variables: Mapping[str, str], *words: str) -> str:
    """What a program prints on a terminal of its own, whose variables are these."""
    ours, theirs = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if name not in ("TERM", "NO_COLOR")}
    subprocess.run([sys.executable, *words], env={**inherited, **variables}, stdout=theirs, stderr=theirs, check=False)
    os.close(theirs)
    with os.fdopen(ours, "rb") as screen:
        said = b""
        # how a terminal ends whose program has ended
        with contextlib.suppress(OSError):
            while part := screen.read1(1024):
                said += part
    return said.decode()


STEPS = """
from kratosctl.console import Console
with Console().step("one"): pass
with Console().progress("two") as show: show(0.5, "half")
Console().redraw("three")
"""


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"TERM": "xterm-256color", "NO_COLOR": "1"}])
def test_a_terminal_gets_no_colours_that_it_cannot_show_or_is_not_to(variables: dict[str, str]) -> None:
    said = on_a_terminal(variables, "-m", "kratosctl", "nonsense")
    assert said.startswith("error: ")
    assert "\x1b" not in said


def test_a_terminal_of_colours_gets_them() -> None:
    assert "\x1b[31merror: \x1b[0m" in on_a_terminal({"TERM": "xterm-256color"}, "-m", "kratosctl", "nonsense")


def test_a_terminal_that_only_prints_lines_gets_lines() -> None:
    """Such as those of editors, and of CI: what steers a cursor is rubbish there."""
    said = on_a_terminal({"TERM": "dumb"}, "-c", STEPS)
    assert "\x1b" not in said
    assert [line[:5] for line in said.split("\r\n")] == ["- one", "- two", "three", "", ""]


# each of these is somebody else's word: of a container's label, a program's name, a log line, a bundle
STEERING = "\x1b]0;owned\x07\x1b[2Jall is well\r\x9b31m\x7f"


def test_nothing_that_others_named_steers_the_terminal_of_who_reads_it(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    with console.step(f"look at {STEERING}"), console.progress(STEERING) as show:
        show(0.5, STEERING)
    console.note(f"port 4433 is taken by {STEERING}")
    console.result(Result("list", {}, lambda: f"dev  running\n{STEERING}\tdown", [f"{STEERING} is another image now"]))
    console.redraw(STEERING)
    console.error("up", KratosctlError(STEERING, STEERING, STEERING))

    said = "".join(capsys.readouterr())
    assert not re.findall("[^\n\t -~✓…-]", said)
    assert said.count(r"\x1b]0;owned\x07\x1b[2Jall is well\x0d\x9b31m\x7f") == 9
    assert "dev  running\n" in said


def test_json_has_such_a_name_as_it_is_and_steers_no_terminal_either(capsys: pytest.CaptureFixture[str]) -> None:
    Console(json=True).result(Result("list", {"directory": STEERING}, warnings=[STEERING]))
    listed = capsys.readouterr().out
    Console(json=True).error("up", KratosctlError(STEERING))
    failed = capsys.readouterr().out

    assert not re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f]", listed + failed)
    assert (json.loads(listed)["data"]["directory"], json.loads(listed)["warnings"]) == (STEERING, [STEERING])
    assert json.loads(failed)["error"]["what"] == STEERING

"""Whose an ephemeral environment is: nobody else's process is taken for its owner, and no live one for dead."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kratosctl.ephemeral import owner

ASK = "import time; from kratosctl.ephemeral import owner; print(owner.this_process(), flush=True); time.sleep(60)"


def started() -> tuple[subprocess.Popen[str], str]:
    """Another process, and who it says it is."""
    process = subprocess.Popen([sys.executable, "-c", ASK], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, process.stdout.readline().strip()


def changed(part: int, value: str) -> str:
    parts = owner.this_process().split("/")
    return "/".join([*parts[:part], value, *parts[part + 1 :]])


def test_a_process_lives_until_it_has_ended_reaped_or_not() -> None:
    process, whose = started()
    assert owner.fate(whose) == "alive"
    assert owner.process_of(whose) == str(process.pid)
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert owner.fate(whose) == "dead"
    process.wait()
    assert process.stdout
    process.stdout.close()
    assert owner.fate(whose) == "dead"


def test_another_process_with_the_same_number_is_not_the_owner() -> None:
    assert owner.fate(owner.this_process()) == "alive"
    assert owner.fate(changed(4, "1")) == "dead"


def test_a_process_of_before_the_last_start_of_this_host_is_dead() -> None:
    assert owner.fate(changed(1, "another-boot")) == "dead"


def test_what_is_no_number_is_no_process_of_ours() -> None:
    """Anybody can give a container a label: `list` has to go on beside it."""
    for odd in ("²", "", "x"):
        assert owner.fate(changed(3, odd)) == "unseen"


@pytest.fixture
def without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that has no /proc, as macOS."""
    text, exists = owner._text, Path.exists
    monkeypatch.setattr(owner, "_text", lambda path: "" if path.startswith("/proc") else text(path))
    monkeypatch.setattr(Path, "exists", lambda path: not str(path).startswith("/proc") and exists(path))


@pytest.mark.usefixtures("without_proc")
def test_setting_the_clock_makes_no_live_process_dead_where_boots_have_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = itertools.count()
    monkeypatch.setattr(psutil, "boot_time", lambda: 3600.0 * next(hours))

    whose = owner.this_process()

    assert owner.fate(whose) == "alive"
    assert owner.fate(whose.rpartition("/")[0] + "/1") == "dead"
    assert owner.process_of(whose) == str(os.getpid())


@pytest.mark.usefixtures("without_proc")
def test_a_process_that_has_ended_is_dead_where_there_is_no_proc() -> None:
    process = subprocess.Popen(["sleep", "60"])
    whose = "/".join((*owner._here(), str(process.pid), owner._started(process.pid)))
    assert owner.fate(whose) == "alive"
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert owner.fate(whose) == "dead"
    process.wait()
    assert owner.fate(whose) == "dead"


@pytest.mark.parametrize("part", [0, 2])
def test_a_process_of_another_host_or_container_is_not_judged(part: int) -> None:
    assert owner.fate(changed(part, "elsewhere")) == "unseen"


def test_a_process_that_proc_hides_from_this_user_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc is mounted with hidepid, as on hosts of many: the others' tests run on the same engine."""
    process, whose = started()
    text = owner._text
    monkeypatch.setattr(owner, "_text", lambda path: "" if path == f"/proc/{process.pid}/stat" else text(path))
    assert owner.fate(whose) == "unseen"
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()
    assert owner.fate(whose) == "dead"


@pytest.mark.parametrize("said", ["", "nonsense", "a/b", "a/b/c/d/e", "/////"])
def test_what_is_no_owner_is_not_judged(said: str) -> None:
    assert owner.fate(said) == "unseen"


def test_what_is_kept_has_no_owner_to_die() -> None:
    assert owner.fate(owner.KEPT) == "kept"


def test_an_owner_is_the_same_whenever_it_is_asked() -> None:
    first = owner.this_process()
    time.sleep(0.02)
    assert owner.this_process() == first

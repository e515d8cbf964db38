"""Whose an ephemeral environment is: nobody else's process is taken for its owner, and no live one for dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

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


@pytest.mark.parametrize("part", [0, 2])
def test_a_process_of_another_host_or_container_is_not_judged(part: int) -> None:
    assert owner.fate(changed(part, "elsewhere")) == "unseen"


@pytest.mark.parametrize("said", ["", "nonsense", "a/b", "a/b/c/d/e", "/////"])
def test_what_is_no_owner_is_not_judged(said: str) -> None:
    assert owner.fate(said) == "unseen"


def test_what_is_kept_has_no_owner_to_die() -> None:
    assert owner.fate(owner.KEPT) == "kept"


def test_an_owner_is_the_same_whenever_it_is_asked() -> None:
    first = owner.this_process()
    time.sleep(0.02)
    assert owner.this_process() == first

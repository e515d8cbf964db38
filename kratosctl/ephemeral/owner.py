"""Whose an ephemeral environment is: one process, told from every other that gets its number later."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Literal

KEPT = "kept"
Fate = Literal["alive", "dead", "kept", "unseen"]


def this_process() -> str:
    """The owner that this process is, as a label says it."""
    return "/".join((*_here(), str(os.getpid()), _started(os.getpid())))


def fate(owner: str) -> Fate:
    """What became of an owner.

    Args:
        owner: a label's value.

    Returns:
        `alive`; `dead`, its host's last boot included; `kept`, where nobody owns it, because somebody wanted to look;
        `unseen`, where that cannot be told from here: on another host, in another container, or of another user whose
        processes /proc hides.
    """
    if owner == KEPT:
        return "kept"
    host, boot, space, process, started = (*owner.split("/"), "", "", "", "")[:5]
    here = _here()
    if host != here[0] or not process.isdecimal():
        return "unseen"
    if boot != here[1]:
        return "dead"
    if space != here[2]:
        return "unseen"
    if _started(int(process)) == started:
        return "alive"
    return "unseen" if _is_hidden(int(process)) else "dead"


def process_of(owner: str) -> str:
    """The process ID of an owner; empty where there is none."""
    parts = owner.split("/")
    return parts[3] if len(parts) == 5 else ""


def _here() -> tuple[str, str, str]:
    """This host, its boot, and the space in which its process IDs count."""
    # a name may change with the network (macOS): what is left there is then not judged, and stays
    host = _text("/etc/machine-id") or platform.node()
    # empty where the kernel gives boots no name (macOS): the time of a boot moves when the clock is set, and a start
    # in absolute time tells boots apart by itself
    boot = _text("/proc/sys/kernel/random/boot_id")
    try:
        space = str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        space = "0"
    return host.replace("/", "-"), boot, space


def _started(process: int) -> str:
    """When a process started, in whatever the system counts; empty where it has ended."""
    said = _text(f"/proc/{process}/stat")
    if said:
        # the name, in parentheses, may hold anything; state is the first field after it, the start the twentieth
        fields = said.rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    if Path("/proc/self/stat").exists():
        return ""
    import subprocess

    # as the kernel noted it; psutil moves that when the clock is set
    words = ("ps", "-o", "stat=", "-o", "lstart=", "-p", str(process))
    plain = {**os.environ, "LC_ALL": "C", "TZ": "UTC0"}
    told = subprocess.run(words, capture_output=True, text=True, check=False, env=plain).stdout.split()
    return "" if not told or told[0].startswith("Z") else "-".join(told[1:])


def _is_hidden(process: int) -> bool:
    """Whether there is a process of which /proc tells this user nothing: it may be mounted with hidepid."""
    if not Path("/proc/self/stat").exists() or _text(f"/proc/{process}/stat"):
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        # another user's
        pass
    return True


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""

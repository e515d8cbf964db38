"""Watchers of files: Linux gives each user 128 inotify instances by default, and a Kratos without one ends."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# of its configuration, its schemas and its secrets
OF_ONE_KRATOS = 3
MORE = "sudo sysctl fs.inotify.max_user_instances=1024"


def free() -> int | None:
    """How many more the processes of this user may have; None where the host does not count them."""
    try:
        most = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    except (OSError, ValueError):
        return None
    used = 0
    for links in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):
            if links.stat().st_uid == os.getuid():
                used += sum(_is_watcher(link) for link in links.iterdir())
    return max(0, most - used)


def _is_watcher(link: Path) -> bool:
    try:
        return str(link.readlink()) == "anon_inode:inotify"
    except OSError:
        return False

"""Whether a Kratos that runs took the last edit of its configuration: one that is wrong it only logs, and goes on."""

from __future__ import annotations

import time
from pathlib import Path

from kratosctl.engine import reading
from kratosctl.engine.objects import Container
from kratosctl.kratos import log_lines
from kratosctl.stack.kratos_configuration import MAIN_FILES


def rejected(directory: Path, config_dir: str | None, config: str | None, kratos: Container | None) -> str:
    """Why Kratos goes on with an earlier configuration; empty where it has the one that is there.

    Docker is asked only where the file changed after Kratos was started.

    Args:
        directory: where kratosctl.yaml lies.
        config_dir: the user's own configuration, as it was asked for.
        config: `mount`, unless it was asked for otherwise.
        kratos: its container, if there is one.
    """
    if not config_dir or config == "image" or kratos is None or kratos.state != "running":
        return ""
    for name in MAIN_FILES:
        try:
            found = (directory / config_dir / name).stat()
        except OSError:
            continue
        # one that was moved or copied there has the time at which it was written elsewhere
        if time.time() - max(found.st_mtime, found.st_ctime) > reading.longest_up(kratos.status):
            return ""
        # from before the edit: the times in the log are another clock's where the engine is in a virtual machine
        why = log_lines.rejected_change(reading.logs_since(kratos.name, found.st_mtime - 2))
        return why.replace("{env}", kratos.labels.get("environment", ""))
    return ""


def warning(config_dir: str, why: str) -> str:
    """The same for a person, in a line."""
    return f"Kratos did not take the last edit in {config_dir}, and goes on with what it had: {why}"

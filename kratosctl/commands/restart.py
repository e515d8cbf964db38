"""`restart`: services stop and start again; Kratos is ready when it returns."""

from __future__ import annotations

from collections.abc import Sequence

from kratosctl import running
from kratosctl.console import Console
from kratosctl.engine import program
from kratosctl.files.workspace import SEED_WANTED
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result
from kratosctl.running import Found


def restart(found: Found, services: Sequence[str], seconds: float, console: Console) -> Result:
    """Restarts services.

    Args:
        found: the environment.
        services: names; none means all that run.
        seconds: how long Kratos may take to be ready.
        console: where steps are shown.

    Raises:
        NotRunning: a named service, or Kratos, does not run.
    """
    # nothing is locked to say that nothing runs
    _chosen(found, services)
    with found.workspace.locked(f"restart {found.name}", LOCK_WAIT, console.note):
        # whoever was waited for may have made other containers, at other ports
        found = running.find(found.workspace.directory, found.name)
        chosen = _chosen(found, services)
        with console.step(f"restart {', '.join(chosen)}"):
            program.docker("restart", *chosen.values())
            warnings = _forgotten(found) if "kratos" in chosen else []
            found.wait_until_ready(seconds)
    data = {"environment": found.name, "restarted": list(chosen)}
    return Result("restart", data, lambda: f"restarted {', '.join(chosen)}", warnings)


def _chosen(found: Found, services: Sequence[str]) -> dict[str, str]:
    """The names of the containers to restart, by service."""
    alive = [c.service for c in found.containers if c.state == "running"]
    return {service: found.running(service).name for service in services or alive or ["kratos"]}


def _forgotten(found: Found) -> list[str]:
    """What a Kratos with a memory database has forgotten; the next `up` fills it with the environment's seed."""
    if found.running("kratos").labels.get("database") != "memory":
        return []
    found.workspace.write(SEED_WANTED, "memory")
    return [f"the database is in memory: nobody is in it now; kratosctl up {found.name} fills it with a seed, if any"]

"""How an environment is, in a word: `status`, `workshop status` and the board tell the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from kratosctl.engine.objects import Container
from kratosctl.running import SERVICES

State = Literal["ready", "starting", "broken", "stopped", "absent"]
# the worst first: what a teacher has to see
STATES: tuple[State, ...] = ("broken", "starting", "stopped", "absent", "ready")
# of a service that was asked to stop: by itself, by SIGTERM, by SIGINT
_STOPPED = (0, 143, 130)


def state_of(containers: Sequence[Container], answers: bool | None) -> State:
    """The state of an environment.

    Args:
        containers: its containers.
        answers: whether Kratos says that it is ready; None where it was not asked.
    """
    serving = services(containers)
    if not serving:
        return "absent"
    alive = [one for one in serving if one.state == "running"]
    if not alive:
        return _state_of_dead(serving)
    begins = [one for one in serving if one.state in ("created", "restarting")]
    # Docker asks Kratos what we ask it, but seldom: it may have been healed since
    hung = [one for one in alive if one.health == "unhealthy" and not (one.service == "kratos" and answers)]
    if hung or len(alive) + len(begins) < len(serving):
        return "broken"
    return "ready" if answers and not begins else "starting"


def _state_of_dead(serving: Sequence[Container]) -> State:
    if any(one.state in ("created", "restarting") for one in serving):
        return "starting"
    asked = all(one.state == "exited" and one.exit_code in _STOPPED for one in serving)
    return "stopped" if asked else "broken"


def services(containers: Sequence[Container]) -> list[Container]:
    """The containers that should run for as long as the environment does."""
    return [one for one in containers if one.service != "kratos-migrate" and not _has_done(one)]


def _has_done(container: Container) -> bool:
    """Whether it did what it was for: a service of somebody's compose.override.yaml may come to its end."""
    return container.service not in SERVICES and container.state == "exited" and container.exit_code == 0


def ended(containers: Sequence[Container]) -> str:
    """What an environment that is broken lacks, in words; empty where everything runs."""
    lacking = [one for one in services(containers) if one.state != "running"]
    hung = [one for one in services(containers) if one.state == "running" and one.health == "unhealthy"]
    said = [f"{one.service} {_end_of(one)}" for one in lacking]
    return ", ".join(said + [f"{one.service} does not answer its health check" for one in hung])


def _end_of(container: Container) -> str:
    if container.state != "exited":
        return f"is {container.state}"
    known: Mapping[int | None, str] = {137: "was killed", 143: "was stopped", 130: "was stopped", 0: "ended"}
    return known.get(container.exit_code, f"ended with exit code {container.exit_code}")

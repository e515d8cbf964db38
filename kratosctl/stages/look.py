"""The first look at what is there, which docker answers while its caller does something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kratosctl import ownership
from kratosctl.engine import reading
from kratosctl.engine.objects import Container, Engine, Image
from kratosctl.environment import Environment
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.stages import images


@dataclass(frozen=True)
class Look:
    """What an environment's state, its project and its images are. Each call waits for its answer.

    Attributes:
        state: of the environment, settled for its directory.
        engine: the engine.
        containers: of its project.
        images: those it needs, by reference; None where one is not on this engine.
    """

    state: State
    engine: Callable[[], Engine]
    containers: Callable[[], tuple[Container, ...]]
    images: Callable[[], Mapping[str, Image | None]]


def begin(environment: Environment, workspace: Workspace, engine: Callable[[], Engine]) -> Look:
    """Begins to ask. What is read may change as soon as nobody holds the environment's lock."""
    state = ownership.settled_state(workspace)
    return Look(
        state,
        engine,
        reading.begin(lambda: reading.containers(state.project)),
        reading.begin(lambda: reading.images(images.needed(environment))),
    )

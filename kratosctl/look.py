"""The first look at what is there, which docker answers while its caller does something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kratosctl import identity, images
from kratosctl.engine import reading
from kratosctl.environment import Environment
from kratosctl.workspace import Workspace


class Look:
    """What an environment's state, its project and its images are. Each call waits for its answer.

    Attributes:
        state: of the environment, settled for its directory.
        engine: the engine.
        containers: of its project.
        images: those it needs, by reference; None where one is not on this engine.
    """

    def __init__(self, environment: Environment, workspace: Workspace, engine: Callable[[], reading.Engine]) -> None:
        """Begins to ask. What is read may change as soon as nobody holds the environment's lock."""
        self.state = identity.settled_state(workspace)
        self.engine = engine
        self.containers = reading.begin(lambda: reading.containers(self.state.project))
        self.images: Callable[[], Mapping[str, reading.Image | None]]
        self.images = reading.begin(lambda: reading.images(images.needed(environment)))

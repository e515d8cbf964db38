"""A view of the engine for those who look again and again: through its socket, or through docker without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from kratosctl.engine import program, reading
from kratosctl.engine.objects import Container, Engine
from kratosctl.engine.socket import DEFAULT_PATH, Socket


class Window(Protocol):
    """What can be seen of an engine; each may raise what `program.docker` raises."""

    def containers(self) -> tuple[Container, ...]:
        """Every container of a Compose project, kratosctl's or not, whether it runs or not."""

    def moments(self, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """When containers were started and when they ended."""

    def logs(self, container: str, lines: int, since: float = 0) -> str:
        """The last lines a container printed."""

    def run(self, container: str, words: Sequence[str]) -> str:
        """What a command prints inside a container; empty where it cannot be run."""


class Docker:
    """The engine, asked through the docker command: a process for each question."""

    def containers(self) -> tuple[Container, ...]:
        return reading.of_compose()

    def moments(self, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        form = "{{.Id}} {{.State.StartedAt}} {{.State.FinishedAt}}"
        # one that is gone meanwhile is left out
        said = (
            program.docker("inspect", "--type", "container", "--format", form, *ids, check=False).stdout if ids else ""
        )
        rows = [line.split() for line in said.splitlines()]
        return {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}

    def logs(self, container: str, lines: int, since: float = 0) -> str:
        done = program.docker("logs", "--tail", str(lines), "--since", f"{since:.6f}", container, check=False)
        return done.stdout + done.stderr if done.returncode == 0 else ""

    def run(self, container: str, words: Sequence[str]) -> str:
        done = program.docker("exec", container, *words, check=False)
        return done.stdout if done.returncode == 0 else ""


def opened(engine: Engine) -> Window:
    """The best view there is of an engine."""
    path = socket_of(engine.endpoint)
    return Socket(path) if path and Path(path).is_socket() else Docker()


def socket_of(endpoint: str) -> str:
    """The path of an engine's unix socket; empty where it is reached otherwise."""
    if endpoint == "local":
        return DEFAULT_PATH
    return endpoint.removeprefix("unix://") if endpoint.startswith("unix://") else ""

"""What the Docker engine has, asked without kratosctl."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

LABEL = "dev.kratosctl."

Found = TypeVar("Found")


def docker(*words: str) -> str:
    """What a docker command prints."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
    return done.stdout


def inspect(*names: str) -> list[dict[str, Any]]:
    """All the engine tells of containers, images or volumes."""
    found: list[dict[str, Any]] = json.loads(docker("inspect", *names)) if names else []
    return found


def container(project: str, service: str) -> dict[str, Any]:
    """The one container of a service."""
    labels = (f"com.docker.compose.project={project}", f"com.docker.compose.service={service}")
    (name,) = listed("container", labels)
    return inspect(name)[0]


def containers(project: str) -> dict[str, str]:
    """The containers of a Compose project: service -> ID."""
    found = inspect(*listed("container", [f"com.docker.compose.project={project}"]))
    return {row["Config"]["Labels"]["com.docker.compose.service"]: row["Id"] for row in found}


def running(project: str) -> set[str]:
    """The services of a Compose project that run."""
    found = inspect(*listed("container", [f"com.docker.compose.project={project}"]))
    return {row["Config"]["Labels"]["com.docker.compose.service"] for row in found if row["State"]["Running"]}


def listed(kind: str, labels: Iterable[str]) -> list[str]:
    """IDs or names of containers, volumes or networks with all of these labels."""
    everything = ["--all"] if kind == "container" else []
    filters = [word for label in labels for word in ("--filter", f"label={label}")]
    return docker(kind, "ls", "--quiet", *everything, *filters).split()


def of_directory(directory: Path) -> dict[str, list[str]]:
    """Everything kratosctl made for a directory, by kind; empty where nothing is left."""
    label = f"{LABEL}directory={directory}"
    found = {kind: listed(kind, [label]) for kind in ("container", "volume", "network")}
    return {kind: names for kind, names in found.items() if names}


def remove_all_of(directory: Path) -> None:
    """Removes what kratosctl made for a directory, and what a killed run of it is still making."""
    for _ in range(3):
        found = of_directory(directory)
        for kind, names in found.items():
            force = {"container": ["--force", "--volumes"], "volume": ["--force"], "network": []}[kind]
            subprocess.run(["docker", kind, "rm", *force, *names], capture_output=True, check=False)
        if not found:
            return
    assert of_directory(directory) == {}


def volumes() -> set[str]:
    """All volumes of this engine."""
    return set(docker("volume", "ls", "--quiet").split())


def until(condition: Callable[[], Found], seconds: float = 30.0, why: str = "") -> Found:
    """Waits until a condition holds, and returns what it returned."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {why or condition}"
        time.sleep(0.02)
    return found


def succeeds(*words: str) -> bool:
    """Whether a docker command exits with 0."""
    return subprocess.run(["docker", *words], capture_output=True, check=False).returncode == 0


def everything_said(container: str) -> str:
    """All a container printed."""
    done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def free_ports(how_many: int) -> list[int]:
    """Ports of this host that nobody listens on, and that kratosctl does not choose by itself."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(how_many)]
        return [int(listener.getsockname()[1]) for listener in found]

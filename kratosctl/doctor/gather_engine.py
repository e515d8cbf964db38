"""Observing: the engine, and what is left on it of environments whose directory is gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from kratosctl.doctor.facts import EngineFacts, Remains
from kratosctl.engine import reading
from kratosctl.engine.objects import Container
from kratosctl.errors import EngineFailed, KratosctlError
from kratosctl.stack.labels import LABEL
from kratosctl.workspace import GENERATED

_LONGEST_LOOK = 10.0
_NETWORKS = (
    '{{.Name}}\t{{.Label "com.docker.compose.project"}}'
    f'\t{{{{.Label "{LABEL}directory"}}}}\t{{{{.Label "{LABEL}environment"}}}}'
)

T = TypeVar("T")


def engine_facts() -> tuple[EngineFacts, tuple[Container, ...]]:
    """The engine, and all containers of kratosctl on it. Never raises: a fault is a fact."""
    try:
        client = reading.docker("--version", timeout=_LONGEST_LOOK, check=False).stdout
    except KratosctlError as error:
        return EngineFacts(fault=error), ()
    version = client.removeprefix("Docker version ").split(",")[0].strip() or "of unknown version"
    (engine, fault), (compose, compose_fault) = reading.together(
        lambda: or_fault(lambda: reading.engine(_LONGEST_LOOK)),
        lambda: or_fault(lambda: reading.check_compose(_LONGEST_LOOK)),
    )
    found = EngineFacts(client=version, fault=fault, compose=compose or "", compose_fault=compose_fault)
    if engine is None:
        return found, ()
    (info, _), (networks, _), (containers, _) = reading.together(
        lambda: or_fault(_info), lambda: or_fault(_networks), lambda: or_fault(reading.containers)
    )
    options = [part.split(",")[0].removeprefix("name=") for part in (info or {}).get("SecurityOptions") or []]
    found = replace(
        found,
        engine=engine,
        desktop="docker desktop" in str((info or {}).get("OperatingSystem")).lower(),
        security=tuple(options),
        data_root=str((info or {}).get("DockerRootDir") or ""),
        networks=len(networks or []),
    )
    return found, containers or ()


def or_fault(look: Callable[[], T]) -> tuple[T | None, KratosctlError | None]:
    """What a look at the engine finds, or why it finds nothing."""
    try:
        return look(), None
    except KratosctlError as error:
        return None, error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return None, EngineFailed("docker answers in a way kratosctl does not understand", f"{type(error).__name__}")


def _info() -> dict[str, object]:
    said: dict[str, object] = json.loads(reading.docker("info", "--format", "{{json .}}", timeout=_LONGEST_LOOK).stdout)
    return said


def _networks() -> list[list[str]]:
    """Name, project, directory and environment of each bridge network."""
    out = reading.docker("network", "ls", "--filter", "driver=bridge", "--format", _NETWORKS).stdout
    return [line.split("\t") for line in out.splitlines()]


def remains(containers: Sequence[Container], ours: Iterable[str]) -> tuple[Remains, ...]:
    """What the engine has of environments whose directory is gone.

    Args:
        containers: all of kratosctl on this engine.
        ours: projects of the environments here, which may have been moved here.
    """
    (volumes, _), (networks, _) = reading.together(
        lambda: or_fault(reading.labelled_volumes), lambda: or_fault(_networks)
    )
    rows = [(c.project, c.labels.get("directory", ""), c.labels.get("environment", "")) for c in containers]
    rows += [(project, directory, name) for _, project, directory, name in networks or [] if directory]
    rows += volumes or []
    alive = {*ours, *(project for project, directory, name in rows if _is_there(directory, name))}
    gone = {project: (directory, name) for project, directory, name in rows if project not in alive}
    return tuple(
        Remains(
            project=project,
            environment=name,
            directory=directory,
            containers=tuple(c.name for c in containers if c.project == project),
            volumes=_volumes(project),
            networks=tuple(network for network, its, *_ in networks or [] if its == project),
        )
        for project, (directory, name) in gone.items()
    )


def _volumes(project: str) -> tuple[str, ...]:
    found, _ = or_fault(lambda: reading.project_volumes(project))
    return tuple(found or ())


def _is_there(directory: str, environment: str) -> bool:
    """True where a directory still holds its environment, or cannot be looked at."""
    try:
        return not directory or (Path(directory) / GENERATED / environment / "state.json").is_file()
    except OSError:
        return True

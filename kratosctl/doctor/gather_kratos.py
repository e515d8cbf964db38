"""Observing: Kratos' own configuration where it is the user's, and whether a Kratos that runs is ready."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kratosctl import kratos_directory, readiness, yaml_text
from kratosctl.doctor.facts import KratosFacts
from kratosctl.engine import reading
from kratosctl.environment import Environment
from kratosctl.errors import KratosctlError
from kratosctl.ports import CONTAINER_PORTS
from kratosctl.stack.compose import CONFIG_TARGET
from kratosctl.workspace import State

_FILE = f"file://{CONFIG_TARGET}/"


def kratos_facts(directory: Path, environment: Environment, state: State) -> KratosFacts | None:
    """What the user's own configuration says, and where it is reached; None where it is a preset's or unreadable.

    Args:
        directory: where kratosctl.yaml lies.
        environment: what was asked for.
        state: what is allotted: an address without a port yet is empty.
    """
    if not environment.config_dir:
        return None
    try:
        name, theirs = kratos_directory.read(directory, environment.config_dir)
    except KratosctlError:
        return None
    root = directory / environment.config_dir
    urls = {key: environment.url(key, port) for key, port in state.ports.items()}
    return KratosFacts(
        file=str(Path(environment.config_dir, name)).removeprefix("./"),
        configuration=theirs,
        schemas=dict(_schemas(root, theirs)),
        host=environment.host,
        public=urls.get("public", ""),
        ui=urls.get("ui", "") if environment.ui else "",
        mail=environment.mail,
    )


def _schemas(root: Path, theirs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The identity schemas that are files of the directory, by name. What cannot be read, Kratos itself refuses."""
    listed = kratos_directory.value_at(theirs, "identity.schemas")
    for each in listed if isinstance(listed, list) else []:
        url = each.get("url") if isinstance(each, dict) else None
        if isinstance(url, str) and url.startswith(_FILE):
            name = url.removeprefix(_FILE)
            try:
                yield name, json.loads(yaml_text.read_text(root / name))
            except (KratosctlError, ValueError, RecursionError):
                continue


def ready(state: State, environment: Environment, containers: tuple[reading.Container, ...]) -> int | None:
    """What a running Kratos answers when it is asked whether it is ready: an HTTP status; None where none runs."""
    for container in containers:
        if container.project == state.project and container.service == "kratos" and container.state == "running":
            for address, inside in container.published.items():
                if inside == CONTAINER_PORTS["public"]:
                    port = int(address.rpartition(":")[2])
                    return readiness.is_ready(readiness.reachable(environment.addresses["public"]), port)
    return None

"""Observing: Kratos' own configuration where it is the user's, and whether a Kratos that runs is ready."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from kratosctl.doctor.facts import Ended, KratosFacts
from kratosctl.engine import reading
from kratosctl.engine.objects import Container
from kratosctl.environment import Environment
from kratosctl.errors import KratosctlError
from kratosctl.files import yaml_text
from kratosctl.files.state import State
from kratosctl.kratos import config_dir, log_lines, readiness
from kratosctl.running import Found
from kratosctl.stack.compose import CONFIG_TARGET
from kratosctl.stages import taken

_FILE = f"file://{CONFIG_TARGET}/"
_ENDED = ("exited", "dead", "restarting")
_KILLED = 137
# what `docker stop` leaves: a clean end, or the signal it sends
_STOPPED = (0, 130, _KILLED, 143)


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
        name, theirs = config_dir.read(directory, environment.config_dir)
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
        app=environment.app_url or "",
        absent={key: url for key, url in config_dir.texts(theirs) if _is_absent(root, url)},
    )


def _schemas(root: Path, theirs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The identity schemas that are files of the directory, by name. What cannot be read, Kratos itself refuses."""
    listed = config_dir.value_at(theirs, "identity.schemas")
    for each in listed if isinstance(listed, list) else []:
        url = each.get("url") if isinstance(each, dict) else None
        if isinstance(url, str) and url.startswith(_FILE):
            name = url.removeprefix(_FILE)
            try:
                yield name, json.loads(yaml_text.read_text(root / name))
            except (KratosctlError, ValueError, RecursionError):
                continue


def _is_absent(root: Path, url: str) -> bool:
    """Whether a text names a file, such as a schema, Jsonnet or the template of a mail, that the directory lacks."""
    if not url.startswith(_FILE):
        return url.startswith("file://")
    try:
        return not (root / unquote(url.removeprefix(_FILE))).exists()
    except (OSError, ValueError):
        return True


def ended(containers: Sequence[Container]) -> tuple[Ended, ...]:
    """The services of one environment that ended by themselves, with their reasons.

    Args:
        containers: of its project.
    """
    # what carries no label of ours is a service of the user's compose.override.yaml
    ours = [c for c in containers if c.labels.get("revision") and c.service != "kratos-migrate"]
    serving = any(container.state == "running" for container in ours)
    return tuple(
        _ended(container)
        for container in ours
        # whoever stops all of them means it
        if container.state in _ENDED and (serving or container.exit_code not in _STOPPED)
    )


def _ended(container: Container) -> Ended:
    code = container.exit_code
    how = container.state + (f" with exit code {code}" if code is not None else "")
    if code == _KILLED:
        return Ended(container.service, how, "it was killed: by hand, or for lack of memory")
    try:
        said = reading.logs_since_start(container.name, 300)
    except KratosctlError:
        return Ended(container.service, how, "")
    if container.service == "kratos":
        error = log_lines.explain(said)
        error.environment = container.labels.get("environment", "")
        return Ended(container.service, how, ": ".join(filter(None, (error.what, error.why))), error.fix)
    return Ended(container.service, how, log_lines.shown(log_lines.last_telling(said.splitlines())))


def rejected(directory: Path, environment: Environment, containers: Sequence[Container]) -> str:
    """Why a running Kratos did not take the last edit of its configuration; empty where it did, or nobody knows."""
    kratos = next((container for container in containers if container.service == "kratos"), None)
    try:
        return taken.rejected(directory, environment.config_dir, environment.config, kratos)
    except KratosctlError:
        return ""


def ready(found: Found) -> int | None:
    """What a running Kratos answers when it is asked whether it is ready: an HTTP status; None where none runs."""
    kratos = found.container("kratos")
    address = found.public_address() if kratos and kratos.state == "running" else None
    return readiness.http_status(*address) if address else None

"""A seat for Docker Swarm: its Compose file in the words that `docker stack deploy` knows, and what lies beside it.

Sources: the Compose file reference of version 3, docker/cli's list of properties a stack ignores
(cli/compose/types), the names SwarmKit takes, and deployments on engine 20.10.
"""

from __future__ import annotations

import hashlib
import hmac
import shlex
from collections.abc import Iterator
from typing import Any

from kratosctl.catalog import CONTAINER_PORTS, LISTENERS
from kratosctl.environment import Environment
from kratosctl.stack import compose
from kratosctl.stack.compose import CONFIG_TARGET
from kratosctl.stack.files import ENVIRONMENT_FILE, File
from kratosctl.stack.portable import Portable
from kratosctl.stack.render import dump

STACK_FILE = "stack.yaml"
# what a stack ignores with a warning, what it cannot have, and what is ours
_LEFT_OUT = ("depends_on", "extra_hosts", "labels", "platform", "ports", "restart", "security_opt", "shm_size", "tmpfs")
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "arm/v7": "armv7l", "arm/v6": "armv6l"}


def render(seat: Portable, node: str) -> list[File]:
    """The files of one stack.

    Args:
        seat: what to render.
        node: the host name of the node it lives on.
    """
    model = _model(seat, node)
    given = {"./" + file.path: file for file in seat.secret_files}
    return [
        File(STACK_FILE, dump(model, *_header(seat, node))),
        *(File(path, text) for path, text in _configs(seat).items()),
        # what services are given; of the inbox' password that is a hash
        *(given[secret["file"]] for secret in model["secrets"].values()),
    ]


def commands(seat: Portable, folder: str) -> tuple[list[str], list[str]]:
    """What deploys a stack, and what removes it with its data, by hand.

    Args:
        seat: the seat.
        folder: where its files lie.
    """
    removing = [f"docker stack rm {seat.name}"]
    removing += [f"docker volume rm {seat.name}_{volume}" for volume in _volumes(seat.environment)]
    return [f"docker stack deploy --compose-file {shlex.quote(folder)}/{STACK_FILE} {seat.name}"], removing


def published(environment: Environment) -> list[str]:
    """The ports that a stack publishes, by name. Swarm cannot keep one on the loopback address.

    The admin API asks nobody who they are, and PostgreSQL is nobody's business: both stay inside, but for an admin
    API that was to be reached from everywhere anyway.
    """
    admin = ["admin"] if environment.admin_port and environment.expose_admin_without_authentication else []
    return ["public", *admin, *(name for name in ("ui", "mail") if getattr(environment, name))]


def _volumes(environment: Environment) -> list[str]:
    return [environment.database] if environment.database in ("sqlite", "postgres") else []


def _configs(seat: Portable) -> dict[str, str]:
    """The configuration by its place beside the stack file, which is its place below /etc/config too."""
    return {ENVIRONMENT_FILE: seat.addition} | {f"kratos/{name}": text for name, text in seat.texts.items()}


def _model(seat: Portable, node: str) -> dict[str, Any]:
    model = compose.compose_model(seat.environment, seat.place, seat.addition)
    services = {name: _service(name, service, seat, node) for name, service in model["services"].items()}
    if "kratos-migrate" in services:
        _migrate_first(services, seat.environment)
    stack: dict[str, Any] = {"version": "3.8", "services": services}
    if _volumes(seat.environment):
        stack["volumes"] = {volume: {} for volume in _volumes(seat.environment)}
    configs = _configs(seat)
    stack["configs"] = {
        _key(number): _source(seat, path, text) for number, (path, text) in enumerate(configs.items(), 1)
    }
    texts = {file.path: file.text for file in seat.secret_files}
    stack["secrets"] = {
        name: _source(seat, _path(secret["file"], texts), texts[_path(secret["file"], texts)])
        for name, secret in model["secrets"].items()
    }
    return stack


def _key(number: int) -> str:
    return f"config-{number}"


def _path(file: str, known: dict[str, str]) -> str:
    return next(path for path in known if file.endswith("/" + path))


def _source(seat: Portable, path: str, text: str) -> dict[str, str]:
    """A config or secret. Swarm never changes one: another content is another one, or the deployment is refused.

    The name is seen by whoever may list it, so that the digest must tell nothing about a secret that can be guessed.
    """
    key = "\0".join(file.text for file in seat.secret_files).encode()
    digest = hmac.new(key, f"{path}\0{text}".encode(), hashlib.sha256).hexdigest()[:16]
    return {"name": f"{seat.name}-{digest}", "file": "./" + path.replace("$", "$$")}


def _service(name: str, service: dict[str, Any], seat: Portable, node: str) -> dict[str, Any]:
    found = {key: value for key, value in service.items() if key not in _LEFT_OUT}
    volumes = list(_mounts(service))
    if volumes:
        found["volumes"] = volumes
    else:
        found.pop("volumes", None)
    ports = [
        {"target": CONTAINER_PORTS[port], "published": seat.place.ports[port], "protocol": "tcp", "mode": "host"}
        for port in published(seat.environment)
        if LISTENERS[port] == name
    ]
    if ports:
        found["ports"] = ports
    if name.startswith("kratos"):
        targets = [CONFIG_TARGET.rpartition("/")[0] + "/" + path for path in _configs(seat)]
        found["configs"] = [
            {"source": _key(number), "target": target.replace("$", "$$")} for number, target in enumerate(targets, 1)
        ]
    if "healthcheck" in found:
        # other services find one once it is healthy; a migration takes its time, and is not to be cut short
        slow = {"start_period": "120s"} if name in ("kratos", "postgres") else {}
        found["healthcheck"] = found["healthcheck"] | {"interval": "5s", "retries": 12} | slow
    # one task a service: there is nothing to balance, and engines whose kernel lacks IPVS cannot
    constraints = list(_constraints(seat.environment, node))
    found["deploy"] = {"replicas": 1, "endpoint_mode": "dnsrr", "placement": {"constraints": constraints}}
    return found


def _mounts(service: dict[str, Any]) -> Iterator[Any]:
    """Named volumes and memory. What lies on this host is on no other: it goes along as configs and secrets."""
    for mount in service.get("volumes") or []:
        if isinstance(mount, str) or mount["type"] == "tmpfs":
            yield mount
    for target in service.get("tmpfs") or []:
        yield {"type": "tmpfs", "target": target}


def _constraints(environment: Environment, node: str) -> Iterator[str]:
    """All of a seat on one node: its volume lies there, and so its ports are at one address."""
    yield f"node.hostname == {node}"
    if environment.platform:
        yield f"node.platform.arch == {_ARCHITECTURES[environment.platform.partition('/')[2]]}"


def _migrate_first(services: dict[str, Any], environment: Environment) -> None:
    """Swarm starts everything at once. The default image has a shell: one container migrates, then serves.

    The distroless image has none: there a task of its own migrates and ends, and Kratos tries for five minutes until
    the tables are there. It says that it is not ready until the last migration is applied.
    """
    if environment.variant == "distroless":
        services["kratos-migrate"]["deploy"]["restart_policy"] = {"condition": "on-failure", "delay": "2s"}
        return
    migrate, kratos = services.pop("kratos-migrate"), services["kratos"]
    words = f"kratos {_shell(migrate['command'])} && exec kratos {_shell(kratos['command'])}"
    services["kratos"] = {"image": kratos["image"], "entrypoint": ["/bin/sh", "-c"]} | kratos | {"command": [words]}


def _shell(words: list[str]) -> str:
    return " ".join(shlex.quote(word) for word in words)


def _header(seat: Portable, node: str) -> Iterator[str]:
    environment = seat.environment
    yield f"Seat {environment.name} for Docker Swarm: Kratos {environment.release} on {environment.database}."
    (deploy,), remove = commands(seat, ".")
    yield f"  {deploy}"
    for command in remove:
        yield f"  {command}" + (f"   # on {node}, and with all that was made there" if "volume" in command else "")
    if _volumes(environment):
        yield f"Its volume lies on the disk of {node}; on another node it would find an empty one: so it stays on this."
    yield f"Ports are open on all addresses of {node}, and on no other node."
    if environment.migrates:
        way = (
            "Kratos tries until kratos-migrate is done: this image has no shell to do one after the other."
            if environment.variant == "distroless"
            else "Kratos migrates, then serves: Swarm knows no depends_on."
        )
        yield way

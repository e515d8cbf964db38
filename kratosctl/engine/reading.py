"""What runs now. Short docker calls: importing python-on-whales takes longer than all of them together."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from kratosctl.engine import faults, program
from kratosctl.engine.objects import Container, Engine, Image, Labelled
from kratosctl.errors import ComposeMissing, EngineFailed, EngineTooOld
from kratosctl.stack.labels import LABEL

T = TypeVar("T")

OLDEST_ENGINE = (20, 10)
OLDEST_COMPOSE = (2, 21)


_OUR_LABELS = ("environment", "directory", "revision", "release", "variant", "database", "owner")
_FIELDS = {
    "id": ".ID",
    "name": ".Names",
    "state": ".State",
    "status": ".Status",
    "image": ".Image",
    "ports": ".Ports",
    "project": '(.Label "com.docker.compose.project")',
    "service": '(.Label "com.docker.compose.service")',
    "oneoff": '(.Label "com.docker.compose.oneoff")',
} | {f"our_{name}": f'(.Label "{LABEL}{name}")' for name in _OUR_LABELS}
_PS_FORMAT = "{" + ",".join(f'"{key}":{{{{json {value}}}}}' for key, value in _FIELDS.items()) + "}"

_SECONDS = {
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86_400.0,
    "week": 604_800.0,
    "month": 31 * 86_400.0,
    "year": 366 * 86_400.0,
}
_NAME_OF = {"container": ".Names", "volume": ".Name", "network": ".Name"}

_PATIENCE = 10.0  # seconds for another engine to answer
# its context was removed, its socket is not there, or nobody listens at it: nothing runs there
_NO_ENGINE = "(?i)context not found|cannot connect to the docker daemon|failed to connect to the docker api"


def together(*calls: Any) -> list[Any]:
    """Runs several reads at once; each is a process of its own, so threads suffice."""
    if not calls:
        return []
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def begin(call: Callable[[], T]) -> Callable[[], T]:
    """Starts a read that is needed later, and returns what waits for it, and raises what it raised."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(call)
    pool.shutdown(wait=False)
    return future.result


def engine(timeout: float | None = None) -> Engine:
    """The engine behind the current Docker context.

    Args:
        timeout: seconds it may take to answer.

    Raises:
        DockerMissing, DaemonDown, SocketForbidden, EngineTooOld.
        EngineFailed: what is called docker is something else.
    """
    said = json.loads(program.docker("version", "--format", "{{json .}}", timeout=timeout).stdout)
    client, server = said["Client"], said.get("Server")
    if not server:
        raise EngineFailed(
            "docker here is Podman, or answers without an engine",
            "kratosctl needs a Docker engine and the Compose plugin",
            "install Docker: https://docs.docker.com/get-docker/",
        )
    endpoint = os.environ.get("DOCKER_HOST") or ""
    context = client.get("Context") or "default"
    if not endpoint and context != "default":
        endpoint = program.docker(
            "context", "inspect", context, "--format", "{{.Endpoints.docker.Host}}"
        ).stdout.strip()
    if version_tuple(server["Version"]) < OLDEST_ENGINE:
        raise EngineTooOld(
            f"Docker engine {server['Version']} is too old",
            "kratosctl needs 20.10 or newer",
            "update Docker: https://docs.docker.com/engine/install/",
        )
    unix = not endpoint or endpoint.startswith(("unix://", "npipe://"))
    desktop = "desktop" in (server.get("Platform", {}).get("Name") or "").lower()
    same_kernel = sys.platform == "linux" and server.get("KernelVersion") == os.uname().release
    return Engine(
        version=server["Version"],
        platform=f"{server['Os']}/{server['Arch']}",
        local=unix and same_kernel and not desktop,
        # Docker Desktop on Linux maps the caller as a rootless engine does (docs.docker.com/desktop, FAQ for Linux)
        rootless=any(part["Name"] == "rootlesskit" for part in server.get("Components") or [])
        or (desktop and sys.platform == "linux" and not same_kernel),
        endpoint=endpoint or "local",
    )


def check_compose(timeout: float | None = None) -> str:
    """The Compose plugin's version.

    Args:
        timeout: seconds it may take to answer.

    Raises:
        ComposeMissing, EngineTooOld: there is none, or it is older than kratosctl needs.
    """
    done = program.docker("compose", "version", "--short", timeout=timeout, check=False)
    if done.returncode != 0:
        raise faults.from_output("unknown command: docker compose\n" + done.stderr, "docker compose version")
    version = done.stdout.strip().removeprefix("v")
    if not version:
        raise ComposeMissing("docker compose does not say its version", done.stderr.strip()[:200])
    if version_tuple(version) < OLDEST_COMPOSE:
        oldest = ".".join(map(str, OLDEST_COMPOSE))
        raise EngineTooOld(
            f"Docker Compose {version} is too old", f"kratosctl needs {oldest} or newer", "update docker-compose-plugin"
        )
    return version


def version_tuple(version: str) -> tuple[int, ...]:
    """`20.10.24+dfsg1` -> (20, 10, 24)."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def containers(project: str | None = None, oneoff: bool = False) -> tuple[Container, ...]:
    """The containers of one Compose project, or of every environment of this host.

    Args:
        project: a Compose project; None finds all that carry kratosctl's label.
        oneoff: also those of `docker compose run`.
    """
    return _labelled_with(f"com.docker.compose.project={project}" if project else LABEL + "environment", oneoff)


def of_compose(oneoff: bool = False) -> tuple[Container, ...]:
    """The containers of all Compose projects: services of a user's compose.override.yaml carry no label of ours.

    Args:
        oneoff: also those of `docker compose run`.
    """
    return _labelled_with("com.docker.compose.project", oneoff)


def _labelled_with(label: str, oneoff: bool) -> tuple[Container, ...]:
    out = program.docker("ps", "--all", "--no-trunc", "--filter", f"label={label}", "--format", _PS_FORMAT).stdout
    rows = [json.loads(line) for line in out.splitlines() if line.strip()]
    return tuple(_container(row) for row in rows if oneoff or row["oneoff"] != "True")


def _container(row: dict[str, str]) -> Container:
    health, exit_code = of_status(row["status"])
    return Container(
        id=row["id"],
        name=row["name"],
        service=row["service"],
        project=row["project"],
        state=row["state"],
        status=row["status"],
        health=health,
        exit_code=exit_code,
        image=row["image"],
        published=_published(row["ports"]),
        labels={name: row[f"our_{name}"] for name in _OUR_LABELS if row[f"our_{name}"]},
    )


def of_status(status: str) -> tuple[str, int | None]:
    """Health and exit code out of Docker's line: `Up 2 minutes (healthy)`, `Exited (137) 3 seconds ago`."""
    health = re.search(r"\((?:health: )?(healthy|unhealthy|starting)\)", status)
    code = re.search(r"Exited \((\d+)\)", status)
    return health[1] if health else "", int(code[1]) if code else None


def longest_up(status: str) -> float:
    """How many seconds ago a running container was started at most, out of Docker's rounded line: `Up 2 minutes`."""
    said = re.match(r"Up (?:About |Less than )?(\d+|an?) (second|minute|hour|day|week|month|year)", status)
    if not said:
        return float("inf")
    return (1 + (int(said[1]) if said[1].isdigit() else 1)) * _SECONDS[said[2]]


def _published(ports: str) -> dict[str, int]:
    """`127.0.0.1:4433->4433/tcp, 4434/tcp` -> {"127.0.0.1:4433": 4433}.

    Neighbours are joined where the numbers inside are those outside: `127.0.0.1:4433-4434->4433-4434/tcp`.
    """
    found: dict[str, int] = {}
    for match in re.finditer(r"([^\s,]+):(\d+)(?:-(\d+))?->(\d+)(?:-\d+)?/tcp", ports):
        address, first, last, inside = match[1], int(match[2]), int(match[3] or match[2]), int(match[4])
        found |= {f"{address}:{first + step}": inside + step for step in range(last - first + 1)}
    return found


def image(reference: str) -> Image | None:
    """A local image; None where it is not here."""
    done = program.docker("image", "inspect", reference, "--format", "{{json .}}", check=False)
    if done.returncode != 0:
        if re.search(r"no such image", done.stderr, re.IGNORECASE):
            return None
        raise faults.from_output(done.stderr, "docker image inspect")
    said = json.loads(done.stdout)
    variant = f"/{said['Variant']}" if said.get("Variant") and said["Architecture"] == "arm" else ""
    return Image(
        id=said["Id"],
        platform=f"{said['Os']}/{said['Architecture']}{variant}",
        digests=tuple(said.get("RepoDigests") or ()),
        environment=tuple(said["Config"].get("Env") or ()),
        labels=dict(said["Config"].get("Labels") or {}),
    )


def images(references: Iterable[str]) -> dict[str, Image | None]:
    """Several local images, read at once."""
    wanted = list(dict.fromkeys(references))
    return dict(zip(wanted, together(*[lambda r=r: image(r) for r in wanted]), strict=True)) if wanted else {}


def project_volumes(project: str) -> dict[str, str]:
    """A project's volumes: full name -> the directory it was made in, empty where kratosctl did not make it."""
    form = f'[{{{{json .Name}}}},{{{{json (.Label "{LABEL}directory")}}}}]'
    label = f"label=com.docker.compose.project={project}"
    listed = program.docker("volume", "ls", "--filter", label, "--format", form).stdout
    return dict(json.loads(line) for line in listed.splitlines())


def elsewhere(engine: str, project: str) -> tuple[list[str], list[str]] | None:
    """The names of a project's containers and volumes on another engine; None where that is gone, or does not answer.

    Args:
        engine: as `program.engine` names it.
        project: the Compose project.

    Raises:
        DaemonDown, SocketForbidden, EngineFailed: there is one, and it does not say.
    """
    found = []
    for kind, name in (("container", "Names"), ("volume", "Name")):
        words = (kind, "ls", *(("--all",) if kind == "container" else ()), "--format", f"{{{{.{name}}}}}")
        label = f"label=com.docker.compose.project={project}"
        done = program.docker(*words, "--filter", label, at=engine, timeout=_PATIENCE, check=False)
        if re.search(_NO_ENGINE, done.stderr):
            return None
        if done.returncode != 0:
            raise faults.from_output(done.stderr, f"asking the Docker engine {engine}")
        found.append(done.stdout.split())
    return found[0], found[1]


def labelled() -> list[Labelled]:
    """All that kratosctl made on this host."""
    rows = together(*[lambda kind=kind: labelled_as(kind) for kind in _NAME_OF])
    return [found for of_kind in rows for found in of_kind]


def labelled_as(kind: str) -> list[Labelled]:
    """All containers, volumes or networks that kratosctl made on this host."""
    labels = ["com.docker.compose.project", *(LABEL + label for label in ("environment", "directory", "owner"))]
    said = [f"{{{{json {_NAME_OF[kind]}}}}}", *(f'{{{{json (.Label "{label}")}}}}' for label in labels)]
    form = "[" + ",".join(said) + "]"
    everything = ("--all",) if kind == "container" else ()
    listed = program.docker(kind, "ls", *everything, "--filter", f"label={LABEL}environment", "--format", form)
    return [Labelled(kind, *json.loads(line)) for line in listed.stdout.splitlines()]


def subnets() -> list[str]:
    """The IPv4 ranges of all networks of the engine."""
    names = program.docker("network", "ls", "--quiet").stdout.split()
    form = "{{range .IPAM.Config}}{{.Subnet}} {{end}}"
    # one that is removed meanwhile is not missed
    said = program.docker("network", "inspect", "--format", form, *names, check=False).stdout if names else ""
    return [subnet for subnet in said.split() if ":" not in subnet]


def remove_networks(projects: Sequence[str]) -> None:
    """Removes the networks of projects; their containers must be gone."""
    form = '{{.ID}} {{.Label "com.docker.compose.project"}}'
    listed = program.docker("network", "ls", "--filter", "label=com.docker.compose.project", "--format", form).stdout
    names = [words[0] for line in listed.splitlines() if (words := line.split())[1:] and words[1] in projects]
    # docker removes one after the other
    together(*[lambda part=names[at::8]: program.docker("network", "rm", *part) for at in range(min(8, len(names)))])


def logs(container: str, lines: int = 300) -> str:
    """The last lines a container printed, standard output and error together."""
    done = program.docker("logs", "--tail", str(lines), container, check=False)
    return done.stdout + done.stderr


def last_line(container: str) -> str:
    """The last line a container printed, short enough to show."""
    said = [line for line in logs(container, 30).splitlines() if line.strip()]
    return said[-1].strip()[:300] if said else "it printed nothing"


def logs_since_start(container: str, lines: int = 20) -> str:
    """The last lines a container printed since it was last started."""
    started = program.docker("inspect", "--format", "{{.State.StartedAt}}", container, check=False).stdout.strip()
    done = program.docker("logs", "--since", started or "0s", "--tail", str(lines), container, check=False)
    return done.stdout + done.stderr


def logs_since(container: str, time: float) -> str:
    """The last lines, 20,000 at most, that a container printed since a time, in seconds since 1970."""
    done = program.docker("logs", "--since", f"{time:.3f}", "--tail", "20000", container, check=False)
    return done.stdout + done.stderr


def address(container: str) -> str:
    """A running container's own IP address, which a local Linux host reaches; empty where it has none."""
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    return (program.docker("inspect", "--format", template, container).stdout.split() or [""])[0]


def configuration_flags(container: str) -> list[str]:
    """The -c flags a Kratos was started with, each with its file."""
    # the command alone: an entrypoint of the user's own, such as `sh -c`, has a -c that is none
    words = json.loads(program.docker("inspect", "--format", "{{json .Config.Cmd}}", container).stdout) or []
    return [word for index, flag in enumerate(words) if flag == "-c" for word in words[index : index + 2]]


def state(container: str) -> tuple[str, int]:
    """A container's state and exit code."""
    done = program.docker("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", container, check=False)
    status, _, code = done.stdout.strip().partition(" ")
    return (status, int(code)) if code else ("gone", 0)


def start(names: Sequence[str]) -> None:
    """Starts created containers, all at once; those that run are left alone."""
    if names:
        together(*[lambda name=name: program.docker("start", name) for name in names])

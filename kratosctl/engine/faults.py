"""What docker and Compose print when they fail, turned into our errors.

python-on-whales guesses its exception classes from substrings and its messages quote whole command lines, so neither
is used: only the standard error stream is read.
"""

from __future__ import annotations

import re

from kratosctl import errors

# (pattern in what docker printed, error, what, what to do next); the first that matches wins
_KNOWN: tuple[tuple[str, type[errors.KratosctlError], str, str], ...] = (
    (
        r"permission denied while trying to connect|dial unix .*: permission denied",
        errors.SocketForbidden,
        "no permission to use the Docker engine's socket",
        "join its group: sudo usermod -aG docker $USER, then log in again",
    ),
    (
        r"unknown command: docker compose|'compose' is not a docker command"
        r"|unknown shorthand flag: 'f' in -f|unknown flag: --file",
        errors.ComposeMissing,
        "docker has no Compose plugin",
        "install docker-compose-plugin (or Docker Desktop); `kratosctl doctor` checks it",
    ),
    (
        r"no space left on device|disk quota exceeded",
        errors.DiskFull,
        "the Docker engine's disk is full",
        "free some space (docker system df shows where it went), then run the same command again",
    ),
    (
        r"port is already allocated|address already in use|ports are not available",
        errors.PortTaken,
        "a port this environment needs is taken",
        "stop what holds it, or choose another port; `kratosctl doctor` says who holds it",
    ),
    (
        r"all predefined address pools have been fully subnetted|could not find an available.*address pool",
        errors.EngineFailed,
        "the engine has no free network left",
        "take down what you do not use (kratosctl list), or take one from another range: --subnets 10.213.0.0/16",
    ),
    (
        r"pool overlaps with other one on this address space",
        errors.NetworkTaken,
        "the addresses of this environment's network are taken",
        "see who has them: docker network ls; or take another range: --subnets 10.214.0.0/16",
    ),
    (
        r"network \S+ not found",
        errors.NetworkGone,
        "this environment's network was removed",
        "have it made anew: kratosctl up {env}",
    ),
    (
        r"bind source path does not exist|invalid mount config for type .bind|is not shared from the host"
        r"|error while creating mount source path",
        errors.EngineFailed,
        "the Docker engine does not see a file of this host",
        "if it is there, work in a directory that Docker Desktop or Colima shares, in your home with Docker from snap,"
        " on a local disk rather than NFS; inside a container, in one mounted at the path that it has on the host",
    ),
    (
        # after what Compose fails of: it then breaks its other requests off, which reads like this
        r"cannot connect to the docker daemon|is the docker daemon running|failed to connect to the docker api"
        r"|error during connect|connection refused.*docker|dial unix .*: no such file",
        errors.DaemonDown,
        "the Docker engine does not answer",
        "start it: Docker Desktop, or sudo systemctl start docker; `kratosctl doctor` looks closer",
    ),
    (
        r"cannot assign requested address",
        errors.ConfigurationInvalid,
        "the address to listen on is none of this host's",
        "use --bind 127.0.0.1, or 0.0.0.0 for all of its addresses",
    ),
    (
        # Compose's words since 2.21; the last ones are a service's, a mount's or a port's
        r"failed to parse .*\.ya?ml|validating .*\.ya?ml|compose file .* is invalid|yaml: (line|unmarshal|construct)"
        r"|invalid compose project|invalid interpolation format|error while interpolating|additional propert"
        r"|dependency cycle detected|env file .* not found|declared as external|invalid (container|host)port",
        errors.ComposeFileInvalid,
        "Compose refuses the files",
        "correct compose.override.yaml; of kratosctl's own files --overwrite writes a sound copy",
    ),
    (
        r"failed to read .*\.env: ",
        errors.ComposeFileInvalid,
        "Compose cannot read a file of variables",
        "correct that line: beside a compose.override.yaml, Compose reads .env",
    ),
    (
        r"invalid reference format",
        errors.ConfigurationInvalid,
        "an image's name is not valid",
        "names are lower-case, such as oryd/kratos:v26.2.0",
    ),
    (
        r"manifest unknown|not found: manifest|no matching manifest|pull access denied|no such image|no such host"
        r"|failed to resolve reference|unable to find image|dial tcp .*|i/o timeout|tls handshake timeout"
        r"|network is unreachable",
        errors.ImageMissing,
        "an image is neither here nor to be had",
        "check the network and the tag, or name one that is here: --kratos-image, --postgres-image, --ui-image, …",
    ),
)

_TELLING = re.compile(r"error|denied|cannot|fail|unknown|invalid|no such", re.IGNORECASE)
# what docker says beside the reason
_BESIDE = re.compile(r'^Error: failed to start containers|^time="[^"]*" level=(warning|info)|^(Run|See) .docker')


def from_output(output: str, doing: str) -> errors.KratosctlError:
    """The error that fits what docker printed.

    Args:
        output: docker's standard error stream.
        doing: what was under way, such as "creating containers".
    """
    for pattern, error, what, fix in _KNOWN:
        if re.search(pattern, output, re.IGNORECASE):
            lines = [line for line in output.splitlines() if re.search(pattern, line, re.IGNORECASE)]
            return error(what, last_line("\n".join(lines) or output), fix)
    return errors.EngineFailed(f"{doing} failed", last_line(output), "`kratosctl doctor` looks for the cause")


def last_line(output: str) -> str:
    """The last line that says something, short enough to read."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and not _BESIDE.search(line.strip())]
    telling = [line for line in lines if _TELLING.search(line)]
    chosen = (telling or lines or [""])[-1].removeprefix("Error response from daemon: ")
    return chosen if len(chosen) <= 300 else chosen[:300] + "…"


def too_slow(seconds: float | None) -> errors.DaemonDown:
    return errors.DaemonDown(
        f"the Docker engine did not answer within {seconds or 0:g} s",
        "it hangs, or it is on another machine that is not reached",
        "restart Docker, or see where the command asks: docker context ls",
    )


def docker_missing() -> errors.DockerMissing:
    return errors.DockerMissing(
        "docker is not installed",
        "kratosctl runs everything through the docker command, and found none on PATH",
        "install Docker: https://docs.docker.com/get-docker/",
    )

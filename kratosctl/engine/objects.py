"""What an engine has: containers, images, volumes, networks, and itself. Data alone; `reading` asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Engine:
    """The engine and how this process reaches it.

    Attributes:
        local: containers share this host's kernel and see its files as they are.
        rootless: root in a container is the caller outside, as files show.
        endpoint: where it listens, or `local`.
    """

    version: str
    platform: str
    local: bool
    rootless: bool
    endpoint: str


@dataclass(frozen=True)
class Container:
    """One container of a Compose project.

    Attributes:
        state: Docker's word: created, running, exited, restarting, paused, dead.
        health: healthy, unhealthy, starting, or empty.
        exit_code: of an exited one, else None.
        published: `address:port` on this host -> container port.
        labels: kratosctl's own, without their prefix.
    """

    id: str
    name: str
    service: str
    project: str
    state: str
    status: str
    health: str
    exit_code: int | None
    image: str
    published: dict[str, int] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def places(self, inside: int) -> list[tuple[str, int]]:
        """The addresses and ports of this host at which one port of the container is open."""
        split = [place.rpartition(":") for place, port in self.published.items() if port == inside]
        return [(address.strip("[]"), int(port)) for address, _, port in split]


@dataclass(frozen=True)
class Image:
    """A local image."""

    id: str
    platform: str
    digests: tuple[str, ...]
    environment: tuple[str, ...]
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Labelled:
    """A container, volume or network that kratosctl made.

    Attributes:
        kind: container, volume or network.
        owner: the process an ephemeral environment lives for; empty for any other.
    """

    kind: str
    name: str
    project: str
    environment: str
    directory: str
    owner: str


def is_remote(found: Engine) -> bool:
    """True for an engine on another machine, which cannot see this one's files."""
    return found.endpoint.startswith(("ssh://", "tcp://", "http://", "https://"))

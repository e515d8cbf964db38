"""Where an environment runs: everything rendering needs that was not asked for but found or allotted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """
    Attributes:
        project: the Compose project, unique to the directory and the environment's name.
        directory: the absolute directory kratosctl.yaml lies in.
        origin: the directory the project was allotted in; None is the same one.
        ports: TCP ports of this host by name: public, and admin, ui, mail, postgres where published.
        subnet: the addresses of its network; empty: Docker chooses.
        user: `uid:gid` Kratos runs as; None is the image's own user, for files that leave this host.
        bind_database: SQLite lies in a directory of this host; else in a named volume.
        images: references to run, by service, where they differ from what was asked for (a locked digest).
        postgres_major: PostgreSQL's major version, which decides where its volume goes.
        config_file: name of the main file in Kratos' configuration directory.
        secrets_generation: counts changes of the secrets, so that containers are made anew after one.
        sends_mail: there is a server Kratos can hand mail to; else mails wait in its queue.
        content: digest of the configuration in a custom image, empty where it is mounted.
        override: digest of the user's compose.override.yaml, empty where there is none.
        mounted: tells the directories that Kratos mounts from others that took their places.
        overridden: the services that the compose.override.yaml speaks of.
        inbox: digest of the password of the mail inbox, so that its container is made anew with another.
        start_interval: the engine asks for health more often while a service starts (25 and newer; older ones refuse).
        owner: the process an ephemeral environment lives for; empty for any other.
    """

    project: str
    directory: Path
    ports: Mapping[str, int]
    subnet: str = ""
    user: str | None = None
    bind_database: bool = True
    images: Mapping[str, str] = field(default_factory=dict)
    postgres_major: int = 17
    config_file: str = "kratos.yml"
    secrets_generation: int = 1
    override: str = ""
    overridden: tuple[str, ...] = ()
    sends_mail: bool = True
    content: str = ""
    origin: Path | None = None
    start_interval: bool = False
    owner: str = ""
    inbox: str = ""
    mounted: str = ""

    @property
    def postgres_target(self) -> str:
        """Where PostgreSQL's image wants its volume: since 18 its data has a directory of each major version in it."""
        return "/var/lib/postgresql" + ("/data" if self.postgres_major < 18 else "")

    def home(self, environment: str) -> Path:
        """The generated directory of an environment."""
        return self.directory / ".kratosctl" / environment

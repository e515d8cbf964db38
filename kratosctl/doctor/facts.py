"""What doctor looks at: plain facts, without judgement. What could not be observed is empty, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kratosctl.engine.objects import Engine
from kratosctl.ephemeral.remains import Remains
from kratosctl.errors import KratosctlError


@dataclass(frozen=True)
class EngineFacts:
    """
    Attributes:
        client: what the docker command calls its version; empty where there is none.
        engine: the engine, if it answers.
        fault: why it does not.
        compose: version of the Compose plugin.
        compose_fault: why there is none.
        desktop: it is Docker Desktop's, in a virtual machine.
        security: its security options, such as `rootless`, `userns` and `selinux`.
        data_root: where it keeps images and volumes.
        networks: how many bridge networks it has.
    """

    client: str = ""
    engine: Engine | None = None
    fault: KratosctlError | None = None
    compose: str = ""
    compose_fault: KratosctlError | None = None
    desktop: bool = False
    security: tuple[str, ...] = ()
    data_root: str = ""
    networks: int = 0


@dataclass(frozen=True)
class Disk:
    """Room on the file system of a path, in bytes."""

    what: str
    path: str
    free: int
    total: int


@dataclass(frozen=True)
class Port:
    """A TCP port of this host that an environment here has or asks for.

    Attributes:
        asked: it was asked for by number; else it was chosen, and moves when it is taken.
        own: the environment itself holds it now.
        holder: who else holds it, in words; empty where it is free.
    """

    environment: str
    name: str
    number: int
    asked: bool
    own: bool = False
    holder: str = ""


@dataclass(frozen=True)
class FileFact:
    """A generated file or directory.

    Attributes:
        mode: its permission bits.
        allowed: the bits it may have.
        owned: it belongs to the caller.
        writable: the caller may write to it.
    """

    path: Path
    mode: int
    allowed: int
    owned: bool
    writable: bool


@dataclass(frozen=True)
class KratosFacts:
    """Kratos' own configuration, where it is the user's, and where people reach it.

    Attributes:
        file: its main file, as seen from kratosctl.yaml.
        configuration: what that says.
        schemas: the identity schemas beside it, by name.
        host: the host name that people open.
        public: URL of the public API; empty while it has no port.
        ui: URL of the self-service UI; empty where there is none.
        mail: the environment has a mail inbox.
        app: URL of the application; empty where nobody named one.
        absent: by key, the URL of a file that its directory does not have.
    """

    file: str
    configuration: Mapping[str, Any]
    schemas: Mapping[str, Any] = field(default_factory=dict)
    host: str = "localhost"
    public: str = ""
    ui: str = ""
    mail: bool = False
    app: str = ""
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def pages(self) -> tuple[str, ...]:
        """Where people are in their browsers."""
        return tuple(filter(None, (self.ui, self.app)))


@dataclass(frozen=True)
class Ended:
    """A service of ours that ended without having been told to.

    Attributes:
        how: Docker's word, with the exit code.
        why: what it said last, or what stands behind that.
        fix: what to do; empty where nothing better is known than to look at its log.
    """

    service: str
    how: str
    why: str
    fix: str = ""


@dataclass(frozen=True)
class EnvironmentFacts:
    """One environment of this directory.

    Attributes:
        faults: what is wrong with what was asked for, its configuration directory, its state or secrets.
        images: by reference, whether it is on this engine; empty where nobody could look.
        edited: generated files that somebody changed.
        kratos: what Kratos' own configuration says; None where it is a preset's.
        ready: the HTTP status of a running Kratos that is asked whether it is ready; None where none runs.
        ended: services that ought to run.
        rejected: why a running Kratos did not take the last edit of its configuration; empty where it did.
    """

    name: str
    faults: tuple[KratosctlError, ...] = ()
    images: Mapping[str, bool] = field(default_factory=dict)
    edited: tuple[str, ...] = ()
    kratos: KratosFacts | None = None
    ready: int | None = None
    ended: tuple[Ended, ...] = ()
    rejected: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything that was observed.

    Attributes:
        directory: where kratosctl.yaml lies, or would.
        writable: the caller may write there.
        ignored: the generated directory tells git to ignore it; True where there is none.
        watchers: inotify instances that this user may still have; None where containers run elsewhere.
        configuration_fault: what is wrong with kratosctl.yaml as a file.
    """

    directory: Path
    writable: bool = True
    ignored: bool = True
    engine: EngineFacts = field(default_factory=EngineFacts)
    disks: tuple[Disk, ...] = ()
    ports: tuple[Port, ...] = ()
    files: tuple[FileFact, ...] = ()
    remains: tuple[Remains, ...] = ()
    watchers: int | None = None
    configuration_fault: KratosctlError | None = None
    environments: tuple[EnvironmentFacts, ...] = ()

"""Brings together what was asked for, what is allotted and what the host is: all that rendering needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kratosctl import fragments, ownership, running
from kratosctl.engine import program, reading
from kratosctl.engine.client import Project
from kratosctl.engine.objects import Container, Engine, is_remote
from kratosctl.environment import Environment
from kratosctl.errors import EngineRemote
from kratosctl.files import cache, override
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.host import ports
from kratosctl.kratos import config_dir
from kratosctl.stack import compose, inbox, kratos_configuration, secrets
from kratosctl.stack import custom_image as custom_images
from kratosctl.stack.custom_image import CustomImage
from kratosctl.stack.files import ENVIRONMENT_FILE, File
from kratosctl.stack.labels import LABEL
from kratosctl.stack.place import Place
from kratosctl.stack.render import render
from kratosctl.stages import images

KRATOS_SERVICES = ("kratos", "kratos-migrate")
HOLDING = ("running", "paused")  # states of containers whose ports are theirs
_START_INTERVAL = (25,)  # the first engine that knows it


@dataclass(frozen=True)
class Stack:
    """One environment, ready to be planned and applied.

    Attributes:
        files: its generated files.
        revisions: by service, what its container should be made from.
        state: what is allotted; not yet on disk.
        notes: what a person should know.
        custom: the image with the configuration in it, where Kratos gets it that way.
    """

    environment: Environment
    workspace: Workspace
    place: Place
    state: State
    files: tuple[File, ...]
    revisions: Mapping[str, str]
    notes: tuple[str, ...] = ()
    custom: CustomImage | None = None

    @property
    def project(self) -> Project:
        return running.project_of(self.workspace, self.place.project)

    @property
    def kratos_image(self) -> str:
        """The released image of Kratos, whose migrations the database has; a custom image is built from it."""
        return self.custom.base if self.custom else self.place.images.get("kratos", self.environment.kratos_image)

    @property
    def beside(self) -> tuple[str, ...]:
        """The services that the user's compose.override.yaml adds, but for those it keeps behind a profile."""
        return tuple(name for name in self.place.overridden if name not in compose.IMAGE_KEYS)

    @property
    def overridden(self) -> tuple[str, ...]:
        """The services of ours that the user's compose.override.yaml changes."""
        return tuple(name for name in self.place.overridden if name in self.revisions)

    @property
    def database_directory(self) -> Path | None:
        """Where the SQLite file lies on this host, if it does."""
        bound = self.environment.database == "sqlite" and self.place.bind_database
        return self.workspace.sqlite.parent if bound else None


def assemble(
    environment: Environment,
    workspace: Workspace,
    state: State,
    engine: Engine | None,
    own_ports: set[int],
    variables: Mapping[str, str],
) -> Stack:
    """Allots ports, completes secrets and renders the files. Nothing is written.

    Args:
        environment: what was asked for.
        workspace: its generated directory.
        state: its settled state.
        engine: the engine; None renders for a local Linux engine (`render` needs no engine).
        own_ports: ports of this host that the environment holds now: they are not taken from it.
        variables: the process environment, for secrets and DSN given there.
    """
    if engine and is_remote(engine):
        local = "unset DOCKER_HOST" if variables.get("DOCKER_HOST") else "docker context use default"
        raise EngineRemote(
            f"the Docker engine is on another machine ({engine.endpoint})",
            "configuration and secrets are mounted from this machine's files, which it cannot see",
            f"take a local one: {local}; or run kratosctl on that machine",
        )
    config_file, theirs = their_configuration(environment, workspace)
    complete, state = _secrets(environment, workspace, state, variables, theirs or {})
    allotted, notes = _ports(environment, state, own_ports)
    state = replace(state, ports={**state.ports, **allotted}, host=environment.host, https=environment.https)
    state = replace(state, engine=program.engine()) if engine else state
    custom = custom_image(environment, workspace, state, config_file) if environment.config == "image" else None
    place = Place(
        project=state.project,
        directory=workspace.directory,
        origin=Path(state.origin) if state.origin else None,
        ports=allotted,
        subnet=state.subnet if environment.subnets else "",
        user=_user(engine),
        bind_database=engine.local if engine else True,
        images=_locked(environment, state) | (dict.fromkeys(KRATOS_SERVICES, custom.reference) if custom else {}),
        postgres_major=state.postgres_major or 17,
        config_file=config_file,
        secrets_generation=state.secrets_generation,
        override=override.digest(workspace.directory, variables),
        overridden=tuple(override.services(workspace.directory)),
        sends_mail=environment.mail or kratos_configuration.names_mail_server(theirs or {}),
        content=custom.content if custom else "",
        start_interval=engine is not None and reading.version_tuple(engine.version) >= _START_INTERVAL,
        owner=state.owner,
        inbox=inbox.digest(complete.inbox_password),
        mounted=_mounted(environment, workspace),
    )
    files = render(environment, place, complete, theirs)
    revisions = _revisions(environment, place, files)
    notes += custom_images.warnings(config_file, theirs) if custom else []
    notes += override.unmerged(workspace.directory)
    return Stack(environment, workspace, place, state, files, revisions, tuple(notes), custom)


def _secrets(
    environment: Environment,
    workspace: Workspace,
    state: State,
    variables: Mapping[str, str],
    theirs: Mapping[str, Any],
) -> tuple[secrets.Secrets, State]:
    """All secrets, and the state with what Kratos is given of them now."""
    kept = workspace.secrets()
    complete = secrets.complete(kept, variables if environment.database == "external" else _without_dsn(variables))
    given, before = (
        secrets.digest(secrets.as_kratos(one, kratos_configuration.dsn(environment, one), theirs))
        for one in (complete, kept)
    )
    # what Kratos was given, not what the file says: whoever took a secret out of that wants it gone
    renewed = not secrets.is_empty(kept) and given != (state.secrets_given or before)
    generation = state.secrets_generation + (1 if renewed else 0)
    return complete, replace(state, secrets_generation=generation, secrets_given=given)


def _ports(environment: Environment, state: State, own: set[int]) -> tuple[dict[str, int], list[str]]:
    """The ports of this host by name, and what to say of those that moved."""
    allotted, notes = ports.allot(
        ports.wanted(environment, admin=bool(state.owner)),
        state.ports,
        own,
        lambda name, p: (
            ports.is_taken(p, environment.addresses[name])
            # who brings a whole class up claims the ports of each seat, which is brought up beside it with what it has
            or not (ports.claim(p, cache.directory() / "ports") or p in state.ports.values())
        ),
        ports.holder,
    )
    if notes and environment.https:
        notes = [*notes, "what stands before it by TLS does not know that yet; in a workshop: kratosctl workshop up"]
    return allotted, notes


def their_configuration(environment: Environment, workspace: Workspace) -> tuple[str, dict[str, Any] | None]:
    """The main file's name and its parsed content; None where the preset's is used.

    Raises:
        ConfigDirectoryMissing, ConfigurationInvalid: the user's directory cannot be used.
    """
    if environment.config_dir:
        return config_dir.read(workspace.directory, environment.config_dir)
    return "kratos.yml", None


def configuration_files(environment: Environment, workspace: Workspace) -> dict[str, bytes]:
    """Kratos' own configuration, the user's or the preset's: content by name."""
    if environment.config_dir:
        return config_dir.files(workspace.directory, environment.config_dir)
    return {name: text.encode() for name, text in fragments.preset_files(environment.preset).items()}


def custom_image(environment: Environment, workspace: Workspace, state: State, config_file: str) -> CustomImage:
    """The image with an environment's configuration in it, as it would be built now."""
    files = configuration_files(environment, workspace)
    lock = state.images.get(environment.kratos_image, {})
    return custom_images.custom_image(environment, state.project, lock, config_file, files)


def _revisions(environment: Environment, place: Place, files: tuple[File, ...]) -> dict[str, str]:
    configuration = next(file.text for file in files if file.path == ENVIRONMENT_FILE)
    model = compose.compose_model(environment, place, configuration)
    made = {name: service for name, service in model["services"].items() if "labels" in service}
    return {name: service["labels"][LABEL + "revision"] for name, service in made.items()}


def ports_held(containers: tuple[Container, ...]) -> set[int]:
    """The ports of this host that running containers hold, and paused ones."""
    return {int(host.rsplit(":", 1)[1]) for c in containers if c.state in HOLDING for host in c.published}


def _mounted(environment: Environment, workspace: Workspace) -> str:
    """Tells the directories that Kratos mounts from those that take their places, as by `git switch` or `git clean`: a
    container goes on with one that was removed."""
    theirs = environment.config_dir if environment.config == "mount" else None
    mounts = [workspace.home, *([workspace.directory / theirs] if theirs else [])]
    return " ".join(map(ownership.inode, mounts))


def _user(engine: Engine | None) -> str:
    """Who Kratos runs as: the caller, so that files are the caller's and stay private."""
    return "0:0" if engine and engine.rootless else f"{os.getuid()}:{os.getgid()}"


def _locked(environment: Environment, state: State) -> dict[str, str]:
    """What each service's image is locked to, where it is."""
    found = {}
    for service, key in compose.IMAGE_KEYS.items():
        lock = state.images.get(getattr(environment, key))
        if lock:
            found[service] = images.what_runs(lock)
    return found


def digests(environment: Environment, state: State) -> dict[str, str]:
    """What any engine can pull: by service the digest that its image is locked to, where a registry gave it one."""
    locks = {service: state.images.get(getattr(environment, key), {}) for service, key in compose.IMAGE_KEYS.items()}
    return {service: lock["digest"] for service, lock in locks.items() if lock.get("digest")}


def _without_dsn(variables: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in variables.items() if key != "DSN"}

"""Finding an environment that was made before: by its name here, and by what the engine has of it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from kratosctl import ownership, questions
from kratosctl.answers import configuration_file
from kratosctl.catalog import CONTAINER_PORTS
from kratosctl.engine import program, reading
from kratosctl.engine.client import Project
from kratosctl.engine.objects import Container
from kratosctl.environment import Environment
from kratosctl.errors import NotRunning, OnAnotherEngine, UsageError
from kratosctl.files import override
from kratosctl.files.state import State
from kratosctl.files.workspace import GENERATED, Workspace
from kratosctl.kratos import readiness
from kratosctl.limits import Limits
from kratosctl.results import counted
from kratosctl.stack.files import COMPOSE_FILE

SERVICES = ("kratos", "kratos-migrate", "postgres", "mail", "ui")


@dataclass(frozen=True)
class Found:
    """An environment and its containers.

    Attributes:
        workspace: its generated directory.
        state: what is remembered of it.
        containers: what the engine has of it.
        patience: seconds that Kratos may take to be ready again.
    """

    workspace: Workspace
    state: State
    containers: tuple[Container, ...]
    patience: float = Limits.ready

    @property
    def name(self) -> str:
        return self.workspace.name

    def container(self, service: str) -> Container | None:
        return next((c for c in self.containers if c.service == service), None)

    def running(self, service: str) -> Container:
        """The running container of a service.

        Raises:
            NotRunning: there is none.
        """
        found = self.container(service)
        if found is None or found.state != "running":
            here = ", ".join(c.service for c in self.containers if c.state == "running") or "nothing"
            raise NotRunning(
                f"{service} of environment {self.name} does not run",
                f"running: {here}",
                f"start it: kratosctl up {self.name}",
            )
        return found

    def check_services(self, services: Sequence[str]) -> None:
        """
        Raises:
            UsageError: there is no such service, neither one of ours nor one of the user's own.
            NotRunning: this environment has none.
        """
        own = [c.service for c in self.containers if c.service not in SERVICES]
        for service in services:
            if service not in (*SERVICES, *own):
                known = questions.listed([*SERVICES, *own, *names(self.workspace.directory)])
                raise UsageError(f"neither a service nor an environment: {service}", f"there are {known}")
            if self.containers and not service.startswith("kratos") and not self.container(service):
                fix = f"have it: kratosctl up {self.name} --{service}" if service in ("ui", "mail") else ""
                here = questions.listed([c.service for c in self.containers])
                raise NotRunning(f"environment {self.name} has no {service}", f"it has {here}", fix)

    def another_kratos(self, environment: Environment) -> tuple[str, str] | None:
        """What its Kratos was made with, and what it is to have, in words; None where that is the same.

        Whatever brings it up would bring the new one along, with migrations that cannot be undone.
        """
        kratos = self.container("kratos")
        labels = kratos.labels if kratos else {}
        asked = {key: str(getattr(environment, key)) for key in ("release", "variant", "database")}
        runs = {key: labels.get(key, value) for key, value in asked.items()}
        differ = [key for key in asked if runs[key] != asked[key]]
        now, then = (", ".join(f"{key} {values[key]}" for key in differ) for values in (runs, asked))
        return (now, then) if differ else None

    @property
    def project(self) -> Project:
        """Its Compose project, of the files that are there now."""
        return project_of(self.workspace, self.state.project)

    def check_override(self) -> None:
        """Has Compose read the user's own Compose file: with a wrong one, what is stopped cannot be brought up again.

        Raises:
            ComposeFileInvalid: it cannot.
        """
        if override.file(self.workspace.directory):
            self.project.check()

    def public_address(self) -> tuple[str, int] | None:
        """Where this host reaches the public API; None while it is not published."""
        kratos = self.container("kratos")
        for address, port in kratos.places(CONTAINER_PORTS["public"]) if kratos else ():
            return readiness.reachable(address), port
        return None

    def admin_url(self) -> str:
        """Where this host reaches the admin API, published or not; empty where it does not.

        On a local Linux engine the container's own address will do. It is no secret there: the API is closed to other
        machines, not to programs of this one.
        """
        kratos = self.running("kratos")
        for address, port in kratos.places(CONTAINER_PORTS["admin"]):
            return f"http://{readiness.reachable(address)}:{port}"
        engine = reading.engine()
        # a rootless engine's networks are in a namespace of their own: on this host's, somebody else may answer
        own = reading.address(kratos.name) if engine.local and not engine.rootless else ""
        return f"http://{own}:{CONTAINER_PORTS['admin']}" if own else ""

    def wait_until_ready(self, seconds: float | None = None) -> None:
        """Waits until a running Kratos is ready again, after a restart; by default as long as it may take."""
        public = self.public_address()
        if public:
            readiness.wait(*public, self.running("kratos").name, self.patience if seconds is None else seconds)


def project_of(workspace: Workspace, name: str) -> Project:
    """An environment's Compose project: the generated file, and the user's own over it."""
    own = override.file(workspace.directory)
    return Project(name, [workspace.home / COMPOSE_FILE, *([own] if own else [])], workspace.directory)


def names(directory: Path) -> list[str]:
    """The environments of a directory: those of kratosctl.yaml, then those that were made and are no longer in it."""
    return names_of(directory, configuration_file.load(directory))


def names_of(directory: Path, asked_for: Collection[str]) -> list[str]:
    """The same, where it is known what kratosctl.yaml asks for."""
    named = list(asked_for)
    made = sorted(path.parent.name for path in (directory / GENERATED).glob("[!.]*/state.json"))
    return named + [name for name in made if name not in named]


def pick(directory: Path, name: str | None) -> str:
    """The environment that is meant.

    Raises:
        UsageError: there is none of that name, none at all, or several and none named.
    """
    asked_for = configuration_file.load(directory)
    known = names_of(directory, asked_for)
    if name:
        questions.check_name(name)
        if name not in known:
            listed = f"there are {questions.listed(known)}" if known else "there is none here yet"
            if name == os.environ.get(questions.NAME_VARIABLE):
                # set long ago, in another shell's profile or for another directory
                listed = f"{questions.NAME_VARIABLE} names it; {listed}"
            raise UsageError(f"no environment {name!r} in {directory}", listed, f"make it: kratosctl up {name}")
        return name
    if not known:
        raise UsageError(f"no environment in {directory}", "there is no kratosctl.yaml", "make one: kratosctl up")
    # what was taken out of kratosctl.yaml is meant only where it is named, as by `up`
    return questions.the_one(list(asked_for) or known, known)


def find(directory: Path, name: str | None) -> Found:
    """An environment of a directory, with what the engine has of it.

    Raises:
        UsageError, NotOurs, OnAnotherEngine.
    """
    workspace = Workspace(directory, pick(directory, name))
    state = ownership.settled_state(workspace)
    containers = reading.containers(state.project)
    ownership.check_ours(str(directory), workspace.name, containers)
    check_engine(state, containers)
    return Found(workspace, state, containers)


def check_engine(state: State, containers: Collection[Container]) -> str:
    """Refuses an environment that is on another engine: all that is said of it here, or done to its files, is wrong.

    The other engine is asked only where docker asks another one than when the environment was brought up, and this one
    has no container of it: one engine may have two names.

    Args:
        state: of the environment.
        containers: what this engine has of it.

    Returns:
        What a person should know of an engine that cannot be asked any more; empty where there is nothing.

    Raises:
        OnAnotherEngine: saying which.
    """
    other, here = state.engine, program.engine()
    if containers or other in ("", here):
        return ""
    found = reading.elsewhere(other, state.project)
    if found is None:
        return f"{_called(other)}, where this was last, does not answer: what it has there, data too, stays there"
    there, volumes = found
    if not there and not set(volumes) - set(reading.project_volumes(state.project)):
        return ""
    parts = [counted(len(names), kind) for kind, names in (("container", there), ("volume", volumes)) if names]
    move = "`down` there, `up` here"
    if volumes:
        move = "`snapshot save NAME` and `down --volumes` there, `up` and `snapshot restore NAME` here"
    raise OnAnotherEngine(
        f"this environment is on another Docker engine: {_called(other)}",
        f"it has {' and '.join(parts)} there, and nothing on that of {_called(here)}, which docker asks now",
        f"go back: {_way_to(other)}; or move it: {move}",
    )


def _called(engine: str) -> str:
    return f"DOCKER_HOST={engine}" if ":" in engine else f"context {engine}"


def _way_to(engine: str) -> str:
    if ":" in engine:
        return f"export DOCKER_HOST={shlex.quote(engine)}"
    # each comes before what `docker context use` says
    chosen = os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT")
    return f"unset DOCKER_HOST; export DOCKER_CONTEXT={engine}" if chosen else f"docker context use {engine}"


def environment_and_services(directory: Path, words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Tells names of services from the name of an environment: `logs dev kratos`, `logs kratos`, `logs dev`.

    Raises:
        UsageError: two environments.
    """
    known = [name for name in names(directory) if name not in SERVICES]
    meant = [word for word in words if word in known]
    if len(meant) > 1:
        raise UsageError(f"one environment at a time, not {questions.listed(meant)}")
    return (meant[0] if meant else None), [word for word in words if word not in known]

"""Observing: this directory and its environments. What cannot be read is left out or said, never raised."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kratosctl import ownership, running
from kratosctl.answers import configuration_file, selection
from kratosctl.doctor import gather_engine, gather_kratos
from kratosctl.doctor.facts import Disk, EnvironmentFacts, Facts, FileFact, Port
from kratosctl.engine import reading
from kratosctl.engine.objects import Container, is_remote
from kratosctl.environment import Environment
from kratosctl.errors import KratosctlError
from kratosctl.files.state import State
from kratosctl.files.workspace import GENERATED, Workspace
from kratosctl.host import ports, watchers
from kratosctl.kratos import config_dir
from kratosctl.running import Found
from kratosctl.stages import assemble, images


def gather(directory: Path, variables: Mapping[str, str]) -> Facts:
    """Looks at everything.

    Args:
        directory: where kratosctl.yaml lies, or would.
        variables: the process environment: what is asked for beside kratosctl.yaml.
    """
    engine, containers = gather_engine.engine_facts()
    answers, fault = _configuration(directory)
    names = running.names_of(directory, answers)
    projects = {_state(directory, name).project for name in names}
    found = [
        _environment(directory, name, variables if name in answers else None, containers if engine.engine else None)
        for name in names
    ]
    here = engine.engine if engine.engine and not is_remote(engine.engine) else None
    data_root = engine.data_root if here and here.local else ""
    ignore = directory / GENERATED / ".gitignore"
    return Facts(
        directory=directory,
        writable=os.access(directory, os.W_OK),
        ignored=ignore.exists() or not (directory / GENERATED).exists(),
        engine=engine,
        disks=tuple(_disks(directory, data_root)),
        ports=tuple(
            port
            for name, asked, _ in found
            # what kratosctl.yaml no longer names needs its ports only while it runs
            if name in answers or fault or any(c.project == _state(directory, name).project for c in containers)
            for port in _ports(directory, name, asked, containers)
        ),
        files=tuple(fact for name in names for fact in _files(Workspace(directory, name))),
        remains=gather_engine.left_behind(projects) if here else (),
        watchers=watchers.free() if here and here.local else None,
        configuration_fault=fault,
        environments=tuple(facts for _, _, facts in found),
    )


def _configuration(directory: Path) -> tuple[Mapping[str, Mapping[str, Any]], KratosctlError | None]:
    try:
        return configuration_file.load(directory), None
    except KratosctlError as error:
        return {}, error


def _state(directory: Path, name: str) -> State:
    try:
        return ownership.settled_state(Workspace(directory, name))
    except KratosctlError:
        return State()


def _environment(
    directory: Path,
    name: str,
    variables: Mapping[str, str] | None,
    containers: tuple[Container, ...] | None,
) -> tuple[str, Environment | None, EnvironmentFacts]:
    """What was asked for, if that can be, and what is wrong with it."""
    workspace = Workspace(directory, name)
    asked: Environment | None = None
    faults: list[KratosctlError] = []
    try:
        if variables is not None:
            chosen = selection.select(directory, name, {}, variables)
            asked = selection.environment_of(chosen)
            selection.refuse_other_dsn(chosen)
        if asked and asked.config_dir:
            config_dir.read(directory, asked.config_dir)
    except KratosctlError as error:
        faults.append(error)
    state = _state(directory, name)
    ours = tuple(container for container in containers or () if container.project == state.project)
    reads: list[Callable[[], object]] = [workspace.state, workspace.secrets]
    if containers is not None:
        reads.append(lambda: running.check_engine(state, ours))
    for read in reads:
        try:
            read()
        except KratosctlError as error:
            faults.append(error)
    needed = images.needed(asked) if asked and containers is not None else {}
    found, _ = gather_engine.or_fault(lambda: reading.images(needed))
    here = {name: images.is_here(image, needed[name]) for name, image in (found or {}).items()}
    facts = EnvironmentFacts(
        name,
        tuple(faults),
        here,
        tuple(_edited(workspace, state)),
        kratos=gather_kratos.kratos_facts(directory, asked, state) if asked else None,
        ready=gather_kratos.ready(Found(workspace, state, ours)) if asked else None,
        ended=gather_kratos.ended(ours),
        rejected=gather_kratos.rejected(directory, asked, ours) if asked else "",
    )
    return name, asked, facts


def _edited(workspace: Workspace, state: State) -> Iterator[str]:
    for path, written in state.generated.items():
        text = workspace.read(path)
        if text is not None and hashlib.sha256(text.encode()).hexdigest() not in written:
            yield path


def _disks(directory: Path, data_root: str) -> Iterator[Disk]:
    for what, path in (("the engine's data", data_root), ("this directory", str(directory))):
        try:
            room = shutil.disk_usage(path) if path else None
        except OSError:
            # not ours to look at
            continue
        if room:
            yield Disk(what, path, room.free, room.total)


def _ports(directory: Path, name: str, asked: Environment | None, containers: tuple[Container, ...]) -> Iterator[Port]:
    state = _state(directory, name)
    own = assemble.ports_held(tuple(c for c in containers if c.project == state.project))
    wanted = ports.wanted(asked) if asked else {}
    for port, number in {**state.ports, **{key: value for key, value in wanted.items() if value}}.items():
        if asked and port not in wanted:
            continue
        held = number in own
        # where the engine opens it: at `bind` listens what stands before it, if anything does
        address = "127.0.0.1" if asked is None else asked.addresses[port]
        who = ports.holder(number) if not held and _is_taken(number, address) else ""
        yield Port(name, port, number, asked=bool(wanted.get(port)), own=held, holder=who)


def _is_taken(port: int, address: str) -> bool:
    try:
        return ports.is_taken(port, address)
    except KratosctlError:
        # no address of this host, which `up` says: nothing listens there
        return False


def _files(workspace: Workspace) -> Iterator[FileFact]:
    """The generated files whose modes and owners matter."""
    home, secrets = workspace.home, workspace.home / "secrets"
    try:
        looked_at = [(home, 0o700), *((path, 0o666) for path in (home / "state.json", workspace.sqlite))]
        looked_at += [(secrets, 0o700), *((path, 0o600) for path in sorted(secrets.glob("*")))]
    except OSError:
        return
    for path, allowed in looked_at:
        try:
            found = path.stat()
        except OSError:
            continue
        owned = found.st_uid in (os.getuid(), 0) if os.getuid() == 0 else found.st_uid == os.getuid()
        yield FileFact(path, stat.S_IMODE(found.st_mode), allowed, owned, os.access(path, os.W_OK))

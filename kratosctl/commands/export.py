"""`render`: prints the Compose file, or writes all that `docker compose` needs into a directory of its own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kratosctl import ownership
from kratosctl.console import Console
from kratosctl.engine import reading
from kratosctl.engine.objects import is_remote
from kratosctl.environment import Environment
from kratosctl.errors import ConfigurationInvalid, GeneratedFileEdited, KratosctlError, UsageError
from kratosctl.files import git, override, yaml_text
from kratosctl.files.atomic import write_atomically
from kratosctl.files.workspace import GENERATED, Workspace
from kratosctl.host import ports
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result
from kratosctl.stack.custom_image import CONTEXT_FOLDER
from kratosctl.stack.export import export
from kratosctl.stack.files import COMPOSE_FILE, File
from kratosctl.stack.secrets import is_empty
from kratosctl.stages import assemble, images, postgres_start, up
from kratosctl.stages.assemble import Stack

_LONGEST_LOOK = 5.0
_AS_IT_IS = "surrogateescape"


def show(environment: Environment, workspace: Workspace, variables: Mapping[str, str]) -> Result:
    """The Compose file as `up` would write it. Nothing is written, and no engine is needed.

    Args:
        environment: what was asked for.
        workspace: its generated directory.
        variables: the process environment.
    """
    stack = _assemble(environment, workspace, variables)
    text = next(file.text for file in stack.files if file.path == COMPOSE_FILE)
    data = {"environment": environment.name, "project": stack.place.project, "compose": text}
    return Result("render", data, lambda: text.rstrip("\n"))


def write(
    environment: Environment,
    workspace: Workspace,
    target: Path,
    overwrite: bool,
    console: Console,
    variables: Mapping[str, str],
) -> Result:
    """Writes a directory that `docker compose` runs without kratosctl: the same project, ports and secrets.

    Args:
        environment: what was asked for.
        workspace: its generated directory.
        target: the directory to write; made where it is missing.
        overwrite: write over files that differ. Secrets are never written over.
        console: where it is said who is waited for.
        variables: the process environment.

    Raises:
        UsageError: the directory is kratosctl's own.
        GeneratedFileEdited: a file is there and differs.
        ConfigurationInvalid: there is no DSN, or compose.override.yaml is not text.
    """
    refuse_own(workspace.directory, target)
    up.check_dsn(environment, workspace, variables)
    _make_secrets(environment, workspace, console, variables)
    stack = _assemble(environment, workspace, variables)
    contents = assemble.configuration_files(environment, workspace)
    # such as a picture beside a template: what is no text goes through as it is
    configuration = {name: content.decode(errors=_AS_IT_IS) for name, content in contents.items()}
    files = export(stack.files, workspace.home, configuration, stack.custom)
    own, warnings = override.file(workspace.directory), list[str]()
    if own and own.parent != target:
        files.append(File(own.name, yaml_text.read_text(own)))
        warnings.append(f"{own.name} goes along, and nothing that it names, such as .env or ./file: copy that, too")
    # Docker would make the directories that are mounted as root
    write_files([*files, *([git.kept_out("database")] if stack.database_directory else [])], target, overwrite)
    if environment.database == "postgres":
        postgres_start.initdb(target)
    if stack.custom:
        # a build keeps their modes, and Kratos' own user reads them, whatever the caller's umask is
        for folder in (target / CONTEXT_FOLDER, *(target / CONTEXT_FOLDER).rglob("*/")):
            folder.chmod(0o755)
    return replace(_result(stack, target, files), warnings=warnings)


def _make_secrets(
    environment: Environment, workspace: Workspace, console: Console, variables: Mapping[str, str]
) -> None:
    """Gives an environment that was never made its secrets, as `up` will find them: whoever writes again, as after a
    kill, is not to come with others."""
    if not is_empty(workspace.secrets()):
        return
    with workspace.locked(f"render {environment.name}", LOCK_WAIT, console.note):
        for file in _assemble(environment, workspace, variables).files:
            if file.secret:
                workspace.write(file.path, file.text, 0o600)


def _assemble(environment: Environment, workspace: Workspace, variables: Mapping[str, str]) -> Stack:
    """The stack for the engine at hand, or for a local Linux engine where none answers.

    Ports the environment has, or asks for, are taken to be its own: whether they are free now is no matter here.
    """
    try:
        engine = reading.engine(timeout=_LONGEST_LOOK)
    except KratosctlError:
        engine = None
    if engine and is_remote(engine):
        engine = None
    state = ownership.settled_state(workspace)
    major = images.postgres_major(environment, None) or state.postgres_major
    own = {*state.ports.values(), *(port for port in ports.wanted(environment).values() if port)}
    return assemble.assemble(environment, workspace, replace(state, postgres_major=major), engine, own, variables)


def configuration_texts(environment: Environment, workspace: Workspace) -> dict[str, str]:
    """Kratos' own configuration, the user's or the preset's, for what carries text alone: text by name.

    Raises:
        ConfigurationInvalid: one of its files is not text.
    """
    found = {}
    for name, content in assemble.configuration_files(environment, workspace).items():
        try:
            found[name] = content.decode()
        except UnicodeDecodeError as error:
            raise ConfigurationInvalid(f"{name}: byte {error.start + 1} is not UTF-8 text") from error
    return found


def refuse_own(directory: Path, target: Path) -> None:
    """Refuses to write where kratosctl keeps its own files.

    Args:
        directory: where kratosctl.yaml lies.
        target: the directory to write.
    """
    if directory / GENERATED in (target, *target.parents):
        raise UsageError(f"{target} is where kratosctl keeps its own files", "", "choose another --output DIR")


def write_files(files: Sequence[File], target: Path, overwrite: bool) -> None:
    """Writes files for people who go on without kratosctl: each whole or not at all, secrets for the owner alone.

    Args:
        files: what to write, by paths in the target.
        target: the directory; made where it is missing.
        overwrite: write over files that differ. Secrets are never written over.

    Raises:
        GeneratedFileEdited: a file is there and differs; nothing was written.
    """
    folders = sorted({file.path.rpartition("/")[0] or "." for file in files if file.secret or file.private})
    everything = list(dict.fromkeys([*map(git.kept_out, folders), *files]))
    _refuse_to_overwrite(everything, target, overwrite)
    for file in everything:
        owners = file.secret or file.private
        write_atomically(target / file.path, _content(file), 0o600 if owners else 0o644, private=owners)


def _refuse_to_overwrite(files: Sequence[File], target: Path, overwrite: bool) -> None:
    for file in files:
        path = target / file.path
        if path.exists() and path.read_bytes() != _content(file):
            if file.secret:
                fix = f"it is not written over, because a lost secret logs everybody out; move it away: {path}"
                raise GeneratedFileEdited(f"{path} is there, and holds other secrets", fix=fix)
            if not overwrite:
                raise GeneratedFileEdited(f"{path} is there, and differs", fix="--overwrite writes over it")


def _content(file: File) -> bytes:
    return file.text.encode(errors=_AS_IT_IS)


def _result(stack: Stack, target: Path, files: list[File]) -> Result:
    name, where = stack.environment.name, shlex.quote(str(target))
    steps = [f"kratosctl down {name}"]
    if stack.database_directory and stack.workspace.sqlite.exists():
        # not the directory: its mode would go along
        steps.append(f"cp -a {shlex.quote(str(stack.database_directory))}/db.sqlite* {where}/database/")
    if stack.custom:
        steps.append(f"docker build -t {stack.custom.reference} {where}")
    steps.append(f"cd {where} && docker compose up -d")
    data = {
        "environment": name,
        "project": stack.place.project,
        "directory": str(target),
        "files": [file.path for file in files],
        "next": steps,
    }
    head = f"wrote {len(files)} files to {target}: the same project, ports and secrets. To go on without kratosctl:"
    return Result("render", data, lambda: "\n".join([head, *(f"  {step}" for step in steps)]))

"""`snapshot export` and `import`: a snapshot as one file, and the environment it came from made anew of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kratosctl import questions, running
from kratosctl.answers import configuration_file, selection
from kratosctl.console import Console
from kratosctl.database import templates
from kratosctl.environment import Environment
from kratosctl.errors import ConfigurationInvalid, EnvironmentBusy, KratosctlError, SnapshotExists, SnapshotForeign
from kratosctl.files.atomic import said_plainly, write_atomically
from kratosctl.files.workspace import Workspace
from kratosctl.kratos import config_dir
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result, sized
from kratosctl.snapshots import dump, package, sqlite, store
from kratosctl.snapshots.package import Manifest, Package
from kratosctl.snapshots.store import Snapshot
from kratosctl.snapshots.subject import image_of
from kratosctl.stack import kratos_configuration, secrets
from kratosctl.stack.render import kratos_secrets
from kratosctl.stages import assemble, postgres_start

SUFFIX = ".kratos.zip"
# What is not of one machine, and opens nothing: ports, addresses and paths stay at home.
_HANDED_ON = (
    "release",
    "variant",
    "database",
    "preset",
    "ui",
    "mail",
    "kratos_image",
    "postgres_image",
    "ui_image",
    "mail_image",
)
_WITHOUT = (
    "it holds password hashes and sessions, but not the environment's own secrets: elsewhere, codes that were mailed"
    " are void, and what Kratos encrypted (OpenID Connect tokens, where ciphers are configured) cannot be read"
)
_WITH = (
    "it holds password hashes, sessions and the environment's own secrets: whoever has it can sign session cookies and"
    " read what Kratos encrypted"
)


def export(
    workspace: Workspace,
    environment: Environment,
    name: str,
    file: Path,
    with_secrets: bool,
    overwrite: bool,
    called: str = "",
) -> Result:
    """Writes one file to hand on: a snapshot, what the environment was asked to be, and Kratos' own configuration.

    Args:
        workspace: of the environment.
        environment: as it was asked for.
        name: the snapshot.
        file: where to write.
        with_secrets: put the secrets of Kratos in.
        overwrite: replace a file that is there.
        called: the snapshot's name where the file is taken in; its own by default.

    Raises:
        NameInvalid, SnapshotMissing, SnapshotDamaged: of the snapshot.
        SnapshotExists: the file is there already.
        DiskFull, DirectoryReadOnly: nothing is left behind.
    """
    snapshot = store.load(workspace, name)
    content = store.check(workspace, snapshot)
    if file.exists() and not overwrite:
        raise SnapshotExists(f"{file} is there already", "", "choose another FILE, remove it, or say --overwrite")
    kept = configuration_file.load(workspace.directory).get(workspace.name, {})
    answers = _answers(kept, environment, snapshot)
    warnings = [_WITH if with_secrets else _WITHOUT]
    if "kratos_image" in kept and "kratos_image" not in answers:
        warnings.append(f"{kept['kratos_image']} is not in it: the data is of Kratos {snapshot.release}")
    configuration = assemble.configuration_files(environment, workspace) if environment.config_dir else {}
    known = workspace.secrets()
    given = {kind: list(known.of(kind)) for kind in secrets.KINDS} if with_secrets else {}
    manifest = Manifest(workspace.name, answers, replace(snapshot, name=called or name), secrets=given)
    package.write(file, manifest, content, configuration)
    size = file.stat().st_size
    data = {
        "environment": workspace.name,
        "snapshot": asdict(snapshot),
        "file": str(file),
        "size": size,
        "secrets": with_secrets,
        "configuration": sorted(configuration),
    }
    said = f"wrote {file}: {snapshot.people}, Kratos {snapshot.release}, {sized(size)}"
    warnings += config_dir.warnings(workspace.directory, environment.config_dir)
    return Result("snapshot export", data, lambda: said, warnings)


def _answers(kept: Mapping[str, Any], environment: Environment, snapshot: Snapshot) -> dict[str, Any]:
    """What kratosctl.yaml says of the environment, as it was when the snapshot was made; without its image of Kratos
    where the environment has gone on since, and which one it had then cannot be told."""
    answers = {key: kept[key] for key in _HANDED_ON if key in kept}
    if "kratos_image" in answers and snapshot.release != environment.facts.tag:
        answers["kratos_image"] = image_of(environment, snapshot.release)
    answers |= {"release": snapshot.release, "database": snapshot.engine}
    return {key: value for key, value in answers.items() if value is not None}


def import_(
    file: Path, directory: Path, environment: str | None, called: str | None, overwrite: bool, console: Console
) -> Result:
    """Takes a file in: as a snapshot of an environment that is there, or as a new environment.

    Args:
        file: what `export` wrote.
        directory: where kratosctl.yaml lies.
        environment: where it goes; None takes the name it had.
        called: the snapshot's name here; None takes the name it had.
        overwrite: replace a snapshot of that name.
        console: where steps are shown.

    Raises:
        SnapshotMissing, SnapshotDamaged, SnapshotForeign, SnapshotExists, NameInvalid: nothing was changed.
        ConfigurationInvalid: it asks for what no environment can be, or for files that are there already.
        EnvironmentBusy: somebody else made the environment meanwhile.
    """
    with package.opened(file) as opened, console.step(f"look at {file}"):
        manifest = opened.manifest
        name = questions.check_name(environment or manifest.environment)
        workspace = Workspace(directory, name)
        snapshot = replace(manifest.snapshot, name=store.check_given(called or manifest.snapshot.name))
        known = name in running.names(directory)
        if known:
            _check_engine(workspace, snapshot)
        else:
            _check_answers(name, manifest)
        configuration = {} if known else opened.configuration()
        folder = _place_for_configuration(workspace, configuration) if configuration else ""
        with workspace.locked(f"snapshot import {snapshot.name}", LOCK_WAIT, console.note):
            if not known and name in running.names(directory):
                fix = "run the same command again: it is then taken in as a snapshot of that"
                raise EnvironmentBusy(f"environment {name} was made meanwhile", "by another command", fix)
            made = store.add(
                workspace, snapshot.name, lambda path: _fill(opened, path, file, snapshot), overwrite or not known
            )
            if not known:
                _make(workspace, manifest, made, configuration, folder)
    data = {"environment": name, "snapshot": asdict(made), "new": not known}
    then = f"restore it: kratosctl snapshot restore {made.name} --env {name}"
    if not known:
        then = f"start it: kratosctl up {name}"
    said = f"took {made.name} in: {made.people}, Kratos {made.release}\n{then}"
    return Result("snapshot import", data, lambda: said, _warnings(manifest, known))


def _warnings(manifest: Manifest, known: bool) -> list[str]:
    if known:
        return ["this environment keeps its own configuration" + (" and secrets" if manifest.secrets else "")]
    images = [f"{value}" for key, value in manifest.answers.items() if key.endswith("_image")]
    ran = [f"`up` will run {', '.join(images)}, as the file says"] if images else []
    theirs = "it has the file's secrets: whoever has the file can sign its session cookies"
    whose = theirs if manifest.secrets else "it has new secrets"
    return [*ran, f"browsers sign in anew; sessions of apps go on; {whose}"]


def _check_engine(workspace: Workspace, snapshot: Snapshot) -> None:
    asked = configuration_file.load(workspace.directory).get(workspace.name)
    # one that was taken out of kratosctl.yaml is what it was
    was = "postgres" if asked is None and workspace.state().postgres_major else "sqlite"
    engine = (asked or {}).get("database", was)
    if engine != snapshot.engine:
        raise SnapshotForeign(
            f"the snapshot is of {snapshot.engine}, environment {workspace.name} runs on {engine}",
            "their files have nothing in common",
            "take it in as a new environment: kratosctl snapshot import FILE NAME",
        )


def _check_answers(name: str, manifest: Manifest) -> None:
    """Refuses an environment that could not be made, and anything that does not travel."""
    for key, value in manifest.answers.items():
        if key not in _HANDED_ON:
            raise ConfigurationInvalid(f"the file asks for {key[:60]!r}", "that is for this machine to say")
        questions.check_value(questions.BY_KEY[key], value)
    if manifest.answers.get("database") != manifest.snapshot.engine:
        raise ConfigurationInvalid("the file asks for another database than its snapshot is of")
    selection.environment_of(selection.Selection(name, manifest.answers, known=False))


def _fill(opened: Package, path: Path, file: Path, snapshot: Snapshot) -> Snapshot:
    """Puts the database in place, if it is one of Kratos'. Returns what is told of it, and what it holds."""
    opened.copy_database(path)
    try:
        if opened.manifest.snapshot.engine == "sqlite":
            sqlite.refuse_more_than_tables(path)
            facts = sqlite.facts(path, copy=True)
        else:
            dump.check(path)
            facts = dump.facts_of(path)
    except KratosctlError as error:
        raise package.damaged(file, error.why or error.what) from error
    return replace(snapshot, migrations=facts.migrations, identities=facts.identities, network=facts.network)


def _make(
    workspace: Workspace, manifest: Manifest, made: Snapshot, configuration: Mapping[str, bytes], folder: str
) -> None:
    """Makes an environment that starts with the snapshot's data. Known to others only when all of it is there."""
    content = store.content(workspace, made.name)
    for name, text in configuration.items():
        # it may hold secrets; Kratos reads it as its owner
        write_atomically(workspace.directory / folder / name, text, 0o600)
    if made.engine == "sqlite":
        templates.copy(content, workspace.sqlite)
    else:
        with said_plainly(content), tempfile.NamedTemporaryFile(dir=workspace.home) as plain:
            dump.write_plain(content, Path(plain.name))
            postgres_start.offer_snapshot(workspace.home, Path(plain.name))
    if manifest.secrets:
        _write_secrets(workspace, manifest)
    answers = dict(manifest.answers)
    if configuration:
        answers["config_dir"] = f"./{folder}"
    configuration_file.save(workspace.directory, workspace.name, answers)
    workspace.save_state(replace(workspace.state(), releases={made.engine: made.release}))


def _write_secrets(workspace: Workspace, manifest: Manifest) -> None:
    lists: dict[str, Any] = {kind: tuple(values) for kind, values in manifest.secrets.items()}
    complete = secrets.complete(secrets.Secrets(**lists), {})
    postgres_dsn = secrets.postgres_dsn(complete.postgres_password)
    dsn = kratos_configuration.SQLITE_DSN if manifest.snapshot.engine == "sqlite" else postgres_dsn
    file = kratos_secrets(secrets.as_kratos(complete, dsn, {}))
    workspace.write(file.path, file.text, 0o600)
    workspace.write("secrets/postgres-password", complete.postgres_password, 0o600)


def _place_for_configuration(workspace: Workspace, files: Mapping[str, bytes]) -> str:
    """Where Kratos' own configuration goes, for its owner to edit: kratos/, or beside it where that is taken."""
    directory = workspace.directory
    given = [answers.get("config_dir") for answers in configuration_file.load(directory).values()]
    used = [(directory / one).resolve() for one in given if one]
    for name in ("kratos", f"kratos-{workspace.name}"):
        path = directory / name
        if not path.exists():
            return name
        # what is there may be what an import that failed has written
        if path.is_dir() and _holds_only(path, files) and path.resolve() not in used:
            return name
    raise ConfigurationInvalid(
        f"{path} is there already",
        "the file brings Kratos' configuration with it",
        "move it away, or take the file in elsewhere: --directory DIR",
    )


def _holds_only(directory: Path, files: Mapping[str, bytes]) -> bool:
    """Whether all that a directory holds, hidden or not, is among some files; what cannot be read is not."""

    def refuse(error: OSError) -> None:
        raise error

    try:
        for folder, folders, names in os.walk(directory, onerror=refuse):
            paths = [Path(folder, name) for name in (*folders, *names)]
            if not all(_is_folder(path) or _is(path, files.get(str(path.relative_to(directory)))) for path in paths):
                return False
    except OSError:
        return False
    return True


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is(path: Path, content: bytes | None) -> bool:
    """Whether a file has a content. Anything may lie there: only what has its length is read."""
    return (
        content is not None and path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content
    )

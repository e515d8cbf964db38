"""`down`: stops and removes what the engine has of an environment; its data only when that was asked for."""

from __future__ import annotations

import contextlib
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kratosctl import running
from kratosctl.answers import configuration_file
from kratosctl.answers.configuration_file import FILE_NAME
from kratosctl.console import Console
from kratosctl.database.data import Data, data_of
from kratosctl.engine import faults, program, reading
from kratosctl.errors import DirectoryReadOnly
from kratosctl.files.workspace import CONTENT_NOTE, RESTORE_NOTE, STOPPED_NOTE, UPGRADE_CLONE, UPGRADE_NOTE, Workspace
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result, counted


def forgotten(found: running.Found) -> str:
    """What else goes with the data of an environment that kratosctl.yaml no longer names, in words; empty where not.

    It is all that kratosctl has of it. What somebody saved on purpose, or cannot make anew, keeps it.
    """
    if not _is_forgotten(found) or _worth_keeping(found):
        return ""
    return f"the secrets of {found.name} and all else in {found.workspace.home}: {FILE_NAME} no longer names it"


def snapshots(*workspaces: Workspace) -> str:
    """How many snapshots of environments stay when their data goes, in words; empty where there are none."""
    kept = [path for one in workspaces for path in one.home.glob("snapshots/[!.]*") if path.is_dir()]
    return counted(len(kept), "snapshot") if kept else ""


def question(lost: str, kept: str) -> str:
    """What is asked before data goes.

    Args:
        lost: what goes, in words.
        kept: what `snapshots` says.
    """
    return f"Delete {lost}? It cannot be brought back{f', but for what stays in {kept}' if kept else ''}."


def _is_forgotten(found: running.Found) -> bool:
    made = found.workspace.home.is_dir() and not found.state.owner
    return made and found.name not in configuration_file.load(found.workspace.directory)


def _worth_keeping(found: running.Found) -> str:
    kept = [snapshots(found.workspace)] if snapshots(found.workspace) else []
    kept += ["the secrets of your own database"] if found.workspace.secrets().external_dsn else []
    return " and ".join(kept)


def down(found: running.Found, data: Data | None, console: Console, forget: bool = False) -> Result:
    """Removes containers and networks, and with `data` the database too. Secrets, ports and files stay.

    Args:
        found: the environment.
        data: what to delete for good; None keeps it.
        console: where steps are shown.
        forget: delete secrets, ports and files, and an image that was built of it, too.
    """
    kept = _worth_keeping(found) if data and not forget and _is_forgotten(found) else ""
    with found.workspace.locked(f"down {found.name}", LOCK_WAIT, console.note):
        project = found.state.project
        # containers that were made since we looked are ours too
        containers = [container.name for container in reading.containers(project, oneoff=True)]
        if data:
            # an `up` that was waited for may have made it, another `down` may have deleted it
            data = replace(data_of(found), serves=data.serves)
        with console.step(f"stop {found.name}") if containers else contextlib.nullcontext():
            remove(containers, [project], volumes=data is not None)
        if data:
            with console.step("delete the database") if data.lost else contextlib.nullcontext():
                delete(found, data)
        if forget:
            _forget(found)
    removed = {"containers": len(containers), "data": bool(data and data.lost)}
    said = f"{found.name} is down" + _said_of_data(found, data)
    said += "; nothing is left of it" if forget else ""
    said += f"; {kept} stay in {found.workspace.home}, yours to remove" if kept else ""
    return Result("down", {"environment": found.name, "project": project, "removed": removed}, lambda: said)


def _said_of_data(found: running.Found, data: Data | None) -> str:
    if data is None:
        return "; its data is kept" if data_of(found).lost else ""
    deleted = ", its data deleted" if data.lost else ""
    if deleted and snapshots(found.workspace) and not _is_forgotten(found):
        deleted += f"; kept: {snapshots(found.workspace)} of it: kratosctl snapshot list --env {found.name}"
    return deleted + ("; your own database is as it was" if data.serves == "external" else "")


def remove(containers: Sequence[str], projects: Sequence[str], volumes: bool) -> None:
    """Stops and removes containers, then the networks of their projects.

    Args:
        containers: their names.
        projects: Compose projects whose networks go, too.
        volumes: the anonymous volumes of services of compose.override.yaml go with them.
    """
    if containers:
        _unless_gone("stop", "--time", "10", *containers)
        _unless_gone("rm", "--force", *(["--volumes"] if volumes else []), *containers)
    if projects:
        reading.remove_networks(projects)


def _unless_gone(*words: str) -> None:
    """Runs a docker command on containers. That somebody else removed one meanwhile is what is wanted of it."""
    done = program.docker(*words, check=False)
    wrong = [line for line in done.stderr.splitlines() if line.strip() and "no such container" not in line.lower()]
    if done.returncode != 0 and wrong:
        raise faults.from_output("\n".join(wrong), f"docker {words[0]}")


def delete(found: running.Found, data: Data) -> None:
    """Deletes an environment's database for good, and what interrupted work left; the caller holds its lock.

    Raises:
        DirectoryReadOnly: a directory of it cannot be deleted.
    """
    remove_clone(found.workspace)
    # what they tell of is undone with the data that goes, and could not be undone without
    for note in (UPGRADE_NOTE, RESTORE_NOTE, CONTENT_NOTE, STOPPED_NOTE):
        found.workspace.remove_note(note)
    if data.volumes:
        program.docker("volume", "rm", *data.volumes)
    if data.directory:
        _remove_directory(data.directory)
    state = found.workspace.state()
    if state.project:
        # what is known of the data is gone with it
        gone = replace(state, engine="", migrated={}, releases={}, postgres_major=0, first_start=False, copying=False)
        found.workspace.save_state(gone)


def clone_directory(workspace: Workspace) -> Path:
    """Where an upgrade is tried on a clone of an environment."""
    return workspace.home / UPGRADE_CLONE


def remove_clone(workspace: Workspace) -> None:
    """Removes the clone on which an upgrade was tried, if there is one; the caller holds the environment's lock."""
    directory = clone_directory(workspace)
    if not directory.exists():
        return
    clone = Workspace(directory, workspace.name)
    if clone.state().project:
        found = running.find(directory, workspace.name)
        down(found, data_of(found), Console(quiet=True))
    shutil.rmtree(directory, ignore_errors=True)


def _forget(found: running.Found) -> None:
    """Deletes all that there is of an environment here; the caller holds its lock."""
    # by the names we gave: somebody may have given it another
    form = ("--format", "{{.Repository}}:{{.Tag}}", f"kratosctl/{found.state.project}")
    built = program.docker("image", "ls", *form, check=False).stdout.split()
    if built:
        program.docker("image", "rm", *built, check=False)
    _remove_directory(found.workspace.home)


def _remove_directory(directory: Path) -> None:
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        pass
    except OSError as error:
        fix = f"remove it yourself: sudo rm -r {shlex.quote(str(directory))}"
        raise DirectoryReadOnly(f"cannot delete {directory}", error.strerror or "", fix) from error

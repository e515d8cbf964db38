"""`upgrade`: another release, tried on a clone of the data before the data itself is touched.

The clone runs the new release beside the old one. Only when somebody could sign in on it is the environment itself
migrated; if that fails, the data and the old release are put back. A note on disk says how far it came, so that the
next command can undo or finish what was interrupted.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from kratosctl import running
from kratosctl.answers import selection
from kratosctl.answers.wishes import Wishes
from kratosctl.catalog import NEWEST, version_key
from kratosctl.commands import down, rehearsal
from kratosctl.commands.rehearsal import Change
from kratosctl.console import Console
from kratosctl.engine import program, reading
from kratosctl.environment import Environment
from kratosctl.errors import (
    ChoiceImpossible,
    DowngradeRefused,
    KratosctlError,
    SnapshotDamaged,
    SnapshotMissing,
    UpgradeFailed,
)
from kratosctl.files.workspace import CONTENT_NOTE, RESTORE_NOTE, STOPPED_NOTE, UPGRADE_NOTE, Workspace
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result
from kratosctl.running import Found
from kratosctl.snapshots import putting_back, restoring, saving, store
from kratosctl.snapshots.subject import Subject, image_of, save_release, with_release_of
from kratosctl.stages import behind, converge, postgres_start, prepare

# how far an upgrade came: the old release stops; its data is migrated; the new one serves
_STOPPING, _SWAPPING, _SWAPPED = "stopping", "swapping", "swapped"


def upgrade(
    found: Found, change: Change, rehearse_only: bool, console: Console, variables: Mapping[str, str]
) -> Result:
    """Brings an environment to a newer release, or leaves it as it was.

    Args:
        found: the environment, running.
        change: what is to change.
        rehearse_only: stop before the environment itself is touched.
        console: where steps are shown.
        variables: the process environment.

    Raises:
        DowngradeRefused: the release is not newer.
        ChoiceImpossible: its database cannot be cloned, or other things would change with the release.
        ComposeFileInvalid: compose.override.yaml was edited since; nothing was changed.
        UpgradeFailed: with what stood in the way; the old release serves, with its data.
    """
    _check_newer(change)
    if change.before.database not in ("sqlite", "postgres"):
        raise ChoiceImpossible(
            f"the upgrade of environment {found.name} cannot be tried first",
            f"a database of kind {change.before.database} cannot be cloned",
            "save what you need of it, then go there without proof: "
            + rehearsal.without_proof(found.name, change.after),
        )
    found.running("kratos")
    subject = Subject(found, change.before)
    with found.workspace.locked(f"upgrade {found.name}", LOCK_WAIT, console.note):
        # the clone does without it, and so neither the new release nor the way back could be brought up
        found.check_override()
        prepare.refuse_to_bring_along(change.before, found.workspace, console, variables)
        try:
            with console.step("clone the data"):
                clone = rehearsal.make_clone(subject)
            rehearsal.rehearse(found, clone, change, console, variables)
        finally:
            down.remove_clone(found.workspace)
        saved = "" if rehearse_only else _swap(subject, change, console, variables)
    data = {
        "environment": found.name,
        "from": change.before.facts.tag,
        "to": change.after.facts.tag,
        "rehearsed": True,
        "upgraded": not rehearse_only,
        "snapshot": saved,
    }
    back = f"to go back: kratosctl snapshot restore {saved} --with-release --env {found.name}"
    said = f"{found.name} runs on Kratos {change.after.release}\n{back}"
    if rehearse_only:
        said = f"{found.name} can be upgraded to {change.after.release}: its data migrates, and people can sign in"
    return Result("upgrade", data, lambda: said)


def there_already(subject: Subject) -> Result:
    """What there is to say where the environment has the release to go to, running or not: perhaps from an upgrade that
    was interrupted when it was done, and is run again."""
    name, release = subject.found.name, subject.release
    data = {"environment": name, "from": release, "to": release, "rehearsed": False, "upgraded": False, "snapshot": ""}
    newest = ", the newest of the catalogue" if release == NEWEST.tag else ""
    return Result("upgrade", data, lambda: f"{name} is on {release}{newest}")


def refuse_another_asked_for(subject: Subject) -> None:
    """Refuses to go on from a release that the data was never on.

    Raises:
        ChoiceImpossible: with the ways out.
    """
    name, asked, now = subject.found.name, subject.release, subject.migrated_by
    if asked != now:
        # to an older one `up` does not go
        at_once = f"; or without proof: kratosctl up {name}" if version_key(asked) > version_key(now) else ""
        raise ChoiceImpossible(
            f"environment {name} is to be Kratos {asked}, and its data is of {now}",
            "`up` was not run since, or with a flag",
            f"ask for {now} in kratosctl.yaml, then upgrade{at_once}",
        )


def settle(directory: Path, name: str, console: Console, variables: Mapping[str, str]) -> None:
    """Undoes or finishes a restore, a reset, a seed or an upgrade that was killed, and says which.

    Args:
        directory: where kratosctl.yaml lies.
        name: the environment.
        console: where it is said.
        variables: the process environment.
    """
    workspace = Workspace(directory, name)
    if not workspace.has_unfinished:
        return
    with workspace.locked("settle", LOCK_WAIT, console.note):
        _start_again(workspace, console)
        rehearsing = down.clone_directory(workspace).exists()
        down.remove_clone(workspace)
        note = workspace.note(UPGRADE_NOTE)
        if note is None and rehearsing:
            console.note("an upgrade was interrupted while it was tried: undone, nothing was changed")
        if all(workspace.note(name) is None for name in (UPGRADE_NOTE, RESTORE_NOTE, CONTENT_NOTE)):
            return
        environment = _as_it_was(running.find(directory, name), variables)
        postgres_start.wake(running.find(directory, name), environment.database)
        subject = Subject(running.find(directory, name), environment)
        if note is not None:
            _settle_upgrade(subject, note, console, variables)
        else:
            restoring.finish_restore(subject, console, variables)
            putting_back.undo_content(subject, console)


def _as_it_was(found: Found, variables: Mapping[str, str]) -> Environment:
    """The environment that was interrupted. kratosctl.yaml may ask for another database by now: that one is `up`'s."""
    chosen = selection.select(found.workspace.directory, found.name, {}, variables)
    served = behind.served_last(found)
    was = {"database": served} if served in ("sqlite", "postgres") else {}
    # the other one cannot use it
    was |= {"variant": "default"} if served == "sqlite" else {}
    return selection.environment_of(replace(chosen, answers={**chosen.answers, **was}))


def _start_again(workspace: Workspace, console: Console) -> None:
    if workspace.note(STOPPED_NOTE) is None:
        return
    found = running.find(workspace.directory, workspace.name)
    kratos = found.container("kratos")
    if kratos:
        reading.start([kratos.name])
        running.find(workspace.directory, workspace.name).wait_until_ready()
        console.note("Kratos was stopped for a command that was interrupted: it runs again")
    workspace.remove_note(STOPPED_NOTE)


def _settle_upgrade(subject: Subject, note: Mapping[str, Any], console: Console, variables: Mapping[str, str]) -> None:
    workspace = subject.found.workspace
    if note["stage"] != _SWAPPED and subject.release != note["from"]:
        # kratosctl.yaml may ask for another release by now: `up` goes there, from what is whole again
        subject = replace(subject, environment=with_release_of(subject, note["from"]))
    if note["stage"] == _SWAPPING:
        _stop_writers(subject.found)
        try:
            store.check(workspace, store.load(workspace, note["snapshot"]))
        except (SnapshotMissing, SnapshotDamaged) as error:
            workspace.remove_note(UPGRADE_NOTE)
            image = ["--kratos-image", note["image"]] if note["image"] else []
            go_on = shlex.join(["kratosctl", "up", subject.found.name, "--release", note["release"], *image, "--save"])
            error.fix = f"the upgrade that was interrupted cannot be undone without it; finish it: {go_on}"
            raise
    if note["stage"] == _SWAPPED:
        save_release(subject, note["release"], note["image"])
        console.note(f"the upgrade to {note['to']} was interrupted when it was done: finished")
    else:
        kept = ""
        if note["stage"] == _SWAPPING:
            kept = _keep_what_came_since(subject)
            _put_back(subject, note["snapshot"])
        converge.converge(subject.environment, workspace, Wishes(), Console(quiet=True), variables)
        done = f"undone, Kratos {note['from']} has its data back{kept}"
        console.note(f"the upgrade to {note['to']} was interrupted: {done}")
    workspace.remove_note(UPGRADE_NOTE)
    if note["stage"] == _SWAPPING:
        store.remove(workspace, note["snapshot"])


def _keep_what_came_since(subject: Subject) -> str:
    """Saves what people did where Kratos, which the upgrade had stopped, has run since. Returns which snapshot that is,
    in words; nothing where it has not."""
    kratos = subject.found.container("kratos")
    if kratos is None or kratos.state != "running":
        return ""
    now = saving.keep(subject, f"undone-upgrade-{saving.stamp()}", "what an interrupted command left")
    return f"; what it held since is snapshot {now.name}"


def _check_newer(change: Change) -> None:
    before, after = change.before.facts.tag, change.after.facts.tag
    if version_key(after) <= version_key(before):
        raise DowngradeRefused(
            f"{after} is not newer than {before}",
            "an older Kratos does not know the tables a newer one made",
            "to go back: kratosctl snapshot restore NAME --with-release --env {env}, with a snapshot taken before",
        )


def _swap(subject: Subject, change: Change, console: Console, variables: Mapping[str, str]) -> str:
    """Migrates the environment itself. Returns the snapshot of what was there."""
    workspace = subject.found.workspace
    kratos = subject.found.running("kratos").name
    with console.step(f"upgrade to {change.after.release}"):
        _write_note(subject, change, "", _STOPPING)
        # nobody writes from here on
        program.docker("stop", kratos)
        try:
            snapshot = saving.save_safety(subject, "upgrade").name
            _write_note(subject, change, snapshot, _SWAPPING)
            converge.converge(change.after, workspace, change.wishes, Console(quiet=True), variables)
        except KratosctlError as error:
            _undo(subject, change, error, variables)
        _write_note(subject, change, snapshot, _SWAPPED)
        save_release(subject, change.after.release, _other_image(subject, change))
        workspace.remove_note(UPGRADE_NOTE)
    return snapshot


def _undo(subject: Subject, change: Change, error: KratosctlError, variables: Mapping[str, str]) -> NoReturn:
    """Puts the data and the old release back, and says why. What undid itself is nothing to undo.

    Raises:
        UpgradeFailed: always.
    """
    what = f"the upgrade to {change.after.release} failed: {error.what}"
    workspace = subject.found.workspace
    note = workspace.note(UPGRADE_NOTE) or {}
    try:
        if note["stage"] == _SWAPPING:
            postgres_start.wake(subject.found, change.before.database)
            _put_back(subject, note["snapshot"])
        converge.converge(change.before, workspace, change.wishes, Console(quiet=True), variables)
    except KratosctlError as other:
        fix = (
            f"mend that, then run kratosctl up {subject.found.name}: it puts {change.before.release} and its data back"
        )
        raise UpgradeFailed(what, f"undoing it failed too: {other.what}", fix) from error
    workspace.remove_note(UPGRADE_NOTE)
    if note["stage"] == _SWAPPING:
        store.remove(workspace, note["snapshot"])
    raise UpgradeFailed(what, error.why, f"undone: {change.before.release} serves with its data") from error


def _stop_writers(found: Found) -> None:
    """Stops Kratos and its migrations, which go on when only the kratosctl that started them is killed."""
    alive = [c.name for c in found.containers if c.service in ("kratos", "kratos-migrate") and c.state == "running"]
    if alive:
        program.docker("stop", *alive)


def _put_back(subject: Subject, snapshot: str) -> None:
    workspace = subject.found.workspace
    before = store.load(workspace, snapshot)
    putting_back.put_back(subject, before)
    state = workspace.state()
    releases = state.releases | {before.engine: before.release}
    workspace.save_state(replace(state, migrated={}, releases=releases))


def _write_note(subject: Subject, change: Change, snapshot: str, stage: str) -> None:
    note = {
        "from": change.before.facts.tag,
        "to": change.after.facts.tag,
        "release": change.after.release,
        "image": _other_image(subject, change),
        "snapshot": snapshot,
        "stage": stage,
    }
    subject.found.workspace.write_note(UPGRADE_NOTE, note)


def _other_image(subject: Subject, change: Change) -> str | None:
    """The image to go on with, where the one of the old release with another tag is not it."""
    image = change.after.kratos_image
    return image if image != image_of(subject.environment, change.after.release) else None

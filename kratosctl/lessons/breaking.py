"""Putting texts in place under a running Kratos, and taking migrations back: what starts a lesson, and what ends it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace

from kratosctl import running
from kratosctl.answers import configuration_file, selection
from kratosctl.answers.configuration_file import FILE_NAME
from kratosctl.answers.wishes import Wishes
from kratosctl.console import Console
from kratosctl.engine import program, reading
from kratosctl.environment import Environment
from kratosctl.errors import ChoiceImpossible, KratosctlError, NotReady, SnapshotDamaged, SnapshotMissing
from kratosctl.files.atomic import write_atomically
from kratosctl.kratos import readiness
from kratosctl.kratos.api import Admin
from kratosctl.lessons.lesson import Broken
from kratosctl.lessons.notes import Note
from kratosctl.limits import Limits
from kratosctl.running import Found
from kratosctl.snapshots import putting_back, saving, store
from kratosctl.snapshots.subject import Subject
from kratosctl.stages import converge, postgres_start


def put(found: Found, config_dir: str, broken: Broken) -> None:
    """Writes the texts of a lesson."""
    for name, text in broken.configuration.items():
        write_atomically(found.workspace.directory / config_dir / name, text)
    for path, text in broken.generated.items():
        found.workspace.write(path, text, 0o600)


def run(found: Found, environment: Environment, limits: Limits, variables: Mapping[str, str]) -> Found:
    """Brings an environment up, with a Kratos that was started after its files were written. Returns it as it then is.

    Raises:
        KratosctlError: as `up`.
    """
    done = converge.converge(environment, found.workspace, Wishes(limits=limits), Console(quiet=True), variables)
    found = running.find(found.workspace.directory, found.name)
    began = [step["do"] for step in done.data["steps"] if step["subject"] == "kratos"]
    if began in ([], ["keep"]):
        program.docker("restart", found.running("kratos").name)
        found.wait_until_ready(limits.ready)
    return found


def roll_back(found: Found, steps: int, limits: Limits) -> None:
    """Takes the newest migrations back, and lets Kratos look at its tables anew. It serves, and is not ready.

    Raises:
        EngineFailed: Kratos refuses.
        NotReady: it does not serve.
    """
    kratos = found.running("kratos")
    down = ("kratos", "migrate", "sql", "down", "-e", "--yes", "--steps", str(steps))
    program.docker("exec", kratos.name, *down, *reading.configuration_flags(kratos.id))
    program.docker("restart", kratos.name)
    address = found.public_address()
    end = time.monotonic() + limits.ready
    while address and not readiness.is_ready(*address, "/health/alive"):
        if time.monotonic() > end:
            raise NotReady(
                f"Kratos did not serve within {limits.ready:g} s", fix=f"see `kratosctl logs {found.name} kratos`"
            )
        time.sleep(0.05)


def put_back(found: Found, note: Note, limits: Limits, console: Console, variables: Mapping[str, str]) -> str:
    """Makes an environment be what it was before a lesson. The caller holds the lock, and removes the note.

    Returns:
        The snapshot of what was in the database meanwhile, where that was put back, too; else nothing.

    Raises:
        ChoiceImpossible: kratosctl.yaml does not say any more what it was. Nothing was changed.
        KratosctlError: running it again goes on.
    """
    safety = ""
    if note.phase != "preparing":
        workspace = found.workspace
        kept = configuration_file.load(workspace.directory)
        if found.name not in kept:
            fix = f"put it back in; or delete it with its data: kratosctl down {found.name} --volumes"
            raise ChoiceImpossible(
                f"environment {found.name} is not in {FILE_NAME} any more", "that says what it is", fix
            )
        put(found, note.config_dir, Broken(note.configuration))
        for path, text in note.generated.items():
            if text is None:
                (workspace.home / path).unlink(missing_ok=True)
            else:
                workspace.write(path, text, 0o600)
        if kept[found.name].get("config_dir") != note.config_dir:
            configuration_file.save(workspace.directory, found.name, {"config_dir": note.config_dir})
        environment = selection.environment_of(selection.select(workspace.directory, found.name, {}, variables))
        if note.snapshot:
            safety = _put_back_tables(found, environment, note.snapshot, console)
        found = run(found, environment, limits, variables)
    forget_witness(found, note)
    return safety


def _put_back_tables(found: Found, environment: Environment, name: str, console: Console) -> str:
    """Restores the database where migrations are missing still; who has migrated, however far, keeps everybody."""
    workspace = found.workspace
    try:
        snapshot = store.load(workspace, name)
        store.check(workspace, snapshot)
    except (SnapshotMissing, SnapshotDamaged) as error:
        # as somebody would who mends it
        console.note(f"{error.what}: the migrations that its database lacks are applied instead")
        workspace.save_state(replace(workspace.state(), migrated={}))
        return ""
    postgres_start.wake(found, environment.database)
    subject = Subject(running.find(workspace.directory, found.name), environment)
    if subject.live.facts().migrations >= snapshot.migrations:
        return ""
    with contextlib.closing(subject.live) as live:
        safety = saving.save_safety(subject, "lesson", live=live)
        putting_back.put_back(subject, snapshot, safety.name, live)
    return safety.name


def forget_witness(found: Found, note: Note) -> None:
    """Deletes those who signed up for the lesson, if Kratos can be asked."""
    try:
        url = found.admin_url()
    except KratosctlError:
        return
    admin = Admin(url)
    for email in (note.witness.get("email"), note.visitor):
        identity = admin.find(email) if url and email else None
        if identity:
            admin.delete(identity["id"])

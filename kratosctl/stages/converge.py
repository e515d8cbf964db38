"""Brings what runs to what was asked for: assemble, observe, plan, apply, ready, result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kratosctl import fragments, ownership
from kratosctl.answers.wishes import Wishes
from kratosctl.console import Console
from kratosctl.engine import reading
from kratosctl.engine.objects import Container
from kratosctl.environment import Environment
from kratosctl.errors import ChoiceImpossible, NetworkTaken, NotReady, PortTaken
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.host import networks, ports, subnets
from kratosctl.results import Result
from kratosctl.stack import compose, inbox
from kratosctl.stages import apply, assemble, images, observe, plan, taken
from kratosctl.stages.assemble import Stack
from kratosctl.stages.behind import left_behind
from kratosctl.stages.look import Look, begin

_RACES = 5


def converge(
    environment: Environment,
    workspace: Workspace,
    wishes: Wishes,
    console: Console,
    variables: Mapping[str, str],
    look: Look | None = None,
) -> Result:
    """`up` for those who hold the environment's lock.

    Args:
        environment: what was asked for.
        workspace: its generated directory.
        wishes: how to go about it.
        console: where steps are shown.
        variables: the process environment, for DSN and secrets given there.
        look: a look at what is there that was begun before, under the same lock.
    """
    left: list[str] = []
    for attempt in range(_RACES):
        stack, observed, steps = prepare(environment, workspace, wishes, console, variables, look)
        look = None
        left = left_behind(stack, observed) if attempt == 0 else left
        if wishes.save and attempt == 0:
            wishes.save()
        try:
            done = _carry_out(stack, observed, steps, wishes, console)
            return replace(done, warnings=[*left, *done.warnings])
        except NotReady as error:
            # what was known of the database was wrong, and is forgotten by now: this time it is migrated
            if not error.unmigrated or steps.subjects("migrate") or attempt == _RACES - 1:
                raise
            console.note("Kratos is not ready: migrations may be pending")
        except PortTaken:
            # another environment took a port between our look and our start: look again
            if attempt == _RACES - 1 or None not in ports.wanted(environment).values():
                raise
        except NetworkTaken:
            # while there was no network of ours, another took its addresses
            if attempt == _RACES - 1 or not environment.subnets:
                raise
            workspace.save_state(replace(workspace.state(), subnet=""))
    raise AssertionError("unreachable")


def prepare(
    environment: Environment,
    workspace: Workspace,
    wishes: Wishes,
    console: Console,
    variables: Mapping[str, str],
    look: Look | None = None,
) -> tuple[Stack, plan.Observed, plan.Plan]:
    """Assembles, observes and plans. Changes nothing but the images that must be here to be locked."""
    look = look or begin(environment, workspace, wishes.engine)
    state, engine, containers = look.state, look.engine(), look.containers()
    volumes = None
    if environment.database == "postgres" and not containers:
        # its 50 ms pass while the rest is assembled
        volumes = reading.begin(lambda: reading.project_volumes(state.project))
    ownership.check_ours(str(workspace.directory), environment.name, containers)
    ports.check_address(environment.bind)
    state, notes = _lock_images(environment, state, wishes, console)
    if environment.database == "postgres":
        state = _postgres_version(environment, state)
    if environment.subnets and not subnets.is_part(state.subnet, environment.subnets):
        state = replace(state, subnet=next(subnets.free(environment.subnets, networks.taken())))
    stack = assemble.assemble(environment, workspace, state, engine, assemble.ports_held(containers), variables)
    if not wishes.overwrite:
        workspace.refuse_edited(stack.files, stack.state)
    observe.check_downgrade(stack)
    notes += [*wishes.notes, *stack.notes, *([] if wishes.presented else _preset_notes(stack))]
    quick = plan.Observed(
        containers,
        [file.path for file in workspace.changed(stack.files)],
        database_exists=not observe.is_lost(stack),
        migrated=bool(stack.state.migrated),
    )
    if not _plan(stack, quick, []).changes:
        return stack, quick, _plan(stack, quick, notes)
    # of those that float, what they are locked to counts, whatever their tags mean by now
    floating, locked = images.floating(environment), images.as_locked(environment, state)
    needed = dict(reading.images(images.needed(locked)) if floating else look.images())
    if stack.custom:
        needed |= reading.images([stack.custom.reference])
    notes += observe.emulation(stack, engine, needed)
    observed = observe.observe(stack, containers, needed, volumes)
    return stack, observed, _plan(stack, observed, notes)


def refuse_to_bring_along(
    environment: Environment, workspace: Workspace, console: Console, variables: Mapping[str, str]
) -> None:
    """For what brings an environment up to change one thing: stops where other things would change with it.

    Raises:
        ChoiceImpossible: it was given flags that were not saved, or `up` was not run since something changed.
        KratosctlError: what would stop `up`.
    """
    _, _, steps = prepare(environment, workspace, Wishes(dry_run=True), console, variables)
    others = [f"{step.kind} {step.subject}" for step in steps.steps if step.kind in ("create", "replace", "remove")]
    if others:
        name = environment.name
        raise ChoiceImpossible(
            f"environment {name} does not run as it is asked for: this would also {', '.join(others)}",
            "`up` was not run since, or with a flag that was not saved",
            f"kratosctl up {name} brings that first; with its flags and --save it stays as it is",
        )


def _preset_notes(stack: Stack) -> list[str]:
    """What a preset has to say for itself, the first time it is used."""
    if stack.state.generated or stack.state.owner or stack.environment.config_dir:
        return []
    return list(fragments.presets()["presets"][stack.environment.preset].get("notes") or [])


def _plan(stack: Stack, observed: plan.Observed, notes: list[str]) -> plan.Plan:
    environment = stack.environment
    services = compose.services(environment)
    return plan.make(services, stack.revisions, environment.migrates, observed, notes, stack.beside)


def _lock_images(environment: Environment, state: State, wishes: Wishes, console: Console) -> tuple[State, list[str]]:
    """Locks floating tags; pulls what must be here before it can be locked."""
    if not images.floating(environment):
        return state, []
    if wishes.pull and not wishes.dry_run:
        apply.pull(images.needed(environment), images.floating(environment), console, images.options(environment))
    state, notes, missing = images.lock(environment, state, reading.image, wishes.pull)
    if missing and not wishes.dry_run:
        apply.pull(images.needed(environment), missing, console, images.options(environment))
        state, notes, _ = images.lock(environment, state, reading.image, wishes.pull)
    return state, notes


def _postgres_version(environment: Environment, state: State) -> State:
    major = images.postgres_major(environment, None)
    if major is None:
        # the tag may mean a newer one by now
        major = images.postgres_major(environment, reading.image(images.as_locked(environment, state).postgres_image))
    return replace(state, postgres_major=images.check_postgres(major, state, environment.postgres_image))


def dry_run(
    environment: Environment, workspace: Workspace, wishes: Wishes, console: Console, variables: Mapping[str, str]
) -> Result:
    """The plan and the differences of the files; nothing is changed."""
    stack, observed, steps = prepare(environment, workspace, wishes, console, variables)
    notes = [*steps.notes, *left_behind(stack, observed)]
    differences = "".join(_difference(stack, file.path, file.text) for file in stack.files if not file.secret)
    data = {
        "environment": environment.name,
        "changes": steps.changes,
        "steps": [{"do": s.kind, "subject": s.subject, "reason": s.reason} for s in steps.steps],
        "notes": notes,
        "diff": differences,
    }
    lines = [str(step) for step in steps.steps] + [f"note: {note}" for note in notes]
    return Result("up", data, lambda: "\n".join(lines) + ("\n\n" + differences.rstrip() if differences else ""))


def _difference(stack: Stack, path: str, text: str) -> str:
    import difflib

    before = stack.workspace.read(path) or ""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), text.splitlines(keepends=True), f"now/{path}", f"then/{path}"
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


def _carry_out(stack: Stack, observed: plan.Observed, steps: plan.Plan, wishes: Wishes, console: Console) -> Result:
    for note in steps.notes:
        console.note(note)
    kratos = next((c for c in observed.containers if c.service == "kratos"), None)
    if steps.changes:
        after = apply.apply(stack, observed, steps, console, wishes.limits)
        return _with_rejected(replace(result(stack, steps), after=after), stack, steps, kratos)
    # what somebody's own configuration says of addresses hides a new host name from every file
    stack.workspace.write_all(stack.files, stack.state)
    names = {container.service: container.name for container in observed.containers}
    apply.wait_until_ready(stack, names, wishes.limits.ready, migrated=False)
    return _with_rejected(result(stack, steps), stack, steps, kratos)


def _with_rejected(done: Result, stack: Stack, steps: plan.Plan, kratos: Container | None) -> Result:
    """The result with what a Kratos that was left running thinks of its configuration."""
    config_dir, config = stack.environment.config_dir, stack.environment.config
    if not config_dir or "kratos" not in steps.subjects("keep"):
        return done
    why = taken.rejected(stack.workspace.directory, config_dir, config, kratos)
    return replace(done, warnings=[*done.warnings, taken.warning(config_dir, why)]) if why else done


def result(stack: Stack, steps: plan.Plan) -> Result:
    """What `up` tells: the endpoints, and what was done."""
    environment = stack.environment
    urls = endpoints(stack)
    login = inbox.where(environment.name, stack.workspace.home) if environment.guards_inbox else None
    data: dict[str, Any] = {
        "environment": environment.name,
        "project": stack.place.project,
        "release": environment.release,
        "variant": environment.variant,
        "database": environment.database,
        "endpoints": urls,
        "mail_login": login,
        "changed": steps.changes,
        "steps": [{"do": s.kind, "subject": s.subject, "reason": s.reason} for s in steps.steps],
    }
    warnings = []
    if environment.database == "memory":
        warnings.append("the database is in memory: its data dies with the Kratos container")
    if environment.admin_port and environment.admin_bind != "127.0.0.1":
        warnings.append(f"the admin API, which asks nobody who they are, is open on {environment.admin_bind}")

    def text() -> str:
        width = max(len(name) for name in _TITLES.values()) + 2
        head = f"{environment.name} is ready: Kratos {environment.release} on {environment.database}"
        after = {"mail": inbox.said(login)}
        return "\n".join(
            [head, *(f"  {_TITLES[name]:<{width}}{url}{after.get(name, '')}" for name, url in urls.items())]
        )

    return Result("up", data, text, warnings)


_TITLES = {
    "ui": "self-service UI",
    "public": "public API",
    "admin": "admin API",
    "mail": "mail inbox",
    "postgres": "PostgreSQL",
}


def endpoints(stack: Stack) -> dict[str, str]:
    """The addresses of an environment by name, in the order people look for them."""
    environment, found = stack.environment, stack.place.ports
    urls = {name: environment.url(name, found[name]) for name in ("ui", "public", "admin", "mail") if name in found}
    return urls | (
        {"postgres": f"{environment.host_of('postgres')}:{found['postgres']}"} if "postgres" in found else {}
    )

"""What there is to do for an environment: assembled, observed and planned, with nothing changed yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kratosctl import fragments, ownership, running
from kratosctl.answers.wishes import Wishes
from kratosctl.console import Console
from kratosctl.engine import reading
from kratosctl.environment import Environment
from kratosctl.errors import ChoiceImpossible
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.host import networks, ports, subnets
from kratosctl.stack import compose
from kratosctl.stages import apply, assemble, images, observe, plan
from kratosctl.stages.assemble import Stack
from kratosctl.stages.look import Look, begin


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
    behind = running.check_engine(state, containers)
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
    notes += [*filter(None, [behind]), *wishes.notes, *stack.notes]
    notes += [] if wishes.presented else _preset_notes(stack)
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
    notes += images.platform_notes(locked, engine, needed.get(locked.kratos_image))
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

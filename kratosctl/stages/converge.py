"""Brings what runs to what was asked for: assemble, observe, plan, apply, ready, result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kratosctl.answers.wishes import Wishes
from kratosctl.console import Console
from kratosctl.engine.objects import Container
from kratosctl.environment import Environment
from kratosctl.errors import KratosctlError, NetworkGone, NetworkTaken, NotReady, PortTaken
from kratosctl.files.workspace import Workspace
from kratosctl.host import ports
from kratosctl.results import Result
from kratosctl.stack import compose, inbox
from kratosctl.stages import apply, plan, prepare, taken
from kratosctl.stages.assemble import Stack
from kratosctl.stages.behind import left_behind
from kratosctl.stages.look import Look

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
        stack, observed, steps = prepare.prepare(environment, workspace, wishes, console, variables, look)
        look = None
        left = left_behind(stack, observed) if attempt == 0 else left
        if wishes.save and attempt == 0:
            wishes.save()
        try:
            done = _carry_out(stack, observed, steps, wishes, console)
            return replace(done, warnings=[*left, *done.warnings])
        except (NotReady, PortTaken, NetworkTaken, NetworkGone) as error:
            if attempt == _RACES - 1 or not _may_pass(error, stack, steps, console):
                raise
    raise AssertionError("unreachable")


def _may_pass(error: KratosctlError, stack: Stack, steps: plan.Plan, console: Console) -> bool:
    """Whether another look may find a way past an error; makes that way, where it takes something."""
    environment, workspace = stack.environment, stack.workspace
    if isinstance(error, NotReady):
        # what was known of the database was wrong, and is forgotten by now: the next time it is migrated
        if not error.unmigrated or steps.subjects("migrate"):
            return False
        console.note("Kratos is not ready: migrations may be pending")
    elif isinstance(error, PortTaken):
        # another environment took it between our look and our start
        return None in ports.wanted(environment).values()
    elif isinstance(error, NetworkTaken):
        # while there was no network of ours, another took its addresses
        if not environment.subnets:
            return False
        workspace.save_state(replace(workspace.state(), subnet=""))
    else:
        # somebody removed the network while all was stopped: containers know it by an ID that no other gets
        migrate = ["kratos-migrate"] if environment.migrates else []
        stack.project.create([*migrate, *compose.services(environment), *stack.beside], anew=True)
    return True


def dry_run(
    environment: Environment, workspace: Workspace, wishes: Wishes, console: Console, variables: Mapping[str, str]
) -> Result:
    """The plan and the differences of the files; nothing is changed."""
    stack, observed, steps = prepare.prepare(environment, workspace, wishes, console, variables)
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

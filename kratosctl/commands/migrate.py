"""`migrate`: the SQL migrations alone, without serving."""

from __future__ import annotations

import json
from collections.abc import Mapping

from kratosctl import ownership
from kratosctl.answers.wishes import Wishes
from kratosctl.console import Console
from kratosctl.engine import program, reading
from kratosctl.environment import Environment
from kratosctl.errors import ChoiceImpossible, NotRunning
from kratosctl.files.workspace import Workspace
from kratosctl.limits import LOCK_WAIT, Limits
from kratosctl.results import Result
from kratosctl.stages import apply, prepare, up


def migrate(
    environment: Environment,
    workspace: Workspace,
    limits: Limits,
    console: Console,
    variables: Mapping[str, str],
) -> Result:
    """Applies what is missing. Running it again is safe.

    Raises:
        ChoiceImpossible: a memory database has nothing to migrate.
        ConfigurationInvalid: an external database has no DSN.
        MigrationFailed, DatabaseUnreachable, DatabasePasswordWrong: with Kratos' message.
    """
    _refuse_memory(environment)
    up.check_dsn(environment, workspace, variables)
    with workspace.locked(f"migrate {environment.name}", LOCK_WAIT, console.note):
        stack, _, steps = prepare.prepare(environment, workspace, Wishes(limits=limits), console, variables)
        printed = apply.migrate_only(stack, steps, console, limits)
    data = {"environment": environment.name, "release": environment.release, "log": printed}
    return Result(
        "migrate", data, lambda: f"{environment.name}: the database has all migrations of {environment.release}"
    )


def status(environment: Environment, workspace: Workspace) -> Result:
    """Which migrations are applied and which are pending, asked of Kratos in the running environment.

    Raises:
        ChoiceImpossible: the release has no `migrate sql status`.
        NotRunning: Kratos does not run.
    """
    _refuse_memory(environment)
    if not environment.facts.migrate_status:
        raise ChoiceImpossible(
            f"Kratos {environment.release} cannot tell the state of migrations",
            "`migrate sql status` came with v25.4.0",
            f"`kratosctl migrate {environment.name}` applies what is missing; `status` says whether Kratos is ready",
        )
    project = ownership.settled_state(workspace).project
    kratos = next((c for c in reading.containers(project) if c.service == "kratos" and c.state == "running"), None)
    if kratos is None:
        raise NotRunning(
            f"Kratos of environment {environment.name} does not run", fix=f"kratosctl up {environment.name}"
        )
    flags = reading.configuration_flags(kratos.id)
    done = program.docker("exec", kratos.name, "kratos", "migrate", "sql", "status", "-e", "--format", "json", *flags)
    rows = _rows(done.stdout)
    pending = [row for row in rows if str(row.get("state", "")).lower() != "applied"]
    said = f"{environment.name}: {len(rows) - len(pending)} migrations applied, {len(pending)} pending"
    data = {"environment": environment.name, "applied": len(rows) - len(pending), "pending": pending}
    return Result("migrate", data, lambda: said, exit_code=1 if pending else 0)


def _rows(text: str) -> list[dict[str, object]]:
    """The rows of Kratos' JSON, which follows its notices."""
    start = min((i for i in (text.find("["), text.find("{")) if i >= 0), default=len(text))
    parsed = json.loads(text[start:] or "[]")
    found = parsed if isinstance(parsed, list) else next((v for v in parsed.values() if isinstance(v, list)), [])
    return [row for row in found if isinstance(row, dict)]


def _refuse_memory(environment: Environment) -> None:
    if not environment.migrates:
        raise ChoiceImpossible(
            "a memory database has nothing to migrate",
            "its tables live in the Kratos process",
            f"use `kratosctl up {environment.name}`",
        )

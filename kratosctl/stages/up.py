"""`up`, the main job: look, assemble, observe, plan, apply, ready, result."""

from __future__ import annotations

from collections.abc import Mapping

from kratosctl.answers.wishes import Wishes
from kratosctl.console import Console
from kratosctl.environment import Environment
from kratosctl.errors import ConfigurationInvalid
from kratosctl.files.workspace import Workspace
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result
from kratosctl.stages.look import begin


def up(
    environment: Environment, workspace: Workspace, wishes: Wishes, console: Console, variables: Mapping[str, str]
) -> Result:
    """Brings an environment to what was asked for, and waits until Kratos is ready.

    Args:
        environment: what was asked for.
        workspace: its generated directory.
        wishes: how to go about it.
        console: where steps are shown.
        variables: the process environment, for DSN and secrets given there.

    Raises:
        KratosctlError: anything that stands in the way. What was written is whole; running it again goes on.
    """
    check_dsn(environment, workspace, variables)
    if wishes.dry_run:
        from kratosctl.stages import converge

        return converge.dry_run(environment, workspace, wishes, console, variables)
    with workspace.locked(f"up {environment.name}", wishes.limits.ready + LOCK_WAIT, console.note):
        look = begin(environment, workspace, wishes.engine)
        # its 40 ms pass while docker answers
        from kratosctl.stages import converge

        return converge.converge(environment, workspace, wishes, console, variables, look)


def check_dsn(environment: Environment, workspace: Workspace, variables: Mapping[str, str]) -> None:
    """Refuses an external database whose address nobody gave.

    Raises:
        ConfigurationInvalid: with how to give it.
    """
    if environment.database == "external" and not (variables.get("DSN") or workspace.secrets().external_dsn):
        raise ConfigurationInvalid(
            "database is external, but DSN is not set",
            "Kratos reads the address of your database from it",
            "export DSN=postgres://user:password@host:5432/name, or use --database postgres",
        )

"""`secrets rotate`: new secrets in front, the old ones behind them, and a Kratos that runs with both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import yaml

from kratosctl import ownership
from kratosctl.answers.wishes import Wishes
from kratosctl.console import Console
from kratosctl.environment import Environment
from kratosctl.errors import ChoiceImpossible, NotRunning
from kratosctl.files.workspace import GENERATED
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result
from kratosctl.running import Found
from kratosctl.stack import secrets
from kratosctl.stack.files import SECRETS_FILE
from kratosctl.stack.render import kratos_secrets
from kratosctl.stages.prepare import refuse_to_bring_along
from kratosctl.stages.up import up


def rotate(
    environment: Environment, found: Found, kinds: Sequence[str], console: Console, variables: Mapping[str, str]
) -> Result:
    """Puts a new secret of each kind in front; sessions stay valid, because Kratos goes on verifying with the old ones.

    Args:
        environment: what was asked for.
        found: the environment as it is.
        kinds: of `secrets.KINDS`; none means all that kratosctl keeps.
        console: where steps are shown.
        variables: the process environment.

    Raises:
        NotRunning: the environment has no secrets yet.
        ChoiceImpossible: a kind is decided elsewhere, or something else than secrets would change with them.
        KratosctlError: Kratos does not come up with the new secrets; they are kept, and `up` goes on.
    """
    kratos = found.container("kratos")
    running = kratos is not None and kratos.state == "running"
    if running:
        _refuse_another_kratos(environment, found)
        _refuse_memory(environment)
        # what would stop `up` shall do so before anything is changed
        refuse_to_bring_along(environment, found.workspace, console, variables)
    with found.workspace.locked(f"secrets rotate {found.name}", LOCK_WAIT, console.note):
        kept = found.workspace.secrets()
        chosen, warnings = _choose(kinds, kept, variables, found.name)
        counts = _write(found, kept, chosen)
    if running:
        up(environment, found.workspace, Wishes(), console, variables)
    data = {"environment": found.name, "rotated": chosen, "kept": counts, "kratos_runs_with_them": running}
    said = f"rotated {', '.join(chosen)} of {found.name}; the old secrets still verify, so nobody is logged out"
    file = f"{GENERATED}/{found.name}/{SECRETS_FILE}"
    said += f"\none that leaked ends when it is taken out of {file}, and `kratosctl up {found.name}` run"
    later = "" if running else f"\nKratos does not run: it gets them with the next `kratosctl up {found.name}`"
    return Result("secrets rotate", data, lambda: said + later, warnings)


def _refuse_another_kratos(environment: Environment, found: Found) -> None:
    other = found.another_kratos(environment)
    if other:
        now, then = other
        raise ChoiceImpossible(
            f"environment {environment.name} runs with {now}, and is to have {then}",
            "rotating would bring that along: `up` was not run since, or with a flag",
            f"kratosctl up {environment.name} brings it first; or ask for {now} in kratosctl.yaml, and rotate then",
        )


def _refuse_memory(environment: Environment) -> None:
    if environment.database == "memory":
        raise ChoiceImpossible(
            f"the database of environment {environment.name} is in memory, and would be empty afterwards",
            "Kratos has to be replaced to read new secrets, and its data dies with it",
            f"if nobody in it is needed: kratosctl down {environment.name}, rotate, kratosctl up {environment.name}",
        )


def _choose(
    kinds: Sequence[str], kept: secrets.Secrets, variables: Mapping[str, str], name: str
) -> tuple[list[str], list[str]]:
    """The kinds to rotate, and warnings about those that are left out because nobody named them."""
    if secrets.is_empty(kept):
        raise NotRunning(f"environment {name} has no secrets yet", fix=f"`kratosctl up {name}` makes them")
    elsewhere = {kind: reason for kind in secrets.KINDS if (reason := _decided_elsewhere(kind, kept, variables))}
    for kind in kinds:
        if kind in elsewhere:
            raise elsewhere[kind]
    chosen = [kind for kind in secrets.KINDS if kind in (kinds or secrets.KINDS) and kind not in elsewhere]
    if not chosen:
        raise next(iter(elsewhere.values()))
    return chosen, [] if kinds else [f"{kind} was not rotated: {error.what}" for kind, error in elsewhere.items()]


def _decided_elsewhere(kind: str, kept: secrets.Secrets, variables: Mapping[str, str]) -> ChoiceImpossible | None:
    variable = secrets.VARIABLES[kind]
    if variables.get(variable):
        return ChoiceImpossible(
            f"{variable} is set, and its secrets come first",
            "a new one would only stand behind them",
            f"put a new one in front yourself, {variable}=new,old, and run kratosctl up {{env}}; or unset it",
        )
    if not kept.of(kind):
        return ChoiceImpossible(
            f"secrets.{kind} is set in your own Kratos configuration",
            "kratosctl leaves it to you",
            "put a new one in front there, keep the old ones, and run kratosctl up {env}",
        )
    return None


def _write(found: Found, kept: secrets.Secrets, kinds: list[str]) -> dict[str, int]:
    """Writes the new lists. Returns how many secrets each kind now has.

    The count of changes goes first. Killed in between, the next `up` replaces Kratos once for nothing; the other way
    round it would leave Kratos without the new secrets. The file itself is whole or unchanged.
    """
    workspace = found.workspace
    rotated = secrets.rotate(kept, tuple(kinds))
    content: dict[str, Any] = yaml.safe_load(workspace.read(SECRETS_FILE) or "")
    content["secrets"] |= {kind: list(rotated.of(kind)) for kind in kinds}
    file = kratos_secrets(content)
    state = ownership.settled_state(workspace)
    workspace.save_state(replace(state, secrets_generation=state.secrets_generation + 1))
    workspace.write(file.path, file.text, 0o600)
    return {kind: len(rotated.of(kind)) for kind in kinds}

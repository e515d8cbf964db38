"""Whether a lesson can be given in an environment, and the configuration it breaks there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from kratosctl import catalog, fragments, questions
from kratosctl.answers import configuration_file
from kratosctl.answers.selection import Selection
from kratosctl.commands import init
from kratosctl.commands.verify import Target
from kratosctl.console import Console
from kratosctl.environment import Environment
from kratosctl.errors import ChoiceImpossible, ConfigurationInvalid, KratosctlError
from kratosctl.files import yaml_text
from kratosctl.kratos import config_dir
from kratosctl.lessons.lesson import Broken, Ground, Lesson, Unfit
from kratosctl.running import Found
from kratosctl.stack.compose import CONFIG_TARGET
from kratosctl.stack.files import SECRETS_FILE


def check_fits(lesson: Lesson, found: Found, chosen: Selection, environment: Environment) -> None:
    """Refuses an environment that the lesson cannot be given in.

    Raises:
        ChoiceImpossible: with why, and the way out.
        NotRunning: Kratos does not run.
    """
    found.running("kratos")
    reason = _reason_against(lesson, found, chosen, environment)
    if reason:
        why, fix = reason
        raise ChoiceImpossible(f"lesson {lesson.name} cannot be given in environment {found.name}", why, fix)


def _reason_against(
    lesson: Lesson, found: Found, chosen: Selection, environment: Environment
) -> tuple[str, str] | None:
    name = environment.name
    another = "make one for lessons: kratosctl up classroom --preset email-password"
    if found.workspace.has_unfinished:
        return "something that changes its data was interrupted", f"kratosctl up {name} finishes or undoes it"
    if not chosen.known:
        return "it is not in kratosctl.yaml", another
    other = found.another_kratos(environment)
    if other:
        return f"it runs with {other[0]}, and is to have {other[1]}", f"kratosctl up {name} brings that first"
    if environment.config == "image":
        return "its configuration is in an image, where nobody edits it", another
    if environment.database not in ("sqlite", "postgres"):
        return f"its database is {environment.database}, which kratosctl cannot keep as it is", another
    if catalog.version_key(environment.facts.tag) < catalog.version_key(lesson.since):
        return f"it needs Kratos {lesson.since} or newer", f"kratosctl upgrade {name}; or {another}"
    if environment.preset in lesson.not_with:
        return f"preset {environment.preset} does not show what it is about", another
    for page, flag in (("ui", "the self-service UI"), ("mail", "the mail inbox")):
        if page in lesson.needs and not getattr(environment, page):
            return f"it needs {flag}", f"kratosctl up {name} --{page} --save"
    return _shared(found, environment)


def _shared(found: Found, environment: Environment) -> tuple[str, str] | None:
    if not environment.config_dir:
        return None
    directory = found.workspace.directory
    ours = (directory / environment.config_dir).resolve()
    for other, answers in configuration_file.load(directory).items():
        theirs = answers.get("config_dir")
        if other != found.name and theirs and (directory / theirs).resolve() == ours:
            why = f"environment {other} has the same configuration directory, and would break with it"
            return why, f"give {found.name} one of its own in kratosctl.yaml"
    return None


def take_over(found: Found, chosen: Selection, environment: Environment, console: Console) -> str:
    """Sees that an environment has a configuration directory of its own, which people edit; as `init` does.

    Returns:
        How kratosctl.yaml names it.
    """
    if environment.config_dir:
        return environment.config_dir
    target = _free_target(found, chosen, environment)
    init.init(found.workspace.directory, chosen, environment, target)
    console.note(f"wrote {target.shown}: the configuration of {found.name} is yours to edit now, as after `init`")
    return target.given


def _free_target(found: Found, chosen: Selection, environment: Environment) -> init.Target:
    directory, own = found.workspace.directory, f"{init.CONFIG_DIR}-{found.name}"
    known = configuration_file.load(directory)
    used = [answers.get("config_dir") for answers in known.values()]
    # a class of thirty begins at one moment: each seat takes a name that no other would
    first = len(known) == 1 or found.name == questions.DEFAULT_NAME
    names = [init.CONFIG_DIR, own] if first else [own]
    for given in names:
        with contextlib.suppress(ChoiceImpossible, ConfigurationInvalid):
            target = init.target(directory, {**chosen.answers, "config_dir": given})
            # one that is there may be what a killed run left behind
            same = target.in_use and _texts(found, given) == fragments.preset_files(environment.preset)
            if not target.in_use or (same and given not in used):
                return target
    raise ChoiceImpossible(
        f"environment {found.name} needs a configuration directory of its own",
        f"{' and '.join(names)} {'hold' if first else 'holds'} other things",
        f"kratosctl init {found.name} --config-dir ./somewhere-else, then kratosctl up {found.name}",
    )


def _texts(found: Found, given: str) -> dict[str, str]:
    files = config_dir.files(found.workspace.directory, given)
    return {name: data.decode("utf-8", "replace") for name, data in files.items()}


def ground_of(found: Found, given: str, target: Target, ui: str) -> Ground:
    """The configuration of an environment, as lessons see it.

    Raises:
        ConfigurationInvalid, ConfigDirectoryMissing: it cannot be read.
    """
    root = found.workspace.directory / given
    main, configuration = config_dir.read(found.workspace.directory, given)
    texts, schema, identity = {main: yaml_text.read_text(root / main)}, _default_schema(configuration), None
    if schema:
        with contextlib.suppress(KratosctlError, ValueError, RecursionError):
            texts[schema] = yaml_text.read_text(root / schema)
            identity = json.loads(texts[schema])
    schema = schema if identity is not None else ""
    secrets = found.workspace.read(SECRETS_FILE) or ""
    return Ground(main, texts, configuration, schema, identity, target.public, ui, secrets)


def _default_schema(configuration: Mapping[str, Any]) -> str:
    wanted = config_dir.value_at(configuration, "identity.default_schema_id") or "default"
    schemas = config_dir.value_at(configuration, "identity.schemas")
    for each in schemas if isinstance(schemas, list) else []:
        url = str(config_dir.value_at(each, "url"))
        if config_dir.value_at(each, "id") == wanted and url.startswith(f"file://{CONFIG_TARGET}/"):
            return url.removeprefix(f"file://{CONFIG_TARGET}/")
    return ""


def broken_by(lesson: Lesson, ground: Ground, name: str) -> Broken:
    """The texts that break an environment.

    Raises:
        ChoiceImpossible: the lesson cannot break this configuration.
    """
    try:
        return lesson.breaks(ground)
    except Unfit as unfit:
        fix = "take another lesson, or an environment made from a preset"
        raise ChoiceImpossible(
            f"lesson {lesson.name} cannot be given in environment {name}", str(unfit), fix
        ) from unfit
    except ConfigurationInvalid as error:
        error.fix = error.fix or "take another lesson, or an environment made from a preset"
        raise

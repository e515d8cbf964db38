"""`init`: writes kratosctl.yaml and Kratos' own configuration directory, for people who edit them. Starts nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kratosctl import fragments, questions
from kratosctl.answers import configuration_file, selection
from kratosctl.answers.configuration_file import FILE_NAME
from kratosctl.answers.selection import Selection
from kratosctl.environment import Environment
from kratosctl.errors import ChoiceImpossible, ConfigurationInvalid
from kratosctl.files import yaml_text
from kratosctl.files.atomic import write_directory
from kratosctl.results import Result
from kratosctl.stack.kratos_configuration import MAIN_FILES

CONFIG_DIR = "./kratos"
_MADE_FROM = re.compile(r"# Kratos preset ([a-z-]+):")


@dataclass(frozen=True)
class Target:
    """Kratos' configuration directory as it was found.

    Attributes:
        given: how kratosctl.yaml names it.
        path: where it is.
        in_use: it holds a Kratos configuration, which is left as it is.
        preset: the preset that configuration was made from; empty where that cannot be told.
    """

    given: str
    path: Path
    in_use: bool
    preset: str = ""

    @property
    def shown(self) -> str:
        return self.given.removeprefix("./").rstrip("/") + "/"


def target(directory: Path, answers: Mapping[str, Any]) -> Target:
    """Looks at the directory that Kratos' configuration is to go to.

    Args:
        directory: where kratosctl.yaml lies, or will lie.
        answers: what was said, by key.

    Raises:
        ConfigurationInvalid: it holds other things, or is no directory.
        ChoiceImpossible: it holds one preset, and another was asked for.
    """
    given = answers.get("config_dir") or CONFIG_DIR
    path = directory / given
    elsewhere = "use another directory: --config-dir ./kratos-config"
    if path.exists() and not path.is_dir():
        raise ConfigurationInvalid(f"{given} is not a directory", fix=elsewhere)
    if not path.exists() or not any(path.iterdir()):
        return Target(given, path, in_use=False)
    main = next((path / name for name in MAIN_FILES if (path / name).is_file()), None)
    if main is None:
        raise ConfigurationInvalid(
            f"{given} holds files, but no kratos.yml", "init does not write among files it did not make", elsewhere
        )
    made_from = _MADE_FROM.match(yaml_text.read_text(main))
    found = Target(given, path, True, made_from[1] if made_from and made_from[1] in questions.PRESETS else "")
    wanted = answers.get("preset")
    if found.preset and wanted and wanted != found.preset:
        raise ChoiceImpossible(
            f"{found.shown} holds preset {found.preset}, and you asked for {wanted}",
            "init does not write over your configuration, and two presets do not mix",
            f"use --preset {found.preset}, or another directory: --config-dir ./kratos-{wanted}",
        )
    return found


def refuse_change(directory: Path, chosen: Selection) -> None:
    """Refuses flags that would change an environment kratosctl.yaml already holds.

    Raises:
        ConfigurationInvalid: naming them and the ways out.
    """
    kept = configuration_file.load(directory).get(chosen.name, {})
    differ = [key for key in chosen.differs if key != "config_dir" or key in kept]
    if differ:
        said = ", ".join(f"{key} {kept[key]}" if key in kept else f"no {key}" for key in differ)
        fix = f"edit {FILE_NAME}, or name a new environment: kratosctl init NAME"
        if "preset" in differ and "config_dir" in kept:
            wanted = chosen.answers["preset"]
            fix = f"edit {kept['config_dir']}, or name a new environment: kratosctl init NAME --preset {wanted}"
            fix += f" --config-dir {CONFIG_DIR}-{wanted}"
        raise ConfigurationInvalid(
            f"environment {chosen.name} is in {FILE_NAME} already, with {said}",
            "init changes nothing that is there",
            fix,
        )


def unused_preset(chosen: Selection) -> tuple[str, ...]:
    """Says that another preset adds nothing to a configuration of somebody's own; empty where nobody asks for one."""
    config_dir, preset = chosen.answers.get("config_dir"), chosen.answers.get("preset")
    if not config_dir or "preset" not in chosen.differs:
        return ()
    return (f"preset {preset} adds no sign-in method: {config_dir} says how people sign in",)


def init(directory: Path, chosen: Selection, environment: Environment, found: Target) -> Result:
    """Writes what is not there yet: the configuration directory first, kratosctl.yaml last.

    Args:
        directory: where kratosctl.yaml lies, or will lie.
        chosen: the environment and its answers, config_dir among them.
        environment: its model.
        found: its configuration directory.

    Raises:
        DiskFull, DirectoryReadOnly: what is there is whole; running it again goes on.
    """
    wrote: list[str] = []
    if not found.in_use:
        write_directory(found.path, fragments.preset_files(environment.preset))
        wrote.append(found.shown)
    if not chosen.known:
        configuration_file.save(directory, chosen.name, selection.saved_answers(chosen.answers, environment))
        wrote.append(FILE_NAME)
    elif "config_dir" not in configuration_file.load(directory)[chosen.name]:
        configuration_file.save(directory, chosen.name, {"config_dir": found.given})
        wrote.append(FILE_NAME)
    kept = [name for name in (found.shown, FILE_NAME) if name not in wrote]
    return _result(directory, chosen, environment, wrote, kept)


def _result(directory: Path, chosen: Selection, environment: Environment, wrote: list[str], kept: list[str]) -> Result:
    several = len(configuration_file.load(directory)) > 1
    following = "kratosctl up" + (f" {chosen.name}" if several and chosen.name != questions.DEFAULT_NAME else "")
    data = {
        "environment": chosen.name,
        "config_dir": environment.config_dir,
        "preset": chosen.answers.get("preset"),
        "written": wrote,
        "kept": kept,
        "next": following,
    }

    def text() -> str:
        lines = [f"wrote {' and '.join(wrote)}" if wrote else "nothing to write"]
        lines += [f"kept {' and '.join(kept)} as found"] if kept else []
        return "\n".join([*lines, f"next: {following}"])

    return Result("init", data, text)

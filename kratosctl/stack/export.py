"""The files of an environment for people who leave kratosctl behind: whole in one directory, wherever that lies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from kratosctl.stack.compose import CONFIG_TARGET
from kratosctl.stack.custom_image import CONTEXT_FOLDER, CustomImage
from kratosctl.stack.files import COMPOSE_FILE, ENVIRONMENT_FILE, File
from kratosctl.stack.labels import LABEL

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def export(
    files: tuple[File, ...], home: Path, configuration: Mapping[str, str], custom: CustomImage | None
) -> list[File]:
    """The files to write.

    Args:
        files: those of the generated directory.
        home: the generated directory they were rendered for.
        configuration: Kratos' own configuration: text by name.
        custom: the image with the configuration in it, where Kratos gets it that way.
    """
    by_path = {file.path: file for file in files}
    compose = compose_of_ones_own(by_path[COMPOSE_FILE].text, home)
    found = [File(COMPOSE_FILE, compose), by_path[ENVIRONMENT_FILE]]
    found += [File(f"{CONTEXT_FOLDER}/{name}", text) for name, text in configuration.items()]
    found += [File("Dockerfile", custom.dockerfile)] if custom else []
    return found + [file for file in files if file.secret]


def compose_of_ones_own(text: str, home: Path) -> str:
    """A generated Compose file with relative paths, and nothing in it that refers to kratosctl.

    Args:
        text: the generated file.
        home: the generated directory, which its paths start with.
    """
    model = yaml.load(text, Loader=_LOADER)
    for service in model["services"].values():
        for mount in service.get("volumes") or []:
            if isinstance(mount, dict) and mount["target"] == CONFIG_TARGET:
                mount["source"] = f"./{CONTEXT_FOLDER}"
    # Compose reads two dollar signs as one
    model = _without_labels(_relative(model, str(home).replace("$", "$$")))
    header = (
        "# Kratos and what it needs, in plain Compose: docker compose up -d\n# It is yours: change it as you like.\n"
    )
    return header + yaml.dump(model, Dumper=_DUMPER, sort_keys=False, width=120, allow_unicode=True)


def _relative(data: Any, home: str) -> Any:
    if isinstance(data, dict):
        return {key: _relative(value, home) for key, value in data.items()}
    if isinstance(data, list):
        return [_relative(value, home) for value in data]
    return f".{data[len(home) :]}" if isinstance(data, str) and data.startswith(home + "/") else data


def _without_labels(model: dict[str, Any]) -> dict[str, Any]:
    """Takes our labels off; those of the volumes stay, because Compose holds a volume's labels to be part of it."""
    for service in model["services"].values():
        service["labels"] = {key: value for key, value in service["labels"].items() if not key.startswith(LABEL)}
        if not service["labels"]:
            del service["labels"]
    network = {key: value for key, value in model["networks"]["default"].items() if key != "labels"}
    model = {key: value for key, value in model.items() if key != "networks"}
    return model | ({"networks": {"default": network}} if network else {})

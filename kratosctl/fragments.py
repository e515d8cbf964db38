"""The YAML that ships with kratosctl, read as data: Compose fragments and Kratos presets."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VARIABLE = re.compile(r"\$\$|\$\{(\w+):-([^}]*)\}")


def data_directory(name: str) -> Path:
    """Where `compose` or `configs` lies: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parent
    shipped = package / "_data" / name
    return shipped if shipped.is_dir() else package.parent / name


@functools.cache
def _load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)


def compose_fragment(name: str) -> dict[str, Any]:
    """A fragment of compose/, by name without `.yaml`."""
    fragment: dict[str, Any] = copy.deepcopy(_load(data_directory("compose") / f"{name}.yaml"))
    return fragment


def presets() -> dict[str, Any]:
    """The index of presets: configs/presets.yaml."""
    index: dict[str, Any] = copy.deepcopy(_load(data_directory("configs") / "presets.yaml"))
    return index


def preset_files(preset: str) -> dict[str, str]:
    """The files of a preset: name -> text. A file manager may have left hidden ones of its own beside them."""
    directory = data_directory("configs") / preset
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(directory.glob("[!.]*"))}


def preset_configuration(preset: str) -> dict[str, Any]:
    """What a preset says to Kratos, parsed."""
    configuration: dict[str, Any] = copy.deepcopy(_load(data_directory("configs") / preset / "kratos.yml"))
    return configuration


def merge(base: Any, over: Any, key: str = "") -> Any:
    """Merges two fragments by Compose's rules: mappings deeply, `volumes` by target, `ports` one after the other.

    All else is replaced. Returns new data.
    """
    if isinstance(base, dict) and isinstance(over, dict):
        merged = {name: merge(value, over[name], name) if name in over else value for name, value in base.items()}
        return merged | {name: value for name, value in over.items() if name not in base}
    if key == "volumes" and isinstance(base, list):
        targets = {_target(mount) for mount in over}
        return [mount for mount in base if _target(mount) not in targets] + over
    if key == "ports" and isinstance(base, list):
        return base + over
    return over


def _target(mount: Any) -> str:
    return str(mount["target"]) if isinstance(mount, dict) else str(mount).split(":")[1]


def interpolate(data: Any, variables: Mapping[str, str]) -> Any:
    """Fills in `${NAME:-default}` as Compose does, and leaves no variable behind.

    Every other dollar sign, in the fragments or in a value, is doubled, so that Compose reads it as itself.
    """
    if isinstance(data, dict):
        return {key: interpolate(value, variables) for key, value in data.items()}
    if isinstance(data, list):
        return [interpolate(value, variables) for value in data]
    if not isinstance(data, str):
        return data

    def value(match: re.Match[str]) -> str:
        return "$$" if match[0] == "$$" else variables.get(match[1], match[2]).replace("$", "$$")

    return _VARIABLE.sub(value, data)

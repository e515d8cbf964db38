"""A user's own Kratos configuration directory: read, never written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kratosctl.errors import ConfigDirectoryMissing, ConfigurationInvalid, KratosctlError
from kratosctl.files import git, yaml_text
from kratosctl.stack.kratos_configuration import MAIN_FILES, secrets_in

_SHOWN = 5


def read(directory: Path, config_dir: str) -> tuple[str, dict[str, Any]]:
    """Reads the main file of a user's Kratos configuration directory.

    Args:
        directory: where kratosctl.yaml lies.
        config_dir: the directory as it was given, relative to it or absolute.

    Returns:
        The file's name and its parsed configuration.

    Raises:
        ConfigDirectoryMissing, ConfigurationInvalid: it is absent, empty, or not readable as YAML or JSON.
    """
    path = directory / config_dir
    try:
        names = [name for name in MAIN_FILES if (path / name).is_file()]
        state, fix = ("", "") if names else _without_main_file(path)
    except OSError as error:
        what = f"configuration directory {config_dir[:100]} cannot be used"
        raise ConfigDirectoryMissing(what, error.strerror or "", "correct --config-dir") from error
    if state:
        raise ConfigDirectoryMissing(
            f"configuration directory {config_dir} {state}",
            "Kratos would start without a configuration, and Docker would make the directory as root",
            f"{fix}, or correct --config-dir",
        )
    where = str(Path(config_dir) / names[0])
    text = yaml_text.read_text(path / names[0])
    data = _json(text, where) if names[0].endswith(".json") else yaml_text.load(text, where)
    if data is None:
        raise ConfigurationInvalid(
            f"{where} is empty", fix="put Kratos' configuration into it, or correct --config-dir"
        )
    if not isinstance(data, dict):
        raise ConfigurationInvalid(f"{where}:1:1: expected a mapping of Kratos configuration keys")
    secure = [key for key in ("serve.public.tls", "serve.admin.tls") if value_at(data, key)]
    if secure:
        raise ConfigurationInvalid(
            f"{where}: {secure[0]} has Kratos speak HTTPS",
            "kratosctl, the self-service UI and the health checks ask it by HTTP",
            "take it out; for TLS put a proxy before Kratos, and say --https",
        )
    return names[0], data


def _without_main_file(path: Path) -> tuple[str, str]:
    """What is wrong with a directory that has none of the main files, and what to do."""
    # init writes where nothing is, not among files that it did not make
    write = "run `kratosctl init` to write one from a preset"
    if not path.exists():
        return "is not there", write
    if not path.is_dir():
        return "is not a directory", "put kratos.yml into one"
    if (path / "kratos.toml").exists():
        return "has kratos.toml alone, which kratosctl does not read", "write it as kratos.yml or kratos.json"
    return ("has no kratos.yml", "put one there") if any(path.iterdir()) else ("is empty", write)


def value_at(configuration: Any, path: str) -> Any:
    """The value at keys with dots between them; None where there is none."""
    for key in path.split("."):
        configuration = configuration.get(key) if isinstance(configuration, dict) else None
    return configuration


def texts(configuration: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a configuration, with its keys and positions and dots between them."""
    if isinstance(configuration, str):
        yield path, configuration
    below: Iterable[tuple[Any, Any]] = ()
    if isinstance(configuration, Mapping):
        below = configuration.items()
    elif isinstance(configuration, list):
        below = enumerate(configuration)
    for key, value in below:
        yield from texts(value, f"{path}.{key}" if path else str(key))


def warnings(directory: Path, config_dir: str | None) -> list[str]:
    """What a person should know before a user's configuration directory is handed on.

    Args:
        directory: where kratosctl.yaml lies.
        config_dir: the directory as it was given; None where there is none.
    """
    if config_dir is None:
        return []
    try:
        name, configuration = read(directory, config_dir)
    except KratosctlError as error:
        return [f"whether Kratos' configuration holds secrets cannot be told: {error.what}"]
    keys = list(secrets_in(configuration))
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    where = Path(config_dir) / name
    return [f"{where} is in it, with secrets of its own: {', '.join(keys[:_SHOWN])}{more}"] if keys else []


def _json(text: str, where: str) -> Any:
    """Not as YAML: JSON may be indented by tabs."""
    try:
        return json.loads(text) if text.strip() else None
    except json.JSONDecodeError as error:
        raise ConfigurationInvalid(f"{where}:{error.lineno}:{error.colno}: not valid JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationInvalid(f"{where}: not valid JSON: {str(error)[:120]}") from error


def files(directory: Path, config_dir: str) -> dict[str, bytes]:
    """Every file of a user's configuration directory that may be handed on.

    Not hidden ones, for `.git` and `.env` belong in no image, and not what was rendered below it with secrets or data.

    Args:
        directory: where kratosctl.yaml lies.
        config_dir: the directory as it was given.

    Returns:
        The content by path in the directory, in the order of the paths.

    Raises:
        ConfigurationInvalid: one of them cannot be read.
    """
    root = directory / config_dir
    found: dict[str, bytes] = {}
    for folder, folders, names in os.walk(root):
        if Path(folder) != root and git.is_kept_out(Path(folder)):
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if name.startswith(".") or (path.exists() and not path.is_file()):
                continue
            try:
                found[str(path.relative_to(root))] = path.read_bytes()
            except OSError as error:
                why = error.strerror or ""
                raise ConfigurationInvalid(f"{path} cannot be read", why, "mend it, or move it elsewhere") from error
    return dict(sorted(found.items()))

"""Reads the presets as they lie in configs/, without going through kratosctl."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
MOUNTED_AT = "file:///etc/config/kratos/"
RELEASES = ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.3.1", "v25.4.0", "v26.2.0"]

INDEX: dict[str, Any] = yaml.safe_load((CONFIGS / "presets.yaml").read_text(encoding="utf-8"))
PRESETS: dict[str, dict[str, Any]] = INDEX["presets"]
NAMES = list(PRESETS)


def kratos_yml(preset: str) -> dict[str, Any]:
    loaded = yaml.safe_load((CONFIGS / preset / "kratos.yml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def identity_schema(preset: str) -> dict[str, Any]:
    loaded = json.loads((CONFIGS / preset / "identity.schema.json").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def leaves(tree: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every scalar of a configuration, with its dotted path; the items of a list share the path of the list."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list):
        for item in tree:
            yield from leaves(item, path)
    else:
        yield path, tree

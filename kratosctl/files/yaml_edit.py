"""One value of a user's YAML or JSON text set, however deep, and all else left as it is."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from kratosctl.errors import ConfigurationInvalid
from kratosctl.files import yaml_text


def set_at(text: str, path: Sequence[str], value: Any, where: str) -> str:
    """Sets one value of a mapping, and leaves comments, order and line ends as they are.

    Args:
        text: YAML, or JSON where the file's name says so; its root is a mapping.
        path: the keys that lead to the value; in YAML those that are not there are made.
        value: scalars, lists and mappings.
        where: the file's name.

    Raises:
        ConfigurationInvalid: the text is written in a way that cannot be changed in one place, such as an alias.
    """
    read: Callable[[str], Any] = json.loads if where.endswith(".json") else lambda said: yaml_text.load(said, where)
    show = json.dumps if where.endswith(".json") else yaml_text.flow
    mark = yaml_text.BYTE_ORDER_MARK if text.startswith(yaml_text.BYTE_ORDER_MARK) else ""
    text = text.removeprefix(mark)
    with contextlib.suppress(TypeError, ValueError):
        wanted = _changed(read(text), path, value)
        changed = yaml_text.put(text, yaml_text.parse(text, where), path, value, show)
        if changed is not None and read(changed) == wanted:
            return mark + changed
    raise ConfigurationInvalid(
        f"{where}: kratosctl cannot set {'.'.join(path)} in it", "it does not reformat what you wrote"
    )


def _changed(data: Any, path: Sequence[str], value: Any) -> Any:
    """The data with one value set. What an alias shares with it is not."""
    if not path:
        return value
    known = {} if data is None else dict(data)
    return {**known, path[0]: _changed(known.get(path[0]), path[1:], value)}

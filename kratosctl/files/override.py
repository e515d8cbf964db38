"""The user's own Compose file, `compose.override.yaml`, which is merged over the generated one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from kratosctl.errors import ConfigurationInvalid
from kratosctl.files import yaml_text

NAMES = ("compose.override.yaml", "compose.override.yml")
# beside one of these it is an application's own, which Compose merges over that
_OVERRIDDEN = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_ALONE = re.compile(r"^\s*(?:-\s+)?[\"']?([A-Za-z_]\w*)[\"']?:?\s*$", re.MULTILINE)


def file(directory: Path) -> Path | None:
    """Where it is; None where there is none, or only an application's own."""
    return None if _base(directory) else _first(directory, NAMES)


def _base(directory: Path) -> Path | None:
    """An application's Compose file, unless `render` wrote it."""
    base = _first(directory, _OVERRIDDEN)
    return base if base and not _text(base).startswith("# Made by kratosctl.") else None


def _first(directory: Path, names: Sequence[str]) -> Path | None:
    return next((directory / name for name in names if (directory / name).is_file()), None)


def unmerged(directory: Path) -> list[str]:
    """Says of an application's own that it is not merged, where it speaks of Kratos."""
    base, own = _base(directory), _first(directory, NAMES)
    if not base or not own or "kratos" not in (name for name, _ in _shown(own)):
        return []
    return [f"{own.name} belongs to {base.name}, and is not merged here: for that, keep kratosctl.yaml elsewhere"]


def services(directory: Path) -> list[str]:
    """The services that it speaks of, or includes, but for those that a profile hides."""
    return list(dict.fromkeys(name for name, _ in _shown(file(directory))))


def images(directory: Path) -> list[str]:
    """The images that it names, without a variable, for services that no profile hides."""
    found = (yaml_text.value_of(service, "image") for _, service in _shown(file(directory)))
    named = [str(image.value) for image in found if isinstance(image, yaml.ScalarNode)]
    return [image for image in named if image and "$" not in image]


def _shown(override: Path | None) -> list[tuple[str, yaml.Node]]:
    """The services that no profile hides."""
    found = [one for part in _parts(override, extended=False) for one in _services(part)] if override else []
    return [(name, service) for name, service in found if yaml_text.value_of(service, "profiles") is None]


def _parts(path: Path, extended: bool, known: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """A Compose file and those that it includes, and with `extended` those whose services it extends; each once."""
    if path in known:
        return known
    known = (*known, path)
    for name in _named(path, extended):
        known = _parts(path.parent / name, extended, known)
    return known


def _named(path: Path, extended: bool) -> Iterator[str]:
    found = []
    for one in _listed(yaml_text.value_of(_root(path), "include")):
        found += _listed(yaml_text.value_of(one, "path") or one)
    if extended:
        found += [yaml_text.value_of(yaml_text.value_of(service, "extends"), "file") for _, service in _services(path)]
    return (str(node.value) for node in found if isinstance(node, yaml.ScalarNode))


def _services(path: Path) -> list[tuple[str, yaml.Node]]:
    return yaml_text.items(yaml_text.value_of(_root(path), "services"))


def _root(path: Path) -> yaml.Node | None:
    """What a Compose file says. One that is wrong says nothing: Compose says what is."""
    try:
        return yaml_text.parse(yaml_text.read_text(path), path.name)
    except ConfigurationInvalid:
        return None


def _listed(node: yaml.Node | None) -> list[yaml.Node | None]:
    """The items of a list; of what stands alone, that."""
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def digest(directory: Path, variables: Mapping[str, str]) -> str:
    """Tells it from what it was: by its text, and by what Compose reads for it beside; empty where there is none."""
    path = file(directory)
    if path is None:
        return ""
    read = hashlib.sha256()
    for part in _parts(path, extended=True):
        for text in (_text(part), *_values_named(part, directory, variables), *_variable_files(part)):
            read.update(text.encode(errors="surrogateescape"))
    return read.hexdigest()


def _values_named(path: Path, directory: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """The variables that a Compose file names, with what each is set to: in the process environment, else in `.env`."""
    text = _text(path).replace("$$", "")
    kept = "\n".join(_text(folder / ".env") for folder in dict.fromkeys((directory, path.parent)))
    # what stands alone in a line may be one that is passed on as it is
    for name in sorted({*re.findall(r"\$\{?([A-Za-z_]\w*)", text), *_ALONE.findall(text)}):
        if name in variables:
            yield f"{name}={variables[name]}"
        else:
            yield from re.findall(rf"^\s*(?:export\s+)?{name}\s*[=:].*", kept, re.MULTILINE)


def _variable_files(path: Path) -> Iterator[str]:
    """The texts of the files of variables that a Compose file gives to services."""
    for _, service in _services(path):
        for one in _listed(yaml_text.value_of(service, "env_file")):
            named = yaml_text.value_of(one, "path") or one
            if isinstance(named, yaml.ScalarNode):
                yield _text(path.parent / named.value)


def _text(path: Path) -> str:
    """A file's text; of one that cannot be read, which Compose then says, none."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except (OSError, ValueError):
        return ""

"""What a file that `docker save` wrote would do to the engine's images: which tags `docker load` sets."""

from __future__ import annotations

import json
import posixpath
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_MANIFEST, _INDEX = "manifest.json", "index.json"
_NAME = "io.containerd.image.name"
_MOST = 1 << 24  # bytes of a list of images: more than any has


def others(path: Path, references: Iterable[str]) -> list[str]:
    """The tags in a file of images that are not among some references.

    Raises:
        ValueError, tarfile.TarError: it is no such file.
    """
    known = {_plain(reference) for reference in references}
    return sorted({tag for tag in _tags(path) if _plain(tag) not in known})


def _tags(path: Path) -> Iterator[str]:
    """The names of images in every list of a file: which of them an engine reads depends on how it stores images."""
    lists = set()
    # docker would unpack a compressed one, too; `docker save` writes none
    with tarfile.open(path, "r:") as tar:
        for entry in tar:
            # what one engine saved of layers it has twice
            is_layer = entry.issym() and posixpath.basename(entry.linkname) == "layer.tar"
            if not (entry.isreg() or entry.isdir() or is_layer):
                raise ValueError(f"{entry.name[:60]!r} is neither a file nor a directory")
            name = posixpath.normpath(entry.name.lstrip("/"))
            if name in (_MANIFEST, _INDEX):
                content = tar.extractfile(entry)
                lists.add(name)
                yield from _listed(name, json.loads(content.read(_MOST)) if content else None)
    if _MANIFEST not in lists:
        raise ValueError("it has no list of its images")


def _listed(name: str, said: Any) -> Iterator[str]:
    try:
        if name == _MANIFEST:
            yield from (str(tag) for image in said for tag in image["RepoTags"] or ())
        else:
            notes = (image.get("annotations") or {} for image in said["manifests"])
            yield from (str(note[_NAME]) for note in notes if _NAME in note)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{name} is no list of images") from error


def _plain(reference: str) -> str:
    """A reference as docker shows it: `docker.io/library/postgres:17@sha256:…` is `postgres:17`."""
    name = reference.partition("@")[0].removeprefix("docker.io/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"

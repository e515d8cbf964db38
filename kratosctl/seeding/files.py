"""Opens what people name: files, directories of files, standard input. Each is read as a stream."""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from kratosctl.errors import ConfigurationInvalid, UsageError
from kratosctl.seeding.rows import Bad, Row

FORMATS = ("yaml", "json", "csv")
_ENDINGS = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".tsv": "csv",
}
_KNOWN = ", ".join(_ENDINGS)
_SAY_FORMAT = f"`kratosctl seed` takes --format {'|'.join(FORMATS)}"


@dataclass(frozen=True)
class Source:
    """
    Attributes:
        name: how it was named.
        path: where it lies; None for standard input.
        format: one of FORMATS.
    """

    name: str
    path: Path | None
    format: str

    @property
    def is_file(self) -> bool:
        """It can be read as often as one likes: standard input, and a pipe that has a name, only once."""
        return self.path is not None and self.path.is_file()


def sources(names: Sequence[str], directory: Path, format: str | None) -> list[Source]:
    """What is named, each file of a directory in the order of names.

    Args:
        names: files, directories, or `-` for standard input.
        directory: what relative names are relative to.
        format: how all of them are written; None tells it from their endings.

    Raises:
        UsageError, ConfigurationInvalid: one cannot be read, or its format cannot be told.
    """
    found: list[Source] = []
    for name in names:
        if name == "-":
            if format is None:
                raise UsageError("the format of standard input is not known", fix=_SAY_FORMAT)
            found.append(Source("-", None, format))
            continue
        path = directory / name
        with _said(name):
            inside = sorted(filter(_is_for_seeding, path.iterdir())) if path.is_dir() else [path]
        for one in inside:
            shown = _printable(name if one == path else str(Path(name, one.name)))
            with _said(shown):
                _check_readable(one)
            found.append(Source(shown, one, format or _format(one, shown)))
    if not found:
        raise ConfigurationInvalid(f"{', '.join(names)} holds no file to seed", f"files end in {_KNOWN}")
    return found


def _is_for_seeding(path: Path) -> bool:
    """Whether a file of a directory is read: editors and macOS leave hidden ones beside those that people wrote."""
    return path.suffix.lower() in _ENDINGS and not path.name.startswith(".") and not path.is_dir()


def _printable(name: str) -> str:
    """A file may have a name that is no text."""
    return name.encode("utf-8", "backslashreplace").decode()


def _format(path: Path, name: str) -> str:
    found = _ENDINGS.get(path.suffix.lower())
    if found is None:
        fix = f"use one of {_KNOWN}; {_SAY_FORMAT}"
        raise UsageError(f"{name}: its format cannot be told from its ending", fix=fix)
    return found


def _check_readable(path: Path) -> None:
    # to open and close a pipe would end whoever writes to it
    if not path.exists() or path.is_file():
        path.open("rb").close()


@contextlib.contextmanager
def _said(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationInvalid(f"{_printable(name)} cannot be read", error.strerror or "") from error


class Reader:
    """Reads sources one after the other, and knows how far it is."""

    def __init__(self, found: Sequence[Source]) -> None:
        self._sources = found
        self._read = 0
        self._file: BinaryIO | None = None
        sizes = [source.path.stat().st_size if source.path and source.is_file else 0 for source in found]
        self._size = sum(sizes) if all(sizes) else 0

    @property
    def part(self) -> float | None:
        """How much was read, from 0 to 1; None where nobody knows how much there is."""
        here = self._file.tell() if self._file and self._size else 0
        return min(1.0, (self._read + here) / self._size) if self._size else None

    def rows(self) -> Iterator[Row | Bad]:
        """Every row of every source, in order."""
        for source in self._sources:
            if source.path is None:
                yield from rows_of(source, sys.stdin.buffer)
                continue
            with source.path.open("rb") as file:
                self._file = file
                yield from rows_of(source, file)
                self._read += file.tell() if self._size else 0
                self._file = None


def rows_of(source: Source, file: BinaryIO) -> Iterator[Row | Bad]:
    """The rows of an opened source, as they are read."""
    if source.format == "yaml":
        from kratosctl.seeding import lists

        yield from lists.read(file, source.name)
        return
    from kratosctl.seeding import documents, tables

    # what is no UTF-8 spoils its own row only
    text: IO[str] = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    try:
        yield from (tables if source.format == "csv" else documents).read(text, source.name)
    finally:
        text.detach()  # type: ignore[attr-defined]


def digest(found: Sequence[Source], beside: Mapping[str, bytes]) -> str:
    """Changes whenever the content of a source does.

    Args:
        found: files.
        beside: other files it depends on: content by name.
    """
    summed = hashlib.sha256()
    for name, content in sorted(beside.items()):
        summed.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    for source in found:
        if source.path and source.is_file:
            with source.path.open("rb") as file:
                summed.update(f"{source.format} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return summed.hexdigest()

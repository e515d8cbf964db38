"""Directories with data and secrets that were written for people to use: in no repository, and in nothing handed on."""

from __future__ import annotations

from pathlib import Path

from kratosctl.files.atomic import write_atomically

_IGNORED = "# data and secrets belong in no repository\n*\n"


def keep_out(directory: Path) -> None:
    """Keeps a directory out of repositories, by a file in it: a .gitignore above it may be somebody's own.

    Raises:
        DiskFull, DirectoryReadOnly: nothing was written.
    """
    write_atomically(directory / ".gitignore", _IGNORED)


def is_kept_out(directory: Path) -> bool:
    """Whether `keep_out` was told so of a directory."""
    try:
        return (directory / ".gitignore").read_bytes() == _IGNORED.encode()
    except OSError:
        return False

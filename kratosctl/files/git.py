"""Directories with data and secrets that were written for people to use: in no repository, and in nothing handed on."""

from __future__ import annotations

from pathlib import Path

from kratosctl.stack.files import File

_FILE = ".gitignore"
_IGNORED = "# data and secrets belong in no repository\n*\n"


def kept_out(folder: str) -> File:
    """What keeps a folder out of repositories: in it, because a .gitignore above it may be somebody's own."""
    return File(f"{folder}/{_FILE}", _IGNORED, private=True)


def is_kept_out(directory: Path) -> bool:
    """Whether a directory has that file."""
    try:
        return (directory / _FILE).read_bytes() == _IGNORED.encode()
    except OSError:
        return False

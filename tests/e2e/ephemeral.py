"""Ephemeral environments as tests see them: the images they run, and what is left of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.e2e import engine, images


def asked(release: str = images.NEWEST, database: str = "sqlite") -> dict[str, Any]:
    """Keyword arguments of `kratosctl.testing.kratos` that run the images of the tests."""
    return {
        "database": database,
        "release": release,
        "kratos_image": images.kratos(release),
        "mail_image": images.mail(),
        "postgres_image": images.postgres(),
    }


def directories(process: int) -> set[Path]:
    """The directories of the ephemeral environments of a process; others may make some meanwhile."""
    return {path for path in Path(tempfile.gettempdir()).glob("kratosctl-ephemeral-*") if _is_of(path, process)}


def _is_of(directory: Path, process: int) -> bool:
    try:
        return f"/{process}/" in (directory / "owner").read_text()
    except OSError:
        return False


def is_gone(directory: Path) -> bool:
    """Whether nothing is left of one environment."""
    return not directory.exists() and engine.of_directory(directory) == {}

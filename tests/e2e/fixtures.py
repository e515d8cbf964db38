"""Fixtures of all tests that need a Docker engine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import images
from tests.e2e.program import Directory

__all__ = ["directory", "make_directory", "needs_engine", "shared_directory"]


@pytest.fixture(scope="session", autouse=True)
def needs_engine() -> None:
    """Without an engine or its images these tests cannot say anything: with CI=true that is a failure."""
    done = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False)
    lacking = done.stderr.strip() if done.returncode else ", ".join(images.missing())
    if lacking:
        why = f"no Docker engine, or not its images (tests/images/build makes some): {lacking}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)


@pytest.fixture
def make_directory(tmp_path: Path, cache: Path) -> Iterator[Callable[[str], Directory]]:
    """Makes directories by name; whatever runs in them is gone after the test."""
    made: list[Directory] = []

    def make(name: str) -> Directory:
        path = tmp_path / name
        path.mkdir(parents=True, exist_ok=True)
        made.append(Directory(path, cache))
        return made[-1]

    yield make
    # the last made first: it may be what became of one before
    for directory in reversed(made):
        directory.wipe()


@pytest.fixture
def directory(make_directory: Callable[[str], Directory]) -> Directory:
    """An empty directory of the test's own."""
    return make_directory("app")


@pytest.fixture(scope="module")
def shared_directory(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Directory]:
    """One directory for the tests of a module that only look at what runs in it."""
    shared = Directory(tmp_path_factory.mktemp("shared"), cache)
    yield shared
    shared.wipe()

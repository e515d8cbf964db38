"""Fixtures of the tests beside this file."""

from tests.e2e.fixtures import directory, make_directory, needs_engine, shared_directory

__all__ = ["directory", "make_directory", "needs_engine", "shared_directory"]

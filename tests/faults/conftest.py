"""Fixtures of the tests beside this file."""

from tests.e2e.fixtures import directory, make_directory, needs_engine, shared_directory
from tests.faults.killing import lasts

__all__ = ["directory", "lasts", "make_directory", "needs_engine", "shared_directory"]

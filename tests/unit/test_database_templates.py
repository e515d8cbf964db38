"""The cache of migrated databases: what is used stays, and what others remove is missed by nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from kratosctl.database import templates

HOUR = 3600


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KRATOSCTL_CACHE_DIR", str(tmp_path))
    return tmp_path


def kept(number: int, hours_ago: float = 0) -> Path:
    """A template that was made some time ago."""
    template = templates.path_of(f"sha256:{number:064d}"[::-1], "sqlite")
    with templates.scratch_file(template) as scratch:
        scratch.write_text(str(number))
        templates.keep(scratch, template)
    os.utime(template, (time.time() - hours_ago * HOUR,) * 2)
    return template


def found(template: Path) -> bool:
    with ExitStack() as until_made:
        return templates.found(template, until_made)


def test_what_is_used_stays_however_long_ago_it_was_made() -> None:
    used = kept(1, hours_ago=100)
    assert found(used)

    others = [kept(number, hours_ago=100 - number) for number in range(2, 12)]

    assert used.exists()
    # the last one that was made among them
    assert [other.exists() for other in others] == [False] * 3 + [True] * 7


def test_what_was_found_is_there_when_it_is_opened(cache: Path) -> None:
    first = kept(1)
    assert found(first)

    for number in range(2, 30):
        kept(number)

    assert first.read_text() == "1"


def test_one_that_is_gone_is_no_template() -> None:
    template = kept(1)
    template.unlink()
    assert not found(template)


def test_others_may_remove_templates_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kept(1)
    real = Path.glob

    def and_one_that_goes(self: Path, pattern: str) -> list[Path]:
        return [*real(self, pattern), self / "sqlite-gone.sqlite"]

    monkeypatch.setattr(Path, "glob", and_one_that_goes)
    assert kept(2).exists()


AS_SOMEBODY_ELSE = """
import os, sys
from contextlib import ExitStack
from pathlib import Path
from filelock import FileLock
from kratosctl.database import templates
from kratosctl.errors import DirectoryReadOnly
if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    with ExitStack() as until_made: templates.found(Path(sys.argv[1]), until_made)
except DirectoryReadOnly as error: print(*error.lines(), sep="|")
"""


def test_a_cache_that_belongs_to_somebody_else_is_said_with_the_way_out(cache: Path) -> None:
    """As one that a command run with sudo once made."""
    template = kept(1)
    for directory in (cache, *cache.parents[:-2]):
        directory.chmod(directory.stat().st_mode | 0o055)
    (cache / "locks").mkdir()
    for directory in (template.parent, cache / "locks"):
        directory.chmod(0o700 if os.getuid() == 0 else 0)

    words = [sys.executable, "-c", AS_SOMEBODY_ELSE, str(template)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    for directory in (template.parent, cache / "locks"):
        directory.chmod(0o700)

    what, why, fix = done.stdout.strip().split("|")
    assert (what, why) == (f"cannot write {cache}", "Permission denied")
    assert fix == f"make it yours: sudo chown -R $(id -u) {cache}; or name another cache with KRATOSCTL_CACHE_DIR"

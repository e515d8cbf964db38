"""Migrated, empty databases, kept by image: a new environment copies one instead of migrating for a second.

A template holds no identity. That of SQLite is a database file as `migrate` left it; that of PostgreSQL is a backup of
all its files, taken when the first Kratos is ready; whoever starts from it deletes what that Kratos wrote.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kratosctl.engine import program
from kratosctl.errors import MigrationFailed
from kratosctl.files import cache
from kratosctl.files.atomic import said_plainly, sync
from kratosctl.kratos.log_lines import last_telling

# In memory and without fsync an empty database migrates in half the time.
_DSN = "sqlite:///tmp/db.sqlite?_fk=true&mode=rwc&_sync=0"
_MIGRATE = "kratos migrate sql -e --yes >&2 && cat /tmp/db.sqlite"
# two for each image: SQLite's and PostgreSQL's
_KEPT = 8
# whoever found it may not have opened it yet
_IN_USE = 3600  # seconds
_SCRATCH = ".making-"


def path_of(image_id: str, engine: str) -> Path:
    """Where the template of an image is, or will be.

    Args:
        image_id: `sha256:…` of the Kratos image.
        engine: `sqlite`, or `postgres-` with the ID of its image.
    """
    suffix = "sqlite" if engine == "sqlite" else "tar"
    return cache.directory() / "templates" / f"{engine}-{image_id.removeprefix('sha256:')[:24]}.{suffix}"


def make_sqlite(image: str, image_id: str, platform: str | None) -> Path:
    """Migrates an empty SQLite database with an image, unless that was done before.

    Args:
        image: reference to run.
        image_id: its ID.
        platform: platform of the image, where it is not the engine's.

    Returns:
        The template's path.

    Raises:
        MigrationFailed: with Kratos' message.
    """
    template = path_of(image_id, "sqlite")
    with contextlib.ExitStack() as until_made:
        if not found(template, until_made):
            _migrate(template, image, platform)
    return template


def found(template: Path, until_made: contextlib.ExitStack) -> bool:
    """Whether there is a template. If not, it is this process's to make: others that ask wait until it has.

    Args:
        template: from `path_of`.
        until_made: what holds the others off until it is closed.
    """
    if _use(template):
        return True
    from filelock import FileLock

    locks = cache.directory() / "locks"
    with _said_plainly():
        locks.mkdir(parents=True, exist_ok=True, mode=0o700)
        until_made.enter_context(FileLock(locks / template.name, mode=0o600))
    return _use(template)


def _use(template: Path) -> bool:
    """Whether there is a template; notes that it is used, so that it stays."""
    try:
        os.utime(template)
    except FileNotFoundError:
        return False
    except OSError:
        # somebody else's cache, to be read only
        return os.access(template, os.R_OK)
    return True


def _said_plainly() -> contextlib.AbstractContextManager[None]:
    """As everywhere, but that a cache may be another user's: `sudo` makes it root's."""
    own = f"sudo chown -R $(id -u) {shlex.quote(str(cache.directory()))}"
    return said_plainly(cache.directory(), f"make it yours: {own}; or name another cache with KRATOSCTL_CACHE_DIR")


def _migrate(template: Path, image: str, platform: str | None) -> None:
    words = ["run", "--rm", "--network", "none", "--env", f"DSN={_DSN}", "--tmpfs", "/tmp"]
    words += ["--platform", platform] if platform else []
    words += ["--entrypoint", "sh", image, "-c", _MIGRATE]
    # what it makes is printed, not mounted: folders that a virtual machine shares are no place for SQLite
    with scratch_file(template) as scratch:
        with scratch.open("wb") as file:
            done = program.docker(*words, check=False, stdout=file)
        if done.returncode != 0:
            raise MigrationFailed(
                f"migrating an empty database failed (exit code {done.returncode})",
                last_telling(done.stderr.splitlines()),
                "nothing of yours was touched; try another --release or --kratos-image",
            )
        keep(scratch, template)


def keep(file: Path, template: Path) -> None:
    """Moves a finished file into the cache, whole or not at all, and lets go what was not used for longest."""
    with _said_plainly():
        template.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync(file)
        file.replace(template)
        _remove_unused(template.parent)
    _remove_remains(template.parent)


def _remove_unused(directory: Path) -> None:
    used: list[tuple[float, Path]] = []
    for path in directory.glob("[!.]*"):
        # another process may be at this, too
        with contextlib.suppress(FileNotFoundError):
            used.append((path.stat().st_mtime, path))
    for when, path in sorted(used, reverse=True)[_KEPT:]:
        if when < time.time() - _IN_USE:
            path.unlink(missing_ok=True)


def copy(template: Path, target: Path) -> None:
    """Copies a template into place, whole or not at all.

    Args:
        template: from `make_sqlite` or `path_of`.
        target: the file to make; it must not exist yet.
    """
    with said_plainly(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.name}.new")
        shutil.copyfile(template, scratch)
        sync(scratch)
        scratch.replace(target)


@contextlib.contextmanager
def scratch_file(template: Path) -> Iterator[Path]:
    """A file beside the template to fill and `keep`; gone afterwards if it was not kept."""
    with _said_plainly():
        template.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(prefix=_SCRATCH, dir=template.parent)
        os.close(descriptor)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)


def _remove_remains(directory: Path) -> None:
    """Removes what killed processes left: no template takes an hour to make."""
    for remains in directory.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(OSError):
            if remains.stat().st_mtime < time.time() - 3600:
                remains.unlink()

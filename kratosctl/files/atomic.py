"""Files written whole or not at all, whatever interrupts the writing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from kratosctl.errors import DirectoryReadOnly, DiskFull, EnvironmentBusy

_ANOTHER = "use a directory you may write to: --directory DIR"


def write_atomically(path: Path, text: str | bytes, mode: int | None = None, private: bool = False) -> None:
    """Writes a file whole or not at all, even through a power cut.

    Args:
        path: the file; missing directories are made. A symbolic link is followed.
        text: its content; text is written as UTF-8.
        mode: its permission bits; None leaves those it has, or the caller's umask to decide.
        private: its directory is for the owner alone.

    Raises:
        DiskFull, DirectoryReadOnly: nothing was changed.
    """
    with said_plainly(path):
        path = path.resolve() if path.is_symlink() else path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o777)
        # its own of each writer: threads of one process write the same file, too
        temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            descriptor = os.open(temporary, flags, 0o666 if mode is None else mode)
            with os.fdopen(descriptor, "wb") as file:
                _give_mode(descriptor, path, mode)
                file.write(text.encode() if isinstance(text, str) else text)
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        sync(path.parent)


def _give_mode(descriptor: int, path: Path, mode: int | None) -> None:
    if mode is not None:
        os.fchmod(descriptor, mode)
        return
    with contextlib.suppress(OSError):
        there = path.stat()
        os.fchmod(descriptor, stat.S_IMODE(there.st_mode))
        os.fchown(descriptor, there.st_uid, there.st_gid)


def write_directory(path: Path, files: Mapping[str, str]) -> None:
    """Writes a directory whole or not at all: beside its place first, then into it.

    Args:
        path: the directory; absent or empty.
        files: text by name.

    Raises:
        DiskFull, DirectoryReadOnly: nothing was changed.
        EnvironmentBusy: somebody else filled it meanwhile.
    """
    path = path.resolve()
    remove_remains(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        for name, text in files.items():
            write_atomically(temporary / name, text, 0o644)
        with said_plainly(path):
            try:
                temporary.replace(path)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                fix = "look at it, then run the same command again"
                raise EnvironmentBusy(f"{path} was filled meanwhile", "somebody else writes here", fix) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_remains(path: Path) -> None:
    """Removes what a killed process left beside a directory it was about to write."""
    for remains in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        process = remains.name.split(".")[-2]
        if process.isdecimal() and not _is_alive(int(process)) and remains.is_dir():
            shutil.rmtree(remains, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def said_plainly(path: Path, way: str = _ANOTHER) -> Iterator[None]:
    """Turns the operating system's refusals into our errors.

    Args:
        path: what is written.
        way: what to do where it may not be.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            fix = "free some space, then run the same command again: nothing was half-written"
            raise DiskFull(f"no space left to write {path}", error.strerror or "", fix) from error
        if error.errno is None:
            raise
        shown = str(path) if len(str(path)) <= 200 else "…" + str(path)[-200:]
        raise DirectoryReadOnly(f"cannot write {shown}", error.strerror or "", way) from error


def sync(file: Path) -> None:
    """Waits until a file's content, or the names in a directory, are on the disk."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def one_writer(directory: Path) -> Iterator[None]:
    """Lets one at a time change what people wrote in a directory, whose own lock it is: nothing is left behind."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        # some network file systems have no such locks
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

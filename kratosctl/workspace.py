"""The files of an environment: atomic writes, modes, the lock, and what tells generated files from edited ones."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import yaml

from kratosctl.errors import (
    ConfigurationInvalid,
    DirectoryReadOnly,
    DiskFull,
    EnvironmentBusy,
    GeneratedFileEdited,
)
from kratosctl.stack.files import File
from kratosctl.stack.secrets import KINDS, Secrets

GENERATED = ".kratosctl"
_STATE = "state.json"


@dataclass(frozen=True)
class State:
    """What is allotted once and stays.

    Attributes:
        project: the Compose project.
        directory: the directory it was allotted in, to tell a moved one from a copied one.
        ports: TCP ports of this host by name.
        images: by reference asked for: the image ID (and `digest`, where it came from a registry) it is locked to.
        secrets_generation: counts changes of the secrets.
        migrated: the image ID and the database (a volume's name or a file's inode) it last migrated.
        release: the newest release that ran on this data.
        postgres_major: major version that made the PostgreSQL volume.
        generated: SHA-256 of each generated file as kratosctl wrote it; two while a write is under way.
    """

    project: str = ""
    directory: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    images: dict[str, dict[str, str]] = field(default_factory=dict)
    secrets_generation: int = 1
    migrated: dict[str, str] = field(default_factory=dict)
    release: str = ""
    postgres_major: int = 0
    generated: dict[str, list[str]] = field(default_factory=dict)


class Workspace:
    """The generated directory of one environment: `.kratosctl/<name>/` beside kratosctl.yaml."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory, self.name = directory, name
        self.home = directory / GENERATED / name

    def state(self) -> State:
        """What is allotted; an empty state where nothing is yet.

        Raises:
            ConfigurationInvalid: the file is not what kratosctl wrote.
        """
        path = self.home / _STATE
        try:
            return State(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return State()
        except (OSError, ValueError, TypeError) as error:
            fix = f"move {path} away: ports are allotted anew; data and secrets stay"
            raise ConfigurationInvalid(f"{path} is not readable as kratosctl's state", str(error)[:80], fix) from error

    def save_state(self, state: State) -> None:
        self.write(_STATE, json.dumps(asdict(state), indent=1) + "\n")

    def secrets(self) -> Secrets:
        """The secrets on disk; empty where there are none yet.

        Raises:
            ConfigurationInvalid: a secrets file is damaged. It is never replaced: that would log everybody out.
        """
        kratos = self._read_secret("kratos.yml")
        try:
            data = yaml.safe_load(kratos) or {}
            lists = {kind: tuple(map(str, (data.get("secrets") or {}).get(kind, ()))) for kind in KINDS}
            dsn = str(data.get("dsn", ""))
        except (yaml.YAMLError, AttributeError, TypeError):
            # nothing of the parser's message: it quotes the line
            path = self.home / "secrets" / "kratos.yml"
            fix = "mend it or restore it from a backup; removing it makes new secrets, and logs everybody out"
            raise ConfigurationInvalid(f"{path} is damaged", "it is not the YAML kratosctl wrote", fix) from None
        ui = dict(line.split("=", 1) for line in self._read_secret("ui.env").splitlines() if "=" in line)
        return Secrets(
            **lists,
            postgres_password=self._read_secret("postgres-password"),
            ui_cookie=ui.get("COOKIE_SECRET", ""),
            ui_csrf=ui.get("CSRF_COOKIE_SECRET", ""),
            external_dsn=dsn if dsn.split(":")[0] in ("postgres", "postgresql", "mysql", "cockroach") else "",
        )

    def _read_secret(self, name: str) -> str:
        try:
            return (self.home / "secrets" / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            path = self.home / "secrets" / name
            fix = "mend its permissions, or restore it from a backup"
            raise ConfigurationInvalid(f"{path} cannot be read", type(error).__name__, fix) from None

    def changed(self, files: Sequence[File]) -> list[File]:
        """Those of the files that are not on disk as they are."""
        return [file for file in files if self.read(file.path) != file.text]

    def edited(self, files: Sequence[File], state: State) -> list[str]:
        """Generated files that somebody else changed: neither what kratosctl wrote nor what it would write."""
        found = []
        for file in files:
            text = None if file.secret else self.read(file.path)
            if text is not None and text != file.text and _digest(text) not in state.generated.get(file.path, []):
                found.append(file.path)
        return found

    def refuse_edited(self, files: Sequence[File], state: State) -> None:
        """Stops before an edit is lost.

        Raises:
            GeneratedFileEdited: naming the files and the ways out.
        """
        edited = self.edited(files, state)
        if edited:
            shown = ", ".join(str(Path(GENERATED, self.name, path)) for path in edited)
            way = (
                "copy kratos/ out and set config_dir"
                if edited[0].startswith("kratos/")
                else "use compose.override.yaml"
            )
            raise GeneratedFileEdited(
                f"you edited {shown}",
                "it is generated, and `up` would write over your edit",
                f"{way}; or take kratosctl's version with --overwrite",
            )

    def write_all(self, files: Sequence[File], state: State) -> State:
        """Writes what changed. Interrupted anywhere, each file is whole, old or new, and known as generated.

        Returns the state that is now on disk.
        """
        changed = self.changed(files)
        plain = {file.path: _digest(file.text) for file in files if not file.secret}
        if changed:
            both = {path: [*state.generated.get(path, [])[-1:], digest] for path, digest in plain.items()}
            self.save_state(replace(state, generated=both))
            for file in changed:
                self.write(file.path, file.text, 0o600 if file.secret else 0o644)
        after = replace(state, generated={path: [digest] for path, digest in plain.items()})
        if changed or after != self.state():
            self.save_state(after)
        return after

    def read(self, path: str) -> str | None:
        """A generated file's text; None where it is absent or not text."""
        try:
            return (self.home / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Writes a file of the generated directory, whole or not at all."""
        write_atomically(self.home / path, text, mode, private=path.startswith("secrets/"))

    @contextlib.contextmanager
    def locked(self, command: str, timeout: float, say: Callable[[str], None]) -> Iterator[None]:
        """Holds the environment's lock, which the kernel releases however the process ends.

        Args:
            command: what the holder does, shown to those who wait.
            timeout: seconds to wait for another holder.
            say: told once who is waited for.

        Raises:
            EnvironmentBusy: another process held it for all that time.
        """
        from filelock import FileLock, Timeout

        with said_plainly(self.home):
            self.home.mkdir(parents=True, exist_ok=True)
            ignore = self.directory / GENERATED / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            lock = FileLock(self.home / "lock", mode=0o600)
        holder = self.home / "lock-holder"
        try:
            with said_plainly(self.home):
                lock.acquire(timeout=0)
        except Timeout:
            say(f"waiting for {_read_holder(holder)}, which holds environment {self.name}")
            try:
                lock.acquire(timeout=timeout, poll_interval=0.05)
            except Timeout:
                raise EnvironmentBusy(
                    f"environment {self.name} is held by {_read_holder(holder)}",
                    f"it did not finish within {timeout:g} s",
                    "wait for it, or stop that process",
                ) from None
        try:
            with contextlib.suppress(OSError):
                holder.write_text(f"`kratosctl {command}` (process {os.getpid()}, since {time.strftime('%H:%M:%S')})")
            yield
        finally:
            with contextlib.suppress(OSError):
                holder.unlink()
            lock.release()


def write_atomically(path: Path, text: str, mode: int = 0o644, private: bool = False) -> None:
    """Writes a file whole or not at all, even through a power cut.

    Args:
        path: the file; missing directories are made.
        mode: its permission bits.
        private: its directory is for the owner alone.

    Raises:
        DiskFull, DirectoryReadOnly: nothing was changed.
    """
    with said_plainly(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o777)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchmod(descriptor, mode)
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


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
    _remove_remains(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        for name, text in files.items():
            write_atomically(temporary / name, text)
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


def _remove_remains(path: Path) -> None:
    """Removes what a killed process left beside a directory it was about to write."""
    for remains in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        process = remains.name.split(".")[-2]
        if process.isdigit() and not _is_alive(int(process)) and remains.is_dir():
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
def said_plainly(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals into our errors."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            fix = "free some space, then run the same command again: nothing was half-written"
            raise DiskFull(f"no space left to write {path}", error.strerror or "", fix) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            fix = "use a directory you may write to: --directory DIR"
            raise DirectoryReadOnly(f"cannot write {path}", error.strerror or "", fix) from error
        raise


def _read_holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") or "another kratosctl"
    except OSError:
        return "another kratosctl"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

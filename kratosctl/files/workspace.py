"""The files of an environment: written whole, with their modes, under a lock; and which of them somebody edited."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from kratosctl.errors import ConfigurationInvalid, GeneratedFileEdited, KratosctlError
from kratosctl.files import lock
from kratosctl.files.atomic import said_plainly, write_atomically
from kratosctl.files.state import State, parse
from kratosctl.stack.files import File
from kratosctl.stack.inbox import PASSWORD_FILE
from kratosctl.stack.secrets import KINDS, Secrets, postgres_dsn

GENERATED = ".kratosctl"
RESTORE_NOTE = "restore.json"
UPGRADE_NOTE = "upgrade.json"
UPGRADE_CLONE = "upgrade-rehearsal"
# the TLS proxy of a workshop, beside the environments, and the certificate of its authority as Caddy lays it out
PROXY = ".proxy"
AUTHORITY = "authority/pki/authorities/local/root.crt"
# what replaces the content of a database has begun, and which snapshot undoes it
CONTENT_NOTE = "content.json"
# among the secrets: it holds the texts of files that may hold some, and somebody's password
LESSON_NOTE = "secrets/lesson.json"
# Kratos was stopped, to be started again at once
STOPPED_NOTE = "stopped.json"
# a database that `up` made is still to be filled with the environment's seed; the file says which kind it is
SEED_WANTED = "seed-wanted"
REPLACED = ".replaced-"  # before the name of a snapshot: it was about to be replaced by another
_STATE = "state.json"
# what it means to lose a file of secrets
_LOST = {"kratos.yml": "logs everybody out", "mail-password": "the inbox has another one then"}
_UNNAMEABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Workspace:
    """The generated directory of one environment: `.kratosctl/<name>/` beside kratosctl.yaml.

    Attributes:
        directory: where kratosctl.yaml lies.
        name: the environment.
        home: the generated directory.
        sqlite: the SQLite database, where that lies on this host.
    """

    def __init__(self, directory: Path, name: str, called: str = "") -> None:
        """
        Args:
            directory: where kratosctl.yaml lies.
            name: the environment.
            called: what it is called where somebody waits for it; `environment NAME` by default.

        Raises:
            ConfigurationInvalid: no Compose file can name the directory.
        """
        if _UNNAMEABLE.search(str(directory)):
            what = f"the directory {ascii(str(directory))[:200]} cannot be used"
            raise ConfigurationInvalid(what, "its path holds control characters, or is not UTF-8", "rename it")
        self.directory, self.name = directory, name
        self._called = called or f"environment {name}"
        self.home = directory / GENERATED / name
        self.sqlite = self.home / "database" / "db.sqlite"

    def state(self) -> State:
        """What is allotted; an empty state where nothing is yet.

        Raises:
            ConfigurationInvalid: the file is not what kratosctl wrote.
        """
        path = self.home / _STATE
        try:
            return parse(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return State()
        except (OSError, ValueError, TypeError, RecursionError) as error:
            fix = f"move {path} away: ports are allotted anew; data and secrets stay"
            raise ConfigurationInvalid(f"{path} is not readable as kratosctl's state", str(error)[:80], fix) from error

    def save_state(self, state: State) -> None:
        self.write(_STATE, json.dumps(asdict(state), indent=1) + "\n")

    def secrets(self) -> Secrets:
        """The secrets on disk; empty where there are none yet.

        Raises:
            ConfigurationInvalid: a secrets file is damaged. It is never replaced: that would log everybody out.
        """
        password, ui = self._read_secret("postgres-password"), self._read_secret("ui.env") or ""
        inbox = self._read_secret(PASSWORD_FILE.rpartition("/")[2]) or ""
        lines = dict(line.split("=", 1) for line in ui.splitlines() if "=" in line)
        others = Secrets(
            # an editor may have added a line break; PostgreSQL's image does not read it either
            postgres_password=(password or "").rstrip("\n"),
            ui_cookie=lines.get("COOKIE_SECRET", ""),
            ui_csrf=lines.get("CSRF_COOKIE_SECRET", ""),
            inbox_password=inbox.strip(),
        )
        if password is not None and not others.postgres_password:
            raise self._damaged("postgres-password", "it is empty")
        kratos = self._read_secret("kratos.yml")
        if kratos is None:
            return others
        try:
            data = yaml.safe_load(kratos)
            lists: dict[str, Any] = {kind: _texts(data.get("secrets", {}).get(kind, [])) for kind in KINDS}
            # an empty one was written where nobody had said which
            (dsn,) = _texts([data["dsn"]]) if data["dsn"] != "" else ("",)
        except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, RecursionError):
            # nothing of the parser's message: it quotes the line
            raise self._damaged("kratos.yml", "it is not the YAML kratosctl wrote") from None
        theirs = dsn.split(":")[0] in ("postgres", "postgresql", "mysql", "cockroach")
        ours = dsn == postgres_dsn(others.postgres_password)
        return replace(others, **lists, external_dsn=dsn if theirs and not ours else "")

    def _read_secret(self, name: str) -> str | None:
        try:
            return (self.home / "secrets" / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise self._damaged(name, "it is not text") from None
        except OSError as error:
            path = self.home / "secrets" / name
            fix = "mend its permissions, or restore it from a backup"
            raise ConfigurationInvalid(f"{path} cannot be read", error.strerror or "", fix) from None

    def _damaged(self, name: str, why: str) -> ConfigurationInvalid:
        lost = _LOST.get(name, "Kratos is then refused by its database")
        fix = f"mend it or restore it from a backup; removing it makes new secrets: {lost}"
        return ConfigurationInvalid(f"{self.home / 'secrets' / name} is damaged", why, fix)

    @property
    def has_unfinished(self) -> bool:
        """What changes data is under way, or was interrupted."""
        notes = (STOPPED_NOTE, CONTENT_NOTE, RESTORE_NOTE, UPGRADE_NOTE, UPGRADE_CLONE)
        return any((self.home / name).exists() for name in notes)

    def note(self, name: str) -> dict[str, Any] | None:
        """What a command that changes data left on disk about how far it came; None where there is nothing.

        Raises:
            ConfigurationInvalid: the file is not what kratosctl wrote.
        """
        text = self.read(name)
        try:
            note = json.loads(text) if text else None
        except (ValueError, RecursionError):
            note = text
        if note is None or isinstance(note, dict):
            return note
        fix = "mend it, or remove it: what it tells of is then neither finished nor undone"
        raise ConfigurationInvalid(f"{self.home / name} is damaged", "it is not the JSON kratosctl wrote", fix)

    def write_note(self, name: str, note: Mapping[str, Any]) -> None:
        """Notes how far a command that changes data has come."""
        self.write(name, json.dumps(note) + "\n")

    def remove_note(self, name: str) -> None:
        """The command has come to its end."""
        (self.home / name).unlink(missing_ok=True)

    @property
    def lesson(self) -> str:
        """The lesson that runs, or was begun; empty where there is none."""
        try:
            return str((self.note(LESSON_NOTE) or {}).get("lesson", ""))
        except ConfigurationInvalid:
            return ""

    @property
    def wants_seed(self) -> bool:
        """A database that `up` made is still to be filled."""
        return (self.home / SEED_WANTED).exists()

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
                f"{way}; or take kratosctl's version: kratosctl up {{env}} --overwrite",
            )

    def write_all(self, files: Sequence[File], state: State) -> State:
        """Writes what changed. Interrupted anywhere, each file is whole, old or new, and known as generated.

        Returns the state that is now on disk.
        """
        changed = self.changed(files)
        plain = {file.path: _digest(file.text) for file in files if not file.secret}
        if changed:
            # all of them, however often it was interrupted: any may be on disk
            both = {path: list(dict.fromkeys([*state.generated.get(path, []), new])) for path, new in plain.items()}
            self.save_state(replace(state, generated=both))
            for file in changed:
                self.write(file.path, file.text, 0o600 if file.secret else 0o644)
        self._close_secrets()
        after = replace(state, generated={path: [digest] for path, digest in plain.items()})
        if changed or after != self.state():
            self.save_state(after)
        return after

    def _close_secrets(self) -> None:
        """A copy or a restored backup may have come with other permissions. Some file systems know none."""
        directory = self.home / "secrets"
        with contextlib.suppress(OSError):
            self.home.chmod(0o700)
            directory.chmod(0o700)
            for path in directory.iterdir():
                path.chmod(0o600)

    def read(self, path: str) -> str | None:
        """A generated file's text; None where it is absent or not text."""
        try:
            return (self.home / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Writes a file of the generated directory, whole or not at all."""
        write_atomically(self.home / path, text, mode, private=path.startswith("secrets/"))

    def _remove_remains(self) -> None:
        """Removes what killed processes were writing; whoever holds the lock is the only one to write."""
        for remains in (*self.home.glob(".*.tmp"), *self.home.glob("*/.*.tmp")):
            with contextlib.suppress(OSError):
                remains.unlink()
        for remains in self.home.glob("snapshots/.*-*"):
            kept = remains.with_name(remains.name.removeprefix(REPLACED))
            with contextlib.suppress(OSError):
                if remains.name.startswith(REPLACED) and not kept.exists():
                    remains.rename(kept)
                else:
                    shutil.rmtree(remains)

    @property
    def is_held(self) -> bool:
        """Whether somebody holds the environment's lock now."""
        return lock.is_held(self.home / lock.FILE)

    @contextlib.contextmanager
    def locked(self, command: str, timeout: float, say: Callable[[str], None]) -> Iterator[None]:
        """Holds the environment's lock, which the kernel releases however the process ends. Whoever has it goes on.

        Args:
            command: what the holder does, shown to those who wait.
            timeout: seconds to wait for another holder.
            say: told once who is waited for.

        Raises:
            EnvironmentBusy: another process held it for all that time.
        """
        with said_plainly(self.home):
            # the database lies in it: whoever can read that can sign in as anybody
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            ignore = self.directory / GENERATED / ".gitignore"
            if not ignore.exists():
                write_atomically(ignore, "*\n")
        try:
            with lock.held(self.home, self._called, command, timeout, say) as new:
                if new:
                    self._remove_remains()
                yield
        except KratosctlError as error:
            # who holds an environment's lock acts for it; a workshop's own is none
            if not self.name.startswith("."):
                error.environment = error.environment or self.name
            raise


def authority(directory: Path) -> Path:
    """The certificate by which attendees of a workshop know its seats, where they come by TLS."""
    return directory / GENERATED / PROXY / AUTHORITY


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise TypeError("not a list of texts")
    return tuple(values)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

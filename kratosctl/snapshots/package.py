"""The file that a snapshot is handed on in: a zip with a manifest in front. What comes in is believed of nobody."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

from kratosctl.errors import ConfigurationInvalid, KratosctlError, SnapshotDamaged, SnapshotForeign, SnapshotMissing
from kratosctl.files.atomic import said_plainly, sync
from kratosctl.snapshots.store import Snapshot, check_name

FORMAT = 1
_MANIFEST = "manifest.json"
_DATABASE = "database"
_CONFIGURATION = "configuration/"
_LARGEST_MANIFEST = 1_000_000
_LARGEST_CONFIGURATION = 5_000_000
_MOST_FILES = 500
_LONGEST_TEXT = 1000
# nothing that Kratos keeps is packed more tightly; what is was made to fill a disk
_TIGHTEST = 200
_SMALL = 64_000_000
# in any language; no path, nothing hidden, nothing that a shell or a file system takes for something else
_NAME = re.compile(r"\w[\w.+@=,~() -]{0,99}")
_TIME = (1980, 1, 1, 0, 0, 0)
_ENGINES = ("sqlite", "postgres")


@dataclass(frozen=True)
class Manifest:
    """What a package says of itself.

    Attributes:
        environment: the name of the environment it comes from.
        answers: what kratosctl.yaml says of it.
        snapshot: the facts of the snapshot.
        files: SHA-256 by name of each file of Kratos' configuration, where that is the user's own.
        secrets: the secrets of Kratos by kind; empty where they were not asked for.
    """

    environment: str
    answers: Mapping[str, Any]
    snapshot: Snapshot
    files: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, list[str]] = field(default_factory=dict, repr=False)


def write(target: Path, manifest: Manifest, database: Path, configuration: Mapping[str, bytes]) -> None:
    """Writes a package, whole or not at all, even through a power cut, for the owner's eyes alone.

    Args:
        target: the file.
        manifest: all but the digests of the files.
        database: the snapshot's content.
        configuration: the files of Kratos' configuration by name.

    Raises:
        ConfigurationInvalid: it holds what nobody could take in.
        DiskFull, DirectoryReadOnly: nothing is left behind.
    """
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in configuration.items()}
    note = "".join(char if char.isprintable() else " " for char in manifest.snapshot.note)[:_LONGEST_TEXT]
    manifest = replace(manifest, snapshot=replace(manifest.snapshot, note=note))
    head = {"format": FORMAT, **asdict(manifest), "files": digests}
    _check(head, configuration)
    making = target.with_name(f".{target.name}.making")
    with said_plainly(target):
        try:
            # of one that was killed, or somebody else's: what is written there is for the owner alone
            making.unlink(missing_ok=True)
            making.touch(mode=0o600, exist_ok=False)
            with zipfile.ZipFile(making, "w", zipfile.ZIP_DEFLATED) as package:
                package.writestr(zipfile.ZipInfo(_MANIFEST, _TIME), json.dumps(head, indent=1))
                _add(package, _DATABASE, database)
                for name, content in configuration.items():
                    package.writestr(zipfile.ZipInfo(_CONFIGURATION + name, _TIME), content)
            sync(making)
            making.replace(target)
            sync(target.parent)
        finally:
            making.unlink(missing_ok=True)


def _check(head: dict[str, Any], configuration: Mapping[str, bytes]) -> None:
    """Refuses to pack what `opened` would refuse to unpack."""
    what = "the environment cannot be handed on as it is"
    try:
        _manifest(json.loads(json.dumps(head)))
    except (ValueError, TypeError) as error:
        raise ConfigurationInvalid(what, str(error), "change that, then export again") from error
    for name, content in configuration.items():
        if len(content) > _LARGEST_CONFIGURATION:
            raise ConfigurationInvalid(what, f"{name} is too large for a configuration file", "move it elsewhere")


def _add(package: zipfile.ZipFile, name: str, content: Path) -> None:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    with content.open("rb") as source, package.open(entry, "w", force_zip64=True) as target:
        shutil.copyfileobj(source, target, 1 << 20)


class Package:
    """A package that was opened and looked at; see `opened`.

    Attributes:
        manifest: what it says of itself.
    """

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive, self._path = archive, path
        self.manifest = self._read_manifest()
        self._check_entries()

    def copy_database(self, target: Path) -> None:
        """Writes the snapshot's content to a path, and checks it.

        Raises:
            SnapshotDamaged: it is not what was packed.
        """
        snapshot, found, size = self.manifest.snapshot, hashlib.sha256(), 0
        with _said(self._path), self._archive.open(_DATABASE) as source, target.open("wb") as file:
            while block := source.read(1 << 20):
                size += len(block)
                if size > snapshot.size:
                    break
                found.update(block)
                file.write(block)
        if (size, found.hexdigest()) != (snapshot.size, snapshot.sha256):
            raise self._damaged("its database is not what was packed: the checksum differs")

    def configuration(self) -> dict[str, bytes]:
        """The files of Kratos' configuration, checked.

        Raises:
            SnapshotDamaged: one is not what was packed.
        """
        found = {}
        for name, digest in self.manifest.files.items():
            with _said(self._path), self._archive.open(_CONFIGURATION + name) as file:
                found[name] = file.read(_LARGEST_CONFIGURATION)
            if hashlib.sha256(found[name]).hexdigest() != digest:
                raise self._damaged(f"{name} is not what was packed: the checksum differs")
        return found

    def _read_manifest(self) -> Manifest:
        with _said(self._path):
            if self._archive.getinfo(_MANIFEST).file_size > _LARGEST_MANIFEST:
                raise self._damaged("its manifest is too large to be one")
            with self._archive.open(_MANIFEST) as file:
                data = json.loads(file.read(_LARGEST_MANIFEST))
            if isinstance(data, dict) and isinstance(data.get("format"), int) and data["format"] > FORMAT:
                what = f"{self._path} was made by a newer kratosctl"
                raise SnapshotForeign(what, f"its format is {data['format']}, known is {FORMAT}", "upgrade kratosctl")
            return _manifest(data)

    def _check_entries(self) -> None:
        """Refuses what the manifest does not name, and what would fill the disk."""
        entries = self._archive.infolist()
        wanted = [_MANIFEST, _DATABASE, *(_CONFIGURATION + name for name in self.manifest.files)]
        names = [entry.filename for entry in entries]
        if sorted(names) != sorted(wanted):
            strange = next(iter(sorted(set(names) ^ set(wanted))), "an entry that stands in it twice")
            raise self._damaged(f"it does not hold what its manifest says: {ascii(strange)[:80]}")
        for entry in entries:
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
                raise self._damaged(f"{entry.filename} is packed in a way that kratosctl does not use")
            if entry.filename.startswith(_CONFIGURATION) and entry.file_size > _LARGEST_CONFIGURATION:
                raise self._damaged(f"{entry.filename[:80]} is too large for a configuration file")
        size, packed = sum(entry.file_size for entry in entries), self._path.stat().st_size
        if size > max(_SMALL, packed * _TIGHTEST):
            raise self._damaged(f"its {packed} bytes would unpack to {size}: no snapshot is packed so tightly")

    def _damaged(self, why: str) -> SnapshotDamaged:
        return damaged(self._path, why)


@contextmanager
def opened(path: Path) -> Iterator[Package]:
    """Opens a package and checks all but its content.

    Raises:
        SnapshotMissing: there is no such file.
        SnapshotDamaged: it is no package, or not whole, or not what it says.
        SnapshotForeign: a newer kratosctl made it.
    """
    try:
        file: IO[bytes] = path.open("rb")
    except OSError as error:
        raise SnapshotMissing(
            f"{path} cannot be read", error.strerror or "", "kratosctl snapshot export makes one"
        ) from error
    with file:
        with _said(path):
            archive = zipfile.ZipFile(file)
        with archive:
            yield Package(archive, path)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Whatever Python's modules for zip and JSON make of a broken file, in one line."""
    try:
        yield
    except KratosctlError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            # of the disk, not of the file
            raise
        raise damaged(path, ascii(str(error))[1:-1][:120] or "it ends too early") from error


def damaged(path: Path, why: str) -> SnapshotDamaged:
    """The error for a package that is not what kratosctl packed."""
    return SnapshotDamaged(
        f"{path} is no snapshot that kratosctl can take", why, "nothing was changed; ask for it again"
    )


def _manifest(data: Any) -> Manifest:
    """The manifest that a JSON document holds; ValueError or TypeError where it is none."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError("its manifest has no format that is known")
    files, secrets, answers = (_mapping(data.get(key)) for key in ("files", "secrets", "answers"))
    if len(files) > _MOST_FILES:
        raise ValueError("it holds too many files")
    for name, digest in files.items():
        parts = PurePosixPath(name).parts
        if not parts or "/".join(parts) != name or not all(_NAME.fullmatch(part) for part in parts):
            raise ValueError(f"{ascii(name)[:80]} cannot name a file of Kratos' configuration")
        _text(digest)
    for kind, values in secrets.items():
        if kind not in ("default", "cookie", "cipher") or not isinstance(values, list):
            raise ValueError("its secrets are none of Kratos'")
        for value in values:
            _text(value)
    return Manifest(_text(data.get("environment")), answers, _snapshot(_mapping(data.get("snapshot"))), files, secrets)


def _snapshot(data: dict[str, Any]) -> Snapshot:
    snapshot = Snapshot(**data)
    for key in ("name", "engine", "release", "network", "created", "sha256", "note"):
        _text(getattr(snapshot, key))
    for key in ("migrations", "identities", "size"):
        if type(getattr(snapshot, key)) is not int or getattr(snapshot, key) < 0:
            raise ValueError(f"its {key} is no number")
    if snapshot.engine not in _ENGINES or not re.fullmatch(r"v\d+\.\d+\.\d+", snapshot.release):
        raise ValueError("its database or its release is none of Kratos'")
    check_name(snapshot.name)
    return snapshot


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise TypeError("its manifest is not what kratosctl writes")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise TypeError("its manifest is not what kratosctl writes")
    return value

"""`workshop bundle` and `load`: one checksummed file with all a class needs, for a room without internet.

A tar file: `manifest.json` last, with the SHA-256 of each member before it; `images.tar` as `docker save` writes it;
`files/` with workshop.yaml and what it refers to.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from kratosctl import __version__
from kratosctl.answers import workshop_file
from kratosctl.console import Console
from kratosctl.engine import program, reading
from kratosctl.errors import BundleDamaged, DirectoryReadOnly, ImageMissing, UsageError
from kratosctl.files import override
from kratosctl.files.atomic import said_plainly
from kratosctl.files.workspace import GENERATED
from kratosctl.kratos import config_dir, log_lines
from kratosctl.results import Result, counted, sized
from kratosctl.snapshots.handing import SUFFIX
from kratosctl.stages import images
from kratosctl.workshop import handout, image_tar, proxy, seats
from kratosctl.workshop.seats import Seat

_MANIFEST, _IMAGES, _FILES = "manifest.json", "images.tar", "files/"
_FORMAT = 1
_CHUNK = 1 << 20
_SHOWN = 5
_ALWAYS = (workshop_file.FILE_NAME, "kratosctl.yaml", *override.NAMES)


def bundle(directory: Path, target: Path, overwrite: bool, console: Console) -> Result:
    """Writes the file.

    Args:
        directory: where workshop.yaml lies.
        target: the file to write.
        overwrite: replace one that is there.
        console: where steps are shown.

    Raises:
        UsageError: there is a file of that name, or a seat is made from what lies elsewhere.
        ImageMissing: an image is not on this engine.
        DiskFull, DirectoryReadOnly: nothing was written.
    """
    workshop, everyone = seats.chosen(directory, (), everybody=True)
    if target.exists() and not overwrite:
        raise UsageError(f"{target} is there already", fix="say --overwrite to replace it")
    seats.refuse_impossible(everyone)
    references = _references(directory, everyone)
    sources = list(_sources(directory, everyone, target))
    with said_plainly(target), tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        saved, made = Path(scratch, _IMAGES), Path(scratch, "bundle")
        with console.step(f"bundle {counted(len(references), 'image')}"):
            program.docker("save", "--output", str(saved), *references)
            _write(made, workshop.name, references, [(_IMAGES, saved), *sources])
        # one's own configuration may hold secrets, and a seed passwords
        made.chmod(0o600)
        made.replace(target)
    size = target.stat().st_size
    data = {"workshop": workshop.name, "file": str(target), "size": size, "images": references}
    data["files"] = [name.removeprefix(_FILES) for name, _ in sources]
    held = f"{counted(len(references), 'image')}, {counted(len(sources), 'file')}"
    said = f"wrote {target}, {sized(size)}: {held}"
    given = sorted({seat.environment.config_dir for seat in everyone if seat.environment.config_dir})
    warnings = [warning for name in given for warning in config_dir.warnings(directory, name)]
    own = override.file(directory)
    if own:
        warnings.append(f"{own.name} is in it, but no file that it mounts, reads or builds from: take those along")
    return Result("workshop bundle", data, lambda: f"{said}\nthere: kratosctl workshop load {target.name}", warnings)


def _references(directory: Path, everyone: list[Seat]) -> list[str]:
    """The images of all seats and of the user's own services, which must be here."""
    needed = [reference for seat in everyone for reference in images.needed(seat.environment)]
    wanted = list(dict.fromkeys([*needed, *override.images(directory)]))
    secure = proxy.behind(everyone)
    if secure:
        wanted.append(secure[0].environment.proxy_image)
    missing = [reference for reference, found in reading.images(wanted).items() if found is None]
    if missing:
        raise ImageMissing(
            f"image {missing[0]} is not here", fix="bring the workshop up once, where there is a network"
        )
    return wanted


def _sources(directory: Path, everyone: list[Seat], target: Path) -> Iterator[tuple[str, Path]]:
    """The files a class is made from, each once: no secret that kratosctl made, and no data.

    Raises:
        UsageError: one lies elsewhere, or where kratosctl keeps secrets.
        ConfigurationInvalid: one cannot be read.
    """
    given = {value for seat in everyone for value in (seat.environment.config_dir, seat.environment.seed) if value}
    found = {PurePosixPath(name) for name in _ALWAYS if (directory / name).is_file()}
    for name in sorted(given):
        within = _within(directory, directory / name)
        inside = list(config_dir.files(directory, name)) if (directory / name).is_dir() else [""]
        found |= {within / path for path in inside if within.parts or not _was_handed_out(path)}
    for one in sorted(found):
        real = directory / _within(directory, (directory / one).resolve())
        if real != target.resolve() and real.is_file():
            yield f"{_FILES}{one}", real


def _was_handed_out(name: str) -> bool:
    """What a class made beside its files, where its configuration directory is the workshop's own."""
    return name.endswith(SUFFIX) or PurePosixPath(name).parts[0] == handout.DIRECTORY


def _within(directory: Path, path: Path) -> PurePosixPath:
    """A path as seen from the directory; one that leaves it, or leads to what kratosctl generated, is refused."""
    # not resolved: what is reached by a link is known by the link's name there, too
    name = Path(os.path.normpath(path))
    if not name.is_relative_to(directory):
        raise UsageError(
            f"{path} lies outside {directory}", "its place on another machine is not known", "copy it in here"
        )
    within = PurePosixPath(name.relative_to(directory).as_posix())
    if GENERATED in within.parts[:1]:
        raise UsageError(f"{within} cannot be bundled", f"secrets lie in {GENERATED}", "copy it to another place")
    return within


def _write(target: Path, name: str, references: list[str], sources: list[tuple[str, Path]]) -> None:
    digests = {}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for member, path in sources:
            with path.open("rb") as source:
                digests[member] = _digest(source)
                source.seek(0)
                entry = tarfile.TarInfo(member)
                there = path.stat()
                # one that others cannot read here is not for others there
                entry.size, entry.mode = there.st_size, 0o644 if there.st_mode & 0o044 else 0o600
                tar.addfile(entry, source)
        manifest = {
            "format": _FORMAT,
            "kratosctl": __version__,
            "workshop": name,
            "images": references,
            "sha256": digests,
        }
        text = json.dumps(manifest, indent=1).encode()
        entry = tarfile.TarInfo(_MANIFEST)
        entry.size, entry.mode = len(text), 0o644
        tar.addfile(entry, io.BytesIO(text))


def _digest(source: BinaryIO) -> str:
    found = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        found.update(chunk)
    return found.hexdigest()


def load(source: Path, directory: Path, overwrite: bool, console: Console) -> Result:
    """Takes a bundle in: its images into the engine, its files beside each other here.

    Args:
        source: the file.
        directory: where workshop.yaml shall lie.
        overwrite: replace files that are there and differ.
        console: where steps are shown.

    Raises:
        BundleDamaged: it is not whole, or not one, or has images that it does not list; nothing was changed.
        UsageError: a file of its is there already, and differs; or what is there has no room for it.
        DiskFull, DirectoryReadOnly: no file was changed.
    """
    with said_plainly(directory), tempfile.TemporaryDirectory(dir=directory, prefix=".bundle-") as scratch:
        staged = Path(scratch)
        with console.step(f"check {source.name}"):
            manifest = _unpack(source, staged)
        changed = [name for name in _inside(manifest["sha256"]) if _differs(staged / _FILES / name, directory / name)]
        _refuse_occupied(directory, changed, overwrite)
        references = manifest["images"]
        before = reading.images(references)
        with console.step(f"load {counted(len(references), 'image')}"):
            program.docker("load", "--quiet", "--input", str(staged / _IMAGES))
        replaced = [name for name, now in reading.images(references).items() if before[name] not in (None, now)]
        _move_in(staged, directory, changed)
    data = {"workshop": manifest["workshop"], "images": references, "written": [str(name) for name in changed]}
    said = f"loaded {manifest['workshop']}: {', '.join(references)}; {counted(len(changed), 'file')}"
    return Result("workshop load", data, lambda: f"{said}\nnext: kratosctl workshop up", _warnings(changed, replaced))


def _warnings(changed: Sequence[PurePosixPath], replaced: Sequence[str]) -> list[str]:
    """What somebody should know before they run what came from elsewhere."""
    overrides = [str(name) for name in changed if str(name) in override.NAMES]
    # such as .envrc or .git/config
    hidden = [log_lines.shown(str(name)) for name in changed if any(part.startswith(".") for part in name.parts)]
    listed = ", ".join(hidden[:_SHOWN]) + (f" and {len(hidden) - _SHOWN} more" if len(hidden) > _SHOWN else "")
    return [
        *(f"{name} came with it and changes every seat: what of this host may it mount? read it" for name in overrides),
        *([f"{listed} came with it, hidden: which programs here would obey such a file? read it"] if hidden else []),
        *(f"{name} is another image here now" for name in replaced),
    ]


def _inside(members: Iterable[str]) -> list[PurePosixPath]:
    """The paths of a bundle's files in the directory; workshop.yaml, by which there is a workshop, last."""
    names = [PurePosixPath(member.removeprefix(_FILES)) for member in members if member.startswith(_FILES)]
    return sorted(names, key=lambda name: (str(name) == workshop_file.FILE_NAME, name))


def _refuse_occupied(directory: Path, changed: Sequence[PurePosixPath], overwrite: bool) -> None:
    """Refuses a place where files cannot be put, before anything is."""
    for name in changed:
        target = directory / name
        if target.exists() and not overwrite:
            raise UsageError(f"{name} is there already, and differs", fix="say --overwrite, or load it elsewhere")
        if target.is_dir():
            raise UsageError(f"{name} is a directory here", "in the bundle it is a file", "load it elsewhere")
        above = next(path for path in target.parents if path.exists())
        if not above.is_dir():
            raise UsageError(f"{above} is a file here", "in the bundle it is a directory", "load it elsewhere")
        if not os.access(above, os.W_OK | os.X_OK):
            raise DirectoryReadOnly(f"cannot write to {above}", fix="load it elsewhere, or mend its permissions")


def _move_in(staged: Path, directory: Path, changed: Sequence[PurePosixPath]) -> None:
    """Moves files to their places: all of them, or none."""
    kept = staged / "kept"
    kept.mkdir()
    moved: list[tuple[Path, Path]] = []
    try:
        for number, name in enumerate(changed):
            target, before = directory / name, kept / str(number)
            target.parent.mkdir(parents=True, exist_ok=True)
            moved.append((target, before))
            if target.exists():
                shutil.copy2(target, before)
            shutil.move(staged / _FILES / name, target)
    except BaseException:
        for target, before in reversed(moved):
            with contextlib.suppress(OSError):
                shutil.move(before, target) if before.exists() else target.unlink(missing_ok=True)
        raise


def _differs(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() != other.read_bytes()
    except OSError:
        return True


def _unpack(source: Path, scratch: Path) -> dict[str, Any]:
    """Unpacks a bundle beside its place, and compares every checksum."""
    digests: dict[str, str] = {}
    manifest: Any = {}
    try:
        with tarfile.open(source, "r:") as tar:
            for entry in tar:
                # one with holes is as large as it says, however little of it is here
                content = tar.extractfile(entry) if entry.isreg() and not entry.issparse() else None
                if content is None or entry.name in digests or not _is_ours(entry.name):
                    raise _damaged(source, f"{entry.name[:60]!r} does not belong there")
                if entry.name == _MANIFEST:
                    manifest = json.load(content)
                    continue
                target = scratch / entry.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as out:
                    if not entry.mode & 0o044:
                        target.chmod(0o600)
                    shutil.copyfileobj(content, out, _CHUNK)
                with target.open("rb") as written:
                    digests[entry.name] = _digest(written)
    except FileNotFoundError as error:
        raise UsageError(f"there is no {source}") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _damaged(source, "one of its parts is a file and a directory") from error
    except (tarfile.TarError, ValueError, EOFError, RecursionError) as error:
        raise _damaged(source, str(error)[:100]) from error
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise _damaged(source, "it has no list of its parts, or one of another kratosctl")
    if manifest.get("sha256") != digests or not {_IMAGES, _FILES + workshop_file.FILE_NAME} <= set(digests):
        raise _damaged(source, "a part of it is not what was written")
    if not isinstance(manifest.get("workshop"), str) or not _are_texts(manifest.get("images")):
        raise _damaged(source, "its list says neither a name nor images")
    _refuse_unlisted(source, scratch / _IMAGES, manifest["images"])
    return manifest


def _refuse_unlisted(source: Path, saved: Path, references: Sequence[str]) -> None:
    """Refuses images that would take the place of others here, and that the bundle does not speak of."""
    try:
        unlisted = image_tar.others(saved, references)
    except (tarfile.TarError, ValueError, EOFError, RecursionError) as error:
        raise _damaged(source, f"its images: {str(error)[:80]}") from error
    if unlisted:
        raise _damaged(source, f"it holds {unlisted[0][:80]}, which its list of images does not name")


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _is_ours(name: str) -> bool:
    """A member that a bundle can have: its path is as `bundle` writes one, and leads neither out nor to secrets."""
    if not name.startswith(_FILES):
        return name in (_MANIFEST, _IMAGES)
    path = PurePosixPath(name.removeprefix(_FILES))
    plain = f"{_FILES}{path}" == name and not path.is_absolute() and "\0" not in name
    # some file systems do not tell capitals apart
    return plain and bool(path.parts) and ".." not in path.parts and path.parts[0].casefold() != GENERATED


def _damaged(source: Path, why: str) -> BundleDamaged:
    return BundleDamaged(f"{source} is not a whole bundle", why, "copy it again from where it was made")

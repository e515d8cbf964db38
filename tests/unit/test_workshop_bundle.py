"""A workshop's bundle: what goes into it, and what of somebody else's is let out of it. Without an engine."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.commands import export
from kratosctl.console import Console
from kratosctl.errors import BundleDamaged, ChoiceImpossible, DiskFull, UsageError
from kratosctl.stack.files import File
from kratosctl.workshop import bundle, image_tar

QUIET = Console(quiet=True)


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """An engine that has every image; what it was told."""
    said: list[tuple[str, ...]] = []

    def run(*words: str) -> None:
        said.append(words)
        if words[0] == "save":
            Path(words[2]).write_bytes(b"images")

    monkeypatch.setattr(bundle, "program", SimpleNamespace(docker=run))
    monkeypatch.setattr(bundle, "reading", SimpleNamespace(images=lambda wanted: dict.fromkeys(wanted, 1)))
    return said


@pytest.fixture
def classroom(tmp_path: Path, docker: list[tuple[str, ...]]) -> Callable[..., list[str]]:
    """Makes a class of what is said, bundles it, and returns the files in the bundle."""

    def make(files: Mapping[str, str], **environment: str) -> list[str]:
        workshop_file.write(tmp_path, Workshop("class", environment, {"seat-01": "", "seat-02": ""}))
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        bundle.bundle(tmp_path, tmp_path / "class.tar", True, QUIET)
        with tarfile.open(tmp_path / "class.tar") as tar:
            return [name.removeprefix("files/") for name in tar.getnames() if name.startswith("files/")]

    return make


SECRETS = {
    ".env": "PASSWORD=1",
    ".kratosctl/seat-01/secrets/kratos.yml": "secret",
    ".kratosctl/.proxy/authority/root.key": "key",
    ".git/config": "token",
    "handouts/all.html": "password",
    "taken/seat-01.kratos.zip": "data",
}


def test_a_bundle_of_a_directory_that_is_its_own_configuration_holds_no_secret_and_each_file_once(
    classroom: Callable[..., list[str]],
) -> None:
    files = {**SECRETS, "kratos.yml": "{}", "schemas/person.json": "{}"}

    classroom(files, config_dir=".")
    # again, over the first
    found = classroom(files, config_dir=".")

    assert found == ["kratos.yml", "schemas/person.json", "workshop.yaml"]


def test_what_was_rendered_below_a_configuration_directory_leaves_its_secrets_here(
    classroom: Callable[..., list[str]], tmp_path: Path
) -> None:
    rendered = [File("seat-01/stack.yaml", "{}"), File("seat-01/secrets/kratos.yml", "secret", secret=True)]
    pages = [File("handouts/seat-01.html", "password", private=True)]
    export.write_files([*rendered, *pages], tmp_path / "swarm", overwrite=False)

    found = classroom({"kratos.yml": "{}"}, config_dir=".")

    assert found == ["kratos.yml", "swarm/seat-01/stack.yaml", "workshop.yaml"]


def test_hidden_files_of_a_configuration_directory_stay_here(classroom: Callable[..., list[str]]) -> None:
    files = {"kratos/kratos.yml": "{}", "kratos/.env": "PASSWORD=1", "kratos/.git/config": "", "people.csv": "a"}

    found = classroom({**SECRETS, **files}, config_dir="./kratos/../kratos", seed="people.csv")

    assert found == ["kratos/kratos.yml", "people.csv", "workshop.yaml"]


def test_secrets_of_ones_own_configuration_that_travel_are_named(
    classroom: Callable[..., list[str]], tmp_path: Path
) -> None:
    classroom({"kratos/kratos.yml": "{}"}, config_dir="kratos")
    (tmp_path / "kratos" / "kratos.yml").write_text("courier: {smtp: {connection_uri: 'smtp://me:hunter2@mail'}}")

    warnings = bundle.bundle(tmp_path, tmp_path / "class.tar", True, QUIET).warnings

    assert warnings == ["kratos/kratos.yml is in it, with secrets of its own: courier.smtp.connection_uri"]


def test_nobody_else_reads_a_bundle_which_may_hold_secrets_of_ones_own_configuration_and_passwords_of_seeds(
    classroom: Callable[..., list[str]], tmp_path: Path
) -> None:
    # what somebody else has made ready in a directory that is shared, should they know what to call it
    guessed = tmp_path / f".class.tar.{os.getpid()}.tmp"
    guessed.symlink_to(tmp_path / "theirs")

    classroom({"kratos/kratos.yml": "{}"}, config_dir="kratos")

    assert stat.S_IMODE((tmp_path / "class.tar").stat().st_mode) == 0o600
    assert not (tmp_path / "class.tar").is_symlink()
    assert not (tmp_path / "theirs").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [guessed.name, "class.tar", "kratos", "workshop.yaml"]


OVERRIDE = """\
services:
  kratos: {environment: {TZ: UTC}}
  app: {image: "shop:3", volumes: ["./shop:/data"]}
  cache: {image: "redis:${REDIS}"}
  debug: {image: "tools:1", profiles: [debug]}
"""


def test_a_service_of_ones_own_comes_up_without_internet_too(
    classroom: Callable[..., list[str]], docker: list[tuple[str, ...]], tmp_path: Path
) -> None:
    found = classroom({"compose.override.yaml": OVERRIDE, "shop/prices": "1"}, ui="false", mail="false")

    _, _, _, *saved = next(words for words in docker if words[0] == "save")
    assert len(saved) == 2
    assert "shop:3" in saved
    # where they lie is for Compose to know
    assert found == ["compose.override.yaml", "workshop.yaml"]
    (warning,) = bundle.bundle(tmp_path, tmp_path / "class.tar", True, QUIET).warnings
    assert warning.startswith("compose.override.yaml is in it, but no file that it mounts")


@pytest.mark.parametrize(
    ("asked", "what"),
    [(".kratosctl/seat-01", "cannot be bundled"), ("../elsewhere", "lies outside"), ("/etc", "lies outside")],
)
def test_what_lies_elsewhere_or_with_the_secrets_is_refused(
    classroom: Callable[..., list[str]], tmp_path: Path, asked: str, what: str
) -> None:
    with pytest.raises(UsageError, match=what):
        classroom(SECRETS, config_dir=asked)

    assert not (tmp_path / "class.tar").exists()


def test_a_seat_that_cannot_be_what_it_is_asked_to_be_is_named(
    classroom: Callable[..., list[str]], tmp_path: Path
) -> None:
    with pytest.raises(ChoiceImpossible, match="seat-02: the distroless image cannot use SQLite"):
        classroom({"kratosctl.yaml": "environments: {seat-02: {variant: distroless}}\n"})

    assert not (tmp_path / "class.tar").exists()


@pytest.mark.parametrize("leads_to", [".kratosctl/seat-01/secrets/kratos.yml", "/etc/passwd"])
def test_a_link_takes_nothing_of_that_along(classroom: Callable[..., list[str]], tmp_path: Path, leads_to: str) -> None:
    (tmp_path / "kratos").mkdir()
    (tmp_path / "kratos" / "linked.yml").symlink_to(tmp_path / leads_to)

    with pytest.raises(UsageError):
        classroom({**SECRETS, "kratos/kratos.yml": "{}"}, config_dir="kratos")


def packed(target: Path, members: Mapping[str, str]) -> Path:
    """A bundle with these members, and a manifest that fits them."""
    with tarfile.open(target, "w") as tar:
        digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in members.items()}
        manifest = {"format": 1, "workshop": "class", "images": ["kratos"], "sha256": digests}
        for name, text in {**members, "manifest.json": json.dumps(manifest)}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return target


def saved(*lists: tuple[str, object]) -> str:
    """What `docker save` writes, as text: all of it is ASCII."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, said in lists:
            text = json.dumps(said).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return file.getvalue().decode("ascii")


LISTED = ("manifest.json", [{"RepoTags": ["kratos:latest"]}])
WHOLE = {"images.tar": saved(LISTED), "files/workshop.yaml": "name: class\n", "files/kratos/kratos.yml": "{}"}


def files_of(directory: Path) -> dict[str, str]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_text() for path in found}


@pytest.fixture
def there(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


def test_a_bundle_is_taken_in(docker: list[tuple[str, ...]], tmp_path: Path, there: Path) -> None:
    told = bundle.load(packed(tmp_path / "class.tar", WHOLE), there, False, QUIET)

    assert files_of(there) == {"workshop.yaml": "name: class\n", "kratos/kratos.yml": "{}"}
    assert told.data["written"] == ["kratos/kratos.yml", "workshop.yaml"]
    assert [words[0] for words in docker] == ["load"]
    assert list(told.warnings) == []
    assert "kratos" in told.text()


def test_what_others_could_not_read_they_cannot_read_where_the_bundle_is_taken_in(
    classroom: Callable[..., list[str]], tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secret of an OpenID Connect client may be in it, and attendees sit at that host."""
    files = {"kratos/kratos.yml": "{}", "kratos/person.json": "{}"}
    classroom(files, config_dir="./kratos")
    (tmp_path / "kratos" / "kratos.yml").chmod(0o600)
    (tmp_path / "kratos" / "person.json").chmod(0o644)
    monkeypatch.setattr(image_tar, "others", lambda *_: [])
    bundle.bundle(tmp_path, tmp_path / "class.tar", True, QUIET)

    bundle.load(tmp_path / "class.tar", there, False, QUIET)

    modes = [stat.S_IMODE((there / name).stat().st_mode) for name in files]
    assert modes == [0o600, 0o644]


def test_what_runs_as_it_likes_is_named_and_so_is_an_image_that_is_another_now(
    docker: list[tuple[str, ...]], tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = iter(("mine", "theirs"))
    monkeypatch.setattr(bundle, "reading", SimpleNamespace(images=lambda wanted: dict.fromkeys(wanted, next(ids))))
    members = {**WHOLE, "files/compose.override.yaml": "services: {kratos: {volumes: ['/:/host']}}\n"}
    members |= {"files/.git/config": "[core]\nfsmonitor = evil\n", "files/kratos/.\x1b[2Jenvrc": "evil"}

    told = bundle.load(packed(tmp_path / "class.tar", members), there, False, QUIET)

    override, hidden, image = told.warnings
    assert override.startswith("compose.override.yaml came with it")
    assert hidden.startswith(".git/config, kratos/.[2Jenvrc came with it, hidden")
    assert image == "kratos is another image here now"


@pytest.mark.parametrize(
    "lists",
    [
        [("manifest.json", [{"RepoTags": ["kratos:latest", "postgres:17"]}])],
        [LISTED, ("manifest.json", [{"RepoTags": ["postgres:17"]}])],
        [LISTED, ("./manifest.json", [{"RepoTags": ["postgres:17"]}])],
        [LISTED, ("index.json", {"manifests": [{"annotations": {"io.containerd.image.name": "postgres:17"}}]})],
        [LISTED, ("index.json", ["nonsense"])],
        [("manifest.json", {"RepoTags": 1})],
        [("repositories", {"postgres": {"17": "1"}})],
    ],
)
def test_images_that_the_bundle_does_not_list_are_refused_before_any_is_loaded(
    docker: list[tuple[str, ...]], tmp_path: Path, there: Path, lists: list[tuple[str, object]]
) -> None:
    evil = packed(tmp_path / "evil.tar", {**WHOLE, "images.tar": saved(*lists)})

    with pytest.raises(BundleDamaged):
        bundle.load(evil, there, False, QUIET)

    assert docker == []
    assert list(there.iterdir()) == []


@pytest.mark.parametrize(
    ("reference", "tag"),
    [
        ("postgres:17", "docker.io/library/postgres:17"),
        ("docker.io/oryd/kratos:v26.2.0", "oryd/kratos:v26.2.0"),
        ("oryd/kratos:v26.2.0@sha256:0123", "oryd/kratos:v26.2.0"),
        ("127.0.0.1:5000/kratos", "127.0.0.1:5000/kratos:latest"),
    ],
)
def test_an_image_is_the_same_however_its_name_is_written(tmp_path: Path, reference: str, tag: str) -> None:
    (tmp_path / "images.tar").write_text(saved(("manifest.json", [{"RepoTags": [tag]}, {"RepoTags": None}])))

    assert image_tar.others(tmp_path / "images.tar", [reference]) == []
    assert image_tar.others(tmp_path / "images.tar", ["other"]) == [tag]


@pytest.mark.parametrize(
    "name",
    [
        "files/{outside}",
        "files/../evil",
        "files/a/../../evil",
        "files/./evil",
        "files/a//evil",
        "files/evil/",
        "files/",
        "files/.kratosctl/seat-01/state.json",
        "files/.KratosCtl/seat-01/state.json",
        "/evil",
        "files/kratos",
        "files/kratos/kratos.yml/evil",
    ],
)
def test_no_part_of_a_bundle_leads_out_of_the_directory_and_nothing_is_loaded_with_it(
    docker: list[tuple[str, ...]], tmp_path: Path, there: Path, name: str
) -> None:
    evil = packed(tmp_path / "evil.tar", {**WHOLE, name.format(outside=tmp_path / "outside"): "evil"})

    with pytest.raises(BundleDamaged):
        bundle.load(evil, there, True, QUIET)

    assert docker == []
    assert list(there.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.tar", "there"]


def test_a_small_bundle_that_would_fill_the_disk_is_refused_before_it_does(
    docker: list[tuple[str, ...]], tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tar file says of a file with holes where they are, and not what would be written there."""
    holes = tarfile.TarInfo("files/kratos/people.csv")
    holes.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 50)}
    holes.pax_headers["GNU.sparse.name"] = holes.name
    where = b"1\n%d\n0\n" % (1 << 50)
    holes.size = 512
    with tarfile.open(tmp_path / "evil.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(holes, io.BytesIO(where.ljust(512, b"\0")))
    monkeypatch.setattr(shutil, "copyfileobj", lambda *_: pytest.fail("it was written"))

    with pytest.raises(BundleDamaged, match="not a whole bundle"):
        bundle.load(tmp_path / "evil.tar", there, False, QUIET)

    assert list(there.iterdir()) == []


@pytest.mark.parametrize("lacking", list(WHOLE)[:2])
def test_a_bundle_without_images_or_workshop_is_none(
    docker: list[tuple[str, ...]], tmp_path: Path, there: Path, lacking: str
) -> None:
    members = {name: text for name, text in WHOLE.items() if name != lacking}

    with pytest.raises(BundleDamaged):
        bundle.load(packed(tmp_path / "class.tar", members), there, False, QUIET)

    assert docker == []


@pytest.mark.parametrize("taken", ["kratos", "kratos/kratos.yml/of-mine"])
def test_where_there_is_no_room_for_a_file_nothing_is_loaded(
    docker: list[tuple[str, ...]], tmp_path: Path, there: Path, taken: str
) -> None:
    (there / taken).parent.mkdir(parents=True, exist_ok=True)
    (there / taken).write_text("mine")

    with pytest.raises(UsageError):
        bundle.load(packed(tmp_path / "class.tar", WHOLE), there, True, QUIET)

    assert docker == []
    assert files_of(there) == {taken: "mine"}


def test_files_that_cannot_all_be_moved_in_leave_those_that_were_there(
    docker: list[tuple[str, ...]], tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = {"kratos/kratos.yml": "mine", "kratosctl.yaml": "mine"}
    for name, text in mine.items():
        (there / name).parent.mkdir(exist_ok=True)
        (there / name).write_text(text)
    move = shutil.move

    def full(source: Path, target: Path) -> None:
        if target.name == "workshop.yaml":
            raise OSError(errno.ENOSPC, "no space left")
        move(source, target)

    monkeypatch.setattr(shutil, "move", full)
    whole = packed(tmp_path / "class.tar", {**WHOLE, "files/kratosctl.yaml": "{}", "files/people.csv": "a"})

    with pytest.raises(DiskFull):
        bundle.load(whole, there, True, QUIET)

    assert files_of(there) == mine

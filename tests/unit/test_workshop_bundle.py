"""A workshop's bundle: what goes into it, and what of somebody else's is let out of it. Without an engine."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from kratosctl.console import Console
from kratosctl.errors import UsageError
from kratosctl.workshop import bundle, file
from kratosctl.workshop.file import Workshop

QUIET = Console(quiet=True)


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """An engine that has every image; what it was told."""
    said: list[tuple[str, ...]] = []

    def run(*words: str) -> None:
        said.append(words)
        if words[0] == "save":
            Path(words[2]).write_bytes(b"images")

    monkeypatch.setattr(bundle, "reading", SimpleNamespace(docker=run, images=lambda wanted: dict.fromkeys(wanted, 1)))
    return said


@pytest.fixture
def classroom(tmp_path: Path, docker: list[tuple[str, ...]]) -> Callable[..., list[str]]:
    """Makes a class of what is said, bundles it, and returns the files in the bundle."""

    def make(files: Mapping[str, str], **environment: str) -> list[str]:
        file.write(tmp_path, Workshop("class", environment, {"seat-01": "", "seat-02": ""}))
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


def test_hidden_files_of_a_configuration_directory_stay_here(classroom: Callable[..., list[str]]) -> None:
    files = {"kratos/kratos.yml": "{}", "kratos/.env": "PASSWORD=1", "kratos/.git/config": "", "people.csv": "a"}

    found = classroom({**SECRETS, **files}, config_dir="./kratos/../kratos", seed="people.csv")

    assert found == ["kratos/kratos.yml", "people.csv", "workshop.yaml"]


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


@pytest.mark.parametrize("leads_to", [".kratosctl/seat-01/secrets/kratos.yml", "/etc/passwd"])
def test_a_link_takes_nothing_of_that_along(classroom: Callable[..., list[str]], tmp_path: Path, leads_to: str) -> None:
    (tmp_path / "kratos").mkdir()
    (tmp_path / "kratos" / "linked.yml").symlink_to(tmp_path / leads_to)

    with pytest.raises(UsageError):
        classroom({**SECRETS, "kratos/kratos.yml": "{}"}, config_dir="kratos")

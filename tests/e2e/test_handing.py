"""A snapshot handed to a colleague: one file, taken in as a snapshot or as a new environment."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from kratosctl import running
from kratosctl.errors import EngineFailed
from kratosctl.kratos.api import Admin, Client
from kratosctl.snapshots import dump, postgres
from tests.e2e import engine, images, people
from tests.e2e.program import Directory, Done

pytestmark = pytest.mark.engine

Make = Callable[[str], Directory]
DATABASES = ["sqlite", "postgres"]


def emails(directory: Directory, name: str = "dev") -> set[str]:
    url = running.find(directory.path, name).admin_url()
    found = Client(url, browser=False).get(f"{url}/admin/identities")
    assert found.ok, found
    return {identity["traits"]["email"].partition("@")[0] for identity in found.body}


def add(directory: Directory, name: str) -> None:
    admin = Admin(running.find(directory.path, "dev").admin_url())
    made = admin.create({"schema_id": "default", "traits": {"email": f"{name}@example.org"}})
    assert made.status == 201, made


def secrets(directory: Directory) -> dict[str, list[str]]:
    kept = yaml.safe_load((directory.home() / "secrets" / "kratos.yml").read_text())
    return dict(kept["secrets"])


@dataclass(frozen=True)
class Handed:
    """An environment whose snapshot `one` was exported; tests leave it as it is.

    Attributes:
        directory: its own; Eve came after the snapshot.
        database: where it keeps its data.
        token: of Ada's session.
        file: what was exported.
        done: the run that exported it.
    """

    directory: Directory
    database: str
    token: str
    file: Path
    done: Done


@pytest.fixture(scope="module", params=DATABASES)
def handed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Handed]:
    ours = Directory(tmp_path_factory.mktemp(f"ours-{request.param}"), cache)
    public = ours.up(database=request.param)["endpoints"]["public"]
    token = people.sign_up_and_ask(public, "ada@example.org")
    ours.run("snapshot", "save", "one", "--note", "only Ada")
    add(ours, "eve")
    done = ours.run("snapshot", "export", "one", "--json")
    yield Handed(ours, request.param, token, ours.path / "one.kratos.zip", done)
    ours.wipe()


on_sqlite = pytest.mark.parametrize("handed", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("handed", ["postgres"], indirect=True)


@on_sqlite
def test_the_file_is_for_its_owner_alone_and_who_hands_it_on_is_told_what_is_in_it(handed: Handed) -> None:
    assert (handed.done.data["file"], handed.done.data["secrets"]) == (handed.file.name, False)
    (warning,) = handed.done.envelope["warnings"]
    assert warning.startswith("it holds password hashes and sessions, but not the environment's own secrets")
    assert handed.file.stat().st_mode & 0o777 == 0o600


def test_a_colleague_starts_with_the_data_in_a_file_and_what_she_deletes_does_not_come_back(
    handed: Handed, directory: Directory
) -> None:
    taken = directory.run("snapshot", "import", str(handed.file), "--json").data
    assert (taken["environment"], taken["new"], taken["snapshot"]["note"]) == ("dev", True, "only Ada")
    directory.choose()
    told = directory.run("up", "--yes", "--json").data
    assert (told["database"], told["release"]) == (handed.database, images.NEWEST)
    assert emails(directory) == {"ada"}
    assert secrets(directory) != secrets(handed.directory)
    # an app's session needs no secret: it is a row of the database
    assert people.whoami(told["endpoints"]["public"], handed.token) == "ada@example.org"
    people.sign_up_and_ask(told["endpoints"]["public"], "new@example.org")
    assert emails(handed.directory) == {"ada", "eve"}

    directory.run("down", "--volumes", "--yes")
    directory.run("up", "--yes")
    assert emails(directory) == set()
    directory.run("snapshot", "restore", "one")
    assert emails(directory) == {"ada"}


def test_it_is_taken_in_as_a_snapshot_where_there_is_an_environment(handed: Handed, directory: Directory) -> None:
    file = str(handed.file)
    assert "is there already" in handed.directory.run("snapshot", "export", "one", file, code=61).said
    handed.directory.run("snapshot", "export", "one", file, "--overwrite")
    directory.up(database=handed.database)
    add(directory, "bob")
    before = (directory.path / "kratosctl.yaml").read_text()
    directory.run("snapshot", "import", file, "dev", "--as", "theirs")
    assert emails(directory) == {"bob"}
    again = directory.run("snapshot", "import", file, "--as", "theirs", code=61)
    assert "there is a snapshot theirs already" in again.said
    directory.run("snapshot", "restore", "theirs")
    assert emails(directory) == {"ada"}
    assert (directory.path / "kratosctl.yaml").read_text() == before
    directory.run("snapshot", "restore", "--undo")
    assert emails(directory) == {"bob"}


@on_postgres
def test_every_dump_that_pg_dump_makes_is_taken_and_psql_runs_no_command_of_one(handed: Handed, tmp_path: Path) -> None:
    file = tmp_path / "dump"
    saved = handed.directory.home() / "snapshots" / "one" / "database"
    lines = saved.read_bytes().splitlines(keepends=True)
    for without in (b"", b"\\restrict", b"\\unrestrict"):
        file.write_bytes(b"".join(line for line in lines if not without or not line.startswith(without)))
        dump.check(file)
    container = running.find(handed.directory.path, "dev").running("postgres").name
    begins = next(number for number, line in enumerate(lines) if line.startswith(b"COPY "))
    file.write_bytes(b"".join([*lines[:begins], b"\\! touch /tmp/ran\n", *lines[begins:]]))
    with pytest.raises(EngineFailed, match="backslash commands are restricted"):
        postgres.Session(container).restore(file, same_tables=False)
    assert not engine.succeeds("exec", container, "test", "-e", "/tmp/ran")
    assert emails(handed.directory) == {"ada", "eve"}


@on_postgres
def test_data_is_put_into_a_postgres_that_can_write_nothing_but_its_data(handed: Handed, directory: Directory) -> None:
    override = "services: {postgres: {read_only: true, tmpfs: [/var/run/postgresql]}}\n"
    (directory.path / "compose.override.yaml").write_text(override)
    directory.run("snapshot", "import", str(handed.file))
    directory.choose()
    directory.run("up", "--yes")
    assert emails(directory) == {"ada"}
    directory.run("reset")
    directory.run("snapshot", "restore", "one")
    assert emails(directory) == {"ada"}


@on_sqlite
def test_secrets_travel_only_when_asked_for(handed: Handed, directory: Directory) -> None:
    secret = secrets(handed.directory)["cookie"][0]
    for flags, holds in (([], False), (["--with-secrets"], True)):
        done = handed.directory.run("snapshot", "export", "one", "it.zip", "--overwrite", *flags, "--json")
        assert secret not in done.out + done.err
        with zipfile.ZipFile(handed.directory.path / "it.zip") as archive:
            assert (secret in archive.read("manifest.json").decode()) == holds
    assert "can sign session cookies" in done.envelope["warnings"][0]

    directory.run("snapshot", "import", str(handed.directory.path / "it.zip"))
    directory.choose()
    directory.run("up", "--yes")
    assert secrets(directory) == secrets(handed.directory)
    assert emails(directory) == {"ada"}


def test_a_configuration_of_ones_own_travels_and_is_never_written_over(make_directory: Make) -> None:
    ours, theirs = make_directory("ours"), make_directory("theirs")
    ours.choose()
    ours.run("init", "--no-ui", "--no-mail", "--yes")
    kratos_yml = ours.path / "kratos" / "kratos.yml"
    kratos_yml.write_text(kratos_yml.read_text().replace("lifespan: 24h", "lifespan: 23h"))
    ours.run("up")
    ours.run("snapshot", "save", "one")
    file = str(ours.path / "it.zip")
    ours.run("snapshot", "export", "one", file)
    theirs.choose()
    theirs.run("snapshot", "import", file)
    assert (theirs.path / "kratos" / "kratos.yml").read_text() == kratos_yml.read_text()
    (theirs.path / "kratos" / "kratos.yml").write_text("mine: true\n")
    theirs.run("snapshot", "import", file, "other")
    assert (theirs.path / "kratos" / "kratos.yml").read_text() == "mine: true\n"
    assert (theirs.path / "kratos-other" / "kratos.yml").read_text() == kratos_yml.read_text()
    theirs.run("up", "other")
    assert emails(theirs, "other") == set()
    (theirs.path / "kratos-third").write_text("mine")
    assert "kratos-third is there already" in theirs.run("snapshot", "import", file, "third", code=30).said
    assert not theirs.home("third").exists()


@on_sqlite
def test_another_engine_and_broken_files_are_refused_and_nothing_changes(
    handed: Handed, directory: Directory, tmp_path: Path
) -> None:
    directory.choose()
    directory.run("init", "--database", "postgres", "--no-ui", "--no-mail", "--yes")
    said = directory.run("snapshot", "import", str(handed.file), code=63).said
    assert "have nothing in common" in said

    file = tmp_path / "it.zip"
    with zipfile.ZipFile(handed.file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    for refused, code in (
        ({"database": entries["database"][:-1] + b"x"}, 62),
        (_asking(entries, admin_port=4434), 30),
        (_asking(entries, bind="0.0.0.0"), 30),
        (_asking(entries, config_dir="/etc"), 30),
    ):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in (entries | refused).items():
                archive.writestr(name, content)
        done = directory.run("snapshot", "import", str(file), "new", code=code)
        assert len(done.said.splitlines()) <= 3
    assert "new" not in (directory.path / "kratosctl.yaml").read_text()
    assert directory.environments() == []
    assert not list(directory.path.glob(".kratosctl/*/snapshots/*"))
    assert "cannot be read" in directory.run("snapshot", "import", "nowhere.zip", code=60).said


def _asking(entries: dict[str, bytes], **answers: object) -> dict[str, bytes]:
    manifest = json.loads(entries["manifest.json"])
    manifest["answers"] |= answers
    return {"manifest.json": json.dumps(manifest).encode()}


@on_sqlite
def test_nothing_of_a_file_that_could_not_be_written_is_left(handed: Handed, tmp_path: Path) -> None:
    file = str(tmp_path / "no" / "it.zip")
    assert "cannot write" in handed.directory.run("snapshot", "export", "one", file, code=22).said
    assert list(tmp_path.glob("*.zip*")) == []

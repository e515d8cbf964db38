"""A snapshot handed to a colleague: one file, taken in as a snapshot or as a new environment."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from kratosctl import running
from kratosctl.errors import EngineFailed
from kratosctl.kratos.api import Admin, Client
from kratosctl.snapshots import postgres
from tests.e2e import engine, images, people
from tests.e2e.program import Directory

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


@pytest.mark.parametrize("database", DATABASES)
def test_a_colleague_starts_with_the_data_in_a_file(make_directory: Make, database: str) -> None:
    ours, theirs = make_directory("ours"), make_directory("theirs")
    public = ours.up(database=database)["endpoints"]["public"]
    token = people.sign_up_and_ask(public, "ada@example.org")
    ours.run("snapshot", "save", "one", "--note", "only Ada")
    add(ours, "eve")
    file = ours.path / "one.kratos.zip"
    done = ours.run("snapshot", "export", "one", "--json")
    assert (done.data["file"], done.data["secrets"]) == ("one.kratos.zip", False)
    (warning,) = done.envelope["warnings"]
    assert warning.startswith("it holds password hashes and sessions, but not the environment's own secrets")
    assert file.stat().st_mode & 0o777 == 0o600

    taken = theirs.run("snapshot", "import", str(file), "--json").data
    assert (taken["environment"], taken["new"], taken["snapshot"]["note"]) == ("dev", True, "only Ada")
    theirs.choose()
    told = theirs.run("up", "--yes", "--json").data
    assert (told["database"], told["release"]) == (database, images.NEWEST)
    assert emails(theirs) == {"ada"}
    # an app's session needs no secret: it is a row of the database
    assert people.whoami(told["endpoints"]["public"], token) == "ada@example.org"
    people.sign_up_and_ask(told["endpoints"]["public"], "new@example.org")
    theirs.run("snapshot", "restore", "one")
    assert emails(theirs) == {"ada"}
    assert emails(ours) == {"ada", "eve"}


@pytest.mark.parametrize("database", DATABASES)
def test_data_that_was_deleted_does_not_come_back(make_directory: Make, database: str) -> None:
    ours, theirs = make_directory("ours"), make_directory("theirs")
    ours.up(database=database)
    add(ours, "ada")
    ours.run("snapshot", "save", "one")
    ours.run("snapshot", "export", "one")
    theirs.run("snapshot", "import", str(ours.path / "one.kratos.zip"))
    theirs.choose()
    theirs.run("up", "--yes")
    assert emails(theirs) == {"ada"}
    theirs.run("down", "--volumes", "--yes")
    theirs.run("up", "--yes")
    assert emails(theirs) == set()


@pytest.mark.parametrize("database", DATABASES)
def test_it_is_taken_in_as_a_snapshot_where_there_is_an_environment(make_directory: Make, database: str) -> None:
    ours, theirs = make_directory("ours"), make_directory("theirs")
    ours.up(database=database)
    add(ours, "ada")
    ours.run("snapshot", "save", "one")
    file = str(ours.path / "handed.zip")
    ours.run("snapshot", "export", "one", file)
    assert "is there already" in ours.run("snapshot", "export", "one", file, code=61).said
    ours.run("snapshot", "export", "one", file, "--overwrite")
    theirs.up(database=database)
    add(theirs, "bob")
    before = (theirs.path / "kratosctl.yaml").read_text()
    theirs.run("snapshot", "import", file, "dev", "--as", "theirs")
    assert emails(theirs) == {"bob"}
    assert (
        "there is a snapshot theirs already" in theirs.run("snapshot", "import", file, "--as", "theirs", code=61).said
    )
    theirs.run("snapshot", "restore", "theirs")
    assert emails(theirs) == {"ada"}
    assert (theirs.path / "kratosctl.yaml").read_text() == before
    theirs.run("snapshot", "restore", "--undo")
    assert emails(theirs) == {"bob"}


def test_every_dump_that_pg_dump_makes_is_taken_and_psql_runs_no_command_of_one(directory: Directory) -> None:
    directory.up(database="postgres")
    add(directory, "ada")
    directory.run("snapshot", "save", "one")
    dump = directory.home() / "snapshots" / "one" / "database"
    lines = dump.read_bytes().splitlines(keepends=True)
    for without in (b"", b"\\restrict", b"\\unrestrict"):
        dump.write_bytes(b"".join(line for line in lines if not without or not line.startswith(without)))
        postgres.check_dump(dump)
    container = running.find(directory.path, "dev").running("postgres").name
    begins = next(number for number, line in enumerate(lines) if line.startswith(b"COPY "))
    dump.write_bytes(b"".join([*lines[:begins], b"\\! touch /tmp/ran\n", *lines[begins:]]))
    with pytest.raises(EngineFailed, match="backslash commands are restricted"):
        postgres.restore(container, dump, same_tables=False)
    assert not engine.succeeds("exec", container, "test", "-e", "/tmp/ran")
    assert emails(directory) == {"ada"}


def test_data_is_put_into_a_postgres_that_can_write_nothing_but_its_data(make_directory: Make) -> None:
    ours, theirs = make_directory("ours"), make_directory("theirs")
    for directory in (ours, theirs):
        override = "services: {postgres: {read_only: true, tmpfs: [/var/run/postgresql]}}\n"
        (directory.path / "compose.override.yaml").write_text(override)
    ours.up(database="postgres")
    add(ours, "ada")
    ours.run("snapshot", "save", "one")
    ours.run("reset")
    ours.run("snapshot", "restore", "one")
    assert emails(ours) == {"ada"}
    ours.run("snapshot", "export", "one")
    theirs.run("snapshot", "import", str(ours.path / "one.kratos.zip"))
    theirs.choose()
    theirs.run("up", "--yes")
    assert emails(theirs) == {"ada"}


def test_secrets_travel_only_when_asked_for(make_directory: Make) -> None:
    ours, theirs = make_directory("ours"), make_directory("theirs")
    people.sign_up_and_ask(ours.up()["endpoints"]["public"], "ada@example.org")
    ours.run("snapshot", "save", "one")
    kept = (ours.home() / "secrets" / "kratos.yml").read_text()
    secret = kept.split("cookie:\n  - ")[1].split("\n")[0]
    for flags, holds in (([], False), (["--with-secrets"], True)):
        done = ours.run("snapshot", "export", "one", "it.zip", "--overwrite", *flags, "--json")
        assert secret not in done.out + done.err
        with zipfile.ZipFile(ours.path / "it.zip") as archive:
            assert (secret in archive.read("manifest.json").decode()) == holds
    assert "can sign session cookies" in done.envelope["warnings"][0]

    for name, flags in (("with", ["--with-secrets"]), ("without", [])):
        ours.run("snapshot", "export", "one", "it.zip", "--overwrite", *flags)
        theirs.run("snapshot", "import", str(ours.path / "it.zip"), name)
        theirs.choose()
        theirs.run("up", name, "--yes")
        there = yaml.safe_load((theirs.home(name) / "secrets" / "kratos.yml").read_text())["secrets"]
        assert (there == yaml.safe_load(kept)["secrets"]) == (name == "with")
        assert emails(theirs, name) == {"ada"}


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


def test_another_engine_and_broken_files_are_refused_and_nothing_changes(make_directory: Make) -> None:
    ours, theirs = make_directory("ours"), make_directory("theirs")
    ours.up()
    ours.run("snapshot", "save", "one")
    file = ours.path / "it.zip"
    ours.run("snapshot", "export", "one", str(file))
    theirs.choose()
    theirs.run("init", "--database", "postgres", "--no-ui", "--no-mail", "--yes")
    said = theirs.run("snapshot", "import", str(file), code=63).said
    assert "have nothing in common" in said

    with zipfile.ZipFile(file) as archive:
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
        done = theirs.run("snapshot", "import", str(file), "new", code=code)
        assert len(done.said.splitlines()) <= 3
    assert "new" not in (theirs.path / "kratosctl.yaml").read_text()
    assert theirs.environments() == []
    assert not list(theirs.path.glob(".kratosctl/*/snapshots/*"))
    assert "cannot be read" in theirs.run("snapshot", "import", "nowhere.zip", code=60).said


def _asking(entries: dict[str, bytes], **answers: object) -> dict[str, bytes]:
    manifest = json.loads(entries["manifest.json"])
    manifest["answers"] |= answers
    return {"manifest.json": json.dumps(manifest).encode()}


def test_nothing_of_a_file_that_could_not_be_written_is_left(directory: Directory, tmp_path: Path) -> None:
    directory.up()
    directory.run("snapshot", "save", "one")
    assert "cannot write" in directory.run("snapshot", "export", "one", str(tmp_path / "no" / "it.zip"), code=22).said
    assert list(tmp_path.glob("*.zip*")) == []

"""Snapshots, reset and upgrade: data comes back as it was, under a Kratos that goes on serving."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.answers import selection
from kratosctl.console import Console
from kratosctl.kratos.api import Admin
from kratosctl.snapshots import resetting, restoring
from kratosctl.snapshots.subject import Subject
from tests.e2e import images
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def serving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> Iterator[Directory]:
    """An environment that runs, one for each database."""
    directory = Directory(tmp_path_factory.mktemp(f"snapshots-{request.param}"), cache)
    directory.up(database=request.param)
    yield directory
    directory.wipe()


def admin(directory: Directory) -> Admin:
    return Admin(running.find(directory.path, "dev").admin_url())


def add(directory: Directory, *names: str) -> None:
    for name in names:
        made = admin(directory).create({"schema_id": "default", "traits": {"email": f"{name}@example.org"}})
        assert made.status == 201, made


def people(directory: Directory) -> set[str]:
    api = admin(directory)
    found = api._client.get(f"{api.url}/admin/identities")
    assert found.ok, found
    return {identity["traits"]["email"].partition("@")[0] for identity in found.body}


def test_a_snapshot_brings_back_who_was_there_and_undo_takes_it_back(serving: Directory) -> None:
    serving.run("reset")
    add(serving, "ada", "bob")
    serving.run("snapshot", "save", "two", "--note", "the two of them")
    add(serving, "eve")
    container = running.find(serving.path, "dev").running("kratos").id
    serving.run("snapshot", "restore", "two")
    assert people(serving) == {"ada", "bob"}
    serving.run("snapshot", "restore", "--undo")
    assert people(serving) == {"ada", "bob", "eve"}
    assert running.find(serving.path, "dev").running("kratos").id == container
    serving.run("snapshot", "remove", "two", "--yes")


def test_reset_leaves_nobody_and_can_be_undone(serving: Directory) -> None:
    serving.run("reset")
    add(serving, "ada")
    serving.run("reset")
    assert people(serving) == set()
    add(serving, "new")
    serving.run("snapshot", "restore", "--undo")
    assert people(serving) == {"ada"}


def test_each_kept_snapshot_can_be_put_back_the_oldest_too(serving: Directory) -> None:
    serving.run("reset")
    add(serving, "ada")
    serving.run("snapshot", "save", "ada")
    kept = [serving.run("snapshot", "restore", "ada", "--json").data["safety"] for _ in range(5)]
    serving.run("snapshot", "restore", kept[0])
    assert people(serving) == {"ada"}
    serving.run("snapshot", "remove", "ada", "--yes")


def test_undo_takes_back_the_last_of_two_that_came_at_once(serving: Directory) -> None:
    serving.run("reset")
    serving.run("snapshot", "save", "empty")
    add(serving, "ada")
    serving.run("snapshot", "save", "ada")
    found, of = running.find(serving.path, "dev"), serving.path
    subject = Subject(found, selection.environment_of(selection.select(of, "dev", {}, {})))
    quiet = Console(quiet=True)
    for _ in range(3):
        restoring.restore(subject, "ada", quiet, False, {})
        resetting.reset(subject, None, "", quiet)
        restoring.restore(subject, None, quiet, False, {})
        assert people(serving) == {"ada"}
    for name in ("empty", "ada"):
        serving.run("snapshot", "remove", name, "--yes")


def test_who_signs_up_while_data_is_replaced_is_there_afterwards_or_in_what_was_kept(serving: Directory) -> None:
    serving.run("reset")
    add(serving, "ada")
    serving.run("snapshot", "save", "ada", "--overwrite")
    made, ended = list[str](), threading.Event()

    def sign_up(number: int) -> None:
        api = admin(serving)
        for count in itertools.count():
            if ended.is_set():
                return
            email = f"{serving.path.name}-{number}-{count}-@example.org"
            if api.create({"schema_id": "default", "traits": {"email": email}}).status == 201:
                made.append(email)

    with ThreadPoolExecutor(6) as pool:
        clients = [pool.submit(sign_up, number) for number in range(6)]
        try:
            for words in (("reset",), ("snapshot", "restore", "ada"), ("reset",), ("snapshot", "restore", "ada")):
                serving.run(*words)
        finally:
            ended.set()
        for client in clients:
            client.result()

    serving.run("snapshot", "save", "afterwards", "--overwrite")
    kept = b"".join(path.read_bytes() for path in serving.home().glob("snapshots/*/database"))
    assert made
    assert [email for email in made if email.encode() not in kept] == []


def test_snapshots_are_listed_with_what_they_hold(serving: Directory) -> None:
    serving.run("reset")
    add(serving, "ada")
    serving.run("snapshot", "save", "listed", "--note", "for the list")
    listed = {s["name"]: s for s in serving.run("snapshot", "list", "--json").data["snapshots"]}
    assert listed["listed"]["identities"] == 1
    assert listed["listed"]["note"] == "for the list"
    assert listed["listed"]["release"] == images.NEWEST
    assert serving.run("snapshot", "show", "listed", "--json").data["snapshot"] == listed["listed"]


def test_a_damaged_snapshot_is_refused_and_nothing_changes(serving: Directory) -> None:
    serving.run("reset")
    add(serving, "ada")
    serving.run("snapshot", "save", "damaged", "--overwrite")
    content = serving.home() / "snapshots" / "damaged" / "database"
    whole = content.read_bytes()
    for bad in (whole[: len(whole) // 2], whole[:100] + b"x" + whole[101:], b""):
        content.write_bytes(bad)
        assert "is damaged" in serving.run("snapshot", "restore", "damaged", code=62).said
    assert people(serving) == {"ada"}


def test_a_snapshot_can_be_put_in_place_of_a_damaged_database(directory: Directory) -> None:
    directory.up()
    add(directory, "ada")
    directory.run("snapshot", "save", "one")
    known: set[Path] = set()
    for damage in (b"", b"no" * 5000):
        (directory.home() / "database" / "db.sqlite").write_bytes(damage)
        assert "snapshot restore NAME" in directory.run("reset", code=58).said

        done = directory.run("snapshot", "restore", "one")

        assert people(directory) == {"ada"}
        (kept,) = {*directory.home().glob("database/damaged-*")} - known
        known.add(kept)
        assert f"kept in {kept}" in done.err
        assert (kept / "db.sqlite").read_bytes() == damage
        directory.run("reset")
        directory.run("snapshot", "restore", "--undo")
        assert people(directory) == {"ada"}
    directory.run("down", "--volumes", "--yes")
    assert not [kept for kept in known if kept.exists()]


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/b", "", ".", "x" * 80, "a b", "-x"])
def test_a_snapshot_name_that_is_a_path_is_refused(serving: Directory, name: str) -> None:
    assert "cannot name a snapshot" in serving.run("snapshot", "save", "--", name, code=32).said


def test_a_snapshot_of_another_database_is_refused(make_directory: Callable[[str], Directory]) -> None:
    directory = make_directory("app")
    directory.up("lite", database="sqlite")
    directory.run("snapshot", "save", "here", "--env", "lite")
    directory.up("dev", database="postgres")
    (directory.home() / "snapshots").mkdir()
    (directory.home("lite") / "snapshots" / "here").rename(directory.home() / "snapshots" / "here")
    said = directory.run("snapshot", "restore", "here", "--env", "dev", code=63).said
    assert "have nothing in common" in said
    assert "snapshot import FILE NAME" in said
    # what it advises has the data
    directory.run("snapshot", "export", "here", "here.zip", "--env", "dev")
    directory.run("snapshot", "import", "here.zip", "another")
    assert directory.run("snapshot", "restore", "here", "--env", "another", "--json").data["snapshot"]["name"] == "here"


def test_a_memory_database_has_no_snapshots(directory: Directory) -> None:
    directory.up(database="memory")
    assert "has no snapshots" in directory.run("snapshot", "save", "x", code=33).said


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_an_upgrade_keeps_everybody_and_can_be_taken_back(directory: Directory, database: str) -> None:
    directory.up(release="v1.1.0", database=database)
    add(directory, "ada")
    image = images.kratos("v26.2.0")
    rehearsed = directory.run("upgrade", "--to", "v26.2.0", "--kratos-image", image, "--rehearse", "--json").data
    assert (rehearsed["rehearsed"], rehearsed["upgraded"], rehearsed["snapshot"]) == (True, False, "")
    assert directory.status()["release"] == "v1.1.0"
    upgraded = directory.run("upgrade", "--to", "v26.2.0", "--kratos-image", image, "--json").data
    directory.choose("v26.2.0")
    assert directory.run("upgrade").out == "dev is on v26.2.0, the newest of the catalogue\n"
    assert "--release" not in directory.run("upgrade", "--to", "nonsense", code=30).said
    assert directory.status()["release"] == "v26.2.0"
    assert people(directory) == {"ada"}
    assert "release: v26.2.0" in (directory.path / "kratosctl.yaml").read_text()
    add(directory, "eve")
    override = directory.path / "compose.override.yaml"
    override.write_text("services: [")
    assert override.name in directory.run("snapshot", "restore", upgraded["snapshot"], "--with-release", code=41).said
    assert people(directory) == {"ada", "eve"}
    override.unlink()
    directory.run("snapshot", "restore", upgraded["snapshot"], "--with-release")
    directory.choose("v1.1.0")
    assert directory.status()["release"] == "v1.1.0"
    assert people(directory) == {"ada"}


def test_an_upgrade_that_cannot_work_leaves_the_old_release_with_its_data(directory: Directory) -> None:
    directory.up(release="v1.1.0")
    add(directory, "ada")
    directory.run("reset")
    failed = directory.run("upgrade", "--to", "v26.2.0", "--kratos-image", "kratosctl/no-such:v26.2.0", code=64)
    newest = ("--to", "v26.2.0", "--kratos-image", images.kratos("v26.2.0"))
    assert "longer with --wait-timeout" in directory.run("upgrade", *newest, "--wait-timeout", "0.01", code=64).said
    assert "v26.2.0 cannot take over" in failed.said
    assert directory.status()["state"] == "ready"
    assert directory.status()["release"] == "v1.1.0"
    assert not (directory.home() / "upgrade-rehearsal").exists()
    # what changed nothing is not what is undone
    directory.run("snapshot", "restore", "--undo")
    assert people(directory) == {"ada"}


def test_an_upgrade_that_nobody_can_prove_names_the_way_without_proof(directory: Directory) -> None:
    directory.choose("v1.1.0")
    directory.run("init", "--preset", "api-only", "--release", "v1.1.0", "--no-ui", "--no-mail", "--yes")
    path = directory.path / "kratos" / "identity.schema.json"
    schema = json.loads(path.read_text())
    # nobody guesses that
    schema["properties"]["traits"]["properties"]["staff"] = {"type": "string", "minLength": 12}
    schema["properties"]["traits"]["required"] = ["staff"]
    path.write_text(json.dumps(schema))
    directory.run("up")
    failed = directory.run("upgrade", "--to", "v26.2.0", "--kratos-image", images.kratos("v26.2.0"), code=64)
    assert "nobody can sign up on Kratos v1.1.0" in failed.said
    own = f" --kratos-image {images.kratos('v26.2.0')}" if images.are_standins() else ""
    assert failed.said.endswith(f"without proof: kratosctl up dev --release v26.2.0{own} --save\n")
    assert directory.status()["release"] == "v1.1.0"


def test_an_upgrade_is_proven_on_the_clone_whatever_address_their_configuration_names(directory: Directory) -> None:
    """A base_url of one's own, as in Ory's quickstart, is the environment's: forms of the clone name it, too."""
    directory.choose("v1.1.0")
    directory.run("init", "--preset", "api-only", "--release", "v1.1.0", "--no-ui", "--no-mail", "--yes")
    with (directory.path / "kratos" / "kratos.yml").open("a") as file:
        file.write("serve: {public: {base_url: 'http://127.0.0.1:9/'}}\n")
    directory.run("up")
    rehearsed = directory.run(
        "upgrade", "--to", "v26.2.0", "--kratos-image", images.kratos("v26.2.0"), "--rehearse", "--json"
    )
    assert rehearsed.data["rehearsed"]

"""SQLite where the engine is in a virtual machine, as Docker Desktop is: in a volume that this host cannot open."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.kratos.api import Admin
from kratosctl.testing import kratos
from tests.e2e import engine, images, people, virtual_machine
from tests.e2e.program import Directory
from tests.faults.killing import kill_once_there

pytestmark = pytest.mark.engine

Make = Callable[[str], Directory]


@pytest.fixture(scope="module")
def machine() -> Iterator[dict[str, str]]:
    # the path of a socket is short
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        with virtual_machine.running(Path(scratch, "docker.sock")) as variables:
            yield variables


@pytest.fixture
def make(make_directory: Make, machine: dict[str, str]) -> Make:
    def made(name: str) -> Directory:
        directory = make_directory(name)
        directory.variables |= machine
        return directory

    return made


@pytest.fixture
def directory(make: Make, machine: dict[str, str]) -> Directory:
    return make("app")


def choose(directory: Directory, machine: dict[str, str], release: str) -> None:
    directory.choose(release)
    directory.variables |= machine


def add(directory: Directory, *names: str) -> None:
    for name in names:
        body = {"schema_id": "default", "traits": {"email": f"{name}@example.org"}}
        made = Admin(running.find(directory.path, "dev").admin_url()).create(body)
        assert made.status == 201, made


def who(directory: Directory) -> set[str]:
    api = Admin(running.find(directory.path, "dev").admin_url())
    found = api._client.get(f"{api.url}/admin/identities")
    assert found.ok, found
    return {identity["traits"]["email"].partition("@")[0] for identity in found.body}


def test_the_database_lies_in_a_volume_and_outlives_a_night(directory: Directory) -> None:
    told = directory.up()
    token = people.sign_up_and_ask(told["endpoints"]["public"])
    assert not list(directory.home().glob("database/*"))
    directory.down()
    again = directory.up()
    assert people.whoami(again["endpoints"]["public"], token) == "someone@example.org"
    directory.run("down", "--volumes", "--yes")
    directory.up()
    assert who(directory) == set()


def test_migrations_alone_make_the_database_that_is_then_served(directory: Directory) -> None:
    (directory.path / "kratosctl.yaml").write_text("environments:\n  dev: {ui: false, mail: false}\n")
    directory.run("migrate")
    assert "all migrations" in directory.run("migrate").out

    told = directory.run("up", "--yes", "--json").data

    assert [step["do"] for step in told["steps"] if step["subject"] == "kratos-migrate"] == ["keep"]
    people.sign_up_and_ask(told["endpoints"]["public"])


def test_snapshots_reset_and_undo_do_what_they_do_elsewhere(directory: Directory) -> None:
    directory.up()
    add(directory, "ada", "bob")
    assert directory.run("snapshot", "save", "two", "--json").data["snapshot"]["identities"] == 2
    add(directory, "eve")
    directory.run("snapshot", "restore", "two")
    assert who(directory) == {"ada", "bob"}
    directory.run("snapshot", "restore", "--undo")
    assert who(directory) == {"ada", "bob", "eve"}
    directory.run("reset")
    assert who(directory) == set()
    add(directory, "new")
    directory.down()
    assert "nothing runs that can read its volume" in directory.run("snapshot", "save", "none", code=39).said


def test_an_upgrade_keeps_everybody_and_can_be_taken_back(directory: Directory, machine: dict[str, str]) -> None:
    choose(directory, machine, "v1.3.1")
    told = directory.run("up", "--release", "v1.3.1", "--no-ui", "--no-mail", "--yes", "--json").data
    token = people.sign_up_and_ask(told["endpoints"]["public"])
    image = ("--to", images.NEWEST, "--kratos-image", images.kratos(images.NEWEST))
    saved = directory.run("upgrade", *image, "--json").data["snapshot"]
    assert people.whoami(told["endpoints"]["public"], token) == "someone@example.org"
    choose(directory, machine, images.NEWEST)
    directory.run("snapshot", "restore", saved, "--with-release")
    choose(directory, machine, "v1.3.1")
    assert directory.status()["release"] == "v1.3.1"
    assert people.whoami(told["endpoints"]["public"], token) == "someone@example.org"


def test_a_colleagues_file_becomes_an_environment(make: Make) -> None:
    ours, theirs = make("ours"), make("theirs")
    ours.up()
    add(ours, "ada")
    ours.run("snapshot", "save", "one")
    ours.run("snapshot", "export", "one")
    theirs.run("snapshot", "import", str(ours.path / "one.kratos.zip"))
    theirs.run("up", "--yes")
    assert who(theirs) == {"ada"}


def test_a_database_on_this_host_goes_along_to_the_virtual_machine(
    make_directory: Make, machine: dict[str, str]
) -> None:
    directory = make_directory("app")
    directory.up()
    add(directory, "ada")
    directory.down()
    directory.variables |= machine
    directory.run("up", "--yes")
    assert who(directory) == {"ada"}
    directory.run("reset")
    assert who(directory) == set()


def test_a_class_that_is_down_can_be_taken_along(directory: Directory) -> None:
    directory.run("workshop", "init", "--seats", "1", "--no-ui", "--no-mail", "--yes")
    directory.run("workshop", "up")
    directory.run("workshop", "down")
    told = directory.run("workshop", "down", "--export", "homework", "--json").data
    assert [Path(name).name for name in told["exported"]] == ["seat-01.kratos.zip"]
    assert not engine.of_directory(directory.path).get("container")


@pytest.mark.parametrize("after", [0.0, 0.15, 0.4])
def test_killed_in_a_reset_it_has_the_old_data_or_none_and_kratos_serves_again(
    directory: Directory, after: float
) -> None:
    directory.up()
    add(directory, "ada")
    kill_once_there(directory, "stopped.json", after, 1, "reset")
    directory.run("snapshot", "list")
    directory.run("up", "--yes")
    assert who(directory) in ({"ada"}, set())
    add(directory, "bob")


def test_kratos_does_not_stand_still_for_a_kratosctl_that_is_gone(directory: Directory) -> None:
    project = directory.up()["project"]
    add(directory, "ada")
    saving = directory.start("snapshot", "save", "one", heard=False)

    def state() -> str:
        return str(engine.container(project, "kratos")["State"]["Status"])

    engine.until(lambda: saving.poll() is not None or state() == "paused", why="it is being copied")
    saving.kill()
    saving.wait()
    engine.until(lambda: state() == "running", why="Kratos goes on")
    assert who(directory) == {"ada"}


def test_tests_have_a_kratos_that_is_reset(
    machine: dict[str, str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**images.variables(), **machine, "KRATOSCTL_CACHE_DIR": str(cache)}.items():
        monkeypatch.setenv(name, value)
    with kratos(database="sqlite", mail=False) as k:
        ada = k.create_identity("ada@example.org")
        assert k.session_token(ada)
        saved = k.snapshot()
        k.reset()
        assert Admin(k.admin_url).find("ada@example.org") is None
        k.restore(saved)
        assert k.session_token(ada)

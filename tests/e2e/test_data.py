"""The data: whose it is, where it is, when it goes."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import engine, people
from tests.e2e.people import Browser
from tests.e2e.program import Directory, as_user

pytestmark = pytest.mark.engine

SOCKET = Path("/var/run/docker.sock")
NOBODY = 65534


@pytest.mark.parametrize("removed", [".kratosctl", ".kratosctl/dev/database"])
def test_what_kratos_serves_is_what_a_snapshot_saves_after_somebody_removed_files(
    directory: Directory, removed: str
) -> None:
    """As by `git clean -dfx`: Kratos went on with the files that were gone, and `up` said that it is ready."""
    told = directory.up()
    people.sign_up_and_ask(told["endpoints"]["public"])
    shutil.rmtree(directory.path / removed)

    told = directory.up()
    people.sign_up_and_ask(told["endpoints"]["public"])

    assert directory.run("snapshot", "save", "one", "--json").data["snapshot"]["identities"] == 1
    assert directory.up()["changed"] is False


@pytest.fixture
def nobody(make_directory: Callable[[str], Directory]) -> Directory:
    """A directory of a user who is not root, and reaches the engine through the group of its socket."""
    directory = make_directory("nobody")
    if os.getuid() == 0:
        directory.cache = directory.path.parent / "cache"
        directory.cache.mkdir()
        directory.wrapper = as_user(NOBODY, SOCKET.stat().st_gid)
        for path in (directory.path, directory.cache):
            os.chown(path, NOBODY, NOBODY)
    return directory


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_user_who_is_not_root_owns_all_that_is_made(nobody: Directory, database: str) -> None:
    told = nobody.up(database=database)

    people.sign_up_and_ask(told["endpoints"]["public"])
    owner = nobody.path.stat().st_uid
    assert owner != 0
    assert {path.stat().st_uid for path in nobody.path.rglob("*")} == {owner}
    assert engine.container(told["project"], "kratos")["Config"]["User"].startswith(f"{owner}:")
    if database == "sqlite":
        assert stat.S_IMODE((nobody.home() / "database/db.sqlite").stat().st_mode) & 0o022 == 0
    nobody.run("down", "--volumes", "--yes")
    assert not list(nobody.home().glob("database/*"))


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_down_keeps_the_data_and_says_so_and_who_is_signed_in_stays_signed_in(
    directory: Directory, database: str
) -> None:
    told = directory.up(database=database)
    token = people.sign_up_and_ask(told["endpoints"]["public"])
    browser = Browser()
    browser.sign_up(told["endpoints"]["public"], "browser@example.org")
    before = _secrets(directory)

    done = directory.down()

    assert "its data is kept" in done.out
    assert engine.containers(told["project"]) == {}
    assert engine.of_directory(directory.path).keys() <= {"volume"}
    public = directory.run("up", "--json").data["endpoints"]["public"]
    assert people.whoami(public, token) == "someone@example.org"
    assert browser.whoami(public) == "browser@example.org"
    assert _secrets(directory) == before


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_data_is_deleted_with_yes_alone_where_nobody_can_be_asked_and_the_secrets_are_kept(
    directory: Directory, database: str
) -> None:
    told = directory.up(database=database)
    token = people.sign_up_and_ask(told["endpoints"]["public"])
    before, secrets = engine.containers(told["project"]), _secrets(directory)

    refused = directory.run("down", "--volumes", code=38)

    assert "with 1 identity" in refused.said
    assert "--yes" in refused.said
    assert engine.containers(told["project"]) == before
    assert people.whoami(told["endpoints"]["public"], token) == "someone@example.org"

    done = directory.run("down", "--volumes", "--yes", "--json").data

    assert done["removed"]["data"] is True
    assert engine.of_directory(directory.path) == {}
    assert not list(directory.home().glob("database/*"))
    again = directory.run("up", "--json").data
    assert _secrets(directory) == secrets
    assert people.whoami(again["endpoints"]["public"], token) is None


def _secrets(directory: Directory) -> dict[str, str]:
    return {path.name: path.read_text() for path in (directory.home() / "secrets").iterdir()}


def test_down_of_what_is_down_is_no_error(directory: Directory) -> None:
    directory.up(database="memory")

    assert directory.run("down", "--json").data["removed"]["containers"] > 0
    assert directory.run("down", "--json").data["removed"] == {"containers": 0, "data": False}
    assert directory.run("down", "--volumes", "--yes", "--json").data["removed"] == {"containers": 0, "data": False}


def test_nothing_is_left_of_an_environment_that_kratosctl_yaml_no_longer_names(directory: Directory) -> None:
    directory.run("init", "--no-ui", "--no-mail", "--yes")
    told = directory.run("up", "--yes", "--json", "--config", "image").data
    directory.up("other", database="memory")
    (directory.path / "kratosctl.yaml").write_text("environments:\n  other: {database: memory}\n")

    refused = directory.run("down", "dev", "--volumes", code=38)
    assert "the secrets of dev" in refused.said
    assert directory.home("dev").exists()
    directory.run("down", "dev", "--volumes", "--yes")

    assert directory.environments() == ["other"]
    assert "dev" not in [
        row["environment"]
        for row in directory.run("list", "--json").data["environments"]
        if row["directory"] == str(directory.path)
    ]
    assert engine.docker("image", "ls", "--quiet", f"kratosctl/{told['project']}").strip() == ""
    assert (directory.path / "kratos" / "kratos.yml").exists()

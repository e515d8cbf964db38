"""`up` again: what is as it should be is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e import engine, images, people
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def told(shared_directory: Directory, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What `up` told of an environment of this module."""
    # its own ports: no other environment takes them while a service is down
    public, ui, mail = map(str, engine.free_ports(3))
    ports = ("--public-port", public, "--ui-port", ui, "--mail-port", mail)
    return shared_directory.up(request.param, *ports, database=request.param, pages=request.param == "sqlite")


def test_up_again_changes_no_container_and_no_file(shared_directory: Directory, told: dict[str, Any]) -> None:
    before = engine.containers(told["project"]), _files(shared_directory.path)

    again = shared_directory.run("up", told["environment"], "--yes", "--json").data

    assert again["changed"] is False
    assert {step["do"] for step in again["steps"]} <= {"keep"}
    assert again["endpoints"] == told["endpoints"]
    assert (engine.containers(told["project"]), _files(shared_directory.path)) == before


def test_up_again_starts_only_what_does_not_run(shared_directory: Directory, told: dict[str, Any]) -> None:
    before = engine.containers(told["project"])
    token = people.sign_up_and_ask(told["endpoints"]["public"], "stays@example.org")
    engine.docker("kill", before["kratos"])

    again = shared_directory.run("up", told["environment"], "--yes", "--json").data

    assert [step["subject"] for step in again["steps"] if step["do"] != "keep"] == ["kratos"]
    assert engine.containers(told["project"]) == before
    assert people.whoami(told["endpoints"]["public"], token) == "stays@example.org"


def test_up_again_lets_go_on_what_somebody_paused(shared_directory: Directory, told: dict[str, Any]) -> None:
    before = engine.containers(told["project"])
    engine.docker("pause", before["kratos"])

    shared_directory.run("up", told["environment"], "--yes")

    assert engine.containers(told["project"]) == before
    assert shared_directory.status(told["environment"])["state"] == "ready"


def test_up_again_makes_a_network_that_was_removed_while_everything_was_stopped(
    shared_directory: Directory, told: dict[str, Any]
) -> None:
    """As by `docker network prune` after the host was started again: no other network gets its ID."""
    token = people.sign_up_and_ask(told["endpoints"]["public"], "connected@example.org")
    engine.docker("stop", *engine.containers(told["project"]).values())
    engine.docker("network", "rm", f"{told['project']}_default")

    shared_directory.run("up", told["environment"], "--yes")

    assert shared_directory.status(told["environment"])["state"] == "ready"
    assert people.whoami(told["endpoints"]["public"], token) == "connected@example.org"


def test_up_again_makes_what_somebody_removed(shared_directory: Directory, told: dict[str, Any]) -> None:
    before = engine.containers(told["project"])
    engine.docker("rm", "--force", before["kratos"])

    shared_directory.run("up", told["environment"], "--yes")

    after = engine.containers(told["project"])
    assert after.keys() == before.keys()
    assert {name: ID for name, ID in after.items() if name != "kratos"} == {
        name: ID for name, ID in before.items() if name != "kratos"
    }


def test_an_address_that_is_none_of_this_hosts_is_refused_before_anything(
    shared_directory: Directory, told: dict[str, Any]
) -> None:
    before = engine.containers(told["project"])

    refused = shared_directory.run("up", told["environment"], "--yes", "--bind", "192.0.2.1", code=30)

    assert "no address of this host" in refused.said
    assert engine.containers(told["project"]) == before
    assert shared_directory.status(told["environment"])["state"] == "ready"


def test_a_service_no_longer_asked_for_is_removed(directory: Directory) -> None:
    directory.up(pages=True)

    told = directory.run("up", "--no-ui", "--no-mail", "--json").data

    assert engine.containers(told["project"]).keys() <= {"kratos", "kratos-migrate"}
    assert set(told["endpoints"]) == {"public"}


def test_another_release_keeps_who_signed_up_and_an_older_one_is_refused_from_then_on(directory: Directory) -> None:
    told = directory.up(release="v1.3.1")
    token = people.sign_up_and_ask(told["endpoints"]["public"])

    newer = directory.up("dev", "--save", release="v26.2.0")

    assert people.whoami(newer["endpoints"]["public"], token) == "someone@example.org"
    assert directory.status()["migrated_by"] == "v26.2.0"
    before = engine.containers(told["project"]), _files(directory.path)
    directory.choose("v1.3.1")
    refused = directory.run("up", "--release", "v1.3.1", code=56)
    assert "--release v26.2.0" in refused.said
    older = ("--to", "v1.3.1", "--kratos-image", images.kratos("v1.3.1"))
    assert "is not newer than" in directory.run("upgrade", *older, code=56).said
    assert (engine.containers(told["project"]), _files(directory.path)) == before


def test_what_an_older_release_did_to_one_database_is_not_taken_for_what_it_may_do_to_another(
    directory: Directory,
) -> None:
    directory.up(release="v26.2.0")
    directory.up(release="v1.3.1", database="postgres")

    flags = ("--database", "sqlite", "--no-ui", "--no-mail", "--yes")
    refused = directory.run("up", "--release", "v1.3.1", *flags, code=56)

    assert "v26.2.0" in refused.said
    assert directory.status()["migrated_by"] == "v1.3.1"
    directory.up(release="v26.2.0")
    # in PostgreSQL there is nothing newer
    directory.up(release="v1.3.1", database="postgres")


def _files(directory: Path) -> dict[str, tuple[int, int]]:
    """Every file below a directory, but for the lock and the database, which Kratos writes: size and time."""
    found = [path for path in directory.rglob("*") if path.is_file() and "database" not in path.parts]
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in found
        if path.name not in ("lock", "lock-holder")
    }


def test_a_database_that_is_not_as_migrated_as_it_was_is_migrated_at_once(directory: Directory) -> None:
    directory.up("old", release="v1.1.0")
    directory.down("old")
    directory.up("dev")
    directory.down("dev")
    # in place: it is taken for the one that was migrated
    (directory.home("dev") / "database/db.sqlite").write_bytes(
        (directory.home("old") / "database/db.sqlite").read_bytes()
    )

    again = directory.run("up", "dev", "--yes", "--json", "--wait-timeout", "60")

    assert "migrations may be pending" in again.err
    assert "migrate" in [step["do"] for step in again.data["steps"]]
    assert directory.status("dev")["state"] == "ready"

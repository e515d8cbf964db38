"""`up`: from nothing to a Kratos that people can sign up with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.e2e import engine, images, people, postgres
from tests.e2e.people import Browser
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("release", images.RELEASES)
def test_people_sign_up_on_every_release_with_sqlite_whose_file_is_the_callers(
    directory: Directory, release: str
) -> None:
    told = directory.up(release=release)

    people.sign_up_and_ask(told["endpoints"]["public"])
    file = directory.home() / "database/db.sqlite"
    assert (file.stat().st_uid, file.stat().st_gid) == (os.getuid(), os.getgid())


@pytest.mark.parametrize(("release", "variant"), [("v1.1.0", "distroless"), ("v26.2.0", "default")])
def test_people_sign_up_on_either_variant_with_postgres(directory: Directory, release: str, variant: str) -> None:
    told = directory.up(release=release, variant=variant, database="postgres")

    people.sign_up_and_ask(told["endpoints"]["public"])
    kratos = engine.container(told["project"], "kratos")
    assert kratos["Config"]["Image"] == images.kratos(release, variant)


def test_people_sign_up_with_a_database_in_memory_that_needs_no_migration(directory: Directory) -> None:
    told = directory.up(database="memory")

    people.sign_up_and_ask(told["endpoints"]["public"])
    assert set(engine.containers(told["project"])) == {"kratos"}
    kratos = engine.container(told["project"], "kratos")
    assert "volume" not in {mount["Type"] for mount in kratos["Mounts"]}, "it outlives the container"


@pytest.fixture(scope="module")
def their_database() -> Iterator[postgres.Server]:
    """A PostgreSQL on this host that is not kratosctl's."""
    with postgres.running() as server:
        yield server


@pytest.mark.parametrize(
    ("release", "variant", "host"), [("v1.1.0", "default", "host.docker.internal"), ("v26.2.0", "distroless", "")]
)
def test_people_sign_up_with_a_database_of_their_own_named_by_dsn(
    directory: Directory, their_database: postgres.Server, release: str, variant: str, host: str
) -> None:
    variables = {"DSN": their_database.dsn(host)}
    told = directory.up(release=release, variant=variant, database="external", variables=variables)

    people.sign_up_and_ask(told["endpoints"]["public"], f"{release}@example.org")
    assert engine.running(told["project"]) == {"kratos"}
    # from then on it is known: nobody has to set DSN again
    assert directory.run("up", "--yes", "--json").data["changed"] is False


@pytest.mark.parametrize("release", ["v1.3.1", "v26.2.0"])
def test_the_pages_answer_and_a_mail_arrives_after_signing_up(directory: Directory, release: str) -> None:
    told = directory.up(release=release, pages=True)
    urls = told["endpoints"]

    page = Browser().get(f"{urls['ui']}/registration")
    assert page.status == 200
    assert 'name="traits.email"' in page.text
    people.sign_up_and_ask(urls["public"], "reader@example.org")
    mail = engine.until(lambda: _mails(urls["mail"]), why="the mail arrives")[0]
    assert [to["Address"] for to in mail["To"]] == ["reader@example.org"]


def _mails(inbox: str) -> list[dict[str, list[dict[str, str]]]]:
    return list(people.request("GET", f"{inbox}/api/v1/messages").json()["messages"])


def test_the_admin_api_answers_where_it_was_asked_for(make_directory: Callable[[str], Directory]) -> None:
    directory = make_directory("admin")
    (port,) = engine.free_ports(1)

    told = directory.up("dev", "--admin-port", str(port))

    assert told["endpoints"]["admin"] == f"http://localhost:{port}"
    assert people.request("GET", f"http://127.0.0.1:{port}/admin/identities").json() == []

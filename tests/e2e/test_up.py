"""`up`: from nothing to a Kratos that people can sign up with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e import engine, images, people, postgres
from tests.e2e.people import Browser
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("release", images.RELEASES)
def test_people_sign_up_on_every_release_with_sqlite(directory: Directory, release: str) -> None:
    told = directory.up(release=release)

    people.sign_up_and_ask(told["endpoints"]["public"])


@pytest.mark.parametrize("variant", ["default", "distroless"])
@pytest.mark.parametrize("release", ["v1.1.0", "v26.2.0"])
def test_people_sign_up_on_either_variant_with_postgres(directory: Directory, release: str, variant: str) -> None:
    told = directory.up(release=release, variant=variant, database="postgres")

    people.sign_up_and_ask(told["endpoints"]["public"])
    kratos = engine.container(told["project"], "kratos")
    assert kratos["Config"]["Image"] == images.kratos(release, variant)


@pytest.mark.parametrize("release", ["v1.1.0", "v26.2.0"])
def test_people_sign_up_with_a_database_in_memory_that_needs_no_migration(directory: Directory, release: str) -> None:
    told = directory.up(release=release, database="memory")

    people.sign_up_and_ask(told["endpoints"]["public"])
    assert set(engine.containers(told["project"])) == {"kratos"}


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


def test_nobody_asked_for_a_service_means_no_trace_of_it(directory: Directory) -> None:
    told = directory.up()

    assert set(told["endpoints"]) == {"public"}
    assert engine.running(told["project"]) == {"kratos"}
    compose = (directory.home() / "compose.yaml").read_text()
    assert "mail" not in compose
    assert "postgres" not in compose
    assert "ui" not in {line.strip(" :") for line in compose.splitlines()}


def test_everything_listens_on_this_host_alone_and_the_admin_api_not_at_all(directory: Directory) -> None:
    told = directory.up(database="postgres", pages=True)

    addresses = {
        (service, address["HostIp"])
        for service in engine.running(told["project"])
        for bound in engine.container(told["project"], service)["NetworkSettings"]["Ports"].values()
        for address in bound or []
    }
    assert addresses == {("kratos", "127.0.0.1"), ("mail", "127.0.0.1"), ("ui", "127.0.0.1")}


def test_the_admin_api_answers_where_it_was_asked_for(make_directory: Callable[[str], Directory]) -> None:
    directory = make_directory("admin")
    (port,) = engine.free_ports(1)

    told = directory.up("dev", "--admin-port", str(port))

    assert told["endpoints"]["admin"] == f"http://localhost:{port}"
    assert people.request("GET", f"http://127.0.0.1:{port}/admin/identities").json() == []

"""Starting, changing, losing something, and stopping."""

from __future__ import annotations

import json

import pytest

from . import containers, http
from .conftest import REPOSITORY, TESTED, MakeMigrated
from .kratos import ADMIN, KRATOS_YML, PUBLIC, SECRETS, Database, Directory, Image, Kratos, Postgres, Server
from .test_serving import new_email

PASSWORD = "given-by-an-administrator"


@pytest.fixture
def kratos(default_image: Image, make_migrated: MakeMigrated) -> Kratos:
    return make_migrated(default_image, "sqlite")


@pytest.fixture
def kratos_on_postgres(default_image: Image, make_migrated: MakeMigrated) -> Kratos:
    return make_migrated(default_image, "postgres")


def signed_in_cookie(server: Server) -> dict[str, str]:
    email = new_email()
    server.create(email, PASSWORD)
    return {"a_session": server.browser_sign_in(email, PASSWORD).cookies()["a_session"]}


def test_sessions_survive_a_restart_while_the_cookie_secret_is_kept_or_rotated(kratos: Kratos) -> None:
    with kratos.serve() as server:
        cookie = signed_in_cookie(server)
    with kratos.serve() as server:
        assert server.whoami(cookie).status == 200
    rotated = SECRETS | {"cookie": ["a-new-cookie-secret-in-front", *SECRETS["cookie"]]}
    kratos.directory.write("secrets.yml", {"secrets": rotated})
    with kratos.serve() as server:
        assert server.whoami(cookie).status == 200


def test_a_lost_cookie_secret_signs_everybody_out(kratos: Kratos) -> None:
    with kratos.serve() as server:
        cookie = signed_in_cookie(server)
    with kratos.serve(env={"SECRETS_COOKIE": "another-cookie-secret-altogether"}) as server:
        assert server.whoami(cookie).status == 401


def test_without_a_secret_sessions_die_with_the_process(kratos: Kratos) -> None:
    with kratos.serve(files=("kratos.yml",)) as server:
        cookie = signed_in_cookie(server)
        assert server.whoami(cookie).status == 200
    with kratos.serve(files=("kratos.yml",)) as server:
        assert server.whoami(cookie).status == 401


def test_the_environment_goes_before_the_files(kratos: Kratos) -> None:
    variables = {
        "SESSION_COOKIE_NAME": "from_environment",
        "SECRETS_DEFAULT": "one-secret-of-the-list,another-of-the-list",
    }
    with kratos.serve(env=variables) as server:
        email = new_email()
        server.create(email, PASSWORD)
        assert "from_environment" in server.browser_sign_in(email, PASSWORD).cookies()


def test_a_changed_file_is_read_again_while_it_serves(kratos: Kratos) -> None:
    with kratos.serve() as server:
        email = new_email()
        server.create(email, PASSWORD)
        kratos.directory.write("kratos.yml", KRATOS_YML | {"session": {"cookie": {"name": "renamed"}}})
        containers.until(lambda: "renamed" in server.browser_sign_in(email, PASSWORD).cookies(), server.container.logs)


def test_a_change_that_is_wrong_is_rolled_back(kratos: Kratos) -> None:
    with kratos.serve() as server:
        kratos.directory.write("kratos.yml", KRATOS_YML | {"no_such_key": 1})
        server.container.wait_for_log("The changed configuration is invalid and could not be loaded.")
        assert "a_session" in signed_in_cookie(server)


def test_a_changed_base_url_needs_no_restart_but_a_changed_port_does(kratos: Kratos) -> None:
    moved = KRATOS_YML["serve"] | {"public": {"base_url": "http://127.0.0.1:5555/", "port": 5555}}
    with kratos.serve() as server:
        kratos.directory.write("kratos.yml", KRATOS_YML | {"serve": moved})
        server.container.wait_for_log("Configuration change processed successfully.")
        assert server.create(new_email())["schema_url"].startswith("http://127.0.0.1:5555/")
        assert server.public("GET", "/health/ready").status == 200


def test_a_memory_database_needs_no_migration_and_is_empty_at_every_start(
    default_image: Image, directory: Directory
) -> None:
    kratos = Kratos(default_image, directory, Database("memory"))
    for _ in range(2):
        with kratos.serve() as server:
            assert server.admin("GET", "/admin/identities").json() == []
            server.create(new_email())


def test_it_stops_when_asked_to_and_exits_0(kratos: Kratos) -> None:
    with kratos.serve() as server:
        assert server.container.stop() == 0


def test_it_logs_one_line_an_event_as_text_or_as_json(kratos: Kratos) -> None:
    with kratos.serve() as server:
        assert "level=info msg=" in server.container.logs()
    with kratos.serve(env={"LOG_FORMAT": "json"}) as server:
        lines = [line for line in server.container.logs().splitlines() if line.startswith("{")]
        assert {"level", "msg", "time"} <= set(json.loads(lines[-1]))


def test_remote_status_exits_1_where_nothing_answers() -> None:
    """It takes the ten seconds that Kratos' client goes on trying."""
    command = ["remote", "status", "-e", "http://127.0.0.1:4439"]
    newest = Image(REPOSITORY, TESTED[-1], "default")
    done = containers.run(str(newest), *command, options=["--network=none"])
    assert done.code == 1


def test_a_new_identity_is_asked_by_mail_to_verify_its_address(kratos_on_postgres: Kratos, mail_port: int) -> None:
    with kratos_on_postgres.serve("--watch-courier") as server:
        email = new_email()
        assert server.sign_up(email, "a-password-of-29").status == 200
        containers.until(lambda: email in recipients(mail_port), server.container.logs)


def recipients(mail_port: int) -> list[str]:
    messages = http.request("GET", mail_port, "/api/v1/messages").json()["messages"]
    return [address["Address"] for message in messages for address in message["To"]]


def test_a_lost_connection_to_postgresql_fails_requests_once_and_then_no_more(kratos_on_postgres: Kratos) -> None:
    database = kratos_on_postgres.database
    assert isinstance(database, Postgres)
    with kratos_on_postgres.serve() as server:
        server.create(new_email())
        database.disconnect_everybody()
        statuses = [server.admin("GET", "/admin/identities?per_page=1").status for _ in range(20)]
        assert set(statuses) == {200, 500}
        assert statuses[-4:] == [200] * 4


def test_writes_fail_in_a_database_of_another_network(kratos_on_postgres: Kratos) -> None:
    """Why a template to clone is taken after the first serve."""
    database = kratos_on_postgres.database
    assert isinstance(database, Postgres)
    with kratos_on_postgres.serve() as server:
        database.run("DELETE FROM networks")
        database.run("INSERT INTO networks (id, created_at, updated_at) VALUES (gen_random_uuid(), now(), now())")
        answer = server.admin("POST", "/admin/identities", {"schema_id": "person", "traits": {"email": new_email()}})
        assert answer.status == 500


def test_postgresql_gone_is_not_ready_and_back_is_ready_again(kratos_on_postgres: Kratos) -> None:
    database = kratos_on_postgres.database
    assert isinstance(database, Postgres)
    with kratos_on_postgres.serve() as server:
        with database.away():
            containers.until(
                lambda: http.answers(server.admin_port, "/admin/health/ready") == 503, server.container.logs
            )
            assert server.admin("GET", "/admin/health/alive").status == 200
        server.wait_until_ready()


def test_cookies_go_over_plain_http_with_dev_and_over_tls_alone_without(kratos: Kratos) -> None:
    for flags, secure in ((("--dev",), False), ((), True)):
        with kratos.start("serve", *flags, "--sqa-opt-out") as started:
            server = Server(kratos.image, started, started.port(PUBLIC), started.port(ADMIN))
            server.wait_until_ready()
            begun = server.public("GET", "/self-service/login/browser", headers={"Accept": "text/html"})
        assert ["Secure" in cookie for cookie in begun.headers.get_all("Set-Cookie") or []] == [secure], flags

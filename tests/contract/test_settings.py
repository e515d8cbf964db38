"""What settings do that lessons break: CORS, return URLs, the lifespan of sessions, logs, identifiers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from . import containers, http
from .conftest import MakeMigrated
from .kratos import ADMIN, IDENTITY_SCHEMA, KRATOS_YML, Image, Server

OURS, THEIRS = "http://127.0.0.1:4455", "https://elsewhere.example.org"
PASSWORD = "a-password-of-29"
NO_IDENTIFIER = "Could not find any login identifiers"


def _serving(image: Image, make_migrated: MakeMigrated, said: dict[str, Any], identifier: bool) -> Iterator[Server]:
    kratos_yml, schema = copy.deepcopy(KRATOS_YML), copy.deepcopy(IDENTITY_SCHEMA)
    kratos_yml["serve"]["public"] |= said.get("public", {})
    kratos_yml["selfservice"] |= said.get("selfservice", {})
    kratos_yml["session"] |= said.get("session", {})
    kratos_yml["log"] |= said.get("log", {})
    email = schema["properties"]["traits"]["properties"]["email"]["ory.sh/kratos"]
    email["credentials"]["password"]["identifier"] = identifier
    kratos = make_migrated(image, "sqlite")
    kratos.directory.write("kratos.yml", kratos_yml)
    kratos.directory.write("person.schema.json", schema)
    with kratos.serve() as server:
        yield server


@pytest.fixture(scope="module")
def open_one(default_image: Image, make_migrated: MakeMigrated) -> Iterator[Server]:
    """Kratos that lets another origin in, forgets people after seconds, and tells its log everything."""
    said = {
        "public": {"cors": {"enabled": True, "allowed_origins": [OURS]}},
        "selfservice": {"allowed_return_urls": [OURS]},
        "session": {"lifespan": "5s"},
        "log": {"leak_sensitive_values": True},
    }
    yield from _serving(default_image, make_migrated, said, identifier=True)


@pytest.fixture(scope="module")
def plain(default_image: Image, make_migrated: MakeMigrated) -> Iterator[Server]:
    """Kratos whose identity schema has no identifier."""
    yield from _serving(default_image, make_migrated, {}, identifier=False)


def preflight(server: Server, origin: str) -> http.Answer:
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    return server.public("OPTIONS", "/sessions/whoami", headers=asked)


def test_a_page_of_an_allowed_origin_may_read_answers_with_cookies_and_no_other(open_one: Server) -> None:
    for answer in (preflight(open_one, OURS), open_one.public("GET", "/sessions/whoami", headers={"Origin": OURS})):
        assert answer.headers["Access-Control-Allow-Origin"] == OURS
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert preflight(open_one, THEIRS).headers["Access-Control-Allow-Origin"] is None


def test_without_cors_no_page_of_another_origin_may(plain: Server) -> None:
    assert preflight(plain, OURS).headers["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize(("url", "status"), [(f"{OURS}/welcome", 200), (f"{THEIRS}/", 400)])
def test_people_are_sent_back_to_allowed_addresses_alone(open_one: Server, url: str, status: int) -> None:
    asked = f"/self-service/login/browser?return_to={url}"
    answer = open_one.public("GET", asked, headers={"Accept": "application/json"})
    assert answer.status == status
    if status == 400:
        assert answer.json()["error"]["id"] == "self_service_flow_return_to_forbidden"


def test_a_session_lasts_as_long_as_it_is_told_to(open_one: Server) -> None:
    session = open_one.sign_up(f"{uuid4()}@example.org", PASSWORD).json()["session"]
    began, ends = (datetime.fromisoformat(session[key]) for key in ("issued_at", "expires_at"))
    assert ends - began == timedelta(seconds=5)


def test_the_log_shows_cookies_only_where_it_is_told_to(open_one: Server, plain: Server) -> None:
    for server, shown in ((open_one, True), (plain, False)):
        mark = uuid4().hex
        server.public("GET", "/sessions/whoami", cookies={"some": mark})
        server.container.wait_for_log("path:/sessions/whoami")
        assert (mark in server.container.logs()) == shown


def test_without_an_identifier_nobody_can_sign_up(plain: Server) -> None:
    answer = plain.sign_up(f"{uuid4()}@example.org", PASSWORD)
    assert answer.status == 400
    assert NO_IDENTIFIER in str(answer.json()["ui"])


def test_a_migration_that_was_taken_back_is_pending(modern_image: Image, make_migrated: MakeMigrated) -> None:
    kratos = make_migrated(modern_image, "sqlite")
    done = kratos.run("migrate", "sql", "down", "-e", "--yes", "--steps", "1")
    assert done.code == 0, done.text
    with kratos.start("serve", "--dev") as started:
        started.wait_for_log("Starting the admin httpd")
        port = started.port(ADMIN)
        containers.until(lambda: http.answers(port, "/admin/health/alive") == 200, started.logs)
        assert http.answers(port, "/admin/health/ready") == 503
        assert kratos.migrate().code == 0
        assert http.answers(port, "/admin/health/ready") == 200

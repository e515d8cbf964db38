"""Mail of a class over the network: nobody reads another's codes, and who has the password reads their own."""

from __future__ import annotations

import re
import stat

import pytest

from kratosctl.stack.inbox import Login
from tests.e2e import engine
from tests.e2e.people import request, sign_up_and_ask
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

# not 127.0.0.1, where an inbox asks nobody: as far as a seat can tell it is reached from elsewhere
ADDRESS = "127.0.0.2"
MESSAGES = "/api/v1/messages"


@pytest.fixture(scope="module")
def classroom(shared_directory: Directory) -> Directory:
    shared_directory.choose()
    words = ("--reach", "lan", "--host", ADDRESS, "--bind", ADDRESS, "--no-ui", "--mail", "--yes")
    shared_directory.run("workshop", "init", "--seats", "2", *words)
    return shared_directory


def ready(classroom: Directory) -> dict[str, dict[str, str]]:
    rows = classroom.run("workshop", "up", "--json").data["seats"]
    assert all(row["ready"] for row in rows), rows
    return {row["seat"]: row["endpoints"] for row in rows}


def login(classroom: Directory, seat: str) -> Login:
    """What the handout of a seat says."""
    classroom.run("workshop", "handout")
    page = classroom.path / "handouts" / f"{seat}.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    found = re.search("user name <code>(.+?)</code>, password <code>(.+?)</code>", page.read_text())
    assert found
    return Login(found[1], found[2])


def status(url: str, login: Login | None = None) -> int:
    return request("GET", url + MESSAGES, headers={"Authorization": login.header} if login else {}).status


def test_the_password_on_the_handout_opens_ones_own_inbox_and_no_other(classroom: Directory) -> None:
    urls = ready(classroom)
    for seat in urls:
        sign_up_and_ask(urls[seat]["public"], f"{seat}@example.org")
    own, others = login(classroom, "seat-01"), login(classroom, "seat-02")

    assert status(urls["seat-01"]["mail"]) == 401
    assert status(urls["seat-01"]["mail"], others) == 401
    assert status(urls["seat-01"]["mail"], own) == 200
    for seat in urls:
        steps = classroom.run("verify", seat, "--json").data["steps"]
        assert [step["name"] for step in steps if not step["ok"]] == []


def test_the_password_stays_and_is_nowhere_but_in_its_file_and_on_the_handout(classroom: Directory) -> None:
    ready(classroom)
    password = login(classroom, "seat-01").password
    file = classroom.path / ".kratosctl/seat-01/secrets/mail-password"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (f"{password}\n", 0o600)

    said = [
        classroom.run(*words)
        for words in (
            ("up", "seat-01"),
            ("up", "seat-01", "--json"),
            ("status", "seat-01"),
            ("status", "seat-01", "--json"),
            ("open", "mail", "--env", "seat-01", "--print"),
            ("workshop", "status", "--json"),
            ("logs", "seat-01", "mail"),
        )
    ]
    assert classroom.run("workshop", "up", "--json").data["seats"][0]["changed"] is False
    printed = [done.out + done.err for done in said]
    assert [text for text in printed if password in text] == []
    assert all(str(file) in text for text in printed[:5])
    where = {"user": "seat-01", "password_file": str(file)}
    assert [said[number].data["mail_login"] for number in (1, 3)] == [where, where]
    for container in engine.of_directory(classroom.path)["container"]:
        assert password not in engine.docker("inspect", container)
    assert login(classroom, "seat-01").password == password


def test_a_password_that_was_given_away_is_made_anew_by_removing_its_file(classroom: Directory) -> None:
    urls = ready(classroom)
    before = login(classroom, "seat-02")
    (classroom.path / ".kratosctl/seat-02/secrets/mail-password").unlink()

    assert "another password" in classroom.run("verify", "seat-02", code=1).out
    ready(classroom)

    after = login(classroom, "seat-02")
    assert after.password != before.password
    assert [status(urls["seat-02"]["mail"], known) for known in (before, after)] == [401, 200]

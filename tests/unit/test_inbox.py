"""The password of a mail inbox that people come to over the network."""

from __future__ import annotations

import base64
import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kratosctl.commands.status import mail_login
from kratosctl.commands.verify import Person, Target
from kratosctl.engine import reading
from kratosctl.engine.objects import Container
from kratosctl.errors import NotReady
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.kratos import readiness
from kratosctl.running import Found
from kratosctl.stack import inbox
from kratosctl.stack.inbox import Login
from tests.unit import stacks


def test_mailpit_is_given_a_hash_and_people_the_password() -> None:
    files = {file.path: file for file in inbox.files(stacks.environment("seat-01", bind="0.0.0.0"), "a-password")}

    digest = base64.b64encode(hashlib.sha1(b"a-password").digest()).decode()
    assert files["secrets/mail.htpasswd"].text == f"seat-01:{{SHA}}{digest}\n"
    assert files["secrets/mail-password"].text == "a-password\n"
    assert all(file.secret for file in files.values())


@pytest.mark.parametrize("asked", [{"bind": "127.0.0.1"}, {"bind": "::1"}, {"bind": "0.0.0.0", "mail": False}])
def test_an_inbox_that_nobody_else_comes_to_has_none(asked: dict[str, Any]) -> None:
    assert inbox.files(stacks.environment(**asked), "a-password") == []


def test_a_password_can_be_copied_from_paper_and_is_no_others() -> None:
    made = {inbox.new_password() for _ in range(100)}

    assert len(made) == 100
    assert all(re.fullmatch("[a-km-np-z2-9]{4}(-[a-km-np-z2-9]{4}){3}", password) for password in made)


def test_a_password_is_shown_by_no_accident() -> None:
    target = Target(
        "dev", "http://localhost:4433", "", "http://localhost:8025", False, login=Login("seat-01", "a-password")
    )

    assert "a-password" not in repr(target)


def container(address: str) -> Container:
    return Container(
        "1", "p-mail-1", "mail", "p", "running", "Up", "", None, "mailpit", published={f"{address}:8125": 8025}
    )


@pytest.mark.parametrize(
    ("address", "https", "asks"),
    [
        ("127.0.0.1", False, False),
        ("127.0.0.1", True, True),
        ("[::1]", False, False),
        ("0.0.0.0", False, True),
        ("[::]", False, True),
        ("192.168.1.5", False, True),
    ],
)
def test_it_is_told_where_the_password_is_and_not_what_it_is(
    tmp_path: Path, address: str, https: bool, asks: bool
) -> None:
    workspace = Workspace(tmp_path, "seat-01")
    workspace.write(inbox.PASSWORD_FILE, "a-password\n", 0o600)

    told = mail_login(Found(workspace, State(https=https), (container(address),)))

    file = str(workspace.home / "secrets" / "mail-password")
    assert told == ({"user": "seat-01", "password_file": file} if asks else None)
    assert inbox.said(told) == (f"  (user seat-01, password in {file})" if asks else "")


@pytest.fixture
def refusing() -> Iterator[int]:
    """The port of a page that answers 401 to whatever is asked."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def test_an_inbox_that_asks_for_a_password_is_up(refusing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "logs", lambda container, lines: "")
    readiness.wait_for_pages("127.0.0.1", {"mail": refusing}, {"mail": "app-mail-1"}, 2)
    with pytest.raises(NotReady):
        readiness.wait_for_pages("127.0.0.1", {"mail": 1}, {"mail": "app-mail-1"}, 0.1)


def test_verify_says_that_the_inbox_refuses_it(refusing: int) -> None:
    person = Person(Target("dev", "http://127.0.0.1:1", "", f"http://127.0.0.1:{refusing}", False))
    person.identity = {"verifiable_addresses": [{"verified": False}]}
    person.verification = {"id": "a-flow"}

    ok, _, cause = person._verify_address()

    assert ok is False
    assert "the mail inbox has another password" in cause

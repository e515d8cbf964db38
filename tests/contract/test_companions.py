"""The images beside Kratos: mail and the self-service UI."""

from __future__ import annotations

import os
import secrets
import smtplib
from contextlib import AbstractContextManager
from email.message import EmailMessage
from pathlib import Path

import pytest

from kratosctl.catalog import UI_REPOSITORY
from kratosctl.stack import inbox
from kratosctl.stack.inbox import Login
from tests.unit import stacks

from . import containers, http
from .conftest import MAIL_IMAGE, TESTED, companion

PASSWORD = "kq4x-9mzt-hw7c-3rdb"


def test_mail_is_taken_over_smtp_and_read_as_json() -> None:
    with containers.container(MAIL_IMAGE, options=["--publish=127.0.0.1::1025", "--publish=127.0.0.1::8025"]) as server:
        web = server.port(8025)
        containers.until(lambda: server.execute("/mailpit", "readyz").code == 0, server.logs)
        send(server.port(1025), "ada@example.org", "Hello", "A first line\n.a dot in front\n")
        listed = http.request("GET", web, "/api/v1/messages").json()["messages"]
        assert [(message["Subject"], message["To"][0]["Address"]) for message in listed] == [
            ("Hello", "ada@example.org")
        ]
        message = http.request("GET", web, f"/api/v1/message/{listed[0]['ID']}").json()
        assert ".a dot in front" in message["Text"]
        assert http.request("GET", web, "/").status == 200
        assert http.request("DELETE", web, "/api/v1/messages").status == 200
        assert http.request("GET", web, "/api/v1/messages").json()["messages"] == []


def test_an_inbox_with_an_access_file_asks_for_a_password_and_mail_and_health_do_not(tmp_path: Path) -> None:
    asked = stacks.environment("seat-01", bind="0.0.0.0")
    access = tmp_path / "mail.htpasswd"
    access.write_text(next(file.text for file in inbox.files(asked, PASSWORD) if file.path == inbox.ACCESS_FILE))
    with guarded(access) as server:
        web = server.port(8025)
        containers.until(lambda: server.execute("/mailpit", "readyz").code == 0, server.logs)
        send(server.port(1025), "ada@example.org", "Your code", "123456\n")
        right, wrong = Login("seat-01", PASSWORD), (Login("seat-01", "another"), Login("seat-02", PASSWORD))
        for path in ("/", "/api/v1/messages", "/api/v1/message/latest", "/view/latest.txt", "/api/events"):
            refused = http.request("GET", web, path)
            assert refused.status == 401, path
            assert refused.headers["WWW-Authenticate"] == 'Basic realm="Login"'
            for login in wrong:
                assert http.request("GET", web, path, headers={"Authorization": login.header}).status == 401
        assert http.request("DELETE", web, "/api/v1/messages").status == 401
        listed = http.request("GET", web, "/api/v1/messages", headers={"Authorization": right.header})
        assert [message["Subject"] for message in listed.json()["messages"]] == ["Your code"]
        assert http.request("GET", web, "/", headers={"Authorization": right.header}).status == 200
        assert [http.request("GET", web, path).status for path in ("/livez", "/readyz")] == [200, 200]


def test_an_inbox_whose_access_file_is_missing_is_not_opened() -> None:
    with containers.container(MAIL_IMAGE, options=["--env=MP_UI_AUTH_FILE=/run/secrets/none"]) as server:
        done = server.wait_for_end()
    assert done.code == 1
    assert "[ui] HTTP password file not found or readable" in done.text


def guarded(access: Path) -> AbstractContextManager[containers.Container]:
    """Mail as the services that kratosctl generates run it, with an access file."""
    access.chmod(0o600)
    options = [*containers.HARDENED, f"--user={os.getuid()}:{os.getgid()}"]
    options += ["--publish=127.0.0.1::1025", "--publish=127.0.0.1::8025"]
    options += [f"--volume={access}:/run/secrets/mail.htpasswd:ro", "--env=MP_UI_AUTH_FILE=/run/secrets/mail.htpasswd"]
    return containers.container(MAIL_IMAGE, options=options)


def send(port: int, to: str, subject: str, text: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "tests@example.org", to, subject
    message.set_content(text)
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        smtp.send_message(message)


def ui_options(**variables: str) -> list[str]:
    return ["--publish=127.0.0.1::3000", *(f"--env={name}={value}" for name, value in variables.items())]


@pytest.fixture
def ui_image() -> str:
    return companion(f"{UI_REPOSITORY}:{TESTED[-1]}")


def test_the_ui_is_alive_once_its_secrets_are_given(ui_image: str) -> None:
    options = ui_options(
        KRATOS_PUBLIC_URL="http://kratos:4433",
        KRATOS_BROWSER_URL="http://127.0.0.1:4433",
        COOKIE_SECRET=secrets.token_hex(16),
        CSRF_COOKIE_NAME="ui_csrf",
        CSRF_COOKIE_SECRET=secrets.token_hex(16),
        DANGEROUSLY_DISABLE_SECURE_CSRF_COOKIES="true",
    )
    # as the services that kratosctl generates run it
    options += [*containers.HARDENED, f"--user={os.getuid()}:{os.getgid()}"]
    with containers.container(ui_image, options=options) as server:
        port = server.port(3000)
        containers.until(lambda: http.answers(port, "/health/alive") == 200, server.logs)
        started = http.request("GET", port, "/login")
        assert started.status in {302, 303}
        assert started.headers["Location"].startswith("http://127.0.0.1:4433/self-service/login/browser")


def test_the_ui_names_the_secrets_it_lacks_and_exits_0(ui_image: str) -> None:
    with containers.container(ui_image, options=ui_options(KRATOS_PUBLIC_URL="http://kratos:4433")) as server:
        done = server.wait_for_end()
    assert done.code == 0
    for name in ("COOKIE_SECRET", "CSRF_COOKIE_NAME", "CSRF_COOKIE_SECRET"):
        assert f"{name} must be set" in done.text

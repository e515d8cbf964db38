"""Who `verify` and `upgrade` sign up fills in the forms of anybody's identity schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from kratosctl.commands.verify import Person, Target, traits_for
from kratosctl.kratos.api import Answer, Client

EMAIL = "somebody@example.org"


def form(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"ui": {"nodes": [{"attributes": {"required": True, **field}} for field in fields]}}


def test_each_field_gets_what_its_type_takes() -> None:
    types = ("email", "text", "number", "checkbox", "tel", "date", "datetime-local", "url")
    filled = traits_for(form(*({"name": f"traits.{kind}", "type": kind} for kind in types)), EMAIL)

    assert (filled["email"], filled["number"], filled["checkbox"]) == (EMAIL, 1, True)
    assert re.fullmatch(r"\+[0-9]{8,15}", filled["tel"])
    assert date.fromisoformat(filled["date"])
    assert datetime.fromisoformat(filled["datetime-local"]).tzinfo
    assert urlsplit(filled["url"]).hostname


def test_what_may_be_left_out_is_but_for_addresses() -> None:
    asked = form(
        {"name": "traits.contact.email", "type": "text", "required": False},
        {"name": "traits.email_me", "type": "checkbox", "required": False},
        {"name": "traits.name.first", "type": "text"},
        {"name": "traits.number", "type": "number", "disabled": True},
        {"name": "csrf_token", "type": "hidden"},
    )
    assert traits_for(asked, EMAIL) == {"contact": {"email": EMAIL}, "name": {"first": "Verify"}}


def test_a_form_that_asks_for_nothing_still_gets_an_address() -> None:
    assert traits_for(form(), EMAIL) == {"email": EMAIL}


class Kratos(Client):
    """A Kratos that answers what it is told to."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__("http://kratos", browser=True)
        self.answers = answers

    def get(self, url: str) -> Answer:
        found = self.answers.get(urlsplit(url).path)
        return Answer(200, found) if found else Answer(0, "")


def person(client: Client) -> Person:
    made = Person(Target("dev", client.public, "", "http://127.0.0.1:9", browser=True))
    made.client = client
    return made


def test_an_address_that_is_verified_by_a_link_is_no_failure_of_the_mail() -> None:
    nodes = [{"group": "link", "attributes": {"name": "email"}}]
    somebody = person(Kratos({"/self-service/verification/flows": {"ui": {"nodes": nodes}}}))
    somebody.identity = {"verifiable_addresses": [{"value": EMAIL, "verified": False}]}
    somebody.verification = {"id": "v1"}

    assert somebody._verify_address() == (None, "it is verified by a mailed link, which is not followed", "")


def test_a_mail_that_is_deleted_before_it_is_read_is_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody empties the inbox meanwhile, as `reset` of the same environment does."""
    somebody = person(Kratos({"/sessions/whoami": {"active": True}}))
    letters = iter([Answer(404, "not found"), Answer(200, {"Text": "use 123456 to verify"})])
    mails = {"messages": [{"ID": "m1", "To": [{"Address": somebody.email}]}]}
    inbox = SimpleNamespace(get=lambda url: next(letters) if "/message/" in url else Answer(200, mails))
    monkeypatch.setattr(somebody, "_inbox", lambda: inbox)

    assert somebody._code(0) == "123456"


def sign_up_form(*groups: str, said: str = "") -> dict[str, Any]:
    messages = [{"text": said}] if said else []
    nodes = [{"group": group, "attributes": {"name": "traits.email"}, "messages": messages} for group in groups]
    return {"ui": {"action": "http://kratos/", "nodes": nodes}}


@pytest.mark.parametrize("methods", [("passkey",), ("oidc", "passkey")])
def test_where_people_sign_up_with_neither_password_nor_code_nothing_is_called_broken(methods: tuple[str, ...]) -> None:
    """As the passkey preset says how to have it: passkeys alone."""
    client = Kratos({"/self-service/registration/browser": sign_up_form("default", "profile", *methods)})
    client.post = lambda *_: Answer(400, sign_up_form("default", "profile", *methods))  # type: ignore[method-assign]
    ok, said, cause = person(client).sign_up()

    assert (ok, cause) == (False, "")
    assert said == f"people sign up with {', '.join(methods)} alone; tried can be a password or a mailed code"


def test_a_trait_that_is_refused_is_said_also_where_a_provider_is_offered_beside_it() -> None:
    client = Kratos({"/self-service/registration/browser": sign_up_form("default", "profile", "oidc")})
    refused = Answer(400, sign_up_form("default", "profile", "oidc", said="is too short"))
    client.post = lambda *_: refused  # type: ignore[method-assign]
    ok, said, cause = person(client).sign_up()

    assert (ok, said) == (False, "traits.email: is too short")
    assert "identity schema" in cause


class Frontend(BaseHTTPRequestHandler):
    """An application that shows its page whatever it is asked for, and knows no Kratos."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<!doctype html>\n<title>Shop</title>\n")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Frontend) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_forms_that_are_sent_to_something_else_than_kratos_are_said_to_be() -> None:
    """serve.public.base_url names a proxy, or the application itself, which does not hand it on."""
    nodes = [{"group": "password", "attributes": {"name": "traits.email", "type": "email"}}]
    with serving() as frontend:
        flow = {"ui": {"action": f"{frontend}/self-service/registration?flow=f1", "nodes": nodes}}
        ok, said, cause = person(Kratos({"/self-service/registration/browser": flow})).sign_up()

    assert ok is False
    assert len(said.splitlines()) == 1
    assert "serve.public.base_url" in cause

"""`kratosctl.testing`, as far as no Kratos is needed to tell."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from kratosctl.errors import CodeMissing, KratosRefused
from kratosctl.kratos.api import Admin, Answer
from kratosctl.snapshots import putting_back, store
from kratosctl.testing import Identity, Kratos


def kratos(**parts: Any) -> Kratos:
    made = Kratos.__new__(Kratos)
    for name, part in parts.items():
        setattr(made, name, part)
    return made


@pytest.mark.parametrize("back", [Kratos.reset, lambda k: k.restore("seeded")], ids=["reset", "restore"])
def test_mail_that_is_being_sent_is_waited_for_before_a_snapshot_is_put_back(
    monkeypatch: pytest.MonkeyPatch, back: Callable[[Kratos], None]
) -> None:
    """What waits in the queue is gone then, too, so that nothing of before is in an inbox that was emptied."""
    happened: list[str] = []
    emptied = iter([False, False, True])

    def empty(unless_sending: bool) -> bool:
        happened.append("looked")
        return next(emptied)

    monkeypatch.setattr(store, "load", lambda _, name: name)
    monkeypatch.setattr(store, "check", lambda _, name: happened.append("checked"))
    monkeypatch.setattr(putting_back, "put_back", lambda _, name: happened.append(name))
    workspace = SimpleNamespace(locked=lambda *_: nullcontext())
    subject = SimpleNamespace(found=SimpleNamespace(workspace=workspace, public_address=lambda: None))

    back(kratos(_seeded="seeded", _opened=SimpleNamespace(empty=empty), _subject=subject, mail_url=None))

    assert happened == ["checked", "looked", "looked", "looked", "seeded"]


def test_an_address_is_kept_where_there_are_other_traits() -> None:
    sent: list[dict[str, Any]] = []

    def create(body: dict[str, Any]) -> Answer:
        sent.append(body["traits"])
        return Answer(201, {"id": "1"})

    k = kratos(_admin=SimpleNamespace(create=create))

    ada = k.create_identity("ada@example.org", traits={"name": "Ada"})
    bob = k.create_identity(traits={"email": "bob@example.org"})
    robot = k.create_identity(traits={"name": "robot"})

    assert sent == [{"email": "ada@example.org", "name": "Ada"}, {"email": "bob@example.org"}, {"name": "robot"}]
    assert [one.email for one in (ada, bob, robot)] == ["ada@example.org", "bob@example.org", ""]


def test_somebody_has_the_schema_that_kratos_gives_by_default() -> None:
    sent: list[dict[str, Any]] = []

    def create(body: dict[str, Any]) -> Answer:
        sent.append(body)
        return Answer(201, {"id": "1"})

    k = kratos(_admin=SimpleNamespace(create=create))

    k.create_identity("ada@example.org")
    k.create_identity("bob@example.org", schema_id="robot")

    assert [body.get("schema_id") for body in sent] == [None, "robot"]


def test_a_verified_address_is_verified_however_it_is_written() -> None:
    """Kratos keeps addresses in small letters, and v1.0 finds no other ones again."""
    sent: list[dict[str, Any]] = []

    def create(body: dict[str, Any]) -> Answer:
        sent.append(body)
        return Answer(201, {"id": "1"})

    ada = kratos(_admin=SimpleNamespace(create=create)).create_identity("Ada@Example.org", verified=True)

    assert ada.email == "Ada@Example.org"
    assert sent[0]["traits"] == {"email": "Ada@Example.org"}
    assert [address["value"] for address in sent[0]["verifiable_addresses"]] == ["ada@example.org"]


def test_an_address_is_verified_wherever_it_stands_in_the_traits() -> None:
    sent: list[dict[str, Any]] = []

    def create(body: dict[str, Any]) -> Answer:
        sent.append(body)
        return Answer(201, {"id": "1"})

    traits = {"username": "ada", "age": 36, "contact": {"mails": ["Ada@work.example", "ada@example.org"]}}
    ada = kratos(_admin=SimpleNamespace(create=create)).create_identity(traits=traits, verified=True)

    assert ada.email == ""
    assert [address["value"] for address in sent[0]["verifiable_addresses"]] == ["ada@work.example", "ada@example.org"]
    assert all(address["verified"] for address in sent[0]["verifiable_addresses"])


def test_a_password_goes_with_other_credentials_and_is_made_up_only_without_them() -> None:
    sent: list[Any] = []

    def create(body: dict[str, Any]) -> Answer:
        sent.append(body["credentials"])
        return Answer(201, {"id": "1"})

    k = kratos(_admin=SimpleNamespace(create=create))
    oidc = {"oidc": {"config": {"providers": [{"subject": "ada", "provider": "theirs"}]}}}

    both = k.create_identity("ada@example.org", password="a-password", credentials=oidc)
    other = k.create_identity("bob@example.org", credentials=oidc)

    assert sent == [{**oidc, "password": {"config": {"password": "a-password"}}}, oidc]
    assert (both.password, other.password) == ("a-password", "")


def test_why_somebody_was_not_created_is_said_in_one_line() -> None:
    """Kratos lists what its identity schema refuses, each on a line of its own."""
    reason = "I[#] S[#] doesn't validate\n  I[#/traits/age] S[#/properties/traits/age] expected integer"
    refused = Answer(400, {"error": {"code": 400, "reason": reason}})
    with pytest.raises(KratosRefused) as caught:
        kratos(_admin=SimpleNamespace(create=lambda _: refused)).create_identity("ada@example.org")

    assert len(caught.value.lines()) == 2
    assert not any("\n" in line for line in caught.value.lines())
    assert "I[#/traits/age]" in caught.value.why


def test_threads_create_people_at_the_same_time() -> None:
    """From asynchronous code each call runs in a thread of its own, many at once."""
    together = threading.Barrier(8, timeout=20)

    class People(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            together.wait()
            self.send_response(201)
            self.send_header("Content-Length", "11")
            self.end_headers()
            self.wfile.write(b'{"id": "1"}')

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), People) as server, ThreadPoolExecutor(8) as threads:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        k = kratos(_admin=Admin(f"http://127.0.0.1:{server.server_port}"))
        try:
            made = list(threads.map(lambda _: k.create_identity(), range(8)))
        finally:
            together.abort()
            server.shutdown()
    assert [one.id for one in made] == ["1"] * 8


class Login(BaseHTTPRequestHandler):
    """Kratos' sign-in of an app, whose configuration says that people come by another address."""

    base_url, group = "http://127.0.0.1:1/api/.ory", "password"
    known = ("ada@example.org",)

    def do_GET(self) -> None:
        action = f"{self.base_url}/self-service/login?flow=f1"
        nodes = [{"group": self.group, "attributes": {"name": "identifier"}}]
        self.answer({"id": "f1", "ui": {"action": action, "nodes": nodes}}, self.path == "/self-service/login/api")

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        signs_in = (sent["method"], sent["password"]) == ("password", "a-password") and sent["identifier"] in self.known
        self.answer({"session_token": "t1"}, signs_in and self.path == "/self-service/login?flow=f1")

    def answer(self, body: dict[str, Any], known: bool) -> None:
        text = json.dumps(body).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler] = Login) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_somebody_signs_in_at_the_kratos_of_the_test_whatever_address_its_configuration_names() -> None:
    """A config_dir that an application lives with names the proxy before it, or the port of the lasting Kratos."""
    with serving() as public:
        assert kratos(public_url=public).session_token("ada@example.org", "a-password") == "t1"


def test_a_form_that_asks_who_it_is_first_takes_the_password_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of `selfservice.flows.login.style: identifier_first`."""
    monkeypatch.setattr(Login, "group", "identifier_first")
    with serving() as public:
        assert kratos(public_url=public).session_token("ada@example.org", "a-password") == "t1"


class Late(Login):
    """A Kratos whose log reaches docker later than its answers reach whoever asked."""

    late: list[str]

    def do_GET(self) -> None:
        self.late.append(self.path)
        self.answer({}, False)


def test_the_log_is_read_when_all_that_kratos_has_answered_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Late.late = ["/the-last-of-the-test"]
    logged: list[str] = []

    def docker(*words: str) -> SimpleNamespace:
        said = SimpleNamespace(stdout="".join(logged), stderr="")
        logged.extend(f"GET {path}\n" for path in Late.late[len(logged) : len(logged) + 1])
        return said

    monkeypatch.setattr("kratosctl.engine.program.docker", docker)
    found = SimpleNamespace(running=lambda service: SimpleNamespace(name="kratos"))
    with serving(Late) as public:
        k = kratos(public_url=public, _subject=SimpleNamespace(found=found))

        assert k.logs() == "GET /the-last-of-the-test\n"

    # one that has ended says no more
    assert k.logs() == "GET /the-last-of-the-test\n"


@pytest.mark.parametrize("waiting", [lambda k: k.last_code("ada@example.org", timeout=0.05), Kratos.logs])
def test_nothing_is_waited_for_for_ever_where_a_test_has_stopped_the_clock(
    monkeypatch: pytest.MonkeyPatch, waiting: Callable[[Kratos], str]
) -> None:
    """As with freezegun."""
    asked = 0

    def nothing(*_: str) -> Any:
        nonlocal asked
        asked += 1
        assert asked < 500, "it waits for ever"
        return SimpleNamespace(status=200, ok=True, body=[], stdout="", stderr="")

    monkeypatch.setattr("time.monotonic", lambda: 1.0)
    monkeypatch.setattr("kratosctl.engine.program.docker", nothing)
    monkeypatch.setattr("kratosctl.testing._LOG_PATIENCE", 0.05)
    found = SimpleNamespace(running=lambda service: SimpleNamespace(name="kratos"))
    parts = {"_leave_mark": lambda: "a mark", "_admin": SimpleNamespace(messages=nothing)}
    k = kratos(_subject=SimpleNamespace(found=found), **parts)

    with suppress(CodeMissing):
        assert waiting(k) == ""


def person(email: str, *identifiers: str) -> Identity:
    """Somebody as Kratos answers once they are created: `identifiers` is null where there are none."""
    return Identity("1", email, "a-password", {"credentials": {"password": {"identifiers": [*identifiers] or None}}})


@pytest.mark.parametrize(
    ("ada", "identifier"),
    [
        pytest.param(person("", "ada"), "ada", id="a user name"),
        pytest.param(person("ada@work.example", "ada"), "ada", id="a user name beside an address"),
        pytest.param(person("Ada@example.org", "ada", "ada@example.org"), "Ada@example.org", id="either"),
        pytest.param(Identity("1", "ada@example.org", "a-password", {}), "ada@example.org", id="Kratos does not tell"),
    ],
)
def test_somebody_signs_in_with_what_the_identity_schema_says(
    ada: Identity, identifier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Login, "known", (identifier,))
    with serving() as public:
        assert kratos(public_url=public).session_token(ada) == "t1"


def test_whoever_has_nothing_to_sign_in_with_is_told_what_the_schema_lacks() -> None:
    with serving() as public, pytest.raises(KratosRefused) as caught:
        kratos(public_url=public).session_token(person(""))
    assert caught.value.lines() == [
        "identity 1 cannot sign in",
        "its traits hold no identifier for the method password",
        "mark one in the identity schema: ory.sh/kratos, credentials, password, identifier: true",
    ]

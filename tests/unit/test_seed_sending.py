"""Batches on their way to Kratos: what becomes of each row, in how many requests, and a Kratos that goes away."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kratosctl.errors import NotReady
from kratosctl.kratos.api import Admin
from kratosctl.seeding.identity import Identity, identity_of
from kratosctl.seeding.rows import Bad, Row
from kratosctl.seeding.sending import Sender

Emails = list[str]
Answers = Callable[[Emails], tuple[int, Any]]
_TAKEN = {"code": 409, "message": "a resource with that value exists already"}


class Kratos:
    """Answers PATCH /admin/identities over real HTTP, as a release does.

    Attributes:
        requests: the e-mail addresses of each request.
        connections: how many connections were opened.
        there: the addresses that are taken.
    """

    def __init__(self, all_or_none: bool) -> None:
        self.all_or_none = all_or_none
        self.requests: list[Emails] = []
        self.connections = 0
        self.there: set[str] = set()
        # statuses to answer with before anything else; 0 closes the connection
        self.troubles: list[int] = []
        self.ready = True
        self._lock = threading.Lock()

    def answer(self, emails: Emails) -> tuple[int, Any]:
        with self._lock:
            self.requests.append(emails)
            if self.troubles:
                return self.troubles.pop(0), {"error": {"message": "trouble"}}
            if "bad-hash" in emails:
                return 400, {"error": {"code": 400, "reason": "The imported password does not match any hash format."}}
            if self.all_or_none and (self.there & {*emails} or len({*emails}) < len(emails)):
                return 409, {"error": _TAKEN}
            return 200, {"identities": [self._create(email) for email in emails]}

    def _create(self, email: str) -> dict[str, Any]:
        if email in self.there:
            return {"action": "error", "error": _TAKEN}
        self.there.add(email)
        return {"action": "create", "identity": email}


@contextlib.contextmanager
def serving(kratos: Kratos) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def setup(self) -> None:
            super().setup()
            kratos.connections += 1

        def do_PATCH(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = kratos.answer([item["create"]["traits"]["email"] for item in asked["identities"]])
            self._say(status, body)

        def do_GET(self) -> None:
            self._say(200 if kratos.ready else 503, {})

        def _say(self, status: int, body: Any) -> None:
            if status == 0:
                self.close_connection = True
                return
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def identities(*emails: str) -> Iterator[Identity]:
    for line, email in enumerate(emails, 1):
        yield identity_of(Row("people", line, {"email": email}), {})


def send(kratos: Kratos, *emails: str) -> dict[str, int]:
    """How often each thing became of rows."""
    with serving(kratos) as url:
        became = [outcome.became for outcome in Sender(url, lambda _: None).send(identities(*emails))]
    return {word: became.count(word) for word in dict.fromkeys(became)}


def people(number: int) -> list[str]:
    return [f"p{n}" for n in range(number)]


def test_what_is_there_already_costs_no_request_of_its_own() -> None:
    kratos = Kratos(all_or_none=False)
    kratos.there = {*people(1000)}

    assert send(kratos, *people(1000)) == {"there": 1000}
    assert len(kratos.requests) == 5


def test_connections_stay_open_between_batches() -> None:
    kratos = Kratos(all_or_none=False)

    assert send(kratos, *people(2000)) == {"created": 2000}
    assert len(kratos.requests) == 10
    assert kratos.connections <= 2


def test_of_an_older_kratos_that_creates_all_or_none_each_row_is_known_in_the_end() -> None:
    kratos = Kratos(all_or_none=True)
    kratos.there = {"p7", "p350"}

    assert send(kratos, *people(400)) == {"created": 398, "there": 2}
    assert len(kratos.requests) < 70
    # nothing twice
    assert kratos.there == {*people(400)}


def test_all_there_already_costs_an_older_kratos_little_more_than_a_request_a_row() -> None:
    kratos = Kratos(all_or_none=True)
    kratos.there = {*people(200)}

    assert send(kratos, *people(200)) == {"there": 200}
    assert len(kratos.requests) <= 200 * 1.2


@pytest.mark.parametrize("all_or_none", [False, True])
def test_the_row_that_has_a_whole_batch_refused_is_found_and_the_others_kept(all_or_none: bool) -> None:
    kratos = Kratos(all_or_none)
    emails = people(450)
    emails[333] = "bad-hash"

    with serving(kratos) as url:
        outcomes = list(Sender(url).send(identities(*emails)))

    assert [outcome.bad for outcome in outcomes if outcome.bad] == [
        Bad("people", 334, "The imported password does not match any hash format.")
    ]
    assert kratos.there == {*emails} - {"bad-hash"}


def test_a_request_that_failed_for_the_moment_is_sent_again() -> None:
    kratos = Kratos(all_or_none=False)
    kratos.troubles = [503, 500, 0, 0]

    assert send(kratos, *people(10)) == {"created": 10}


def test_a_kratos_that_is_gone_for_good_is_said_and_not_waited_for_without_end() -> None:
    kratos = Kratos(all_or_none=False)
    kratos.troubles = [0] * 1000

    with pytest.raises(NotReady, match="stopped answering"):
        send(kratos, *people(10))


def test_whoever_ends_it_need_not_wait_until_a_kratos_that_is_gone_is_given_up() -> None:
    kratos = Kratos(all_or_none=False)
    kratos.troubles = [0] * 1000
    pressed = threading.Event()

    def sleep(_seconds: float) -> None:
        if not pressed.is_set():
            pressed.set()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.01)

    with serving(kratos) as url, pytest.raises(KeyboardInterrupt):
        list(Sender(url, sleep).send(identities("p")))

    assert len(kratos.requests) < 40


def test_a_kratos_that_says_nothing_is_not_asked_the_same_again_for_hours() -> None:
    """As where somebody holds a lock of the database: what was asked still waits there."""
    kratos, over = Kratos(all_or_none=False), threading.Event()
    was = kratos.answer

    def silent(emails: Emails) -> tuple[int, Any]:
        said = was(emails)
        over.wait()
        return said

    kratos.answer = silent  # type: ignore[method-assign]
    with serving(kratos) as url:
        try:
            with pytest.raises(NotReady, match="stopped answering"):
                list(Sender(url, lambda _: None, patience=0.1).send(identities("p")))
        finally:
            over.set()
    assert kratos.requests == [["p"]]


def test_a_database_that_is_gone_is_not_taken_for_bad_rows() -> None:
    kratos = Kratos(all_or_none=False)
    kratos.troubles, kratos.ready = [500] * 1000, False

    with pytest.raises(NotReady, match="stopped answering"):
        send(kratos, *people(10))


def test_a_row_that_kratos_fails_at_is_a_bad_row_while_kratos_is_well() -> None:
    kratos = Kratos(all_or_none=False)
    kratos.troubles = [500] * 8

    assert send(kratos, "p") == {"refused": 1}


def test_plain_passwords_go_in_small_batches() -> None:
    kratos = Kratos(all_or_none=False)
    rows = (identity_of(Row("people", n, {"email": f"p{n}", "password": "secret"}), {}) for n in range(30))
    with serving(kratos) as url:
        list(Sender(url).send(rows))

    assert max(map(len, kratos.requests)) == 10


def test_rows_are_read_only_as_they_are_sent() -> None:
    kratos, read = Kratos(all_or_none=False), 0

    def counted() -> Iterator[Identity]:
        nonlocal read
        for one in identities(*people(100_000)):
            read += 1
            yield one

    with serving(kratos) as url, contextlib.closing(Sender(url).send(counted())) as outcomes:
        next(outcomes)
        assert read <= 1000


def test_a_connection_that_kratos_closed_is_opened_again() -> None:
    kratos = Kratos(all_or_none=False)
    with serving(kratos) as url, Admin(url) as admin:
        assert admin.create_many([b'{"traits":{"email":"a"}}']).ok
        kratos.troubles = [0]
        assert admin.create_many([b'{"traits":{"email":"b"}}']).ok
        assert kratos.connections == 2

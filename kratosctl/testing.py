"""Kratos as a test fixture: `with kratos(database="sqlite", preset="email-password") as k: ...`.

Each environment is ephemeral: its own temporary directory, Compose project and ports; gone with the block, and if the
process is killed, with the next ephemeral environment or `kratosctl prune`. The calls block; from asynchronous code
use `await asyncio.to_thread(k.reset)`.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from kratosctl.console import Console
from kratosctl.engine import program, reading
from kratosctl.ephemeral import environments
from kratosctl.ephemeral.environments import Ephemeral
from kratosctl.errors import CodeMissing, KratosRefused, NotReady
from kratosctl.kratos import readiness
from kratosctl.kratos.api import Admin, Answer, Client, Json
from kratosctl.snapshots import live, putting_back, saving, store
from kratosctl.snapshots.subject import Subject
from kratosctl.stack import inbox

__all__ = ["Asked", "Identity", "Kratos", "kratos"]

_QUIET = Console(quiet=True)
_MAIL_PATIENCE = 5.0
_LOG_PATIENCE = 1.0
_MARK = "kratosctl-reads-the-log-"
_PAUSE = 0.005
_CODE = re.compile(r"\b\d{6}\b")


class Asked(TypedDict, total=False):
    """What can be asked: the keys of kratosctl.yaml that suit tests. What is left out takes its default."""

    preset: Literal["email-password", "passwordless-code", "passkey", "totp-and-lookup", "api-only", "oidc"] | None
    database: Literal["sqlite", "postgres", "memory"] | None
    release: str | None
    variant: Literal["default", "distroless"] | None
    ui: bool | None
    mail: bool | None
    public_port: int | None
    app_url: str | None
    admin_port: int | None
    ui_port: int | None
    mail_port: int | None
    postgres_port: int | None
    subnets: str | None
    config_dir: str | Path | None
    seed: str | Path | None
    platform: str | None
    kratos_image: str | None
    postgres_image: str | None
    ui_image: str | None
    mail_image: str | None
    host: str | None
    bind: str | None
    expose_admin_without_authentication: bool | None
    allow_floating_tag: bool | None


@dataclass(frozen=True)
class Identity:
    """Somebody who can sign in.

    Attributes:
        id: Kratos' ID.
        email: the address; empty where the traits have none.
        password: in clear text, for `session_token`; empty where there is none.
        body: all that Kratos answered.
    """

    id: str
    email: str
    password: str
    body: Mapping[str, Any]


class Kratos:
    """A running, ephemeral Kratos.

    Attributes:
        public_url: the public API.
        admin_url: the admin API.
        ui_url: the self-service UI; None where there is none.
        mail_url: the mail inbox; None where there is none.
        directory: where it lies, for `kratosctl -C DIRECTORY`.
        project: its Compose project.
    """

    def __init__(self, made: Ephemeral) -> None:
        self.public_url, self.admin_url = made.urls["public"], made.urls["admin"]
        self.ui_url, self.mail_url = made.urls.get("ui"), made.urls.get("mail")
        self.directory, self.project = made.found.workspace.directory, made.found.state.project
        self._subject = Subject(made.found, made.environment)
        self._admin = Admin(self.admin_url)
        self._opened: live.Live | None = None
        self._seeded = self.snapshot() if made.environment.seed else ""

    def create_identity(
        self,
        email: str | None = None,
        *,
        password: str | None = None,
        verified: bool = False,
        traits: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Identity:
        """Creates somebody through the admin API.

        Args:
            email: the address, the trait `email`; made up where neither it nor `traits` is given.
            password: in clear text; made up where neither it nor `credentials` is given.
            verified: each e-mail address among the traits that the identity schema has verified counts as verified.
            traits: further traits, or all of them; an `email` among them goes before that above.
            fields: further fields of the admin API, such as `schema_id`, `state`, `metadata_public`.

        Raises:
            KratosRefused: with Kratos' reason, such as an address that is taken.
        """
        if not email and traits is None:
            email = f"{secrets.token_hex(6)}@example.org"
        traits = ({"email": email} if email else {}) | dict(traits or {})
        email = str(traits.get("email") or "")
        if password is None:
            password = "" if "credentials" in fields else secrets.token_urlsafe(12)
        body: Json = {"traits": traits, **fields}
        if password:
            body["credentials"] = {**fields.get("credentials", {}), "password": {"config": {"password": password}}}
        if verified:
            # Kratos takes those that the identity schema has verified; v1.0 finds them again only as it stores them
            body["verifiable_addresses"] = [
                {"value": text.lower(), "verified": True, "via": "email", "status": "completed"}
                for text in _texts(traits)
                if "@" in text
            ]
        made = _must(self._admin.create(body), f"identity {email or traits} was not created")
        return Identity(made.body["id"], email, password, made.body)

    def session_token(self, who: Identity | str, password: str | None = None) -> str:
        """Signs in as a native application does, by password, or by a mailed code where the preset has no passwords.

        Args:
            who: an identity, which signs in with what its identity schema says, or an identifier.
            password: where `who` is no identity of `create_identity`.

        Returns:
            The session token, for the header `X-Session-Token`.

        Raises:
            KratosRefused: with Kratos' reason.
        """
        password = who.password if isinstance(who, Identity) and password is None else password
        client = Client(self.public_url, browser=False, here=True)
        flow = _must(client.begin("login"), "nobody can sign in").body
        methods = {node["group"] for node in flow["ui"]["nodes"]}
        # a form that asks for the identifier first shows no method, and takes one all the same
        by_password = bool(password and methods & {"password", "identifier_first"})
        identifier = _identifier(who, "password" if by_password else "code") if isinstance(who, Identity) else who
        what = f"{identifier} cannot sign in"
        if by_password:
            values = {"method": "password", "identifier": identifier, "password": password}
            _must(client.submit(flow, values), what)
        else:
            asked = client.submit(flow, {"method": "code", "identifier": identifier})
            if not isinstance(asked.body, dict) or asked.body.get("state") != "sent_email":
                _must(Answer(400, asked.body), what)
            values = {"method": "code", "identifier": identifier, "code": self.last_code(identifier)}
            _must(client.submit(asked.body, values), what)
        return client.token

    def last_code(self, email: str, timeout: float = 5.0) -> str:
        """The code of the last message to an address; Kratos' own queue has it before the mail is sent.

        Args:
            email: the address (or telephone number).
            timeout: seconds to wait for one.

        Raises:
            CodeMissing: no message with a code is there by then.
        """
        end = _now() + timeout
        while True:
            found = _must(self._admin.messages(email.strip().lower()), "Kratos does not list its messages")
            for message in sorted(found.body or [], key=lambda message: str(message["created_at"]), reverse=True):
                code = _CODE.search(message["body"])
                if code:
                    return code[0]
            if _now() > end:
                why = "messages came, but none with a code" if found.body else "Kratos wrote nothing to this address"
                raise CodeMissing(f"no code for {email} within {timeout:g} s", why)
            time.sleep(_PAUSE)

    def reset(self) -> None:
        """Takes Kratos back to when it was new: nobody but its seed is known, no session is valid, the inbox is empty.

        Mail that Kratos is sending is waited for, so that none of before arrives after. Requests of your own that are
        still under way when you call this may be answered from either side: let them finish first.

        Raises:
            ChoiceImpossible: the database is in memory.
            DatabaseUnreachable: somebody held it for too long. Nothing was changed, or its seed is not there yet.
            SnapshotMissing, SnapshotDamaged: its seed was removed or changed. Nothing was changed.
            ServiceFailed: Kratos has ended, such as for want of memory.
        """
        if self._seeded:
            self.restore(self._seeded)
        else:
            self._empty()
            self._empty_inbox()

    def snapshot(self, name: str | None = None) -> str:
        """Saves the database, to be put back by `restore`. Mail that waits is sent first, for up to 5 s: with it in the
        snapshot, each `restore` would send it again.

        Args:
            name: its name; chosen where none is given. One that has it, as from an earlier test, is replaced.

        Returns:
            The name.

        Raises:
            NameInvalid, ChoiceImpossible.
        """
        name = name or f"snapshot-{secrets.token_hex(4)}"
        end = _now() + _MAIL_PATIENCE
        while self.mail_url and self._admin.has_unsent() and _now() < end:
            time.sleep(_PAUSE)
        saving.save(self._subject, name, "", True, _QUIET)
        return name

    def restore(self, name: str) -> None:
        """Puts a snapshot in place of what is there, sessions included. The inbox is emptied.

        Mail that Kratos is sending is waited for, as by `reset`.

        Raises:
            SnapshotMissing, SnapshotDamaged: nothing was changed.
            DatabaseUnreachable: somebody held it for too long. Nothing was changed, or nobody is known.
            ServiceFailed: as by `reset`.
        """
        workspace = self._subject.found.workspace
        with workspace.locked("snapshot restore", 60, _QUIET.note):
            snapshot = store.load(workspace, name)
            store.check(workspace, snapshot)
            # what waits in the queue could be sent between a look at it and the restore
            self._empty()
            putting_back.put_back(self._subject, snapshot)
        self._empty_inbox()

    def logs(self, since: float | None = None, service: str = "kratos") -> str:
        """What a service printed; of Kratos, all it says of what it has answered so far.

        Args:
            since: seconds since 1970, as `time.time()` counts them; None is the start.
            service: kratos, postgres, mail or ui.

        Raises:
            NotRunning: there is no such service.
        """
        words = () if since is None else ("--since", f"{since:.6f}")
        container = self._subject.found.running(service).name
        mark = self._leave_mark() if service == "kratos" else ""
        until = _now() + _LOG_PATIENCE
        while mark not in (said := _printed(container, words)) and _now() < until:
            time.sleep(_PAUSE)
        return "".join(line for line in said.splitlines(keepends=True) if _MARK not in line)

    def _leave_mark(self) -> str:
        """Has Kratos log a request: what it says of earlier ones, which comes after their answers, stands before that.

        Returns:
            What that line of the log holds; empty where Kratos does not answer.
        """
        mark = _MARK + secrets.token_hex(8)
        asking = Client(self.public_url, browser=False, timeout=_LOG_PATIENCE)
        return mark if asking.get(f"{self.public_url}/{mark}").status else ""

    @property
    def _live(self) -> live.Live:
        if self._opened is None:
            self._opened = self._subject.live
        return self._opened

    def _check_runs(self) -> None:
        """Its database may be there without it, and every test that follows would fail for a reason of its own."""
        found = self._subject.found
        address = found.public_address()
        if address and not readiness.http_status(*address, "/health/alive"):
            state, code = reading.state(found.running("kratos").name)
            if state in ("exited", "dead", "gone"):
                raise readiness.stopped("kratos", found.running("kratos").name, code)

    def _empty(self) -> None:
        """Empties the database once Kratos is sending no mail."""
        self._check_runs()
        end = _now() + _MAIL_PATIENCE
        # a mail server that hangs does not keep a test from starting
        while not self._live.empty(unless_sending=_now() < end):
            time.sleep(_PAUSE)

    def _empty_inbox(self) -> None:
        if self.mail_url:
            password = self._subject.found.workspace.secrets().inbox_password
            client = Client(self.mail_url, browser=False, login=inbox.login(self._subject.environment, password))
            done = client.request("DELETE", f"{self.mail_url}/api/v1/messages")
            if not done.ok:
                raise NotReady("the mail inbox was not emptied", done.messages)

    def _close(self) -> None:
        if self._opened:
            self._opened.close()


def _now() -> float:
    """Seconds that go on also where a test has stopped the clock, as with freezegun."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def _printed(container: str, words: Sequence[str]) -> str:
    done = program.docker("logs", *words, container)
    return done.stdout + done.stderr


@contextlib.contextmanager
def kratos(*, keep: bool = False, wait_timeout: float = 60.0, **asked: Unpack[Asked]) -> Iterator[Kratos]:
    """Runs an ephemeral Kratos for a block: SQLite, e-mail and password, and no UI, unless you say otherwise.

    What is not given is taken from KRATOSCTL_ variables (but for ports, and for who can reach them), then from the
    defaults of `kratosctl up`.

    Args:
        keep: leave it there at the end; `kratosctl prune --kept` removes it.
        wait_timeout: seconds for Kratos to be ready. Its database may take as long.
        asked: the keys of kratosctl.yaml that suit tests.

    Raises:
        KratosctlError: anything that stands in the way; its `lines()` say what, why, and what to do.
    """
    chosen = environments.choose(asked, os.environ, Path.cwd())
    with environments.made(chosen, keep, wait_timeout, _QUIET) as made:
        k = Kratos(made)
        try:
            yield k
        finally:
            k._close()


def _must(answer: Answer, what: str) -> Answer:
    if not answer.ok:
        raise KratosRefused(what, answer.messages)
    return answer


def _texts(traits: Any) -> Iterator[str]:
    if isinstance(traits, Mapping | list | tuple):
        for below in traits.values() if isinstance(traits, Mapping) else traits:
            yield from _texts(below)
    elif isinstance(traits, str):
        yield traits


def _identifier(who: Identity, method: str) -> str:
    """What somebody signs in with, as the identity schema says it: the e-mail address where that will do."""
    known = ((who.body.get("credentials") or {}).get(method) or {}).get("identifiers") or []
    identifier: str = who.email if not known or who.email.lower() in known else known[0]
    if not identifier:
        raise KratosRefused(
            f"identity {who.id} cannot sign in",
            f"its traits hold no identifier for the method {method}",
            f"mark one in the identity schema: ory.sh/kratos, credentials, {method}, identifier: true",
        )
    return identifier

"""Signing up and in with a password, for API clients and browsers."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from ..web import Request, Response, json_response, redirect
from . import mail
from .answers import error_response
from .config import Config
from .database import Database
from .identities import Conflict, Identities, Invalid, Record, shown, timestamp
from .sessions import Sessions

_HOUR = timedelta(hours=1)
_SHORTEST_PASSWORD = 8


class Rejected(Exception):
    """The form is shown again, with this message."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.message = {"id": number, "text": text, "type": "error"}


@dataclass(frozen=True)
class Flow:
    kind: str  # "login" or "registration"
    key: str
    type: str  # "api" or "browser"
    csrf_token: str
    request_url: str
    issued_at: str
    expires_at: str
    messages: list[Record]


class SelfService:
    """One per request: it holds the configuration of that moment."""

    def __init__(self, database: Database, network: str, config: Config) -> None:
        self._database = database
        self._network = network
        self._config = config
        self._identities = Identities(database, network, config)
        self._sessions = Sessions(database, network, config)

    def start(self, kind: str, type: str, request: Request) -> Response:
        """A new flow: its description for API clients, a redirect to its page for browsers."""
        csrf_cookie, token = _csrf_cookie_name(self._config), ""
        if type == "browser":
            token = request.cookie(csrf_cookie) or secrets.token_urlsafe(32)
        flow = self._new_flow(kind, type, token, request)
        if type == "api":
            return json_response(200, self._described(flow))
        if request.wants_json:
            response = json_response(200, self._described(flow))
        else:
            response = redirect(f"{self._config.ui_url(kind)}?flow={flow.key}")
        return response.with_cookie(f"{csrf_cookie}={token}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax")

    def show(self, kind: str, request: Request) -> Response:
        flow = self._find(kind, request.query.get("id", ""))
        if flow is None:
            return error_response(404, "Unable to locate the resource")
        if flow.type == "browser" and request.cookie(_csrf_cookie_name(self._config)) != flow.csrf_token:
            return _csrf_response()
        return json_response(200, self._described(flow))

    def submit(self, kind: str, request: Request) -> Response:
        flow = self._find(kind, request.query.get("flow", ""))
        if flow is None:
            return error_response(404, "Unable to locate the resource")
        form = request.json() if request.has_json_body else _nested(request.form())
        if flow.type == "browser" and not self._same_browser(flow, request, form):
            return self._csrf_violation(request)
        complete: Callable[[Record], Record] = self._sign_in if kind == "login" else self._sign_up
        try:
            identity = complete(form)
        except Rejected as rejection:
            return self._shown_again(flow, rejection, request)
        return self._signed_in(flow, identity, request)

    def _sign_in(self, form: Record) -> Record:
        identity = self._identities.by_password(str(form.get("identifier", "")), str(form.get("password", "")))
        if identity is None:
            raise Rejected(
                4000006,
                "The provided credentials are invalid, check for spelling mistakes in your password or username,"
                " email address, or phone number.",
            )
        return identity

    def _sign_up(self, form: Record) -> Record:
        password = str(form.get("password", ""))
        if len(password) < _SHORTEST_PASSWORD:
            text = f"The password must be at least {_SHORTEST_PASSWORD} characters long, but got {len(password)}."
            raise Rejected(4000032, text)
        body = {"traits": form.get("traits", {}), "credentials": {"password": {"config": {"password": password}}}}
        try:
            identity = self._identities.create(body)
        except Conflict as conflict:
            text = "An account with the same identifier (email, phone, username, ...) exists already."
            raise Rejected(4000007, text) from conflict
        except Invalid as invalid:
            raise Rejected(4000001, invalid.reason or str(invalid)) from invalid
        self._ask_to_verify(identity)
        return identity

    def _ask_to_verify(self, identity: Record) -> None:
        if not self._config.get("selfservice.flows.verification.enabled"):
            return
        with self._database.transaction() as transaction:
            for address in identity["verifiable_addresses"]:
                code = f"{secrets.randbelow(1_000_000):06d}"
                text = f"Hi, please verify your account by entering the following code:\n\n{code}\n"
                mail.queue(transaction, self._network, address["value"], "Please verify your email address", text)

    def _signed_in(self, flow: Flow, identity: Record, request: Request) -> Response:
        if flow.kind == "registration" and not self._registration_signs_in():
            if flow.type == "browser" and not request.wants_json:
                return redirect(self._return_url())
            return json_response(200, {"identity": identity})
        token, session = self._sessions.open(identity)
        if flow.type == "api":
            answer = {"session_token": token, "session": session}
            return json_response(200, answer | ({"identity": identity} if flow.kind == "registration" else {}))
        response = json_response(200, {"session": session}) if request.wants_json else redirect(self._return_url())
        return response.with_cookie(self._sessions.cookie(token))

    def _registration_signs_in(self) -> bool:
        hooks = self._config.get("selfservice.flows.registration.after.password.hooks", [])
        return any(hook.get("hook") == "session" for hook in hooks)

    def _return_url(self) -> str:
        return str(self._config.get("selfservice.default_browser_return_url"))

    def _shown_again(self, flow: Flow, rejection: Rejected, request: Request) -> Response:
        with self._database.transaction() as transaction:
            transaction.run(
                f"UPDATE selfservice_{flow.kind}_flows SET messages = ? WHERE id = ?",
                json.dumps([rejection.message]),
                flow.key,
            )
        if flow.type == "browser" and not request.wants_json:
            return redirect(f"{self._config.ui_url(flow.kind)}?flow={flow.key}")
        again = self._find(flow.kind, flow.key)
        assert again is not None
        return json_response(400, self._described(again))

    def _same_browser(self, flow: Flow, request: Request, form: Record) -> bool:
        sent = str(form.get("csrf_token", ""))
        cookie = request.cookie(_csrf_cookie_name(self._config)) or ""
        return bool(cookie) and sent == cookie == flow.csrf_token

    def _csrf_violation(self, request: Request) -> Response:
        if request.wants_json or request.has_json_body:
            return _csrf_response()
        return redirect(f"{self._config.ui_url('error')}?id={uuid4()}")

    def _new_flow(self, kind: str, type: str, csrf_token: str, request: Request) -> Flow:
        now = datetime.now(UTC)
        url = self._config.public_url(request.path)
        flow = Flow(kind, str(uuid4()), type, csrf_token, url, timestamp(now), timestamp(now + _HOUR), [])
        with self._database.transaction() as transaction:
            transaction.insert(
                f"selfservice_{kind}_flows",
                id=flow.key,
                nid=self._network,
                type=type,
                csrf_token=csrf_token,
                request_url=url,
                issued_at=flow.issued_at,
                expires_at=flow.expires_at,
                messages="[]",
                created_at=flow.issued_at,
                updated_at=flow.issued_at,
            )
        return flow

    def _find(self, kind: str, key: str) -> Flow | None:
        with self._database.transaction() as transaction:
            row = transaction.row(
                "SELECT type, csrf_token, request_url, issued_at, expires_at, messages"
                f" FROM selfservice_{kind}_flows WHERE nid = ? AND CAST(id AS VARCHAR(64)) = ?",
                self._network,
                key,
            )
        if row is None:
            return None
        type, token, url, issued, expires, messages = row
        messages = json.loads(messages) if isinstance(messages, str) else messages
        return Flow(kind, key, type, token, url, shown(issued) or "", shown(expires) or "", messages)

    def _described(self, flow: Flow) -> Record:
        nodes = [_input("default", "csrf_token", "hidden", flow.csrf_token)]
        if flow.kind == "login":
            nodes.append(_input("default", "identifier", "text"))
        else:
            traits = self._default_schema()["properties"].get("traits", {})
            nodes += [_input("password", name, kind) for name, kind in _fields("traits", traits)]
        nodes += [_input("password", "password", "password"), _input("password", "method", "submit", "password")]
        ui = {
            "action": self._config.public_url(f"/self-service/{flow.kind}?flow={flow.key}"),
            "method": "POST",
            "nodes": nodes,
        }
        return {
            "id": flow.key,
            "type": flow.type,
            "expires_at": flow.expires_at,
            "issued_at": flow.issued_at,
            "request_url": flow.request_url,
            "ui": ui | ({"messages": flow.messages} if flow.messages else {}),
            "state": "choose_method",
        }

    def _default_schema(self) -> Record:
        return self._config.identity_schemas()[self._config.get("identity.default_schema_id")]


def recovery_code(config: Config) -> Record:
    """What an administrator hands to somebody who is locked out. Nothing here redeems it."""
    link = f"{config.ui_url('recovery')}?flow={uuid4()}"
    expires = timestamp(datetime.now(UTC) + _HOUR)
    return {"recovery_link": link, "recovery_code": f"{secrets.randbelow(1_000_000):06d}", "expires_at": expires}


def _csrf_response() -> Response:
    return error_response(403, "The request was rejected to protect you from CSRF", id="security_csrf_violation")


def _input(group: str, name: str, kind: str, value: str = "") -> Record:
    attributes = {"name": name, "type": kind, "value": value, "required": True, "disabled": False, "node_type": "input"}
    return {"type": "input", "group": group, "attributes": attributes, "messages": [], "meta": {}}


def _csrf_cookie_name(config: Config) -> str:
    """It carries the base URL, so that stacks beside each other on one host keep apart."""
    return "csrf_token_" + hashlib.sha256(str(config.get("serve.public.base_url")).encode()).hexdigest()


def _fields(name: str, schema: Record) -> Iterator[tuple[str, str]]:
    """The name and type of the input for each trait: `traits.name.first`."""
    if "properties" in schema:
        for inner, described in schema["properties"].items():
            yield from _fields(f"{name}.{inner}", described)
    else:
        yield name, "email" if schema.get("format") == "email" else "text"


def _nested(form: dict[str, str]) -> Record:
    """`traits.email=x` means {"traits": {"email": "x"}}; a field left empty means nothing."""
    result: dict[str, Any] = {}
    for name, value in form.items():
        if not value:
            continue
        *parents, last = name.split(".")
        target = result
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value
    return result

"""Flows: what somebody is in the middle of, kept in the database from one request to the next."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from .database import Database
from .identities import Record, shown, timestamp

_HOUR = timedelta(hours=1)

CHOOSE, SENT, PASSED = "choose_method", "sent_email", "passed_challenge"


@dataclass(frozen=True)
class Flow:
    kind: str  # "login", "registration" or "verification"
    key: str
    type: str  # "api" or "browser"
    csrf_token: str
    request_url: str
    issued_at: str
    expires_at: str
    messages: list[Record]
    context: Record = field(default_factory=dict)

    @property
    def state(self) -> str:
        return str(self.context.get("state", CHOOSE))


class Flows:
    def __init__(self, database: Database, network: str) -> None:
        self._database = database
        self._network = network

    def new(self, kind: str, type: str, csrf_token: str, url: str, messages: list[Record], context: Record) -> Flow:
        now = datetime.now(UTC)
        issued, expires = timestamp(now), timestamp(now + _HOUR)
        flow = Flow(kind, str(uuid4()), type, csrf_token, url, issued, expires, messages, context)
        with self._database.transaction() as transaction:
            transaction.insert(
                f"selfservice_{kind}_flows",
                id=flow.key,
                nid=self._network,
                type=type,
                csrf_token=csrf_token,
                request_url=url,
                issued_at=issued,
                expires_at=expires,
                messages=json.dumps(messages),
                context=json.dumps(context),
                created_at=issued,
                updated_at=issued,
            )
        return flow

    def find(self, kind: str, key: str) -> Flow | None:
        with self._database.transaction() as transaction:
            row = transaction.row(
                "SELECT type, csrf_token, request_url, issued_at, expires_at, messages, context"
                f" FROM selfservice_{kind}_flows WHERE nid = ? AND CAST(id AS VARCHAR(64)) = ?",
                self._network,
                key,
            )
        if row is None:
            return None
        type, token, url, issued, expires, messages, context = row
        times = shown(issued) or "", shown(expires) or ""
        return Flow(kind, key, type, token, url, *times, _decoded(messages), _decoded(context))

    def save(self, flow: Flow) -> None:
        """What has changed: the messages and the context."""
        with self._database.transaction() as transaction:
            transaction.run(
                f"UPDATE selfservice_{flow.kind}_flows SET messages = ?, context = ? WHERE id = ?",
                json.dumps(flow.messages),
                json.dumps(flow.context),
                flow.key,
            )


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value

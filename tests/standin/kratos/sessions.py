"""Sessions: rows in the database, known to API clients by a token and to browsers by a signed cookie."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ..web import Request, Response, json_response
from .answers import error_response
from .config import Config
from .database import Database
from .identities import Identities, Record, shown, timestamp

_DAY = timedelta(hours=24)
_RANDOM_SECRET = secrets.token_hex(16)


class Sessions:
    def __init__(self, database: Database, network: str, config: Config) -> None:
        self._database = database
        self._network = network
        self._config = config
        self._identities = Identities(database, network, config)

    def open(self, identity: Record) -> tuple[str, Record]:
        token = "ory_st_" + secrets.token_hex(16)
        key, now = str(uuid4()), datetime.now(UTC)
        with self._database.transaction() as transaction:
            transaction.insert(
                "sessions",
                id=key,
                identity_id=identity["id"],
                nid=self._network,
                token=token,
                active=True,
                issued_at=timestamp(now),
                expires_at=timestamp(now + _DAY),
                authenticated_at=timestamp(now),
                created_at=timestamp(now),
                updated_at=timestamp(now),
            )
        session = self._session(token)
        assert session is not None
        return token, session

    def whoami(self, request: Request) -> Response:
        token = request.headers.get("x-session-token") or self._token_of_cookie(request)
        session = self._session(token) if token else None
        if session is None:
            reason = "No valid session credentials found in the request."
            return error_response(401, "The request could not be authorized", reason)
        return json_response(200, session, ("X-Kratos-Authenticated-Identity-Id", session["identity"]["id"]))

    def _session(self, token: str) -> Record | None:
        with self._database.transaction() as transaction:
            row = transaction.row(
                "SELECT id, identity_id, issued_at, expires_at, authenticated_at FROM sessions"
                " WHERE nid = ? AND token = ? AND active AND expires_at > ?",
                self._network,
                token,
                timestamp(),
            )
        if row is None:
            return None
        key, owner, issued, expires, authenticated = row
        identity = self._identities.get(str(owner)) or {}
        for private in ("credentials", "metadata_admin"):
            identity.pop(private, None)
        return {
            "id": str(key),
            "active": True,
            "expires_at": shown(expires),
            "authenticated_at": shown(authenticated),
            "authenticator_assurance_level": "aal1",
            "authentication_methods": [{"method": "password", "aal": "aal1", "completed_at": shown(authenticated)}],
            "issued_at": shown(issued),
            "identity": identity,
        }

    def cookie(self, token: str) -> str:
        name = self._config.get("session.cookie.name")
        value = f"{token}.{_signature(token, self._cookie_secrets()[0])}"
        return f"{name}={value}; Path=/; Max-Age=86399; HttpOnly; SameSite=Lax"

    def _token_of_cookie(self, request: Request) -> str | None:
        value = request.cookie(self._config.get("session.cookie.name")) or ""
        token, _, signature = value.partition(".")
        known = (_signature(token, secret) for secret in self._cookie_secrets())
        return token if any(hmac.compare_digest(signature, good) for good in known) else None

    def _cookie_secrets(self) -> list[str]:
        """The first signs, the others still verify. Unset, it is random for as long as the process lives."""
        configured = self._config.get("secrets.cookie") or self._config.get("secrets.default")
        return list(configured) if configured else [_RANDOM_SECRET]


def _signature(token: str, secret: str) -> str:
    return hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()

"""Sessions: rows in the database, known to API clients by a token and to browsers by a signed cookie."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from uuid import uuid4

from ..web import Request, Response, json_response, redirect
from .answers import error_response
from .config import Config
from .database import Database
from .identities import Identities, Record, public, shown, timestamp

_AFTER_LOGOUT = "selfservice.flows.logout.after.default_browser_return_url"
_RANDOM_SECRET = secrets.token_hex(16)


class Sessions:
    def __init__(self, database: Database, network: str, config: Config) -> None:
        self._database = database
        self._network = network
        self._config = config
        self._identities = Identities(database, network, config)

    def open(self, identity: Record, method: str) -> tuple[str, Record]:
        """A session of somebody who proved who they are by that method: its token, and what is shown of it."""
        token = "ory_st_" + secrets.token_hex(16)
        key, now = str(uuid4()), datetime.now(UTC)
        with self._database.transaction() as transaction:
            transaction.insert(
                "sessions",
                id=key,
                identity_id=identity["id"],
                nid=self._network,
                token=token,
                logout_token="ory_lo_" + secrets.token_hex(16),
                method=method,
                active=True,
                issued_at=timestamp(now),
                expires_at=timestamp(now + self._config.duration("session.lifespan")),
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
                "SELECT id, identity_id, issued_at, expires_at, authenticated_at, method FROM sessions"
                " WHERE nid = ? AND token = ? AND active AND expires_at > ?",
                self._network,
                token,
                timestamp(),
            )
        if row is None:
            return None
        key, owner, issued, expires, authenticated, method = row
        return {
            "id": str(key),
            "active": True,
            "expires_at": shown(expires),
            "authenticated_at": shown(authenticated),
            "authenticator_assurance_level": "aal1",
            "authentication_methods": [{"method": method, "aal": "aal1", "completed_at": shown(authenticated)}],
            "issued_at": shown(issued),
            "identity": public(self._identities.get(str(owner)) or {}),
        }

    def begin_logout(self, request: Request) -> Response:
        """The address at which the browser that asks is signed out."""
        token = self._token_of_cookie(request)
        if not token or self._session(token) is None:
            reason = "No active session was found in this request."
            message = "request does not have a valid authentication session"
            return error_response(401, message, reason, "session_inactive")
        logout = self._logout_token(token)
        url = self._config.public_url(f"/self-service/logout?token={logout}")
        return json_response(200, {"logout_url": url, "logout_token": logout})

    def log_out(self, request: Request) -> Response:
        """Ends the browser's session, if the token of its logout is right."""
        token = self._token_of_cookie(request)
        if not token or request.query.get("token") != self._logout_token(token):
            reason = "Unable to log out because the logout token in the URL query does not match the session cookie."
            return error_response(403, "The requested action was forbidden", reason)
        self._close(token)
        return_url = self._config.get("selfservice.default_browser_return_url")
        answer = Response(204) if request.wants_json else redirect(self._config.get(_AFTER_LOGOUT, return_url))
        return answer.with_cookie(self._cookie("", 0))

    def revoke(self, request: Request) -> Response:
        """Ends the session of an API client. A second time is as good as the first."""
        if not self._close(str(request.json().get("session_token", ""))):
            reason = "The provided Ory Session Token could not be found, is invalid, or otherwise malformed."
            return error_response(403, "The requested action was forbidden", reason)
        return Response(204)

    def _logout_token(self, token: str) -> str | None:
        with self._database.transaction() as transaction:
            row = transaction.row("SELECT logout_token FROM sessions WHERE nid = ? AND token = ?", self._network, token)
        return str(row[0]) if row else None

    def _close(self, token: str) -> bool:
        statement = "UPDATE sessions SET active = ? WHERE nid = ? AND token = ?"
        with self._database.transaction() as transaction:
            return transaction.run(statement, False, self._network, token) > 0

    def cookie(self, token: str) -> str:
        return self._cookie(f"{token}.{_signature(token, self._cookie_secrets()[0])}", 86399)

    def _cookie(self, value: str, lifetime: int) -> str:
        domain = self._config.cookie_domain("session.cookie.domain")
        name = self._config.get("session.cookie.name")
        attributes = f"{domain}; Max-Age={lifetime}; HttpOnly{self._config.cookie_transport}"
        return f"{name}={value}; Path=/{attributes}; SameSite=Lax"

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

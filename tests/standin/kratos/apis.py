"""The public and the admin API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ..web import Handler, Request, Response, json_response, not_found, redirect, router
from . import migrations
from .answers import error, error_response
from .config import Config
from .cors import shared
from .database import Database
from .identities import Conflict, Identities, Invalid, Record
from .log import Logger
from .mail import messages
from .release import current
from .selfservice import SelfService, recovery_code
from .sessions import Sessions

_UNIQUE = "Unable to insert or update resource because a resource with that value exists already"


class Apis:
    """Both APIs over one database; the configuration is asked for anew at every request."""

    def __init__(self, database: Database, network: str, config: Callable[[], Config], log: Logger) -> None:
        self._database = database
        self._network = network
        self._config = config
        self._log = log

    def public(self) -> Handler:
        routes = [
            ("GET", "/health/alive", self._alive),
            ("GET", "/health/ready", lambda request: self._ready(details=False)),
            ("GET", "/version", self._version),
            ("GET", "/schemas", self._schemas),
            ("GET", "/sessions/whoami", lambda request: self._sessions().whoami(request)),
        ]
        for kind in ("login", "registration"):
            routes += self._self_service_routes(kind)
        # starting one is not in here: a verification starts with a registration
        routes += self._self_service_routes("verification")[2:]
        routes += [
            ("GET", "/self-service/logout/browser", lambda request: self._sessions().begin_logout(request)),
            ("GET", "/self-service/logout", lambda request: self._sessions().log_out(request)),
            ("DELETE", "/self-service/logout/api", lambda request: self._sessions().revoke(request)),
        ]
        return self._logged(shared(router(routes, self._not_public), self._config))

    def admin(self) -> Handler:
        under_admin = router(
            [
                ("GET", "/admin/health/alive", self._alive),
                ("GET", "/admin/health/ready", lambda request: self._ready(details=True)),
                ("GET", "/admin/version", self._version),
                ("GET", "/admin/identities", self._list_identities),
                ("POST", "/admin/identities", self._create_identity),
                ("PATCH", "/admin/identities", self._patch_identities),
                ("GET", "/admin/identities/{id}", self._get_identity),
                ("DELETE", "/admin/identities/{id}", self._delete_identity),
                ("POST", "/admin/recovery/code", self._recovery_code),
                ("GET", "/admin/courier/messages", self._messages),
                ("GET", "/admin/schemas", lambda request: redirect(self._config().public_url("/schemas"), 307)),
            ]
        )

        def handle(request: Request) -> Response:
            if request.path.startswith("/admin/"):
                return under_admin(request)
            if current().since("v26.2.0"):
                return under_admin(Request(**{**vars(request), "path": f"/admin{request.path}"}))
            return redirect(f"/admin{request.path}", 307)

        return self._logged(handle)

    def _not_public(self, request: Request) -> Response:
        """Admin paths lead to the admin API's own address."""
        if request.path.startswith("/admin/"):
            return redirect(self._config().get("serve.admin.base_url").rstrip("/") + request.path, 307)
        return not_found(request)

    def _self_service_routes(self, kind: str) -> list[tuple[str, str, Callable[..., Response]]]:
        base = f"/self-service/{kind}"
        return [
            ("GET", f"{base}/api", lambda request: self._self_service().start(kind, "api", request)),
            ("GET", f"{base}/browser", lambda request: self._self_service().start(kind, "browser", request)),
            ("GET", f"{base}/flows", lambda request: self._self_service().show(kind, request)),
            ("POST", base, lambda request: self._self_service().submit(kind, request)),
        ]

    def _self_service(self) -> SelfService:
        return SelfService(self._database, self._network, self._config())

    def _sessions(self) -> Sessions:
        return Sessions(self._database, self._network, self._config())

    def _identities(self) -> Identities:
        return Identities(self._database, self._network, self._config())

    def _logged(self, handle: Handler) -> Handler:
        def answer(request: Request) -> Response:
            started = time.monotonic()
            headers = self._log.headers(request.headers)
            asked = {"headers": headers, "method": request.method, "path": request.path, "remote": request.remote}
            self._log.info("started handling request", http_request=asked)
            try:
                response = handle(request)
            except self._database.errors as failure:
                self._log.error("An error occurred while handling a request", error={"message": str(failure).strip()})
                response = error_response(500, str(failure).strip())
            took = f"{(time.monotonic() - started) * 1000:.3f}ms"
            self._log.info(
                "completed handling request",
                http_request={"method": request.method, "path": request.path, "remote": request.remote},
                http_response={"status": response.status, "took": took},
            )
            return response

        return answer

    # Health

    def _alive(self, _: Request) -> Response:
        return json_response(200, {"status": "ok"})

    def _version(self, _: Request) -> Response:
        return json_response(200, {"version": current().name})

    def _ready(self, *, details: bool) -> Response:
        try:
            problem = "migrations have not yet been fully applied" if migrations.pending(self._database) else None
        except self._database.errors as failure:
            problem = str(failure).strip()
        if problem is None:
            return json_response(200, {"status": "ok"})
        shown = problem if details else "error may contain sensitive information and was obfuscated"
        return json_response(503, {"error": error(500, shown)})

    # Identities

    def _schemas(self, _: Request) -> Response:
        schemas = self._config().identity_schemas()
        return json_response(200, [{"id": key, "schema": schema} for key, schema in schemas.items()])

    def _list_identities(self, request: Request) -> Response:
        query = request.query
        limit = int(query.get("page_size") or query.get("per_page") or 250)
        found = self._identities().page(
            after=query.get("page_token", ""), limit=limit, identifier=query.get("credentials_identifier")
        )
        first = "00000000-0000-0000-0000-000000000000"
        links = [f'</admin/identities?page_size={limit}&page_token={first}>; rel="first"']
        if len(found) == limit:
            links.append(f'</admin/identities?page_size={limit}&page_token={found[-1]["id"]}>; rel="next"')
        return json_response(200, found, ("Link", ",".join(links)))

    def _create_identity(self, request: Request) -> Response:
        try:
            created = self._identities().create(_read(request))
        except Invalid as invalid:
            return error_response(400, str(invalid), invalid.reason)
        except Conflict:
            reason = "This identity conflicts with another identity that already exists."
            return error_response(409, "The resource could not be created due to a conflict", reason)
        return json_response(201, created, ("Location", f"/admin/identities/{created['id']}"))

    def _patch_identities(self, request: Request) -> Response:
        """Create many at once. From v1.3.0 an item that cannot be created fails alone."""
        try:
            items = _read(request)["identities"]
            if current().since("v1.3.0"):
                return json_response(200, {"identities": [self._patch_one(item) for item in items]})
            created = self._identities().create_all([item["create"] for item in items])
        except Invalid as invalid:
            return error_response(400, str(invalid), invalid.reason)
        except Conflict:
            return error_response(409, _UNIQUE)
        return json_response(
            200, {"identities": [_patched(item, made) for item, made in zip(items, created, strict=True)]}
        )

    def _patch_one(self, item: Record) -> Record:
        try:
            return _patched(item, self._identities().create(item["create"]))
        except Conflict:
            return {"action": "error", "error": error(409, _UNIQUE)} | _patch_id(item)
        except Invalid as invalid:
            if invalid.reason is None:
                raise
            return {"action": "error", "error": error(400, str(invalid), invalid.reason)} | _patch_id(item)

    def _get_identity(self, _: Request, key: str) -> Response:
        found = self._identities().get(key)
        return json_response(200, found) if found else error_response(404, "Unable to locate the resource")

    def _delete_identity(self, _: Request, key: str) -> Response:
        if self._identities().delete(key):
            return Response(204)
        return error_response(404, "Unable to locate the resource")

    def _recovery_code(self, request: Request) -> Response:
        if self._identities().get(_read(request).get("identity_id", "")) is None:
            return error_response(404, "Unable to locate the resource")
        return json_response(201, recovery_code(self._config()))

    def _messages(self, request: Request) -> Response:
        return json_response(200, messages(self._database, self._network, request.query.get("recipient")))


def _read(request: Request) -> Any:
    try:
        return request.json()
    except json.JSONDecodeError as failure:
        raise Invalid(str(failure)) from failure


def _patched(item: Record, created: Record) -> Record:
    return {"action": "create", "identity": created["id"]} | _patch_id(item)


def _patch_id(item: Record) -> Record:
    return {"patch_id": item["patch_id"]} if "patch_id" in item else {}

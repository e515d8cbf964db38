"""The shape of Kratos' error answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from ..web import Response, json_response


def error_response(status: int, message: str, reason: str | None = None, id: str | None = None) -> Response:
    return json_response(status, {"error": error(status, message, reason, id)})


def error(status: int, message: str, reason: str | None = None, id: str | None = None) -> dict[str, Any]:
    fields = {"id": id, "code": status, "status": HTTPStatus(status).phrase, "reason": reason, "message": message}
    return {name: value for name, value in fields.items() if value is not None}

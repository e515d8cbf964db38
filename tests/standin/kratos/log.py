"""Log lines as Kratos writes them, in text or JSON, on standard error."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from .release import current

_SENSITIVE = ("authorization", "cookie", "set-cookie", "x-session-token")
_REDACTED = (
    'Value is sensitive and has been redacted. To see the value set config key "log.leak_sensitive_values = true" or'
    ' environment variable "LOG_LEAK_SENSITIVE_VALUES=true".'
)
_LEVELS = ["panic", "fatal", "error", "warning", "info", "debug", "trace"]


class Logger:
    def __init__(self, level: str = "info", form: str = "text", leak: bool = False) -> None:
        self._threshold = _LEVELS.index("warning" if level == "warn" else level)
        self._json = form == "json"
        self._leak = leak

    def headers(self, headers: dict[str, str]) -> dict[str, str]:
        """A request's headers as they may be shown."""
        return {name: value if self._leak or name not in _SENSITIVE else _REDACTED for name, value in headers.items()}

    def info(self, message: str, **fields: Any) -> None:
        self._write("info", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        self._write("warning", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        self._write("error", message, fields)

    def fatal(self, message: str) -> None:
        self._write("fatal", message, {})

    def _write(self, level: str, message: str, fields: dict[str, Any]) -> None:
        if _LEVELS.index(level) > self._threshold:
            return
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        common = {"audience": "application", "service_name": "Ory Kratos", "service_version": current().name}
        if self._json:
            line = json.dumps({"level": level, "msg": message, "time": now} | common | fields)
        else:
            pairs = " ".join(f"{key}={_go_value(value)}" for key, value in sorted((common | fields).items()))
            line = f"time={now} level={level} msg={message} {pairs}"
        sys.stderr.write(line + "\n")


def _go_value(value: Any) -> str:
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go_value(item)}" for key, item in sorted(value.items())) + "]"
    return str(value)

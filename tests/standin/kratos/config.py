"""Kratos' configuration: files in the order given, then flags, then the environment; the last one wins."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from .config_schema import for_release
from .jsonschema import Violation, check, describe
from .log import Logger
from .release import current

Values = dict[str, Any]
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
}

DEFAULTS: Values = {
    "serve": {
        "public": {"port": 4433, "host": "", "base_url": "/"},
        "admin": {"port": 4434, "host": "", "base_url": "/"},
    },
    "session": {"lifespan": "24h", "cookie": {"name": "ory_kratos_session"}},
    "courier": {"smtp": {"from_address": "no-reply@ory.kratos.sh", "from_name": ""}},
    "identity": {"default_schema_id": "default"},
    "selfservice": {},
}

_TEXT_KEYS = [
    "dsn",
    "version",
    "log.level",
    "log.format",
    "identity.default_schema_id",
    "session.cookie.name",
    "session.lifespan",
    "serve.public.base_url",
    "serve.public.host",
    "serve.admin.base_url",
    "serve.admin.host",
    "selfservice.default_browser_return_url",
    "selfservice.flows.login.ui_url",
    "selfservice.flows.registration.ui_url",
    "selfservice.flows.error.ui_url",
    "selfservice.flows.verification.ui_url",
    "selfservice.flows.recovery.ui_url",
    "courier.smtp.connection_uri",
    "courier.smtp.from_address",
    "courier.smtp.from_name",
]
_LIST_KEYS = [
    "secrets.default",
    "secrets.cookie",
    "secrets.cipher",
    "secrets.pagination",
    "selfservice.allowed_return_urls",
]
_NUMBER_KEYS = ["serve.public.port", "serve.admin.port"]
_FLAG_KEYS = [
    "dev",
    "selfservice.methods.password.enabled",
    "selfservice.flows.registration.enabled",
    "selfservice.flows.verification.enabled",
    "selfservice.flows.recovery.enabled",
]


class ConfigError(Exception):
    """The configuration cannot be used; `report` is what Kratos prints about it beforehand."""

    def __init__(self, message: str, report: str = "") -> None:
        super().__init__(message)
        self.report = report


class Config:
    def __init__(self, values: Values) -> None:
        self.values = values

    def get(self, path: str, default: Any = None) -> Any:
        value: Any = self.values
        for name in path.split("."):
            if not isinstance(value, dict) or name not in value:
                return default
            value = value[name]
        return value

    @property
    def dsn(self) -> str:
        return str(self.get("dsn") or "")

    def require_dsn(self, log: Logger) -> None:
        """An empty one in the environment hides that of the files, and passes validation."""
        if not self.dsn:
            log.fatal("dsn must be set")
            sys.exit(1)

    @property
    def dev(self) -> bool:
        return bool(self.get("dev"))

    def logger(self) -> Logger:
        leak = bool(self.get("log.leak_sensitive_values"))
        return Logger(self.get("log.level", "info"), self.get("log.format", "text"), leak)

    def duration(self, path: str) -> timedelta:
        """A duration as Go writes it: 1h30m, 500ms."""
        parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", str(self.get(path)))
        return sum((float(number) * _UNITS[unit] for number, unit in parts), timedelta())

    def public_url(self, path: str) -> str:
        return str(self.get("serve.public.base_url")).rstrip("/") + path

    def ui_url(self, flow: str) -> str:
        fallback = f"https://www.ory.sh/kratos/docs/fallback/{flow}"
        return str(self.get(f"selfservice.flows.{flow}.ui_url", fallback))

    def cookie_domain(self, *paths: str) -> str:
        """The attribute of a cookie that names the host it is for; by default it is for the host that sets it."""
        found = next((self.get(path) for path in (*paths, "cookies.domain") if self.get(path)), "")
        return f"; Domain={found}" if found else ""

    @property
    def cookie_transport(self) -> str:
        """The attribute that keeps a cookie off plain HTTP, which `--dev` is for."""
        return "" if self.dev else "; Secure"

    def identity_schemas(self) -> dict[str, Values]:
        return {item["id"]: read_url(item["url"]) for item in self.get("identity.schemas")}

    def validate(self) -> None:
        violations = check(for_release(current()), self.values)
        if violations:
            raise ConfigError(describe(violations), _report(violations))
        for schema in self.identity_schemas().values():
            if "properties" not in schema:
                raise ConfigError('I[#] S[#/allOf/1/required] missing properties: "properties"')


def load(files: list[str], flags: Values, environ: Mapping[str, str] = os.environ) -> Config:
    values = DEFAULTS
    for layer in [*map(read_file, files), flags, from_environment(environ)]:
        values = merged(values, layer)
    return Config(values)


def merged(base: Values, over: Values) -> Values:
    """Objects merge key by key; anything else, lists too, is replaced."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def read_file(name: str) -> Values:
    path = Path(name)
    if path.suffix not in {".yaml", ".yml", ".json"}:
        raise ConfigError(f"unknown config file extension: {path.suffix}")
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"open {name}: {_reason(error)}") from error
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
    except yaml.MarkedYAMLError as error:
        # Kratos' YAML parser counts lines from zero, but never says zero.
        line = max(1, error.problem_mark.line) if error.problem_mark else 1
        raise ConfigError(f"yaml: line {line}: {error.problem}") from error


def read_url(url: str) -> Values:
    """An identity schema, from file://, base64:// or http(s)://."""
    scheme, _, rest = url.partition("://")
    try:
        if scheme == "base64":
            raw = base64.b64decode(rest)
        elif scheme == "file":
            raw = Path(rest).read_bytes()
        else:
            import urllib.request  # slow to import, and seldom needed

            with urllib.request.urlopen(url, timeout=10) as answer:
                raw = answer.read()
        return dict(json.loads(raw))
    except OSError as error:
        raise ConfigError(f"open {rest}: {_reason(error)}") from error
    except ValueError as error:
        raise ConfigError(f"unable to parse {url}: {error}") from error


def from_environment(environ: Mapping[str, str]) -> Values:
    values: Values = {}
    readers: list[tuple[list[str], Callable[[str], Any]]] = [
        (_TEXT_KEYS, str),
        (_LIST_KEYS, _read_list),
        (_NUMBER_KEYS, int),
        (_FLAG_KEYS, lambda text: text.lower() in {"1", "true", "yes"}),
    ]
    for keys, read in readers:
        for key in keys:
            text = environ.get(key.upper().replace(".", "_"))
            if text is not None:
                values = merged(values, _nested(key, read(text)))
    return values


def _read_list(text: str) -> list[str] | None:
    """Comma-separated or JSON; an empty variable is null, which no list may be."""
    if not text:
        return None
    if text.startswith("["):
        return list(json.loads(text))
    return text.split(",")


def _nested(key: str, value: Any) -> Values:
    for name in reversed(key.split(".")):
        value = {name: value}
    return dict(value)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _report(violations: list[Violation]) -> str:
    return "\n\n".join(_report_one(violation) for violation in violations) + "\n"


def _report_one(violation: Violation) -> str:
    path = violation.instance.removeprefix("#/").removeprefix("#").replace("/", ".")
    lead = "The configuration contains values or keys which are invalid:\n"
    if violation.missing:
        name = ".".join(filter(None, [path, violation.missing]))
        arrow = " " * (len(name) + 2) + "^-- one or more required properties are missing"
        return f"{lead}{name}: <nil>\n{arrow}"
    if not path:
        return f"{lead}(root)\n^-- {violation.message}"
    return f"{lead}{path}: {violation.value}\n{' ' * (len(path) + 2)}^-- {violation.message}"


class Watcher(threading.Thread):
    """Load the configuration again when one of its files changes, as Kratos does while it serves.

    Kratos means to roll back changes of `serve` and `log`, which need a restart; it does not notice them, though,
    and takes them over as far as they are read at each request.
    """

    def __init__(self, files: list[str], load: Callable[[], Config], config: Config, logger: Logger) -> None:
        super().__init__(daemon=True)
        self.config = config
        self._files = files
        self._load = load
        self._log = logger
        self._seen = self._state()

    def run(self) -> None:
        while True:
            time.sleep(0.25)
            state = self._state()
            if state != self._seen:
                self._seen = state
                self.reload()

    def reload(self) -> None:
        self._log.info("A change to a configuration file was detected.")
        try:
            new = self._load()
            new.validate()
        except ConfigError as error:
            sys.stderr.write(error.report)
            self._log.error(
                "The changed configuration is invalid and could not be loaded. Rolling back to the last working "
                "configuration revision. Please address the validation errors before restarting the process.",
                error={"message": str(error)},
            )
            return
        self.config = new
        self._log.info("Configuration change processed successfully.")

    def _state(self) -> list[tuple[int, int] | None]:
        return [_stamp(name) for name in self._files]


def _stamp(name: str) -> tuple[int, int] | None:
    try:
        status = Path(name).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns

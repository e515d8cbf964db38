"""environment.yml: what an environment adds to Kratos' configuration, all that depends on addresses and releases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from kratosctl import catalog, fragments
from kratosctl.environment import Environment
from kratosctl.stack.place import Place
from kratosctl.stack.secrets import Secrets, postgres_dsn

# what the main file of a configuration directory may be called
MAIN_FILES = ("kratos.yml", "kratos.yaml", "kratos.json")
# keys of Kratos' configuration whose values are for few eyes; `auth` is what web hooks and mail services are sent
_SECRET_KEYS = (
    "dsn",
    "secrets",
    "client_secret",
    "password",
    "auth",
    "auth_token",
    "api_key",
    "apple_private_key",
)
_SECRET_HEADER = re.compile(r"(?:^|-)(?:authorization|key|token|secret|password)$")
SQLITE_DSN = "sqlite:///var/lib/sqlite/db.sqlite?_fk=true&mode=rwc"


def environment_configuration(environment: Environment, place: Place, theirs: Mapping[str, Any]) -> dict[str, Any]:
    """What kratosctl adds where the user's own configuration is silent.

    Args:
        environment: the model.
        place: where it runs: ports and names.
        theirs: Kratos' own configuration, the preset's or the user's. What it sets is left as it is, but for where
            Kratos listens inside its container.
    """
    index = fragments.presets()
    preset = index["presets"].get(environment.preset, {})
    wanted = index["ui_addresses"] if environment.ui or environment.app_url else index["api_addresses"]
    wanted = fragments.merge(wanted, index["app_addresses"] if environment.app_url else {})
    wanted = fragments.merge(wanted, preset.get("addresses") or {})
    for overlay in preset.get("overlays") or []:
        if _applies(overlay, environment.release):
            wanted = fragments.merge(wanted, overlay["config"])
    filled = _fill(wanted, _addresses(environment, place))
    ours = fragments.merge(filled, _always(environment, place))
    added: dict[str, Any] = fragments.merge(_only_missing(ours, theirs), _listens(theirs))
    return added


def dsn(environment: Environment, secrets: Secrets) -> str:
    """The data source name that Kratos is given."""
    if environment.database == "postgres":
        return postgres_dsn(secrets.postgres_password)
    return {"sqlite": SQLITE_DSN, "memory": "memory", "external": secrets.external_dsn}[environment.database]


def public_url(environment: Environment, place: Place) -> str:
    return environment.url("public", place.ports["public"])


def ui_url(environment: Environment, place: Place) -> str:
    return environment.url("ui", place.ports["ui"])


def names_mail_server(theirs: Mapping[str, Any]) -> bool:
    """Whether the user's own configuration says where mail goes."""
    courier = theirs.get("courier")
    if not isinstance(courier, Mapping):
        return False
    smtp = courier.get("smtp")
    uri = smtp.get("connection_uri") if isinstance(smtp, Mapping) else None
    return bool(uri or courier.get("http") or courier.get("channels"))


def secrets_in(configuration: Any) -> Iterator[str]:
    """The keys of a Kratos configuration that hold secrets, which go along with it to whoever gets it."""
    return (path for path, _ in _secrets(configuration))


def secret_texts(configuration: Any) -> Iterator[str]:
    """The texts that stand at these keys."""
    for _, value in _secrets(configuration):
        yield from _texts(value)


def _secrets(configuration: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(configuration, Mapping):
        for key, value in configuration.items():
            here = f"{path}.{key}" if path else str(key)
            if value and _is_secret(str(key).lower(), value, path.rpartition(".")[2]):
                yield here, value
            else:
                yield from _secrets(value, here)
    elif isinstance(configuration, list):
        for index, value in enumerate(configuration):
            yield from _secrets(value, f"{path}.{index}")
    elif isinstance(configuration, str) and _has_password(configuration):
        yield path, configuration


def _is_secret(name: str, value: Any, parent: str) -> bool:
    if name == "jwks_url":
        # what signs the tokens of sessions; from elsewhere it is fetched
        return not str(value).startswith("http")
    if parent == "headers":
        return bool(_SECRET_HEADER.search(name))
    # `password` is also a sign-in method
    return name in _SECRET_KEYS and not (name == "password" and isinstance(value, Mapping))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping | list):
        for below in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(below)
    elif value:
        yield str(value)


def _has_password(address: str) -> bool:
    try:
        return bool(urlsplit(address).password)
    except ValueError:
        return False


def _always(environment: Environment, place: Place) -> dict[str, Any]:
    ours: dict[str, Any] = {
        "version": environment.facts.tag,
        # browsers send cookies to every port of a host: one name for all would log other environments out
        "session": {"cookie": {"name": f"ory_kratos_session_{place.project}"}},
        "log": {"level": "info", "format": "text", "leak_sensitive_values": False},
    }
    if place.owner:
        # a quarter of a second for each password is there to slow attackers down; tests it only slows
        ours["hashers"] = {"algorithm": "bcrypt", "bcrypt": {"cost": 4}}
    if environment.mail:
        ours["courier"] = {"smtp": {"connection_uri": "smtp://mail:1025/?disable_starttls=true"}}
    else:
        # Kratos wants an address where a method can send mail; nobody listens there
        ours["courier"] = {"smtp": {"connection_uri": "smtp://localhost:1025/?disable_starttls=true"}}
    return ours


def _listens(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Has Kratos listen where compose.yaml publishes it from, though theirs, made for another place, says otherwise."""
    serve = theirs.get("serve")
    found: dict[str, Any] = {}
    for name in ("public", "admin"):
        api = serve.get(name) if isinstance(serve, Mapping) else None
        said = api if isinstance(api, Mapping) else {}
        if said.get("port") not in (None, catalog.CONTAINER_PORTS[name]):
            found[name] = {"port": catalog.CONTAINER_PORTS[name]}
        if said.get("host") not in (None, "", "0.0.0.0", "::"):
            found[name] = {**found.get(name, {}), "host": "0.0.0.0"}
    return {"serve": found} if found else {}


def _addresses(environment: Environment, place: Place) -> dict[str, str]:
    public = public_url(environment, place)
    return {
        "public": public,
        "ui": ui_url(environment, place) if environment.ui else environment.app_url or public,
        "app": environment.app_url or "",
        "host": environment.host,
    }


def _applies(overlay: Mapping[str, Any], release: str) -> bool:
    now = catalog.version_key(catalog.newest_matching(release).tag)
    since, until = overlay.get("from"), overlay.get("until")
    return (not since or now >= catalog.version_key(since)) and (not until or now < catalog.version_key(until))


def _fill(data: Any, values: Mapping[str, str]) -> Any:
    if isinstance(data, dict):
        return {key: _fill(value, values) for key, value in data.items()}
    if isinstance(data, list):
        # where the application shows the pages, its address is both
        filled = [_fill(value, values) for value in data]
        return [value for index, value in enumerate(filled) if value not in filled[:index]]
    if isinstance(data, str):
        for name, value in values.items():
            data = data.replace("{" + name + "}", value)
    return data


def _only_missing(ours: dict[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """What ours sets and theirs does not, key by key."""
    kept: dict[str, Any] = {}
    for key, value in ours.items():
        if key not in theirs or theirs[key] is None:
            kept[key] = value
        elif isinstance(value, dict) and isinstance(theirs[key], Mapping):
            below = _only_missing(value, theirs[key])
            if below:
                kept[key] = below
    return kept

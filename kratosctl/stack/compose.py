"""The Compose file, composed from the fragments of compose/."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kratosctl import fragments
from kratosctl.environment import Environment
from kratosctl.stack import kratos_configuration
from kratosctl.stack.inbox import ACCESS_FILE
from kratosctl.stack.labels import LABEL
from kratosctl.stack.place import Place

CONFIG_TARGET = "/etc/config/kratos"
IMAGE_KEYS = {
    "kratos": "kratos_image",
    "kratos-migrate": "kratos_image",
    "postgres": "postgres_image",
    "mail": "mail_image",
    "ui": "ui_image",
}


def compose_model(environment: Environment, place: Place, configuration: str) -> dict[str, Any]:
    """The Compose project as data, in Compose's own terms.

    Args:
        environment: what was asked for.
        place: where it runs.
        configuration: the text of environment.yml; a change of it makes Kratos' container anew.
    """
    model: dict[str, Any] = {"name": place.project}
    for name in _fragment_names(environment, place):
        model = fragments.merge(model, fragments.compose_fragment(name))
    # a fragment may add to a service that another, absent fragment defines
    model["services"] = {name: s for name, s in model["services"].items() if "image" in s}
    model = fragments.interpolate(model, variables(environment, place))
    for name, service in model["services"].items():
        _finish(name, service, environment, place)
    _label(model, environment, place, configuration)
    for name in place.overridden:
        if name in IMAGE_KEYS and name not in model["services"]:
            # what is said of it is for other environments: Compose refuses a service of which there is nothing else
            image = getattr(environment, IMAGE_KEYS[name])
            model["services"][name] = {"image": image, "profiles": ["not-asked-for"]}
    return model


_ADDRESSES = {
    "public": "KRATOS_PUBLIC_ADDRESS",
    "admin": "KRATOS_ADMIN_ADDRESS",
    "ui": "UI_ADDRESS",
    "mail": "MAIL_ADDRESS",
    "postgres": "POSTGRES_ADDRESS",
}


def services(environment: Environment) -> list[str]:
    """The long-running services of an environment, in the order they start."""
    asked = {"postgres": environment.database == "postgres", "mail": environment.mail, "ui": environment.ui}
    return [name for name in ("postgres", "mail", "kratos", "ui") if asked.get(name, True)]


def variables(environment: Environment, place: Place) -> dict[str, str]:
    """The variables that the fragments read, by name."""
    home = place.home(environment.name)
    images = {service: place.images.get(service, getattr(environment, key)) for service, key in IMAGE_KEYS.items()}
    theirs = environment.config_dir
    values = {
        "KRATOS_IMAGE": images["kratos"],
        "KRATOS_USER": place.user or "",
        "KRATOS_CONFIG_DIR": str(place.directory / theirs if theirs else home / "kratos"),
        "KRATOS_CONFIG_FILE": place.config_file,
        "ENVIRONMENT_FILE": str(home / "environment.yml"),
        "KRATOS_SECRETS_FILE": str(home / "secrets" / "kratos.yml"),
        "SQLITE_DIR": str(home / "database"),
        "POSTGRES_IMAGE": images["postgres"],
        "POSTGRES_INITDB_DIR": str(home / "initdb"),
        "POSTGRES_PASSWORD_FILE": str(home / "secrets" / "postgres-password"),
        "POSTGRES_VOLUME_TARGET": place.postgres_target,
        "MAIL_IMAGE": images["mail"],
        "MAIL_USER": place.user or "",
        "MAIL_ACCESS_FILE": str(home / ACCESS_FILE),
        "UI_IMAGE": images["ui"],
        "UI_USER": place.user or "",
        "UI_SECRETS_FILE": str(home / "secrets" / "ui.env"),
        "UI_CSRF_COOKIE_NAME": f"ory_csrf_ui_{place.project}",
        "KRATOS_BROWSER_URL": kratos_configuration.public_url(environment, place),
    }
    for name, number in place.ports.items():
        address = environment.addresses[name]
        values[_ADDRESSES[name]] = f"[{address}]:{number}" if ":" in address else f"{address}:{number}"
    return values


def _fragment_names(environment: Environment, place: Place) -> Iterator[str]:
    yield "kratos"
    if environment.variant == "distroless":
        yield "distroless"
    if environment.migrates:
        yield "migrate"
    if environment.database == "sqlite":
        yield "sqlite" if place.bind_database else "sqlite-volume"
    if environment.database == "postgres":
        yield "postgres"
    if environment.database == "postgres" and place.owner:
        yield "postgres-ephemeral"
    if "admin" in place.ports:
        yield "admin"
    if "postgres" in place.ports:
        yield "postgres-port"
    if environment.mail:
        yield "mail"
    if environment.guards_inbox:
        yield "mail-password"
    if environment.ui:
        yield "ui"


def _finish(name: str, service: dict[str, Any], environment: Environment, place: Place) -> None:
    for key in [key for key, value in service.items() if value == ""]:
        del service[key]
    if place.start_interval and "healthcheck" in service:
        service["healthcheck"]["start_interval"] = "1s"
    if name == "kratos" and not place.sends_mail:
        # the courier would retry every mail at an address where nobody listens, and log each failure
        service["command"].remove("--watch-courier")
    if environment.https:
        # so that browsers send their cookies over TLS alone
        if name == "kratos":
            service["command"].remove("--dev")
        if name == "ui":
            del service["environment"]["DANGEROUSLY_DISABLE_SECURE_CSRF_COOKIES"]
    if name.startswith("kratos"):
        if environment.platform:
            service["platform"] = environment.platform
        if environment.config == "image":
            service["volumes"] = [v for v in service["volumes"] if not _is_config_mount(v)]


def _is_config_mount(mount: Any) -> bool:
    return isinstance(mount, dict) and mount["target"] == CONFIG_TARGET


def _label(model: dict[str, Any], environment: Environment, place: Place, configuration: str) -> None:
    """Labels say whose each part is. The revision says what a container was made from: equal means up to date."""
    whose = _whose(environment, place.directory, place.owner)
    facts = {
        LABEL + "release": environment.release,
        LABEL + "variant": environment.variant,
        LABEL + "database": environment.database,
    }
    for name, service in model["services"].items():
        made_from = [service, place.override]
        if name.startswith("kratos"):
            made_from += [configuration, place.secrets_generation, *filter(None, (place.content, place.mounted))]
        if name == "mail" and environment.guards_inbox:
            made_from.append(place.inbox)
        revision = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]
        service["labels"] = whose | (facts if name == "kratos" else {}) | {LABEL + "revision": revision}
    # never another label: Compose deletes a volume whose labels change, to make it anew
    lasting = _whose(environment, place.origin or place.directory, place.owner)
    for volume in model.get("volumes", {}).values():
        volume["labels"] = dict(lasting)
    ipam = {"ipam": {"config": [{"subnet": place.subnet}]}} if place.subnet else {}
    model["networks"] = {"default": {"labels": dict(lasting), **ipam}}


def _whose(environment: Environment, directory: Path, owner: str) -> dict[str, str]:
    whose = {LABEL + "environment": environment.name, LABEL + "directory": str(directory).replace("$", "$$")}
    return whose | ({LABEL + "owner": owner} if owner else {})

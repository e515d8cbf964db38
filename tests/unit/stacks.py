"""Environments to render: fixed ones for golden files, any at all for properties."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from kratosctl import catalog, fragments, questions
from kratosctl.environment import Environment, from_answers
from kratosctl.host import ports
from kratosctl.stack.files import File
from kratosctl.stack.place import Place
from kratosctl.stack.render import render
from kratosctl.stack.secrets import Secrets

DIRECTORY = Path("/home/ada/shop")
PROJECT = "shop-dev-0123abcd"
SECRETS = Secrets(
    default=("default-secret-of-32-characters-1", "an-older-default-secret"),
    cookie=("cookie-secret-of-32-characters-2",),
    cipher=("cipher-secret-of-32-characters-3",),
    postgres_password="postgres-password-4",
    ui_cookie="ui-cookie-secret-5",
    ui_csrf="ui-csrf-secret-6",
    inbox_password="inbox-password-8",
    external_dsn="postgres://ada:external-password-7@db.example:5432/shop",
)
EVERY_SECRET = (
    *SECRETS.default,
    *SECRETS.cookie,
    *SECRETS.cipher,
    SECRETS.postgres_password,
    SECRETS.ui_cookie,
    SECRETS.ui_csrf,
    SECRETS.inbox_password,
    "external-password-7",
)


def environment(name: str = "dev", **answers: Any) -> Environment:
    return from_answers(name, answers)


def place(environment: Environment, **changes: Any) -> Place:
    """Where it would run on Ada's machine, with every port of the first environment on a host free."""
    allotted = {name: port or ports.DEFAULTS[name] for name, port in ports.wanted(environment).items()}
    values: dict[str, Any] = {"project": PROJECT, "directory": DIRECTORY, "ports": allotted, "user": "1000:1000"}
    return Place(**(values | changes))


def files(environment: Environment, place: Place, theirs: Mapping[str, Any] | None = None) -> dict[str, File]:
    """Everything that is written for it, by path."""
    return {file.path: file for file in render(environment, place, SECRETS, theirs)}


def compose(environment: Environment, place: Place) -> dict[str, Any]:
    """The Compose file, read back."""
    model: dict[str, Any] = load(files(environment, place)["compose.yaml"].text)
    return model


def load(text: str) -> Any:
    """Reads YAML, several times faster than `yaml.safe_load`."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def published(service: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Address, port of this host and port of the container of everything a service publishes."""
    found = []
    for entry in service.get("ports", []):
        address, host, container = entry.rsplit(":", 2)
        found.append((address.strip("[]"), int(host), int(container)))
    return found


# Text a file system or a person may come up with: what is dear to YAML, to Compose and to shells among it.
_AWKWARD = st.sampled_from(
    ["$", "$$", "${HOME}", "${X:-y}", "$(id)", ":", "#", "- ", "'", '"', "\\", "{", "}", "é", "東京", "🙂", " "]
)
_LETTERS = st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))
NAMES_OF_FILES = (
    st.lists(_AWKWARD | st.text(_LETTERS, min_size=1, max_size=8), min_size=1, max_size=6)
    .map("".join)
    .filter(lambda name: "/" not in name and name not in (".", ".."))
)
DIRECTORIES = st.lists(NAMES_OF_FILES, min_size=1, max_size=3).map(lambda parts: Path("/", *parts))
ADDRESSES = ("127.0.0.1", "0.0.0.0", "192.168.1.5", "::1", "::")
NAMES = st.from_regex(questions.ENVIRONMENT_NAME, fullmatch=True)


@st.composite
def environments(draw: st.DrawFn) -> Environment:
    """Any environment that can be asked for."""
    variant = draw(st.sampled_from(catalog.VARIANTS))
    databases = questions.DATABASES if variant == "default" else ("postgres", "external")
    preset = draw(st.sampled_from(questions.PRESETS))
    since = catalog.version_key(fragments.presets()["presets"][preset]["since"])
    releases = [release.tag for release in catalog.RELEASES if catalog.version_key(release.tag) >= since]
    answers: dict[str, Any] = {
        "variant": variant,
        "database": draw(st.sampled_from(databases)),
        "preset": preset,
        "release": draw(st.sampled_from(releases)),
        "ui": draw(st.booleans()),
        "mail": draw(st.booleans()),
        "config": draw(st.sampled_from(questions.CONFIG_WAYS)),
        "platform": draw(st.none() | st.sampled_from(catalog.ARCHITECTURES[variant])),
        "bind": draw(st.sampled_from(ADDRESSES)),
        "https": draw(st.booleans()),
        "expose_admin_without_authentication": draw(st.booleans()),
        "config_dir": draw(st.none() | NAMES_OF_FILES),
    }
    for offset, port in enumerate(("public_port", "admin_port", "ui_port", "mail_port", "postgres_port")):
        # five ranges, so that no two are the same
        answers[port] = draw(st.none() | st.integers(offset * 10_000 + 10_000, offset * 10_000 + 15_000))
    return from_answers(draw(NAMES), answers)


@st.composite
def stacks(draw: st.DrawFn) -> tuple[Environment, Place]:
    """Any environment, anywhere."""
    asked = draw(environments())
    return asked, place(
        asked,
        directory=draw(DIRECTORIES),
        user=draw(st.sampled_from([None, "0:0", "1000:1000"])),
        bind_database=draw(st.booleans()),
        postgres_major=draw(st.integers(14, 19)),
        secrets_generation=draw(st.integers(1, 3)),
        sends_mail=draw(st.booleans()),
    )

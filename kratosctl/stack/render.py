"""Environment -> the files of its generated directory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from kratosctl import fragments
from kratosctl.environment import Environment
from kratosctl.stack import compose, inbox, kratos_configuration, secrets
from kratosctl.stack.files import COMPOSE_FILE, ENVIRONMENT_FILE, SECRETS_FILE, File
from kratosctl.stack.place import Place
from kratosctl.stack.secrets import Secrets


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Quotes every text that Compose's or Kratos' YAML reader takes for a number or a date.

    PyYAML reads YAML 1.1, they read 1.2: without quotes `1234567890123e45` is text here, and infinity there.
    """


_NUMBER = r"(?=[^0-9]*[0-9])[-+.0-9][-+.0-9_eE]*|[-+]?_*0_*[xXoObB][0-9a-fA-F_]+"
_DATE = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?"
_Dumper.add_implicit_resolver("tag:kratosctl,2026:number", re.compile(f"(?:{_NUMBER}|{_DATE})$"), list("-+.0123456789"))


def _text(dumper: Any, text: str) -> Any:
    """Lines stay lines, where YAML can: a schema in a file of values is to be read, too."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def render(environment: Environment, place: Place, kept: Secrets, theirs: Mapping[str, Any] | None) -> tuple[File, ...]:
    """Renders everything an environment needs on disk.

    Args:
        environment: what was asked for.
        place: where it runs.
        kept: its secrets, complete.
        theirs: the parsed Kratos configuration of a user's directory; None to use the preset's.
    """
    files: list[File] = []
    if theirs is None:
        preset = fragments.preset_files(environment.preset)
        files += [File(f"kratos/{name}", text) for name, text in preset.items()]
        theirs = fragments.preset_configuration(environment.preset)
    configuration = dump(
        kratos_configuration.environment_configuration(environment, place, theirs),
        f"What environment {environment.name} adds to Kratos' configuration: addresses, cookie name, mail.",
    )
    model = compose.compose_model(environment, place, configuration)
    files += [
        File(ENVIRONMENT_FILE, configuration),
        File(COMPOSE_FILE, dump(model, *_compose_header(environment))),
        *_secret_files(environment, kept, theirs),
    ]
    return tuple(files)


def _secret_files(environment: Environment, kept: Secrets, theirs: Mapping[str, Any]) -> list[File]:
    dsn = kratos_configuration.dsn(environment, kept)
    files = [kratos_secrets(secrets.as_kratos(kept, dsn, theirs))]
    if environment.database == "postgres":
        files.append(File("secrets/postgres-password", kept.postgres_password, secret=True))
    if environment.ui:
        ui = f"COOKIE_SECRET={kept.ui_cookie}\nCSRF_COOKIE_SECRET={kept.ui_csrf}\n"
        files.append(File("secrets/ui.env", ui, secret=True))
    return files + inbox.files(environment, kept.inbox_password)


def kratos_secrets(content: Mapping[str, Any]) -> File:
    """The file that gives Kratos its DSN and secrets.

    Args:
        content: Kratos configuration with `dsn` and `secrets`.
    """
    warning = (
        "Secret, and kept across `up`: without these everybody is logged out. `kratosctl secrets rotate` adds new."
    )
    return File(SECRETS_FILE, dump(content, warning), secret=True)


def _compose_header(environment: Environment) -> tuple[str, ...]:
    return (
        f"Environment {environment.name}: Kratos {environment.release} on {environment.database}. Plain Compose:",
        "  docker compose -f this-file up",
        "Change kratosctl.yaml, or put a compose.override.yaml beside it; changes made here are noticed, not kept.",
    )


def dump(data: Any, *comment: str) -> str:
    """YAML that Compose, Docker, Helm and Kratos read as it was meant, below comments.

    Args:
        data: what to write.
        comment: lines that say what it is.
    """
    lines = "".join(f"# {line}\n" for line in ("Made by kratosctl.", *comment))
    return lines + yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)

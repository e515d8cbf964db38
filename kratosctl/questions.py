"""Everything that can be asked about an environment: one row each.

A row makes the flag (`--public-port`), the environment variable (`KRATOSCTL_PUBLIC_PORT`), the key of `kratosctl.yaml`
(`public_port`), its JSON Schema and, where it has a prompt, the question. Order of precedence: flag, environment,
kratosctl.yaml, prompt, default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kratosctl import catalog
from kratosctl.errors import ConfigurationInvalid, NameInvalid, UnknownKey, UsageError

Kind = Literal["choice", "switch", "port", "path", "file", "text", "release", "host", "address", "range", "origin"]

DEFAULT_NAME = "dev"
# says which environment is meant, where a command is given none
NAME_VARIABLE = "KRATOSCTL_ENVIRONMENT"
DATABASES = ("sqlite", "postgres", "memory", "external")
CONFIG_WAYS = ("mount", "image")
PRESETS = ("email-password", "passwordless-code", "passkey", "totp-and-lookup", "api-only", "oidc")


@dataclass(frozen=True)
class Question:
    """One row.

    Attributes:
        key: its name in kratosctl.yaml; flag and environment variable follow from it.
        kind: which values it takes. Ports are TCP port numbers, 1 to 65535.
        help: one line, for `--help` and the schema.
        prompt: what is asked; empty where it is never asked.
        choices: the values of a choice, in the order they are shown.
        default: the value where nobody said one; None where something else decides it.
    """

    key: str
    kind: Kind
    help: str
    prompt: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None

    @property
    def flag(self) -> str:
        name = "--" + self.key.replace("_", "-")
        return f"{name}/--no-{name[2:]}" if self.kind == "switch" else name

    @property
    def variable(self) -> str:
        return "KRATOSCTL_" + self.key.upper()


QUESTIONS = (
    Question(
        "preset",
        "choice",
        "Sign-in methods to start from.",
        "How do people sign in?",
        PRESETS,
        "email-password",
    ),
    Question("database", "choice", "Where Kratos keeps its data.", "Which database?", DATABASES, "sqlite"),
    Question("release", "release", "Kratos release: vX.Y.Z (or vX.Y, vX).", "Which Kratos release?"),
    Question("variant", "choice", "Image variant.", "Which image variant?", catalog.VARIANTS, "default"),
    Question("ui", "switch", "Run the self-service UI.", "Run the self-service UI?"),
    Question("mail", "switch", "Run a mail inbox.", "Run a mail inbox (Mailpit)?"),
    Question(
        "public_port", "port", "Port of the public API on this host [4433, or a free one].", "Port of the public API?"
    ),
    Question(
        "app_url",
        "origin",
        "Your application, http://localhost:3000: people come back to it, and without a UI it shows the pages.",
    ),
    Question("admin_port", "port", "Publish the admin API on this port [not published]."),
    Question("ui_port", "port", "Port of the self-service UI on this host [4455, or a free one]."),
    Question("mail_port", "port", "Port of the mail inbox on this host [8025, or a free one]."),
    Question("postgres_port", "port", "Publish PostgreSQL on this port [not published]."),
    Question("config_dir", "path", "Your own Kratos configuration directory, mounted read-only."),
    Question("config", "choice", "How Kratos gets its configuration.", choices=CONFIG_WAYS, default="mount"),
    Question("seed", "file", "Identities of a new database: a YAML, JSON or CSV file, or a directory of them."),
    Question("platform", "text", "Platform of the Kratos image, such as linux/arm64."),
    Question("kratos_image", "text", "Kratos image to use instead of oryd/kratos."),
    Question("postgres_image", "text", f"PostgreSQL image [{catalog.POSTGRES_IMAGE}]."),
    Question("ui_image", "text", "Self-service UI image [of the same release as Kratos]."),
    Question("mail_image", "text", f"Mailpit image [{catalog.MAIL_IMAGE}]."),
    Question("proxy_image", "text", f"Image of the TLS proxy of a workshop [{catalog.PROXY_IMAGE}]."),
    Question("subnets", "range", "Give its network a part of this range, not one of Docker's: 10.213.0.0/16."),
    Question("host", "host", "Host name in the addresses people open.", default="localhost"),
    Question("bind", "address", "Address the ports of this host listen on.", default="127.0.0.1"),
    Question("https", "switch", "People come by a TLS proxy, at the same ports of --bind.", default=False),
    Question(
        "expose_admin_without_authentication",
        "switch",
        "Let the admin API, which asks nobody who they are, follow --bind beyond this host.",
        default=False,
    ),
    Question("allow_floating_tag", "switch", "Accept `latest` and untagged images.", default=False),
)
BY_KEY: Mapping[str, Question] = {question.key: question for question in QUESTIONS}
# of an environment for tests: no TLS proxy stands before it, and an image built for it would stay
OF_TESTS = tuple(q for q in QUESTIONS if q.key not in ("config", "https", "proxy_image"))
# what can be said of several at once, by variables and by pytest's options: each has ports of its own, for this host
OF_ALL_TESTS = tuple(
    q for q in OF_TESTS if q.kind != "port" and q.key not in ("bind", "expose_admin_without_authentication")
)

_MOST_LISTED = 12

ENVIRONMENT_NAME = r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
# what begins with a hyphen would be an option to docker
PLAIN_TEXT = r"(?!-)[!-~]{1,255}"
HOST = r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,31}|\[[0-9a-fA-F:.]{2,45}\]"
# what browsers call an origin: a scheme, a host and a port
ORIGIN = rf"https?://(?:{HOST})(?::[0-9]{{1,5}})?/?"


def check_name(name: str) -> str:
    """Returns the environment's name if it is one.

    Raises:
        NameInvalid: it is not 1 to 32 lower-case letters, digits and inner hyphens.
    """
    if re.fullmatch(ENVIRONMENT_NAME, name):
        return name
    shown = name if len(name) <= 40 else name[:40] + "…"
    raise NameInvalid(
        f"{shown!r} cannot name an environment",
        "it becomes a directory, a Compose project and a cookie name",
        "use 1 to 32 lower-case letters, digits and hyphens, such as dev or seat-07",
    )


def check_value(question: Question, value: object) -> Any:
    """Returns the value of an answer in its proper type.

    Args:
        question: the row that is answered.
        value: what a flag, a variable, a file or a prompt gave.

    Raises:
        ConfigurationInvalid: the value does not fit the row; `what` says what is expected.
    """
    checkers = {
        "choice": _choice,
        "switch": _switch,
        "port": _port,
        "path": _text,
        "file": _text,
        "text": _text,
        "release": _release,
        "host": _host,
        "address": _address,
        "range": _range,
        "origin": _origin,
    }
    return checkers[question.kind](question, value)


def expected(question: Question) -> str:
    """What a row takes, in words."""
    return {
        "choice": "one of " + ", ".join(question.choices),
        "switch": "true or false",
        "port": "a port number from 1 to 65535",
        "path": "a path",
        "file": "a path",
        "text": "text without spaces or line breaks",
        "release": "a release such as " + catalog.NEWEST.tag,
        "host": "a host name such as localhost",
        "address": "an IP address such as 127.0.0.1",
        "range": "a range of IPv4 addresses such as 10.213.0.0/16",
        "origin": "an address without a path such as http://localhost:3000",
    }[question.kind]


def the_one(meant: Sequence[str], known: Sequence[str]) -> str:
    """The environment that is meant where none is named: the only one, else `dev`.

    Args:
        meant: those it can be.
        known: those there are.

    Raises:
        UsageError: there are several, and none is called that.
    """
    if len(meant) > 1 and DEFAULT_NAME not in meant:
        raise UsageError("which environment?", f"there are {listed(known)}", "name one of them")
    return meant[0] if len(meant) == 1 else DEFAULT_NAME


def listed(names: Sequence[str]) -> str:
    """Names on one line: of many, such as the seats of a class, the first ones."""
    more = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def unknown_key(key: object, known: tuple[str, ...] | list[str], where: str) -> UnknownKey:
    """The error for a key nobody reads, with the one that was probably meant."""
    near = _near(str(key), known)
    fix = f"did you mean {near[0]!r}?" if near else "known keys: " + ", ".join(known)
    return UnknownKey(f"{where}: unknown key {str(key)[:60]!r}", fix=fix)


def _near(word: str, known: Sequence[str]) -> list[str]:
    import difflib

    return difflib.get_close_matches(word, known, n=1)


def _wrong(question: Question, value: object) -> ConfigurationInvalid:
    return ConfigurationInvalid(f"{question.key}: expected {expected(question)}, found {str(value)[:60]!r}")


def _choice(question: Question, value: object) -> str:
    if isinstance(value, str) and value in question.choices:
        return value
    error = _wrong(question, value)
    near = _near(str(value), question.choices)
    error.fix = f"did you mean {near[0]!r}?" if near else ""
    raise error


def _switch(question: Question, value: object) -> bool:
    if isinstance(value, bool):
        return value
    said = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    if isinstance(value, str) and value.lower() in said:
        return said[value.lower()]
    raise _wrong(question, value)


def _port(question: Question, value: object) -> int:
    number = int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,5}", value) else value
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= 65535:
        return number
    raise _wrong(question, value)


def _text(question: Question, value: object) -> str:
    if not isinstance(value, str | os.PathLike) or not str(value) or "\0" in str(value):
        raise _wrong(question, value)
    if question.kind == "text" and not re.fullmatch(PLAIN_TEXT, str(value)):
        raise _wrong(question, value)
    return str(value)


def _release(question: Question, value: object) -> str:
    if isinstance(value, str) and value:
        if value != "latest":
            catalog.newest_matching(value)
        return value
    raise _wrong(question, value)


def _host(question: Question, value: object) -> str:
    if isinstance(value, str) and re.fullmatch(HOST, value):
        return value
    raise _wrong(question, value)


def _address(question: Question, value: object) -> str:
    import ipaddress

    try:
        # a zone, as in fe80::1%eth0, is nothing Docker binds to
        if isinstance(value, str) and "%" not in value:
            return str(ipaddress.ip_address(value))
    except ValueError:
        pass
    raise _wrong(question, value)


def _range(question: Question, value: object) -> str:
    import ipaddress

    try:
        if isinstance(value, str) and 8 <= ipaddress.IPv4Network(value).prefixlen <= 28:
            return value
    except ValueError:
        pass
    raise _wrong(question, value)


def _origin(question: Question, value: object) -> str:
    if isinstance(value, str) and re.fullmatch(ORIGIN, value):
        origin = value.rstrip("/").lower()
        port = re.search(r":(\d+)$", origin)
        if not port or 1 <= int(port[1]) <= 65535:
            return origin
    raise _wrong(question, value)

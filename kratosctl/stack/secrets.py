"""The secrets of an environment: made once, kept, rotated; never shown."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets as random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from kratosctl.errors import SecretTooShort
from kratosctl.stack.inbox import new_password

KINDS = ("default", "cookie", "cipher")
CIPHER_LENGTH = 32  # exactly: Kratos uses it as an XChaCha20-Poly1305 key
SHORTEST = 16  # Kratos' rule for default and cookie
VARIABLES = {"default": "SECRETS_DEFAULT", "cookie": "SECRETS_COOKIE", "cipher": "SECRETS_CIPHER"}


@dataclass(frozen=True)
class Secrets:
    """Everything secret of one environment. The first of each list signs and encrypts, the rest still verify."""

    default: tuple[str, ...] = field(default=(), repr=False)
    cookie: tuple[str, ...] = field(default=(), repr=False)
    cipher: tuple[str, ...] = field(default=(), repr=False)
    postgres_password: str = field(default="", repr=False)
    ui_cookie: str = field(default="", repr=False)
    ui_csrf: str = field(default="", repr=False)
    inbox_password: str = field(default="", repr=False)
    external_dsn: str = field(default="", repr=False)

    def of(self, kind: str) -> tuple[str, ...]:
        """The list of a kind: default, cookie or cipher."""
        return {"default": self.default, "cookie": self.cookie, "cipher": self.cipher}[kind]


def new_secret() -> str:
    """32 characters of 192 random bits, safe in a URL: the length fits every kind."""
    return random.token_urlsafe(24)


def complete(kept: Secrets, variables: Mapping[str, str], make: Callable[[], str] = new_secret) -> Secrets:
    """Keeps what exists, puts what the user gave in front, and makes what is missing.

    Args:
        kept: what the secret files hold.
        variables: the process environment; SECRETS_DEFAULT, SECRETS_COOKIE, SECRETS_CIPHER and DSN are read.
        make: makes one secret.

    Raises:
        SecretTooShort: a given secret breaks Kratos' rule. The message never shows it.
    """
    lists: dict[str, Any] = {}
    for kind in KINDS:
        given = _given(kind, variables)
        known = tuple(secret for secret in kept.of(kind) if secret not in given)
        lists[kind] = (given + known) or (make(),)
    return replace(
        kept,
        **lists,
        postgres_password=kept.postgres_password or make(),
        ui_cookie=kept.ui_cookie or make(),
        ui_csrf=kept.ui_csrf or make(),
        inbox_password=kept.inbox_password or new_password(),
        external_dsn=variables.get("DSN") or kept.external_dsn,
    )


def is_empty(secrets: Secrets) -> bool:
    """True where Kratos was given nothing yet."""
    return not any((secrets.default, secrets.cookie, secrets.cipher, secrets.external_dsn))


def digest(given: Mapping[str, Any]) -> str:
    """What changes with what Kratos is given, from `as_kratos`, and tells nothing of it."""
    return hashlib.sha256(json.dumps(given).encode()).hexdigest()


def rotate(kept: Secrets, kinds: tuple[str, ...] = KINDS, make: Callable[[], str] = new_secret) -> Secrets:
    """Puts a new secret in front of each kind's list; the old ones keep verifying what they signed."""
    changed: dict[str, Any] = {kind: (make(), *kept.of(kind)) for kind in kinds}
    return replace(kept, **changed)


def _given(kind: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    text = variables.get(VARIABLES[kind], "")
    if not text:
        return ()
    values = tuple(dict.fromkeys(_as_list(text)))
    for value in values:
        if not _is_text(value):
            raise SecretTooShort(f"{VARIABLES[kind]} is not UTF-8 text", "Kratos wants characters, not bytes")
        exact = kind == "cipher" and len(value) != CIPHER_LENGTH
        if exact or len(value) < SHORTEST:
            rule = f"exactly {CIPHER_LENGTH} characters" if kind == "cipher" else f"{SHORTEST} characters or more"
            raise SecretTooShort(
                f"{VARIABLES[kind]} holds a secret of {len(value)} characters",
                f"Kratos wants {rule}",
                f"make one with `openssl rand -base64 24`, or unset {VARIABLES[kind]} and let kratosctl make it",
            )
    return values


def _as_list(text: str) -> list[str]:
    """Kratos reads a list in a variable as JSON or as comma-separated values."""
    if text.lstrip().startswith("["):
        with contextlib.suppress(ValueError, RecursionError):
            return [str(value) for value in json.loads(text)]
    import csv

    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return [text]


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def postgres_dsn(password: str) -> str:
    """The data source name of the PostgreSQL that kratosctl runs."""
    host = f"kratos:{quote(password, safe='')}@postgres:5432"
    return f"postgres://{host}/kratos?sslmode=disable&max_conns=20&max_idle_conns=4"


def as_kratos(secrets: Secrets, dsn: str, theirs: Mapping[str, Any]) -> dict[str, Any]:
    """The Kratos configuration that holds the DSN and the secrets.

    Args:
        secrets: ours.
        dsn: the data source name.
        theirs: the user's own Kratos configuration; kinds of secrets it sets are left to it.
    """
    set_by_them = theirs.get("secrets")
    kinds = [kind for kind in KINDS if not isinstance(set_by_them, Mapping) or kind not in set_by_them]
    ours = {kind: list(secrets.of(kind)) for kind in kinds}
    return {"dsn": dsn} | ({"secrets": ours} if ours else {})

"""Who may open the mail inbox where people come over the network: one name, one password. Pure.

A recovery code in it opens its owner's account. Mailpit reads htpasswd files; it refuses to start without the file it
was given, but asks nobody where that is empty.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kratosctl.environment import Environment
from kratosctl.stack.files import File

PASSWORD_FILE = "secrets/mail-password"
ACCESS_FILE = "secrets/mail.htpasswd"
# people copy it from paper: nothing that looks like something else
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class Login:
    """What the inbox asks for."""

    user: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of the HTTP header Authorization."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def new_password() -> str:
    """80 random bits, in four groups of four letters and digits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def login(environment: Environment, password: str) -> Login | None:
    """What the inbox of an environment asks for; None where it asks nobody."""
    return Login(environment.name, password) if environment.guards_inbox else None


def where(user: str, home: Path) -> dict[str, str]:
    """For scripts: the name, and the file that holds the password."""
    return {"user": user, "password_file": str(home / PASSWORD_FILE)}


def said(login: Mapping[str, str] | None) -> str:
    """The same behind the address of the inbox, for a person; nothing where it asks nobody."""
    return f"  (user {login['user']}, password in {login['password_file']})" if login else ""


def digest(password: str) -> str:
    """What changes with the password and tells nothing of it."""
    return hashlib.sha256(password.encode()).hexdigest()


def files(environment: Environment, password: str) -> list[File]:
    """The password for people, and what Mailpit compares with; none where the inbox asks nobody."""
    asked = login(environment, password)
    if asked is None:
        return []
    # of the entries that Mailpit knows, the one that needs no library; nobody guesses 80 random bits
    hashed = base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest()).decode()
    access = f"{asked.user}:{{SHA}}{hashed}\n"
    return [File(PASSWORD_FILE, f"{password}\n", secret=True), File(ACCESS_FILE, access, secret=True)]

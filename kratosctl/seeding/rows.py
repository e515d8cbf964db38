"""What a file holds, row by row: a row as somebody wrote it, or what is wrong with it, each with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

# Kratos' hash.IsValidHashFormat, v26.2.0; older releases know fewer and say so themselves
_HASH = re.compile(
    r"\$2[abzy]?\$|\$argon2id?\$|\$pbkdf2-sha[0-9]{1,3}\$|\$scrypt\$|\$firescrypt\$|\$md5\$|\$sha(?:1|256|512)\$"
    r"|\$(?:md5|sha256|sha512)-crypt\$|\$hmac-(?:md4|md5|sha1|sha224|sha256|sha384|sha512)\$|\{SSHA(?:256|512)?\}"
)


class BadRow(Exception):
    """What is wrong with a row, in words, and never with a password in them."""


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        file: its file, as it was named.
        line: where it begins, from 1.
        values: what stands in it.
        texts: the values are text, whatever they mean, as in CSV.
    """

    file: str
    line: int
    values: dict[str, Any]
    texts: bool = False


@dataclass(frozen=True)
class Bad:
    """A row, or the rest of a file, that makes no identity.

    Attributes:
        file: its file.
        line: where it begins, from 1.
        reason: why, in words.
    """

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


def is_hash(password: str) -> bool:
    """Whether a password is a hash in a format that Kratos imports."""
    return bool(_HASH.match(password))

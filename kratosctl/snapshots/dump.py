"""A file that pg_dump wrote of Kratos' database: whether it is whole, what it holds, and what of it is run."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from kratosctl.errors import SnapshotDamaged
from kratosctl.snapshots import dump_grammar
from kratosctl.snapshots.facts import Facts

# psql's own guard: from there on it runs no command but SQL, whatever a dump says; those before August 2025 have none
_GUARD = r"""
\set guard `psql --help=commands | grep -q '\\restrict' && printf '%s' '\restrict KEY'`
:guard
"""
# of a dump, what does not fit inside a transaction of ours, or only some psql and PostgreSQL understand
_NOT_OURS = (b"CREATE SCHEMA public;", b"\\restrict", b"\\unrestrict", b"SET transaction_timeout")
_ROWS_END = b"\\.\n"


def write_plain(source: Path, target: Path) -> None:
    """Writes a dump without what only the psql or the PostgreSQL that made it understands."""
    with target.open("wb") as file:
        file.write(guard().encode())
        file.writelines(statements(source))


def check(source: Path) -> None:
    """Refuses what pg_dump does not write of Kratos' tables: psql would run it, whatever it is.

    Raises:
        SnapshotDamaged: naming the line.
    """
    check_whole(source)
    with source.open("rb") as file:
        wrong = dump_grammar.first_wrong(file)
    if wrong:
        number, line = wrong
        shown = f"is none that a dump of Kratos' has: {line[:40].decode(errors='replace')!a}" if line else "is missing"
        why = f"line {number} {shown}"
        raise SnapshotDamaged("the snapshot is no dump of Kratos' database", why, "nothing was changed")


def facts_of(source: Path) -> Facts:
    """What a dump holds that was checked."""
    counts, network, table = Counter[bytes](), "", b""
    for line in rows(source):
        if not table:
            table = line.split()[1].removeprefix(b"public.")
        elif line == _ROWS_END:
            table = b""
        else:
            counts[table] += 1
            if table == b"networks" and not network:
                network = line.rstrip().split(b"\t")[0].decode()
    return Facts(counts[b"schema_migration"], counts[b"identities"], network)


def guard() -> str:
    """The lines that begin it, by a key that no dump can know, and so lift the guard."""
    return _GUARD.replace("KEY", secrets.token_hex(16))


def statements(source: Path) -> Iterable[bytes]:
    """A dump as a transaction of ours can hold it. Somebody's own schemas, such as Hasura's, are made anew as Kratos'
    is."""
    with source.open("rb") as file:
        inside_rows = False
        for line in file:
            if inside_rows:
                inside_rows = line != _ROWS_END
            elif line.startswith(_NOT_OURS):
                continue
            elif line.startswith(b"CREATE SCHEMA "):
                yield line.replace(b"CREATE SCHEMA", b"DROP SCHEMA IF EXISTS", 1).replace(b";", b" CASCADE;")
            else:
                inside_rows = line.startswith(b"COPY ")
            yield line


def rows(source: Path) -> Iterable[bytes]:
    """The COPY statements of a dump and their rows, and nothing else."""
    with source.open("rb") as file:
        inside_rows = False
        for line in file:
            starts = not inside_rows and line.startswith(b"COPY public.")
            if starts or inside_rows:
                yield line
                inside_rows = line != _ROWS_END


def check_whole(source: Path) -> None:
    """Refuses a dump that was cut short.

    Raises:
        SnapshotDamaged: its last line is missing.
    """
    with source.open("rb") as file:
        file.seek(max(0, source.stat().st_size - 400))
        if b"PostgreSQL database dump complete" not in file.read():
            raise SnapshotDamaged("the snapshot is not whole", "its last line is missing", "nothing was changed")

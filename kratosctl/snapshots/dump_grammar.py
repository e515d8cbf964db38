"""What a dump of Kratos' tables may say. psql runs whatever stands in one: a file from elsewhere is looked at first.

Nothing is allowed because it looks harmless, only because `pg_dump` writes it of Kratos' tables: no command of psql's
own, no expression that calls a function, and of `COPY` only the one whose rows follow. And nothing is allowed that psql
might read otherwise than it is read here: no NUL, which ends a line for it, and no encoding but UTF-8, because in some
others a byte takes the quote that comes after it along.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

_NAME = r'(?:\w+|"\w+")'
_NAMES = rf"\({_NAME}(?:, {_NAME})*\)"
_TABLE = rf"public\.{_NAME}"
_TYPE = r"[a-z][a-z0-9 ]*(?:\(\d+(?:,\d+)?\))?(?: with(?:out)? time zone)?(?:\[\])?"
_TEXT = r"'[^'\\\r]*'"
_DEFAULT = rf"(?:-?\d+|true|false|NULL|CURRENT_TIMESTAMP|now\(\)|gen_random_uuid\(\)|{_TEXT}::{_TYPE})"
# words, texts and comparisons; no word but these stands before a bracket, where it would be a function
_CALL = r"\b(?!(?:AND|OR|NOT|IN|varying|character|numeric)\b)\w+ *\("
_EXPRESSION = rf"\((?!.*{_CALL})(?:[\w ().,<>=-]|::|{_TEXT})*\)"
_ORDER = rf"{_NAME}(?: public\.gin_trgm_ops)?(?: DESC| ASC)?(?: NULLS (?:FIRST|LAST))?"
_SETTINGS = (
    "(?:statement|lock|idle_in_transaction_session|transaction)_timeout = 0|client_encoding = 'UTF8'"
    "|standard_conforming_strings = on|check_function_bodies = false|xmloption = content|client_min_messages = warning"
    "|row_security = off|default_tablespace = ''|default_table_access_method = heap"
)
_ON = r"(?: ON (?:UPDATE|DELETE) (?:CASCADE|RESTRICT|NO ACTION|SET NULL|SET DEFAULT))*"


def _line(*ways: str) -> Callable[[bytes], bool]:
    """What tells whether a line is written in one of these ways."""
    pattern = re.compile(("(?:" + "|".join(ways) + r")\n").encode(), re.ASCII)
    return lambda line: bool(pattern.fullmatch(line)) and _is_text(line)


def _is_text(line: bytes) -> bool:
    try:
        return "\0" not in line.decode()
    except UnicodeDecodeError:
        return False


_is_statement = _line(
    "",
    r"--[^\r]*",
    r"\\(?:un)?restrict \w+",
    rf"SET (?:{_SETTINGS});",
    r"SELECT pg_catalog\.set_config\('search_path', '', false\);",
    "CREATE SCHEMA public;",
    rf"COMMENT ON SCHEMA public IS {_TEXT};",
    "CREATE EXTENSION IF NOT EXISTS (?:btree_gin|pg_trgm) WITH SCHEMA public;",
    rf"COMMENT ON EXTENSION (?:btree_gin|pg_trgm) IS {_TEXT};",
    rf"CREATE (?:UNIQUE )?INDEX {_NAME} ON {_TABLE} USING (?:btree|gin|gist|hash)"
    rf" \({_ORDER}(?:, {_ORDER})*\)(?: WHERE {_EXPRESSION})?;",
)
_begins_table = _line(rf"CREATE TABLE {_TABLE} \(")
_is_column = _line(
    rf"    {_NAME} {_TYPE}(?: DEFAULT {_DEFAULT})?(?: NOT NULL)?,?",
    rf"    CONSTRAINT {_NAME} CHECK {_EXPRESSION},?",
)
_begins_constraint = _line(rf"ALTER TABLE ONLY {_TABLE}")
_is_constraint = _line(
    rf"    ADD CONSTRAINT {_NAME} (?:PRIMARY KEY|UNIQUE) {_NAMES};",
    rf"    ADD CONSTRAINT {_NAME} FOREIGN KEY {_NAMES} REFERENCES {_TABLE}{_NAMES}{_ON};",
)
_begins_rows = _line(rf"COPY {_TABLE} {_NAMES} FROM stdin;")
_ROWS_END = b"\\.\n"


def first_wrong(lines: Iterable[bytes]) -> tuple[int, bytes] | None:
    """The first line that no dump of Kratos' tables has, by its number from 1; None where there is none.

    Args:
        lines: the dump's, each with its line break.

    Returns:
        The number and the line, which is empty where the dump ends within a statement.
    """
    number, numbered = 0, enumerate(lines, 1)
    for number, line in numbered:
        if _is_statement(line):
            continue
        if _begins_table(line):
            wrong = _until(b");\n", _is_column, numbered)
        elif _begins_rows(line):
            wrong = _until(_ROWS_END, _is_row, numbered)
        elif _begins_constraint(line):
            number, line = next(numbered, (number + 1, b""))
            wrong = None if _is_constraint(line) else (number, line)
        else:
            wrong = (number, line)
        if wrong:
            return wrong
    return None


def _is_row(line: bytes) -> bool:
    """psql ends the rows at a backslash and a dot also before a carriage return, which pg_dump writes as `\\r`."""
    return b"\r" not in line and not line.startswith(b"\\.") and _is_text(line)


def _until(
    end: bytes, is_right: Callable[[bytes], bool], numbered: Iterator[tuple[int, bytes]]
) -> tuple[int, bytes] | None:
    number = 0
    for number, line in numbered:
        if line == end:
            return None
        if not is_right(line):
            return number, line
    return number + 1, b""

"""Rows of CSV: a header that names them, then one identity a record, which may span lines."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from typing import IO

from kratosctl.seeding.rows import Bad, Row

_DELIMITERS = ",;\t"


def read(file: IO[str], name: str) -> Iterator[Row | Bad]:
    """Reads CSV as spreadsheets write it: commas, semicolons or tabs, with or without a byte order mark.

    Args:
        file: the text; bytes that are not UTF-8 as surrogates.
        name: its name, for the places of rows.
    """
    first = file.readline().removeprefix("\ufeff")
    if first and not first.strip():
        yield Bad(name, 1, "the first line is empty; it has to name the columns")
        return
    delimiter = max(_DELIMITERS, key=first.count)
    records = csv.reader(itertools.chain([first], file), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    line = 1
    while True:
        try:
            record = next(records, None)
        except csv.Error as error:
            if header is None or records.line_num != line:
                # a quotation mark that is not closed takes what follows with it
                yield Bad(name, line, f"not CSV: {error}; the rest of the file was not read")
                return
            yield Bad(name, line, f"not CSV: {error}")
            line += 1
            continue
        if record is None:
            return
        if header is None:
            header = [cell.strip() for cell in record]
            twice = next((cell for cell in header if header.count(cell) > 1 or not cell), None)
            if twice is not None:
                yield Bad(name, 1, f"column {twice!r} stands twice" if twice else "a column has no name")
                return
        elif record:
            yield _row(name, line, header, record, delimiter)
        line = records.line_num + 1


def _row(name: str, line: int, header: list[str], record: list[str], delimiter: str) -> Row | Bad:
    if len(record) != len(header):
        hint = f"; what holds a {delimiter!r} has to be in quotation marks" if len(record) > len(header) else ""
        return Bad(name, line, f"{len(record)} cells where the header names {len(header)}{hint}")
    return Row(name, line, dict(zip(header, record, strict=True)), texts=True)

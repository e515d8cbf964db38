"""Rows of CSV, JSON and YAML: what people write is read as they mean it, and what is wrong is named by its line."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.errors import ConfigurationInvalid, KratosctlError
from kratosctl.seeding import files
from kratosctl.seeding.rows import Bad, Row

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
# what YAML 1.1 lets stand in a text
YAML_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_categories=["Cc"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(TEXT, JSON, min_size=1, max_size=4), max_size=6)


def read(content: str | bytes, format: str) -> list[Row | Bad]:
    file = Path(__file__).with_name("unused")
    data = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return list(files.rows_of(files.Source("people", file, format), data))


def values(content: str | bytes, format: str) -> list[Any]:
    found = read(content, format)
    assert not [bad for bad in found if isinstance(bad, Bad)], found
    return [row.values for row in found if isinstance(row, Row)]


def lines(content: str | bytes, format: str) -> list[tuple[int, bool]]:
    """The line of each row, and whether it is a good one."""
    return [(row.line, isinstance(row, Row)) for row in read(content, format)]


# CSV


@given(
    header=st.lists(TEXT.map(str.strip).filter(bool), min_size=1, max_size=4, unique=True),
    data=st.data(),
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_whatever_a_spreadsheet_writes_is_read_back(
    header: list[str], data: st.DataObject, delimiter: str, end: str, mark: str
) -> None:
    # the header names the delimiter: none of the others stands in it
    header = [name.translate(str.maketrans(",;\t\r\n\ufeff", "______")) + "x" for name in header]
    if len(set(header)) < len(header):
        return
    cells = st.lists(TEXT, min_size=len(header), max_size=len(header)).filter(any)
    records = data.draw(st.lists(cells, max_size=5))
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([header, *records])

    assert values(mark + file.getvalue(), "csv") == [dict(zip(header, record, strict=True)) for record in records]


def test_a_csv_row_is_named_by_the_line_it_begins_in() -> None:
    text = 'email,name\r\na,"two\r\nlines"\r\n\r\nb\r\nc,"x"y\r\nd,D\r\n'

    assert lines(text, "csv") == [(2, True), (5, False), (6, False), (7, True)]


def test_a_quotation_mark_that_is_not_closed_does_not_swallow_the_file_in_silence() -> None:
    text = "email,name\n" + 'a,"A\n' + "b,B\n" * 50_000

    (bad,) = read(text, "csv")
    assert isinstance(bad, Bad)
    assert bad.line == 2
    assert "the rest of the file was not read" in bad.reason


@pytest.mark.parametrize("text", ["email,email\na,b\n", "email,\na,b\n", "\nemail\na\n"])
def test_a_header_that_names_no_columns_is_refused(text: str) -> None:
    assert lines(text, "csv") == [(1, False)]


# JSON


@given(objects=OBJECTS, indent=st.sampled_from([None, 1]))
def test_an_array_and_identities_are_read_item_by_item(objects: list[dict[str, Any]], indent: int | None) -> None:
    assert values(json.dumps(objects, indent=indent), "json") == objects
    assert values(json.dumps({"identities": objects}, indent=indent), "json") == objects
    assert values(json.dumps({"version": 1, "identities": objects}, indent=indent), "json") == objects


@given(objects=OBJECTS, end=st.sampled_from(["\n", "\r\n", "\n\n"]), mark=st.sampled_from(["", "\ufeff"]))
def test_json_lines_are_read(objects: list[dict[str, Any]], end: str, mark: str) -> None:
    objects = [one for one in objects if "identities" not in one]
    text = mark + "".join(json.dumps(one, ensure_ascii=False) + end for one in objects)

    assert values(text, "json") == objects
    step = end.count("\n")
    assert [line for line, _ in lines(text, "json")] == [1 + step * number for number in range(len(objects))]


def test_a_wrong_json_line_spoils_no_other() -> None:
    text = '{"email": "a"}\n{"email": "b"\n{"email": }\n{"email": "c"}\n[1]\n"x"\n{}\n'

    assert lines(text, "json") == [(1, True), (2, False), (3, False), (4, True), (5, False), (6, False), (7, True)]


def test_an_array_that_is_broken_is_read_up_to_there() -> None:
    assert lines('[\n{"email": "a"},\n{"email": "b"},\n{"email": "c" "d"},\n{"email": "e"}\n]', "json") == [
        (2, True),
        (3, True),
        (4, False),
    ]
    assert lines('[\n{"email": "a"}', "json") == [(2, True), (2, False)]
    assert lines('[{"email": "a"}\n]\nx', "json") == [(1, True), (3, False)]


def test_a_row_longer_than_what_is_read_at_once_is_whole() -> None:
    objects = [{"email": "a", "note": "é" * size} for size in (65_530, 200_000, 1)]

    assert values(json.dumps(objects, ensure_ascii=False), "json") == objects


# YAML


@given(objects=st.lists(st.dictionaries(YAML_TEXT, YAML_TEXT | st.booleans() | st.none(), min_size=1), max_size=5))
def test_yaml_lists_identities_and_documents_are_read(objects: list[dict[str, Any]]) -> None:
    objects = [one for one in objects if not {"<<", "identities"} & {*one}]
    assert values(yaml.safe_dump(objects, allow_unicode=True), "yaml") == objects
    assert values(yaml.safe_dump({"identities": objects}, default_flow_style=True), "yaml") == objects
    assert values(yaml.safe_dump_all(objects, explicit_start=True), "yaml") == objects


def test_what_a_person_writes_in_yaml_stays_the_text_it_is() -> None:
    text = "- {born: 2001-02-03, phone: 0123, prefix: +49, time: 22:22, on: yes, n: 12, f: 1.5, t: true, none: ~}"

    (row,) = values(text, "yaml")
    assert row == {
        "born": "2001-02-03", "phone": "0123", "prefix": "+49", "time": "22:22", "on": "yes",
        "n": 12, "f": 1.5, "t": True, "none": None,
    }  # fmt: skip


def test_anchors_and_merge_keys_work_beside_and_between_rows() -> None:
    text = "base: &base {role: user, team: a}\nidentities:\n- &first {<<: *base, email: a}\n- {<<: [*first], team: b}\n"

    assert values(text, "yaml") == [
        {"role": "user", "team": "a", "email": "a"},
        {"role": "user", "team": "b", "email": "a"},
    ]


def test_a_wrong_yaml_row_is_named_by_its_line_and_spoils_no_other() -> None:
    text = "# people\n- email: a\n- just text\n- {a: 1, a: 2}\n- a: *nobody\n- a: !tag x\n- email: z\n"

    assert lines(text, "yaml") == [(2, True), (3, False), (4, False), (5, False), (6, False), (7, True)]


def test_yaml_is_read_up_to_where_it_breaks() -> None:
    assert lines("- email: a\n- email: b\n- email: [c\n- email: d\n", "yaml") == [(1, True), (2, True), (4, False)]


def test_a_bomb_of_aliases_is_refused() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    for one, other in itertools.pairwise("abcdefgh"):
        bomb += f"{other}: &{other} [{','.join(['*' + one] * 10)}]\n"

    (bad,) = read(bomb, "yaml")
    assert isinstance(bad, Bad)
    assert "too many values" in bad.reason


def test_what_is_nested_without_end_is_refused_in_every_format() -> None:
    deep = (("[" * 100_000, "json"), ("- " + "[" * 5_000, "yaml"), ("- " + "{a: " * 300 + "}" * 300, "yaml"))
    for text, format in deep:
        assert all(isinstance(row, Bad) for row in read(text, format))


# All of them


@pytest.mark.parametrize("format", files.FORMATS)
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_file_brings_the_reader_down(format: str, data: bytes) -> None:
    for row in read(data, format):
        assert row.line >= 1
        assert isinstance(row, Row) or "\n" not in row.reason


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("- password: 'hunter2\n", "yaml"),
        ("- password: *hunter2\n", "yaml"),
        ("- password: !hunter2 x\n", "yaml"),
        ("- password: hunter2: x\n", "yaml"),
        ('- password: "hunter2" hunter2\n', "yaml"),
        ('[{"password": "hunter2}]', "json"),
        ('[{"password": hunter2}]', "json"),
        ('[{"password": "hunter2\n"}]', "json"),
        ('email,password\na,"hunter2"x\n', "csv"),
        ("email,password\na,b,hunter2\n", "csv"),
    ],
)
def test_what_is_wrong_is_told_without_the_password(text: str, format: str) -> None:
    found = [row for row in read(text, format) if isinstance(row, Bad)]

    assert found
    assert not [bad for bad in found if "hunter2" in str(bad)]


@pytest.mark.parametrize("format", files.FORMATS)
def test_a_million_rows_are_never_all_in_memory(format: str) -> None:
    """Rows are handed out while hardly anything was read: what is behind them was not needed for it."""
    rows = {"csv": b"email\n" + b"a@b.example\n" * 999_999, "json": b'{"email":"a"}\n' * 999_999}
    data = io.BytesIO(rows.get(format, b"- email: a\n" * 999_999))

    found = list(itertools.islice(files.rows_of(files.Source("people", None, format), data), 1000))

    assert len(found) == 1000
    assert data.tell() < 1 << 18


def names(directory: Path, *given: str, format: str | None = None) -> list[tuple[str, str]]:
    return [(source.name, source.format) for source in files.sources(given, directory, format)]


def test_of_a_directory_only_files_are_read_and_none_that_programs_hide_there(tmp_path: Path) -> None:
    """Editors and macOS leave such beside each file."""
    (tmp_path / "people.csv").write_text("email\nada@example.org\n")
    (tmp_path / "older.csv").mkdir()
    (tmp_path / "._people.csv").write_bytes(b"\0\5\x16\7")
    (tmp_path / ".#people.csv").symlink_to("ada@host.4711")
    found = files.sources([str(tmp_path)], tmp_path, None)
    assert [row.values for row in files.Reader(found).rows() if isinstance(row, Row)] == [{"email": "ada@example.org"}]


def test_a_directory_stands_for_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("2.csv", "1.yaml", "3.JSONL", "readme.md"):
        (tmp_path / name).write_text("")

    assert names(tmp_path, ".") == [("1.yaml", "yaml"), ("2.csv", "csv"), ("3.JSONL", "json")]
    assert names(tmp_path, "readme.md", format="csv") == [("readme.md", "csv")]


@pytest.mark.parametrize("given", ["nothing.csv", "readme.md", "empty", "-"])
def test_what_cannot_be_read_or_told_is_refused_before_anything_is_sent(given: str, tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("")
    (tmp_path / "empty").mkdir()

    with pytest.raises(KratosctlError):
        names(tmp_path, given)


def test_the_key_of_a_seed_changes_with_its_content_and_with_the_schemas(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email\na\n")
    found = files.sources(["people.csv"], tmp_path, None)
    before = files.digest(found, {"schema": b"1"})
    assert files.digest(found, {"schema": b"1"}) == before
    assert files.digest(found, {"schema": b"2"}) != before
    file.write_text("email\nb\n")
    assert files.digest(found, {"schema": b"1"}) != before


def test_a_pipe_that_is_named_is_left_to_be_read_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "people.csv")
    # both ends, so that nobody waits for the other
    pipe = os.open(tmp_path / "people.csv", os.O_RDWR)
    try:
        os.write(pipe, b"email\nada@example.org\n")
        (source,) = files.sources(["people.csv"], tmp_path, None)
        assert not source.is_file
        assert files.digest([source], {}) == files.digest([], {})
        assert os.read(pipe, 100) == b"email\nada@example.org\n"
    finally:
        os.close(pipe)


def test_a_directory_that_cannot_be_listed_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "people").mkdir()
    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(ConfigurationInvalid, match=r"people cannot be read\nPermission denied"):
        files.sources(["people"], tmp_path, None)

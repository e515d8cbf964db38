"""The envelope scripts read, the tables people read, and the errors both get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl import __version__, errors, results
from kratosctl.errors import KratosctlError, PortTaken
from kratosctl.results import Result

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)

# these codes mean what a shell means by them
THEIR_OWN_MEANING = (errors.Interrupted, errors.CommandNotFound, errors.CommandNotExecutable)


def every_error(base: type[KratosctlError] = KratosctlError) -> Iterator[type[KratosctlError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from every_error(kind)


class TestEnvelope:
    def test_a_result_is_this_and_nothing_else(self) -> None:
        """Scripts rely on each of these names: a change of one is a new number of the envelope."""
        said = json.loads(Result("up", {"a": 1}, lambda: "text", ["careful"]).json())
        assert said == {
            "envelope": 1,
            "kratosctl": __version__,
            "command": "up",
            "ok": True,
            "data": {"a": 1},
            "warnings": ["careful"],
            "error": None,
        }
        assert list(said) == ["envelope", "kratosctl", "command", "ok", "data", "warnings", "error"]

    def test_an_error_has_the_same_shape(self) -> None:
        said = json.loads(results.error_json("up", PortTaken("what", "why", "fix")))
        assert said == {
            "envelope": 1,
            "kratosctl": __version__,
            "command": "up",
            "ok": False,
            "data": {},
            "warnings": [],
            "error": {"code": "port-taken", "exit_code": 21, "what": "what", "why": "why", "fix": "fix"},
        }

    def test_a_check_that_found_something_is_not_ok(self) -> None:
        assert json.loads(Result("doctor", {}, exit_code=1).json())["ok"] is False

    @given(st.dictionaries(st.text(), JSON))
    def test_any_data_is_read_back_as_it_was(self, data: dict[str, Any]) -> None:
        assert json.loads(Result("x", data).json())["data"] == data

    def test_text_stays_readable(self) -> None:
        assert "東京" in Result("x", {"city": "東京"}).json()


class TestErrors:
    def test_each_has_a_code_and_an_exit_code_of_its_own(self) -> None:
        kinds = list(every_error())
        assert len({kind("x").code for kind in kinds}) == len(kinds)
        assert len({kind.exit_code for kind in kinds}) == len(kinds)

    def test_exit_codes_are_none_that_shells_use(self) -> None:
        for kind in every_error():
            assert 2 <= kind.exit_code < 126 or kind in THEIR_OWN_MEANING

    @pytest.mark.parametrize(
        ("kind", "code", "exit_code"),
        [
            (errors.UsageError, "usage-error", 2),
            (errors.DockerMissing, "docker-missing", 10),
            (errors.PortTaken, "port-taken", 21),
            (errors.ConfigurationInvalid, "configuration-invalid", 30),
            (errors.ImageMissing, "image-missing", 50),
            (errors.MigrationFailed, "migration-failed", 51),
            (errors.Interrupted, "interrupted", 130),
        ],
    )
    def test_those_scripts_know_do_not_change(self, kind: type[KratosctlError], code: str, exit_code: int) -> None:
        assert (kind("x").code, kind("x").exit_code) == (code, exit_code)

    def test_lines_that_say_nothing_are_left_out(self) -> None:
        assert KratosctlError("what").lines() == ["what"]
        assert KratosctlError("what", fix="fix").lines() == ["what", "fix"]
        assert KratosctlError("what", "why", "fix").lines() == ["what", "why", "fix"]


class TestTables:
    def test_columns_are_as_wide_as_their_widest_cell(self) -> None:
        assert results.table(("NAME", "N"), [("a", 100), ("longer", 2)]) == "NAME    N\na       100\nlonger  2"

    def test_a_table_without_rows_is_its_head(self) -> None:
        assert results.table(("A", "B"), []) == "A  B"

    @given(st.lists(st.tuples(st.text("ab ", min_size=1), st.integers()), max_size=5))
    def test_no_line_ends_in_blanks(self, rows: list[tuple[str, int]]) -> None:
        lines = results.table(("X", "Y"), rows).split("\n")
        assert len(lines) == len(rows) + 1
        assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [(1, ("seat",), "1 seat"), (0, ("seat",), "0 seats"), (2, ("identity", "identities"), "2 identities")],
)
def test_one_is_not_said_as_several(number: int, words: tuple[str, ...], said: str) -> None:
    assert results.counted(number, *words) == said


HEAD = ("SEAT", "ATTENDEE", "STATE", "ADDRESS", "LAST ERROR")
ROWS = [
    ("seat-01", "Ada King, Countess of Lovelace", "ready", "http://localhost:4433", ""),
    ("seat-02", "Bob", "broken", "http://localhost:4533", "the database refuses Kratos' password for user kratos"),
]


class TestNarrow:
    @pytest.mark.parametrize("width", [60, 72, 80, 100])
    def test_a_row_has_room_and_no_word_is_broken(self, width: int) -> None:
        lines = results.table(HEAD, ROWS, width).splitlines()
        assert max(map(len, lines)) <= width
        said = " ".join(lines)
        for word in " ".join(cell for row in ROWS for cell in row).split():
            assert word in said

    def test_cells_go_on_in_their_column(self) -> None:
        lines = results.table(HEAD, ROWS, 80).splitlines()
        where = lines[0].index("LAST ERROR")
        below = [line[where:] for line in lines[lines.index(next(x for x in lines if x.startswith("seat-02"))) :]]
        assert " ".join(below) == ROWS[1][-1]

    def test_where_there_is_room_nothing_is_wrapped(self) -> None:
        assert results.table(HEAD, ROWS, 200) == results.table(HEAD, ROWS)
        assert len(results.table(HEAD, ROWS).splitlines()) == 3

    def test_what_is_piped_has_one_line_a_row_however_narrow_the_terminal(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "40")
        assert len(results.table(HEAD, ROWS).splitlines()) == 3

    def test_on_a_terminal_too_narrow_for_columns_each_cell_has_its_line(self) -> None:
        lines = results.table(HEAD, ROWS, 40).splitlines()
        assert lines[:2] == ["seat-01", "  ATTENDEE    Ada King, Countess of Lovelace"]

    def test_a_path_at_the_end_may_run_over(self) -> None:
        path = "/home/ada/work/" + "x" * 80
        assert results.table(("NAME", "DIRECTORY"), [("dev", path)], 60).splitlines()[1] == f"dev   {path}"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 KiB"),
        (1, "1 KiB"),
        (98_304, "96 KiB"),
        (1_572_864, "1.5 MiB"),
        (640 << 20, "640 MiB"),
        (2151 << 20, "2.1 GiB"),
    ],
)
def test_every_size_is_said_in_the_same_units(number: int, said: str) -> None:
    assert results.sized(number) == said

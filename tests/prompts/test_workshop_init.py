"""The real prompts of `workshop init`, in a real terminal: answered, left, and answered wrongly first."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from kratosctl.answers import workshop_file
from tests.prompts.terminal import CTRL_C, CTRL_D, DOWN, ENTER, Terminal

QUESTIONS = (
    ("What is the workshop called?", "identity 101" + ENTER),
    ("How many seats?", "12" + ENTER),
    ("How do people sign in?", ENTER),
    ("Which database?", ENTER),
    ("Which Kratos release?", ENTER),
    ("Which image variant?", ENTER),
    ("Run the self-service UI?", ENTER),
    ("Run a mail inbox (Mailpit)?", ENTER),
    ("Spare seats?", ENTER),
    ("From where do attendees reach their seats?", ENTER),
    ("When is it over?", "2126-12-01 17:00" + ENTER),
    ("Write workshop.yaml?", ENTER),
)


def test_answered_it_writes_the_file_and_says_what_comes_next(tmp_path: Path) -> None:
    with Terminal(tmp_path, "workshop", "init", rows=60) as terminal:
        for question, keys in QUESTIONS:
            terminal.answer(question, keys)
        assert terminal.end() == 0
        assert "next: kratosctl workshop up" in terminal.screen

    workshop = workshop_file.load(tmp_path)
    assert workshop.name == "identity 101"
    assert list(workshop.seats) == [f"seat-{number:02d}" for number in range(1, 13)] + ["spare-01"]
    assert workshop.ends == datetime.datetime(2126, 12, 1, 17)
    assert {"bind", "host"}.isdisjoint(workshop.environment)


def test_enter_alone_calls_it_as_yes_does(tmp_path: Path) -> None:
    directory = tmp_path / "identity-101"
    directory.mkdir()
    with Terminal(directory, "workshop", "init", rows=60) as terminal:
        terminal.answer("What is the workshop called? Empty: identity-101")
        for question, keys in QUESTIONS[1:]:
            terminal.answer(question, keys)
        assert terminal.end() == 0

    assert workshop_file.load(directory).name == "identity-101"


def test_a_roster_is_the_answer_to_how_many_and_one_that_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("Name\nAda\nGrace\n")
    with Terminal(
        tmp_path, "workshop", "init", "--name", "x", "--reach", "this-host", "--ends", "", rows=60
    ) as terminal:
        terminal.answer("How many seats?", "²" + ENTER)
        terminal.see("cannot be read")
        terminal.press("\b" + "nmes.csv" + ENTER)
        terminal.see("nmes.csv: cannot be read")
        terminal.press("\b" * len("nmes.csv") + "names.csv" + ENTER)
        for question, keys in QUESTIONS[2:8]:
            terminal.answer(question, keys)
        terminal.answer("Spare seats?", DOWN + ENTER)
        terminal.see("x: 3 seats")
        terminal.answer("Write workshop.yaml?")
        assert terminal.end() == 0

    assert dict(workshop_file.load(tmp_path).seats) == {"seat-01": "Ada", "seat-02": "Grace", "spare-01": ""}


@pytest.mark.parametrize("at", [0, 2, 8, 10, 11])
@pytest.mark.parametrize("key", [CTRL_C, CTRL_D], ids=["Ctrl-C", "Ctrl-D"])
def test_who_leaves_leaves_nothing_behind(tmp_path: Path, at: int, key: str) -> None:
    with Terminal(tmp_path, "workshop", "init", rows=60) as terminal:
        for question, keys in QUESTIONS[:at]:
            terminal.answer(question, keys)
        terminal.answer(QUESTIONS[at][0], key)
        assert terminal.end() == 130
        assert "nothing was written" in terminal.screen

    assert not list(tmp_path.iterdir())


def test_what_no_class_can_be_is_shown_with_the_reason_and_cannot_be_picked(tmp_path: Path) -> None:
    words = ("--name", "x", "--seats", "2", "--preset", "passkey", "--spares", "0", "--ends", "")
    with Terminal(tmp_path, "workshop", "init", *words, rows=60) as terminal:
        terminal.see("seats cannot share an external database")
        for question, keys in QUESTIONS[3:8]:
            terminal.answer(question, keys)
        terminal.see("From where do attendees reach their seats?")
        terminal.see("--host teacher.local")
        terminal.press(DOWN + ENTER)
        terminal.answer("Write workshop.yaml?")
        assert terminal.end() == 0

    assert {"bind", "host", "https"}.isdisjoint(workshop_file.load(tmp_path).environment), "only this host is left"


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--public-port", "5000"), 33, "public_port cannot be said for all seats"),
        (("--name", "two\nlines"), 30, "is no name"),
    ],
)
def test_flags_that_no_class_can_have_are_refused_before_the_first_question(
    tmp_path: Path, words: tuple[str, ...], code: int, why: str
) -> None:
    with Terminal(tmp_path, "workshop", "init", *words, rows=60) as terminal:
        assert terminal.end() == code
        assert why in terminal.screen
        assert "?" not in terminal.screen

"""Prompts answered by keys from a pipe: what each key does, and what comes back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

import kratosctl
from kratosctl.answers import prompting
from kratosctl.answers.asking import Choice, Prompt

ENTER, UP, DOWN, CTRL_C, CTRL_D, BACKSPACE = "\r", "\x1b[A", "\x1b[B", "\x03", "\x04", "\x7f"
CHOICES = (
    Choice("a", "first", against="not today"),
    Choice("b", "second", "about it"),
    Choice("c", "third"),
    Choice("d", "fourth", against="nor this"),
)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[PipeInput]:
    """Where a test types."""
    monkeypatch.setattr(prompting, "_output", DummyOutput)
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (ENTER, "b"),
        (DOWN + ENTER, "c"),
        (DOWN + DOWN + ENTER, "b"),
        (UP + ENTER, "c"),
        ("j" + ENTER, "c"),
        ("jk" + ENTER, "b"),
        ("x" + ENTER, "b"),
    ],
)
def test_the_arrows_pass_over_choices_that_cannot_work(keys: PipeInput, typed: str, answer: str) -> None:
    keys.send_text(typed)
    assert prompting.select("Which?", CHOICES) == answer


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (ENTER, "seat-01"),
        ("17" + ENTER, "seat-17"),
        ("17" + BACKSPACE + BACKSPACE + "ada" + ENTER, "seat-05"),
        ("nobody" + ENTER, "seat-01"),
        # it is shown, and cannot be taken
        ("broken" + ENTER + BACKSPACE * 6 + "20" + ENTER, "seat-20"),
    ],
)
def test_of_a_long_list_a_part_of_what_is_looked_for_is_typed(keys: PipeInput, typed: str, answer: str) -> None:
    about = {5: "Ada Lovelace"}
    seats = [Choice(f"seat-{n:02}", f"seat-{n:02}", about.get(n, "")) for n in range(1, 31)]
    seats[28] = Choice("seat-29", "seat-29 broken", against="it is broken")
    keys.send_text(typed)
    assert prompting.select("Which?", seats) == answer


def test_enter_alone_takes_the_default(keys: PipeInput) -> None:
    keys.send_text(ENTER)
    assert prompting.select("Which?", [Choice("a", "a"), Choice("b", "b")], default="b") == "b"


def test_a_default_that_cannot_work_gives_way_to_the_first_that_can(keys: PipeInput) -> None:
    keys.send_text(ENTER)
    assert prompting.select("Which?", CHOICES, default="d") == "b"


@pytest.mark.parametrize(
    ("typed", "default", "answer"),
    [
        (ENTER, True, True),
        (ENTER, False, False),
        ("y" + ENTER, False, True),
        ("N" + ENTER, True, False),
        ("yes" + ENTER, False, True),
        ("no" + ENTER, True, False),
        ("yn" + ENTER, True, False),
        ("n" + BACKSPACE + ENTER, True, True),
    ],
)
def test_yes_and_no_are_taken_at_enter_which_alone_takes_the_default(
    keys: PipeInput, typed: str, default: bool, answer: bool
) -> None:
    keys.send_text(typed)
    assert prompting.confirm("Sure?", default) is answer


def test_whoever_types_enter_behind_a_yes_or_no_has_not_answered_the_next_question(keys: PipeInput) -> None:
    keys.send_text("n" + ENTER + "no" + ENTER + DOWN + ENTER)
    assert prompting.confirm("The UI?", default=True) is False
    assert prompting.confirm("The inbox?", default=True) is False
    assert prompting.select("What now?", [Choice("up", "up"), Choice("quit", "quit")], "up") == "quit"


def test_a_text_is_asked_for_until_it_can_be_taken(keys: PipeInput) -> None:
    keys.send_text("bad" + ENTER + BACKSPACE * 3 + "good" + ENTER)
    assert prompting.text("What?", lambda said: "" if said == "good" else "not that") == "good"


@pytest.mark.parametrize(("key", "error"), [(CTRL_C, KeyboardInterrupt), (CTRL_D, EOFError)])
@pytest.mark.parametrize(
    "put",
    [
        Prompt("choice", "Which?", CHOICES),
        Prompt("yes-no", "Sure?", default=True),
        Prompt("text", "What?"),
    ],
    ids=lambda put: str(put.kind),
)
def test_ctrl_c_and_ctrl_d_leave_every_kind_of_question(
    keys: PipeInput, put: Prompt, key: str, error: type[BaseException]
) -> None:
    keys.send_text(key)
    with pytest.raises(error):
        prompting.ask(put)


def test_ctrl_d_leaves_a_text_that_is_begun(keys: PipeInput) -> None:
    keys.send_text("half a te" + CTRL_D)
    with pytest.raises(EOFError):
        prompting.text("What?", lambda _: "")


@pytest.mark.parametrize(
    ("put", "typed", "answer"),
    [
        (Prompt("choice", "Which?", CHOICES, default="c"), ENTER, "c"),
        (Prompt("yes-no", "Sure?", default=True), "n" + ENTER, False),
        (Prompt("text", "What?", check=lambda said: "" if said else "say something"), ENTER + "5" + ENTER, "5"),
    ],
)
def test_each_kind_of_question_answers_in_its_own_type(
    keys: PipeInput, put: Prompt, typed: str, answer: object
) -> None:
    keys.send_text(typed)
    assert prompting.ask(put) == answer


def test_only_one_module_knows_questionary() -> None:
    package = Path(kratosctl.__file__).parent
    importers = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] in ("questionary", "prompt_toolkit") for name in names):
                importers.add(path.relative_to(package).as_posix())
    assert importers == {"answers/prompting.py"}

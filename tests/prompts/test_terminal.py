"""The real prompts of `up` and `init`, in a real terminal. No engine is there: questions need none."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.prompts.terminal import CTRL_C, CTRL_D, DOWN, ENTER, Terminal, environ, lines_with, tree

# an address of this host that nobody else listens on, so that every port is free
ALONE = ("--bind", "127.83.71.62")
QUESTIONS = (
    ("How do people sign in?", ENTER),
    ("Which database?", ENTER),
    ("Which Kratos release?", ENTER),
    ("Which image variant?", ENTER),
    ("Run the self-service UI?", ENTER),
    ("Run a mail inbox (Mailpit)?", ENTER),
    ("Port of the public API?", DOWN + ENTER),
    ("Its number?", "5000" + ENTER),
)
CONFIRM = {"init": "Write it?", "up": "Bring it up?"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a file of the user's in it."""
    found = tmp_path / "app"
    found.mkdir()
    (found / "mine.txt").write_text("mine\n")
    return found


@pytest.fixture
def taken() -> Iterator[int]:
    """The usual public port, which the test itself holds."""
    with socket.create_server((ALONE[1], 4433)):
        yield 4433


def environments(directory: Path) -> dict[str, dict[str, object]]:
    loaded = yaml.safe_load((directory / "kratosctl.yaml").read_text())
    return dict(loaded["environments"])


def enter_until(terminal: Terminal, last: str) -> None:
    """Takes every default up to a question, which is then on the screen."""
    for question, keys in QUESTIONS[:-2]:
        if question == last:
            break
        terminal.answer(question, keys)
    if last not in [question for question, _ in QUESTIONS[:-1]]:
        terminal.answer("Port of the public API?")
    terminal.see(last)


KEYS = {"ctrl-c": CTRL_C, "ctrl-d": CTRL_D}
EVERYWHERE = [("up", number, key) for number in range(len(QUESTIONS) + 1) for key in KEYS]
# the questions of init are the same; they are left at the first and at the last
BOTH_ENDS = [("init", 0, "ctrl-c"), ("init", len(QUESTIONS), "ctrl-d")]


@pytest.mark.parametrize(("command", "number", "key"), EVERYWHERE + BOTH_ENDS)
def test_leaving_at_any_question_exits_130_and_writes_nothing(
    directory: Path, command: str, number: int, key: str
) -> None:
    before = tree(directory)
    with Terminal(directory, command, *ALONE) as terminal:
        for question, keys in QUESTIONS[:number]:
            terminal.answer(question, keys)
        terminal.see([*(question for question, _ in QUESTIONS), CONFIRM[command]][number])
        terminal.press(KEYS[key])
        assert terminal.end() == 130
        assert "nothing was written" in terminal.screen
    assert tree(directory) == before


@pytest.mark.parametrize("command", ["init", "up"])
def test_a_no_at_the_end_writes_nothing_and_is_no_success(directory: Path, command: str) -> None:
    before = tree(directory)
    with Terminal(directory, command, *ALONE) as terminal:
        enter_until(terminal, CONFIRM[command])
        terminal.press("n" + ENTER)
        assert terminal.end() == 130
    assert tree(directory) == before


def test_enter_at_every_question_writes_an_environment_of_the_defaults(directory: Path) -> None:
    with Terminal(directory, "init") as terminal:
        enter_until(terminal, "Write it?")
        terminal.press(ENTER)
        assert terminal.end() == 0
        assert "next: kratosctl up" in terminal.screen
    assert environments(directory)["dev"] == {
        "release": "v26.2.0",
        "variant": "default",
        "database": "sqlite",
        "preset": "email-password",
        "ui": True,
        "mail": True,
        "config_dir": "./kratos",
    }
    assert (directory / "kratos" / "kratos.yml").exists()


def test_what_is_answered_is_what_is_written(directory: Path) -> None:
    with Terminal(directory, "init", "ci", *ALONE) as terminal:
        terminal.answer("How do people sign in?", DOWN + ENTER)
        terminal.answer("Which database?", DOWN + ENTER)
        terminal.answer("Which Kratos release?", DOWN * 2 + ENTER)
        terminal.answer("Which image variant?", DOWN + ENTER)
        terminal.answer("Run the self-service UI?", "n" + ENTER)
        terminal.answer("Run a mail inbox (Mailpit)?", "y" + ENTER)
        terminal.answer("Port of the public API?", DOWN + ENTER)
        terminal.answer("Its number?", "5000" + ENTER)
        terminal.see("Write it?")
        for line in ("release v1.3.1", "variant distroless", "database postgres", "preset passwordless-code", "UI no"):
            assert line in terminal.flowing
        terminal.press(ENTER)
        assert terminal.end() == 0
    assert environments(directory)["ci"] == {
        "release": "v1.3.1",
        "variant": "distroless",
        "database": "postgres",
        "preset": "passwordless-code",
        "ui": False,
        "mail": True,
        "public_port": 5000,
        "bind": ALONE[1],
        "config_dir": "./kratos",
    }


def test_prompts_go_to_the_terminal_and_only_the_result_to_standard_output(directory: Path) -> None:
    with Terminal(directory, "init", redirect="> ../out") as terminal:
        enter_until(terminal, "Write it?")
        terminal.press(ENTER)
        assert terminal.end() == 0
    assert (directory.parent / "out").read_text() == "wrote kratos/ and kratosctl.yaml\nnext: kratosctl up\n"


@pytest.mark.parametrize(
    ("words", "redirect"),
    [
        (["--yes"], ""),
        (["--json"], ""),
        (["--quiet"], ""),
        ([], "< /dev/null"),
        ([], "2> /dev/null"),
        ([], "< /dev/null > ../out 2> ../err"),
    ],
    ids=["--yes", "--json", "--quiet", "no stdin", "no stderr", "no terminal"],
)
def test_nothing_is_asked_where_nobody_wants_to_or_can_answer(directory: Path, words: list[str], redirect: str) -> None:
    with Terminal(directory, "init", *words, redirect=redirect) as terminal:
        assert terminal.end() == 0
        assert "?" not in terminal.screen
    assert "dev" in environments(directory)


def test_a_pipe_that_says_yes_answers_nothing(directory: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kratosctl", "init", "--database", "nonsense"],
        cwd=directory,
        env=environ(),
        input="\r" * 20,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 30
    assert "?" not in done.stdout + done.stderr


def test_json_in_a_terminal_is_json_and_nothing_else(directory: Path) -> None:
    with Terminal(directory, "init", "--json", redirect="> ../out") as terminal:
        assert terminal.end() == 0
        assert terminal.screen == ""
    assert json.loads((directory.parent / "out").read_text())["data"]["next"] == "kratosctl up"


def test_flags_and_variables_are_not_asked_about(directory: Path) -> None:
    variables = environ({"KRATOSCTL_DATABASE": "postgres", "KRATOSCTL_UI": "false", "KRATOSCTL_RELEASE": "v1.1.0"})
    with Terminal(directory, "init", "--release", "v1.3.1", *ALONE, variables=variables) as terminal:
        terminal.answer("How do people sign in?")
        terminal.answer("Which image variant?")
        terminal.answer("Run a mail inbox (Mailpit)?")
        terminal.answer("Port of the public API?")
        screen = terminal.see("Write it?")
        assert not lines_with(screen, "Which database?")
        assert not lines_with(screen, "Which Kratos release?")
        assert not lines_with(screen, "self-service UI?")
        assert "release v1.3.1" in terminal.flowing
        assert "database postgres" in terminal.flowing


def test_with_every_answer_on_the_command_line_nothing_is_asked(directory: Path) -> None:
    words = ["--preset", "oidc", "--database", "memory", "--release", "v1.3.1", "--variant", "default"]
    with Terminal(directory, "init", *words, "--no-ui", "--no-mail", "--public-port", "5000", *ALONE) as terminal:
        assert terminal.end() == 0
    assert environments(directory)["dev"]["database"] == "memory"


def test_dsn_in_the_environment_answers_which_database(directory: Path) -> None:
    variables = environ({"DSN": "postgres://kratos:secret@db.example/kratos"})
    with Terminal(directory, "init", *ALONE, variables=variables) as terminal:
        terminal.answer("How do people sign in?")
        terminal.answer("Which Kratos release?")
        terminal.answer("Which image variant?")
        terminal.answer("Run the self-service UI?")
        terminal.answer("Run a mail inbox (Mailpit)?")
        terminal.answer("Port of the public API?")
        screen = terminal.see("Write it?")
        assert "database external" in terminal.flowing
        assert "secret" not in screen


def test_an_environment_of_kratosctl_yaml_is_not_asked_about(directory: Path) -> None:
    (directory / "kratosctl.yaml").write_text("environments:\n  dev: {database: postgres}\n")
    with Terminal(directory, "init") as terminal:
        assert terminal.end() == 0
        assert "?" not in terminal.screen
    assert environments(directory)["dev"] == {"database": "postgres", "config_dir": "./kratos"}


def test_up_does_not_ask_about_an_environment_of_kratosctl_yaml(directory: Path) -> None:
    (directory / "kratosctl.yaml").write_text("environments:\n  dev: {database: postgres}\n")
    with Terminal(directory, "up") as terminal:
        assert terminal.end() == 12, "it goes straight to the engine, which is not there"


@pytest.mark.parametrize("command", ["init", "up"])
def test_one_of_several_environments_is_picked_and_dev_is_offered_first(directory: Path, command: str) -> None:
    (directory / "kratosctl.yaml").write_text(
        "environments:\n  ci: {release: v1.1.0, database: postgres}\n  dev: {}\n  old: {}\n"
    )
    before = tree(directory)
    with Terminal(directory, command) as terminal:
        screen = terminal.see("Which environment?")
        assert "» dev" in screen
        assert "Kratos v1.1.0 on postgres" in screen
        terminal.press(CTRL_C)
        assert terminal.end() == 130
    assert tree(directory) == before


def test_the_environment_picked_is_the_one_acted_on(directory: Path) -> None:
    (directory / "kratosctl.yaml").write_text("environments:\n  dev: {}\n  ci: {}\n")
    with Terminal(directory, "init") as terminal:
        terminal.answer("Which environment?", DOWN + ENTER)
        assert terminal.end() == 0
        assert "next: kratosctl up ci" in terminal.screen
    assert environments(directory) == {"dev": {}, "ci": {"config_dir": "./kratos"}}


def test_distroless_is_shown_but_not_to_be_had_with_sqlite(directory: Path) -> None:
    with Terminal(directory, "up", *ALONE) as terminal:
        enter_until(terminal, "Which image variant?")
        (line,) = lines_with(terminal.see("distroless"), "distroless")
        assert "SQLite is not compiled into distroless images" in line
        terminal.press(DOWN + ENTER)
        terminal.see("Which image variant? default")


def test_a_preset_too_new_for_the_release_is_shown_with_the_release_it_needs(directory: Path) -> None:
    with Terminal(directory, "up", "--release", "v1.1.0", *ALONE) as terminal:
        (line,) = lines_with(terminal.see("oidc"), "passkey")
        assert "passkey needs v1.2.0 or newer" in line


def test_an_external_database_is_shown_with_what_it_needs(directory: Path) -> None:
    with Terminal(directory, "up", *ALONE) as terminal:
        terminal.answer("How do people sign in?")
        (line,) = lines_with(terminal.see("external"), "external")
        assert "DSN is not set" in line


def test_a_taken_port_is_shown_as_taken_and_the_next_free_one_offered(directory: Path, taken: int) -> None:
    with Terminal(directory, "up", *ALONE) as terminal:
        enter_until(terminal, "Port of the public API?")
        screen = terminal.see("another")
        assert "taken by" in lines_with(screen, f"- {taken}")[0]
        assert lines_with(screen, "» 4533")
        terminal.press(DOWN + ENTER)
        terminal.answer("Its number?", f"{taken}{ENTER}")
        terminal.see(f"port {taken} is taken by")
        terminal.press("\x7f" * 4 + "5001" + ENTER)
        terminal.see("Bring it up?")
        assert "public API http://localhost:5001" in terminal.flowing


def test_flags_that_cannot_work_are_refused_before_anything_is_asked(directory: Path) -> None:
    with Terminal(directory, "up", "--variant", "distroless", "--database", "sqlite") as terminal:
        assert terminal.end() == 33
        assert "How do people" not in terminal.screen


def test_a_dry_run_says_that_nothing_is_written(directory: Path) -> None:
    with Terminal(directory, "up", "--dry-run", *ALONE) as terminal:
        enter_until(terminal, "Show the plan?")
        assert "writes nothing (--dry-run)" in terminal.flowing


def test_an_answered_question_shrinks_to_one_line_with_the_answer(directory: Path) -> None:
    with Terminal(directory, "up", *ALONE) as terminal:
        enter_until(terminal, "Which Kratos release?")
        assert "? How do people sign in? email-password\n? Which database? sqlite\n" in terminal.screen


def test_a_narrow_terminal_still_shows_the_reasons(directory: Path) -> None:
    with Terminal(directory, "up", *ALONE, columns=40, rows=20) as terminal:
        terminal.answer("How do people sign in?")
        terminal.see("export DSN=")


def test_the_menu_needs_a_terminal_and_says_what_to_use_instead(directory: Path) -> None:
    with Terminal(directory, "menu", redirect="< /dev/null") as terminal:
        assert terminal.end() == 2
        assert "kratosctl list" in terminal.screen

"""What the menu offers, and which command stands behind it. No engine takes part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kratosctl.cli import COMMANDS, kratosctl
from kratosctl.cli import menu as asks
from kratosctl.cli.session import Session
from kratosctl.commands import menu

HERE = "/home/ann/app"


def row(**changed: Any) -> dict[str, Any]:
    """An environment as `list` finds it."""
    found = {
        "environment": "dev",
        "directory": HERE,
        "directory_gone": False,
        "release": "v26.2.0",
        "database": "sqlite",
        "state": "running",
        "ephemeral": None,
    }
    return found | changed


def status(*services: tuple[str, str], **changed: Any) -> dict[str, Any]:
    """An environment as `status` finds it."""
    found = {
        "environment": "dev",
        "directory": HERE,
        "database": "sqlite",
        "endpoints": {},
        "services": [{"service": name, "state": state, "exit_code": None} for name, state in services],
    }
    return found | changed


def impossible(found: dict[str, Any], lost: str = "the database") -> dict[str, str]:
    """Action -> why it makes no sense now."""
    return {choice.value: choice.against for choice in menu.actions(found, lost) if choice.against}


def test_environments_here_and_elsewhere_can_be_picked_and_a_new_one_made() -> None:
    rows = [row(), row(directory="/home/ann/other", state="stopped")]
    here, elsewhere, new, leave = menu.environments(rows, HERE)
    assert (here.value, here.about.split()) == (0, ["running", "Kratos", "v26.2.0", "on", "sqlite", "here"])
    assert (elsewhere.value, elsewhere.about.split()[-1]) == (1, "/home/ann/other")
    assert (new.value, leave.value) == (menu.NEW, menu.QUIT)


def test_the_kratos_of_tests_that_run_cannot_be_stopped_by_accident() -> None:
    rows = [row(environment="t", ephemeral=fate) for fate in ("alive", "dead", "unseen")] + [row(ephemeral="kept")]
    kept, *_ = menu.environments(rows, HERE)
    assert (kept.title, rows[int(str(kept.value))]["ephemeral"]) == ("dev", "kept")


def test_of_a_long_path_the_end_is_shown_and_the_line_fits_eighty_columns() -> None:
    for name in ("a", "seat-07-of-the-workshop"):
        found = row(environment=name, directory="/very" * 20 + "/long/app", database="external")
        choice = menu.environments([found], HERE)[0]
        assert choice.about.endswith("/long/app")
        assert len(choice.title) + len(choice.about) + 5 < 80


def test_an_environment_whose_directory_is_gone_is_shown_and_cannot_be_picked() -> None:
    choice = menu.environments([row(directory="/gone", directory_gone=True)], HERE)[0]
    assert "/gone is gone" in choice.against


def test_of_a_running_environment_everything_can_be_done() -> None:
    assert impossible(status(("kratos", "running"))) == {}


def test_what_makes_no_sense_without_containers_is_shown_with_the_reason() -> None:
    assert impossible(status()) == {
        "open": "it does not run",
        "logs": "it has no containers",
        "restart": "it does not run",
        "down": "it has no containers",
    }


def test_logs_of_a_stopped_environment_can_be_read_and_it_can_be_taken_down() -> None:
    assert set(impossible(status(("kratos", "exited")))) == {"open", "restart"}


def test_data_that_is_not_there_cannot_be_deleted() -> None:
    assert impossible(status(("kratos", "running")), lost="") == {"delete": "it has no data"}


@pytest.mark.parametrize("key", ["up", "open", "logs", "status", "restart", "down", "delete"])
def test_every_action_is_a_command_that_takes_these_words(key: str) -> None:
    words = menu.act(key, status(("kratos", "running"))).words
    assert words[0] in COMMANDS
    command = kratosctl.get_command(None, words[0])  # type: ignore[arg-type]
    assert command is not None
    command.make_context(words[0], list(words[1:]))


def test_every_action_that_is_offered_has_a_command() -> None:
    found = status(("kratos", "running"))
    for choice in menu.actions(found, "the database"):
        if choice.value not in (menu.BACK, menu.QUIT):
            assert menu.act(choice.value, found).words


def test_deleting_data_is_asked_by_the_command_which_knows_what_goes_and_what_stays() -> None:
    assert menu.act("delete", status()) == menu.Act(("down", "dev", "--volumes"))


def test_stopping_asks_first_and_says_what_becomes_of_the_data() -> None:
    assert menu.act("down", status()).question == "Stop dev? Its data stays."
    assert "dies with it" in menu.act("down", status(database="memory")).question


def test_only_pages_that_are_open_are_offered() -> None:
    found = status(endpoints={"ui": "http://localhost:4455", "public": "http://localhost:4433", "postgres": "x"})
    assert [choice.value for choice in menu.pages(found)] == ["ui", "api"]


def test_the_state_shows_addresses_and_services_that_do_not_run() -> None:
    found = status(("kratos", "running"), ("kratos-migrate", "exited"), endpoints={"public": "http://localhost:4433"})
    found["services"].append({"service": "ui", "state": "exited", "exit_code": 137})
    lines = menu.state(found, "dev: broken", "/elsewhere").splitlines()
    assert lines == [
        "dev: broken, in /home/ann/app",
        "  public    http://localhost:4433",
        "  ui        exited, exit code 137",
    ]


def test_who_leaves_by_ctrl_c_later_is_not_told_of_a_command_that_has_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Session()
    session.until_interrupt = True

    # it says how to go on at first, and then that there is no workshop
    asks._run(session, tmp_path, ("workshop", "up"))

    assert "no workshop in" in capsys.readouterr().err
    assert (session.after_interrupt, session.until_interrupt) == ("", False)

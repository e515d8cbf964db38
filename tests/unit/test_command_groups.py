"""Commands that have commands of their own."""

from __future__ import annotations

import json

import pytest

from kratosctl.main import main


@pytest.mark.parametrize(
    ("group", "command"),
    [("secrets", "rotate"), ("image", "build"), ("snapshot", "restore"), ("workshop", "board"), ("lesson", "hint")],
)
def test_alone_they_say_what_there_is(group: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([group]) == 0
    printed = capsys.readouterr()
    assert command in printed.out
    assert "..." not in printed.out.partition("Commands:")[2]
    assert "  keep " not in printed.out
    assert printed.err == ""


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (["help"], "Usage: kratosctl [OPTIONS]"),
        (["help", "up"], "Usage: kratosctl up"),
        (["help", "workshop", "up"], "Usage: kratosctl workshop up"),
    ],
)
def test_help_is_also_a_word(words: list[str], usage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out.startswith(usage)


def test_errors_name_the_whole_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "build", "--json", "--release", "latest", "-C", "/"]) == 34
    assert json.loads(capsys.readouterr().out)["command"] == "image build"


def test_a_command_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "bild"]) == 2
    assert "build" in capsys.readouterr().err

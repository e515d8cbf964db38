"""Shell completion, asked in the way the shells ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kratosctl import catalog
from kratosctl.cli import COMMANDS
from kratosctl.questions import PRESETS

YAML = "environments:\n  dev: {ui: false}\n  demo: {}\n  ci: {}\n"


def environ(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("KRATOSCTL", "_KRATOSCTL"))}
    return {**kept, **more}


def run(*words: str, directory: Path | None = None, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "kratosctl", *words],
        cwd=directory,
        env=environ(**variables),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def completions(line: str, directory: Path | None = None) -> list[str]:
    """What bash is offered at the end of a line."""
    words = line.split(" ")
    number = str(len(words) - 1)
    out = run(directory=directory, _KRATOSCTL_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=number)
    return [entry.partition(",")[2] for entry in out.splitlines() if entry]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "kratosctl.yaml").write_text(YAML)
    return tmp_path


def test_commands() -> None:
    assert completions("kratosctl ") == list(COMMANDS)
    assert completions("kratosctl st") == ["status"]
    assert completions("kratosctl secrets ") == ["rotate"]
    assert completions("kratosctl image b") == ["build"]


def test_flags() -> None:
    assert completions("kratosctl up --pub") == ["--public-port"]
    assert "--volumes" in completions("kratosctl down --")


def test_values_of_flags() -> None:
    assert completions("kratosctl up --preset ") == list(PRESETS)
    assert completions("kratosctl up --database m") == ["memory"]
    assert completions("kratosctl up --release ") == [r.tag for r in reversed(catalog.RELEASES)]
    assert completions("kratosctl secrets rotate --kind c") == ["cookie", "cipher"]
    assert completions("kratosctl completion ") == ["bash", "zsh", "fish"]


@pytest.mark.parametrize("command", ["up", "down", "status", "render", "migrate", "image build", "secrets rotate"])
def test_environments(project: Path, command: str) -> None:
    assert completions(f"kratosctl {command} ", project) == ["dev", "demo", "ci"]
    assert completions(f"kratosctl {command} de", project) == ["dev", "demo"]


@pytest.mark.parametrize("before", ["kratosctl -C {} up ", "kratosctl up -C {} ", "kratosctl --directory {} up "])
def test_environments_of_another_directory(project: Path, before: str) -> None:
    assert completions(before.format(project), project.parent) == ["dev", "demo", "ci"]


def test_environments_and_seats_of_a_directory_below_home(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell has not read `~` yet when it asks."""
    (project / "workshop.yaml").write_text("seats: {seat-01: Ada}\n")
    monkeypatch.setenv("HOME", str(project.parent))

    assert completions(f"kratosctl -C ~/{project.name} up d") == ["dev", "demo"]
    assert completions(f"kratosctl workshop reset -C ~/{project.name} ") == ["seat-01"]
    assert completions("kratosctl -C ~nobody-is-called-this up ") == []


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("kratosctl -C ", "dir"),
        ("kratosctl up --directory ", "dir"),
        ("kratosctl render --output ", "dir"),
        ("kratosctl workshop render --for swarm -o ", "dir"),
        ("kratosctl seed ", "file"),
        ("kratosctl snapshot import ", "file"),
        ("kratosctl snapshot export demo ", "file"),
        ("kratosctl run -- ", "file"),
    ],
)
def test_paths_are_left_to_the_shell(line: str, kind: str) -> None:
    number = str(len(line.split(" ")) - 1)
    asked = run(_KRATOSCTL_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=number)
    assert asked.strip() == f"{kind},"


@pytest.mark.parametrize("command", ["logs", "restart"])
def test_services_and_environments(project: Path, command: str) -> None:
    assert completions(f"kratosctl {command} k", project) == ["kratos", "kratos-migrate"]
    assert completions(f"kratosctl {command} dev m", project) == ["mail"]
    assert set(completions(f"kratosctl {command} ", project)) > {"dev", "demo", "ci", "kratos", "ui"}


@pytest.mark.parametrize("text", ["environments: [", "relase: {}", "\x00"])
def test_a_broken_file_offers_nothing_and_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "kratosctl.yaml").write_text(text)

    assert completions("kratosctl up ", tmp_path) == []
    assert completions("kratosctl -C /nowhere up ", tmp_path) == []


def test_an_unknown_command_offers_nothing_and_says_nothing() -> None:
    assert completions("kratosctl bogus x") == []


def test_zsh_and_fish_are_told_what_each_command_does() -> None:
    line, meaning = "kratosctl sch", COMMANDS["schema"][1]

    zsh = run(_KRATOSCTL_COMPLETE="zsh_complete", COMP_WORDS=line, COMP_CWORD="1")
    fish = run(_KRATOSCTL_COMPLETE="fish_complete", COMP_WORDS=line, COMP_CWORD="sch")

    assert zsh.splitlines() == ["plain", "schema", meaning]
    assert fish.strip() == f"plain,schema\t{meaning}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_says_how_to_install_it(shell: str) -> None:
    lines = run("completion", shell).splitlines()

    (comment,) = [line for line in lines if line.startswith("# ")]
    assert f"kratosctl completion {shell}" in comment
    assert comment in lines[:2]
    assert lines[0].startswith("#compdef" if shell == "zsh" else "# ")


def test_bash_itself_completes(project: Path) -> None:
    """The script, read by a real bash, and the function it defines, called as readline calls it."""
    programs = project / "bin"
    programs.mkdir()
    (programs / "kratosctl").write_text(f'#!/bin/sh\nexec {sys.executable} -m kratosctl "$@"\n')
    (programs / "kratosctl").chmod(0o755)
    script = """
        eval "$(kratosctl completion bash)" || exit 1
        complete -p kratosctl > /dev/null || exit 2
        COMP_WORDS=(kratosctl up d); COMP_CWORD=2
        _kratosctl_completion kratosctl d up
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=project,
        env=environ(PATH=f"{programs}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["dev", "demo"]

"""The README's commands do what it says: each of them is run here."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kratosctl.main import main
from tests.e2e import engine, images, people
from tests.e2e.program import Directory, program

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_FILE = re.compile(r"^<!-- file ([\w.-]+) -->\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^<!-- (run[^>]*) -->\n```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, list[str]]]:
    """The blocks to run: how, and their commands."""
    return [(match[1], match[2].splitlines()) for match in _BLOCK.finditer(README)]


def walks() -> list[list[tuple[str, list[str]]]]:
    """The blocks that are run one after the other in one directory, for each directory."""
    found: list[list[tuple[str, list[str]]]] = []
    for how, commands in blocks():
        if how != "run" or not found:
            found.append([])
        found[-1].append((how, commands))
    return found


def test_every_block_of_commands_but_make_is_marked_to_be_run() -> None:
    assert len(re.findall(r"^```sh$", README, re.MULTILINE)) == len(blocks()) + 1


def test_every_command_in_the_table_exists_and_explains_itself() -> None:
    table = README.partition("## Commands")[2].partition("\n## ")[0]
    names = set(re.findall(r"`(?:kratosctl )?([a-z]+)[ `]", "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))))
    assert {"up", "list", "completion"} <= names
    for name in names - {"rotate", "build"}:
        assert main([name, "--help"]) == 0, name


@pytest.mark.engine
@pytest.mark.parametrize("walk", walks(), ids=lambda walk: walk[0][1][0].partition(" ")[2])
def test_the_things_people_do_work_in_the_order_they_are_shown(
    directory: Directory, walk: list[tuple[str, list[str]]]
) -> None:
    for match in _FILE.finditer(README):
        (directory.path / match[1]).write_text(match[2], encoding="utf-8")
    for how, commands in walk:
        if how == "run with an environment":
            directory.run("up", "--yes")
        for command in commands:
            _run(directory, command)
            if "where ada signs in" in how:
                _expect_ada(directory, there=command.split()[1] not in ("up", "reset"))


def _expect_ada(directory: Directory, there: bool) -> None:
    """Whether a person of the README's people.yaml can sign in, as its commands so far leave it."""
    public = directory.status()["endpoints"]["public"]
    assert people.sign_in(public, "ada@example.org", "a-plain-password") is there


def _run(directory: Directory, command: str) -> None:
    """Runs one line as a shell would; the image follows --release where stand-ins take Kratos' place."""
    words = shlex.split(command)
    if "--release" in words:
        directory.choose(words[words.index("--release") + 1])
    if words[0] == "kratosctl":
        directory.run(*words[1:])
        if "--to" in words:
            directory.choose(words[words.index("--to") + 1])
    else:
        subprocess.run(words, cwd=directory.path, check=True, capture_output=True, timeout=120)


@pytest.mark.engine
def test_the_class_that_make_shows_comes_and_goes(tmp_path: Path, cache: Path) -> None:
    variables = {**os.environ, **images.variables(), "KRATOSCTL_DEMO_SEATS": "2", "TMPDIR": str(tmp_path)}
    variables |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    variables["KRATOSCTL_CACHE_DIR"] = str(cache)

    done = subprocess.run(
        [ROOT / "scripts" / "workshop-demo"], env=variables, capture_output=True, text=True, check=False, timeout=150
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "seat-02: 6 steps ok" in done.stdout
    assert "seat-01 is as new, seat-02 has who it had" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.engine
def test_make_up_ends_with_a_ready_kratos_in_a_fresh_checkout(tmp_path: Path, cache: Path) -> None:
    """In the virtual environment of the tests: `make test` makes one so, and scripts/try-wheel a bare one."""
    checkout = tmp_path / "kratosctl"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (checkout / ".venv" / "runs").touch()
    variables = {key: value for key, value in os.environ.items() if not key.startswith("KRATOSCTL_")}
    variables["KRATOSCTL_CACHE_DIR"] = str(cache)
    try:
        done = subprocess.run(
            ["make", "up"],
            cwd=checkout,
            env=variables,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "dev is ready: Kratos" in done.stdout
        if not engine.succeeds("image", "inspect", f"oryd/kratos:{images.NEWEST}"):
            assert "IT IS NOT ORY KRATOS" in done.stderr
    finally:
        subprocess.run(
            [*program(), "-C", str(checkout / "demo"), "down", "--volumes", "--yes"], env=variables, check=False
        )
        shutil.rmtree(checkout)
    assert engine.of_directory(checkout / "demo") == {}

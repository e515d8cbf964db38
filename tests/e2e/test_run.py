"""`kratosctl run` and `prune`: any command beside a Kratos of its own, and nothing left, however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.e2e import engine, ephemeral, people
from tests.e2e.program import Directory, program

pytestmark = pytest.mark.engine

# tells where it is, waits for signals, and says which came
WAITING = """
import json, os, pathlib, signal, sys, time
came = []
signal.signal(signal.SIGTERM, lambda *_: came.append("TERM"))
signal.signal(signal.SIGINT, lambda *_: came.append("INT"))
urls = {name: url for name, url in os.environ.items() if name.startswith("KRATOS_") and name.endswith("_URL")}
written = pathlib.Path(sys.argv[1] + ".new")
written.write_text(json.dumps({"urls": urls, "pid": os.getpid()}))
written.rename(sys.argv[1])
while not came:
    time.sleep(0.02)
time.sleep(0.3)
pathlib.Path(sys.argv[1]).write_text(json.dumps(came))
sys.exit(3)
"""


class Running:
    """A `kratosctl run` whose command waits to be ended."""

    def __init__(self, directory: Directory, name: str, *flags: str) -> None:
        self.said = directory.path / name
        self.process = directory.start(
            "run", "--no-mail", *flags, "--", sys.executable, "-c", WAITING, str(self.said), heard=False
        )
        engine.until(lambda: self.said.exists() or self.process.poll() is not None, 90, "the command runs")
        assert self.process.poll() is None
        told = json.loads(self.said.read_text())
        self.public, self.command = told["urls"]["KRATOS_PUBLIC_URL"], told["pid"]
        port, directory_of = self.public.rpartition(":")[2], f'{{{{.Label "{engine.LABEL}directory"}}}}'
        self.directory = Path(engine.docker("ps", "--filter", f"publish={port}", "--format", directory_of).strip())

    def serves(self) -> bool:
        return people.request("GET", f"{self.public}/health/ready").status == 200

    def kill(self) -> None:
        """Ends it as nothing can prevent, with its command."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        """Ends it in an orderly way."""
        self.process.terminate()
        return self.process.wait(60)


@contextlib.contextmanager
def running(directory: Directory, name: str, *flags: str) -> Iterator[Running]:
    made = Running(directory, name, *flags)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.end()
        engine.remove_all_of(made.directory)
        shutil.rmtree(made.directory, ignore_errors=True)


def test_the_command_finds_kratos_and_its_output_input_and_exit_code_are_its_own(directory: Directory) -> None:
    script = """
import json, os, sys, urllib.request
found = {}
for name in ("PUBLIC", "ADMIN", "MAIL", "UI"):
    url = os.environ.get(f"KRATOS_{name}_URL")
    paths = {"PUBLIC": "/health/ready", "ADMIN": "/admin/health/ready", "MAIL": "/readyz", "UI": "/health/alive"}
    found[name] = urllib.request.urlopen(url + paths[name]).status if url else None
print(json.dumps([found, sys.stdin.read()]))
sys.exit(7)
"""
    done = subprocess.run(
        [*program(), "run", "--ui", "--", sys.executable, "-c", script],
        cwd=directory.path,
        env=directory.environ(),
        input="given",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert json.loads(done.stdout) == [{"PUBLIC": 200, "ADMIN": 200, "MAIL": 200, "UI": 200}, "given"]
    assert "start Kratos" in done.stderr
    assert list(directory.path.iterdir()) == []


def test_addresses_of_another_kratos_do_not_reach_the_command(directory: Directory) -> None:
    others = {f"KRATOS_{name}_URL": "http://elsewhere" for name in ("PUBLIC", "ADMIN", "MAIL", "UI")}
    script = "env | grep ^KRATOS_.*_URL= | sort | cut -d: -f1,2"
    found = directory.run("run", "--no-mail", "--", "sh", "-c", script, variables=others).out
    assert found == "KRATOS_ADMIN_URL=http://localhost\nKRATOS_PUBLIC_URL=http://localhost\n"


def test_what_is_no_command_is_refused_before_kratos_starts(directory: Directory) -> None:
    (directory.path / "no-program").write_text("")
    assert "no command 'no-such'" in directory.run("run", "--", "no-such", code=127).said
    assert "no executable file" in directory.run("run", "--", "./no-program", code=126).said
    assert "Kratos" not in directory.run("run", "--", "no-such", code=127).err


def test_flags_after_the_command_are_the_commands_and_a_signal_that_ends_it_gives_the_exit_code_of_a_shell(
    directory: Directory,
) -> None:
    words = ("sh", "-c", 'echo "$@"; kill -KILL $$', "sh", "--database", "--json")
    assert directory.run("run", "--no-mail", *words, code=137).out == "--database --json\n"


def test_sigterm_is_the_commands_and_everything_is_gone_when_it_has_ended(directory: Directory) -> None:
    with running(directory, "told", "--database", "postgres") as made:
        assert made.end() == 3
        assert json.loads(made.said.read_text()) == ["TERM"]
        assert ephemeral.is_gone(made.directory)


def test_an_interrupt_without_a_terminal_is_handed_on(directory: Directory) -> None:
    with running(directory, "told") as made:
        made.process.send_signal(signal.SIGINT)
        assert made.process.wait(60) == 3
        assert json.loads(made.said.read_text()) == ["INT"]
        assert ephemeral.is_gone(made.directory)


def test_ctrl_c_at_a_terminal_reaches_the_command_once(directory: Directory) -> None:
    told = directory.path / "told"
    words = [*program(), "run", "--no-mail", "--", sys.executable, "-c", WAITING, str(told)]
    terminal = pexpect.spawn(words[0], words[1:], cwd=str(directory.path), env=directory.environ(), timeout=90)
    engine.until(told.exists, 90, "the command runs")
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 3
    assert json.loads(told.read_text()) == ["INT"]


def test_a_signal_before_the_command_runs_leaves_nothing(directory: Directory) -> None:
    process = directory.start("run", "--no-mail", "--", "true", heard=False)
    (made,) = engine.until(lambda: ephemeral.directories(process.pid))
    process.terminate()
    assert process.wait(60) == 143
    assert ephemeral.is_gone(made)


def test_what_a_killed_run_left_is_removed_by_the_next_one_or_by_prune_and_nothing_else(
    make_directory: Callable[[str], Directory],
) -> None:
    directory = make_directory("app")
    directory.up()
    with running(directory, "other") as other:
        for number, sweeper in enumerate((("run", "--no-mail", "--", "true"), ("prune", "--yes"))):
            with running(directory, f"killed-{number}", "--database", "postgres") as killed:
                killed.kill()
                directory.run(*sweeper)
                assert ephemeral.is_gone(killed.directory)
        assert other.serves()
        assert directory.status()["state"] == "ready"
        assert other.end() == 3


def test_a_killed_run_whose_directory_is_gone_is_removed_too(directory: Directory) -> None:
    with running(directory, "killed", "--database", "postgres") as killed:
        killed.kill()
        shutil.rmtree(killed.directory)
        directory.run("prune", "--yes")
        assert engine.of_directory(killed.directory) == {}


def test_what_is_kept_stays_until_it_is_pruned_and_every_command_works_there(directory: Directory) -> None:
    done = directory.run("run", "--no-mail", "--keep", "--database", "postgres", "--", "true")
    where = Path(done.err.partition("kratosctl -C ")[2].split()[0])
    project = str(json.loads((where / ".kratosctl" / "test" / "state.json").read_text())["project"])
    try:
        directory.run("prune", "--yes")
        assert Directory(where, directory.cache).run("status", "--json").data["state"] == "ready"
        Directory(where, directory.cache).run("reset")
        listed = {row["directory"]: row for row in directory.run("list", "--json").data["environments"]}
        assert listed[str(where)]["ephemeral"] == "kept"
        shown = directory.run("prune", "--kept", "--dry-run", "--json").data
        (row,) = (row for row in shown["environments"] if row["directory"] == str(where))
        assert (shown["removed"], row["project"], len(row["volumes"])) == (False, project, 1)
        assert "there is no terminal to ask at" in directory.run("prune", "--kept", code=38).said
        assert engine.running(project) == {"kratos", "postgres"}
        directory.run("prune", "--kept", "--yes")
        assert ephemeral.is_gone(where)
    finally:
        engine.remove_all_of(where)
        shutil.rmtree(where, ignore_errors=True)


def test_an_environment_whose_directory_is_gone_goes_only_when_asked_for(
    make_directory: Callable[[str], Directory],
) -> None:
    lost, directory = make_directory("lost"), make_directory("app")
    lost.up(database="postgres")
    shutil.rmtree(lost.path)
    lost.path.mkdir()
    try:
        directory.run("prune", "--yes")
        assert set(engine.of_directory(lost.path)) == {"container", "volume", "network"}
        shown = directory.run("prune", "--gone", "--dry-run").out
        (line,) = (line for line in shown.splitlines() if str(lost.path) in line)
        assert "its data is lost" in line
    finally:
        engine.remove_all_of(lost.path)

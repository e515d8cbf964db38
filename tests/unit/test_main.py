"""What the program does with what nobody thought of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kratosctl.answers import configuration_file
from kratosctl.main import main

SECRET = "postgres://ada:hunter2@db.example/shop"


@pytest.fixture(autouse=True)
def defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command that reads kratosctl.yaml meets one."""

    def fail(_: Path) -> None:
        raise ValueError(f"cannot read {SECRET}")

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KRATOSCTL_TRACEBACK", raising=False)
    monkeypatch.setattr(configuration_file, "load", fail)


def test_a_defect_is_said_in_three_lines_without_what_it_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render"]) == 99
    printed = capsys.readouterr()
    assert len(printed.err.splitlines()) == 3
    assert "ValueError at line " in printed.err
    assert "KRATOSCTL_TRACEBACK=1" in printed.err
    assert "hunter2" not in printed.err
    assert printed.out == ""


def test_scripts_get_the_envelope(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "--json"]) == 99
    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert (error["code"], error["exit_code"]) == ("defect", 99)
    assert printed.err == ""


def test_whoever_asks_for_it_sees_where_it_was(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRATOSCTL_TRACEBACK", "1")
    assert main(["render"]) == 99
    said = capsys.readouterr().err
    assert "Traceback (most recent call last)" in said
    assert "selection.py" in said
    assert "hunter2" not in said


def test_a_full_disk_behind_standard_output_is_an_error_of_its_own() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kratosctl", "catalog"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert done.returncode == 20
    assert done.stderr.startswith("error: no space left to write the result")


@pytest.mark.parametrize(("words", "code"), [("catalog >&-", 0), ("nonsense 2>&-", 2)])
def test_a_closed_stream_is_nobody_who_reads(words: str, code: int) -> None:
    done = subprocess.run(f"{sys.executable} -m kratosctl {words}", shell=True, check=False)

    assert done.returncode == code


@pytest.mark.parametrize("words", ["init", "", "menu"])
def test_a_closed_input_is_nobody_to_ask(words: str, tmp_path: Path) -> None:
    """As some supervisors start what they run."""
    done = subprocess.run(
        f"{sys.executable} -m kratosctl -C {tmp_path} {words} <&-", shell=True, capture_output=True, check=False
    )

    assert done.returncode == (2 if words == "menu" else 0), done.stderr


def test_all_that_was_printed_arrives_whoever_reads_it() -> None:
    """The program ends without taking itself apart, which is also what would have written the last lines."""
    done = subprocess.run([sys.executable, "-m", "kratosctl", "schema"], stdout=subprocess.PIPE, text=True, check=False)

    assert done.returncode == 0
    assert json.loads(done.stdout)["title"] == "kratosctl.yaml"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_scripts_get_the_envelope_of_an_error_through_a_pipe_whatever_its_encoding(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", f"{encoding}:strict")
    words = [sys.executable, "-m", "kratosctl", "status", "--json", "-C", os.fsdecode(b"/no\xffwhere/\xc3\xa9")]
    done = subprocess.run(words, capture_output=True, check=False)

    error = json.loads(done.stdout.decode())["error"]
    assert (done.returncode, done.stderr) == (error["exit_code"], b"")
    assert "where/\u00e9" in error["what"] + error["why"]


@pytest.mark.parametrize("words", ["schema", "catalog", "--help"])
def test_whoever_reads_no_further_is_no_failure(words: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m kratosctl {words} | true"],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_a_check_found_is_in_its_exit_code_however_little_of_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    words = f"set -o pipefail; {sys.executable} -m kratosctl doctor | true"
    done = subprocess.run(["/bin/bash", "-c", words], capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (1, b"")


def test_a_wrong_flag_names_the_command_that_got_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["snapshot", "save", "--json", "--nope"]) == 2
    assert json.loads(capsys.readouterr().out)["command"] == "snapshot save"


def test_an_error_that_nobody_reads_keeps_its_exit_code() -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "kratosctl", "nonsense"]
        done = subprocess.run([*words, "--json"], stdout=full, check=False)

        assert done.returncode == 2
        assert subprocess.run(words, stderr=full, check=False).returncode == 2


def test_a_terminal_of_few_letters_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:strict")
    words = [sys.executable, "-m", "kratosctl", "-C", str(tmp_path), "init", "--yes", "--config-dir", "schlüssel"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "wrote schl\\xfcssel/" in done.stdout


@pytest.mark.parametrize("module", ["click", "shlex"], ids=["while it starts", "again, while an error is told"])
def test_ctrl_c_at_any_time_is_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    # it comes while that is imported
    (tmp_path / f"{module}.py").write_text("raise KeyboardInterrupt\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = subprocess.run([sys.executable, "-m", "kratosctl", "nonsense"], capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker that never answers, and an environment to ask it for; the file in which its process is."""
    (tmp_path / "kratosctl.yaml").write_text("environments: {dev: {}}\n")
    docker, process = tmp_path / "bin" / "docker", tmp_path / "process"
    docker.parent.mkdir()
    # by then whoever started it has its number
    docker.write_text(f"#!/bin/sh\nsleep 0.5\necho $$ > {process}.new && mv {process}.new {process}\nexec sleep 60\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker.parent), prepend=os.pathsep)
    return process


def _ends(process: int) -> bool:
    """Whether a process ends within seconds: init still has to hear of it."""
    for _ in range(1000):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_ends_kratosctl_ends_the_docker_it_waits_for(waiting: Path, number: int) -> None:
    """A program sends it to kratosctl alone. What went on would change things behind the next command."""
    words = [sys.executable, "-m", "kratosctl", "logs", "kratos"]
    ended = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not waiting.exists():
        assert ended.poll() is None
        time.sleep(0.01)

    ended.send_signal(number)
    _, said = ended.communicate()

    assert (ended.returncode, said.strip()) == (130, "error: interrupted")
    assert _ends(int(waiting.read_text()))


def test_a_hangup_that_is_to_be_ignored_is_ignored(waiting: Path) -> None:
    """Under nohup the command goes on when the terminal is closed."""
    words = ["nohup", sys.executable, "-m", "kratosctl", "logs", "kratos"]
    left = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not waiting.exists():
        assert left.poll() is None
        time.sleep(0.01)

    left.send_signal(signal.SIGHUP)
    left.send_signal(signal.SIGTERM)
    _, said = left.communicate()

    assert left.returncode == 130
    assert "interrupted" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_interrupted_is_no_success_where_nobody_reads_on(waiting: Path, number: int) -> None:
    """Ctrl-C at `kratosctl up 2>&1 | tee log` ends tee, too."""
    reading, writing = os.pipe()
    words = [sys.executable, "-m", "kratosctl", "logs", "kratos"]
    ended = subprocess.Popen(words, stdout=writing, stderr=writing)
    while not waiting.exists():
        assert ended.poll() is None
        time.sleep(0.01)

    os.close(writing)
    os.close(reading)
    ended.send_signal(number)

    assert ended.wait() == 130

"""Containers for tests, by the docker command: labelled, and removed with their anonymous volumes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

LABEL = "kratosctl.tests=contract"
_PATIENCE = 60.0

# The hardening of the services that kratosctl generates.
HARDENED = [
    "--init",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp",
    "--tmpfs=/home/ory",
]


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def docker(*arguments: str, stdin: str = "", check: bool = True) -> Finished:
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=120)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return Finished(done.returncode, done.stdout, done.stderr)


def image_exists(image: str) -> bool:
    return docker("image", "inspect", image, check=False).code == 0


def image_config(image: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("image", "inspect", "--format", "{{json .Config}}", image).out)
    return found


class Container:
    """A container that may run, or have run to its end."""

    def __init__(self, key: str) -> None:
        self.key = key

    def port(self, number: int) -> int:
        """The port of this host that leads there."""
        return int(docker("port", self.key, f"{number}/tcp").out.split()[0].rpartition(":")[2])

    def logs(self) -> str:
        return docker("logs", self.key).text

    def running(self) -> bool:
        return docker("inspect", "--format", "{{.State.Running}}", self.key).out.strip() == "true"

    def exit_code(self) -> int:
        return int(docker("inspect", "--format", "{{.State.ExitCode}}", self.key).out)

    def execute(self, *command: str, stdin: str = "") -> Finished:
        return docker("exec", "--interactive", self.key, *command, stdin=stdin, check=False)

    def stop(self) -> int:
        """Ask it to stop as Compose does; its exit code."""
        docker("stop", "--time", "30", self.key)
        return self.exit_code()

    def wait_for_log(self, text: str) -> None:
        until(lambda: text in self.logs(), lambda: f"{text!r} is not in the log:\n{self.logs()}")

    def wait_for_end(self) -> Finished:
        until(lambda: not self.running(), lambda: f"it still runs:\n{self.logs()}")
        done = docker("logs", self.key)
        return Finished(self.exit_code(), done.out, done.err)


@contextlib.contextmanager
def container(image: str, *command: str, options: list[str]) -> Iterator[Container]:
    key = docker("run", "--detach", "--label", LABEL, *options, image, *command).out.strip()
    try:
        yield Container(key)
    finally:
        docker("rm", "--force", "--volumes", key)


@contextlib.contextmanager
def network(name: str) -> Iterator[str]:
    docker("network", "create", "--label", LABEL, name)
    try:
        yield name
    finally:
        docker("network", "rm", name)


def run(image: str, *command: str, options: list[str], stdin: str = "") -> Finished:
    """Run to the end, and leave nothing."""
    return docker("run", "--rm", "--interactive", "--label", LABEL, *options, image, *command, stdin=stdin, check=False)


def until(happened: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait for something; failing says what there is instead."""
    deadline = time.monotonic() + _PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise())
        time.sleep(0.1)

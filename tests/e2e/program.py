"""kratosctl, run as a program in a directory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e import engine, images

# of the person who runs the tests: none of it may reach the program
_NOT_INHERITED = ("KRATOSCTL_", "SECRETS_", "DSN", "COMPOSE_")
_LIMIT = 170.0


@dataclass(frozen=True)
class Done:
    """One finished run."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """The data of its JSON envelope."""
        envelope = self.envelope
        assert envelope["ok"], envelope
        return dict(envelope["data"])

    @property
    def error(self) -> dict[str, Any]:
        """The error of its JSON envelope."""
        envelope = self.envelope
        assert not envelope["ok"], envelope
        return dict(envelope["error"])

    @property
    def envelope(self) -> dict[str, Any]:
        return dict(json.loads(self.out))

    @property
    def said(self) -> str:
        """The lines of the error it ended with, without the steps before it."""
        _, mark, error = ("\n" + self.err).rpartition("\nerror: ")
        return mark.lstrip() + error


@dataclass
class Directory:
    """A directory with, perhaps, a kratosctl.yaml, and the images its environments run.

    Attributes:
        path: the directory.
        cache: where kratosctl keeps templates.
        variables: environment variables of every run.
        wrapper: words before the program, which run it.
    """

    path: Path
    cache: Path
    variables: dict[str, str] = field(default_factory=images.variables)
    wrapper: tuple[str, ...] = ()

    def run(self, *words: str, code: int | None = 0, variables: Mapping[str, str] | None = None) -> Done:
        """Runs kratosctl to its end.

        Args:
            words: its command line.
            code: the exit code it must have; None takes any.
            variables: further environment variables.
        """
        done = subprocess.run(
            [*self.wrapper, *program(), *words],
            cwd=self.path,
            env=self.environ(variables),
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT,
            check=False,
        )
        said = f"kratosctl {' '.join(words)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert code is None or done.returncode == code, said
        assert "Traceback" not in done.stderr, said
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str, heard: bool = True) -> subprocess.Popen[str]:
        """Starts kratosctl in a process group of its own, as a terminal does.

        Args:
            words: its command line.
            heard: what it prints can be read; its end is then known only when its children, too, have ended.
        """
        output = subprocess.PIPE if heard else subprocess.DEVNULL
        return subprocess.Popen(
            [*self.wrapper, *program(), *words],
            cwd=self.path,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            encoding="utf-8",
            start_new_session=True,
        )

    def environ(self, variables: Mapping[str, str] | None = None) -> dict[str, str]:
        """The process environment of a run."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)}
        return {**inherited, "KRATOSCTL_CACHE_DIR": str(self.cache), **self.variables, **(variables or {})}

    def choose(self, release: str = images.NEWEST, variant: str = "default") -> None:
        """Makes this and later runs use the images of a release and variant."""
        self.variables |= images.variables(release, variant)

    def up(
        self,
        name: str = "dev",
        *words: str,
        release: str = images.NEWEST,
        variant: str = "default",
        database: str = "sqlite",
        pages: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Brings an environment up, and returns what `up --json` tells.

        Args:
            name: the environment.
            words: further flags.
            release: of Kratos.
            variant: of its image.
            database: where it keeps its data.
            pages: with self-service UI and mail inbox.
            variables: further environment variables.
        """
        self.choose(release, variant)
        flags = ["--release", release, "--variant", variant, "--database", database]
        flags += ["--ui", "--mail"] if pages else ["--no-ui", "--no-mail"]
        return self.run("up", name, *flags, "--yes", "--json", *words, variables=variables).data

    def down(self, name: str = "dev", *words: str) -> Done:
        """Stops an environment; its data stays."""
        return self.run("down", name, *words)

    def status(self, name: str = "dev") -> dict[str, Any]:
        """What `status --json` tells."""
        return self.run("status", name, "--json").data

    def home(self, name: str = "dev") -> Path:
        """The generated directory of an environment."""
        return self.path / ".kratosctl" / name

    def environments(self) -> list[str]:
        """The environments that were made here."""
        return sorted(state.parent.name for state in self.path.glob(".kratosctl/*/state.json"))

    def wipe(self) -> None:
        """Removes what runs here, at once and with its data; that `down --volumes` does so is tested elsewhere."""
        engine.remove_all_of(self.path)


def as_user(user: int, group: int) -> tuple[str, ...]:
    """A wrapper that runs a program as another user, who is in one group; root alone can do that.

    The user may read everything, because Python and docker's plugins may lie in the home of who runs the tests.
    """
    who = ("--reuid", str(user), "--regid", str(user), "--groups", str(group))
    return ("setpriv", *who, "--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")


def program() -> list[str]:
    """The words that run kratosctl: this source, with the Python that runs the tests."""
    return [sys.executable, "-m", "kratosctl"]

"""A seat on its way to another machine: all that is rendered from, whatever runs it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kratosctl.environment import Environment
from kratosctl.stack.files import ENVIRONMENT_FILE, File
from kratosctl.stack.place import Place
from kratosctl.stack.render import render
from kratosctl.stack.secrets import Secrets


@dataclass(frozen=True)
class Portable:
    """One seat.

    Attributes:
        environment: what it was asked to be.
        place: its project, ports and images.
        secrets: all of its secrets.
        texts: Kratos' own configuration, the user's or the preset's: text by name.
        theirs: its main file, parsed.
        files: what Compose would be given: the secrets among them go along as they are.
    """

    environment: Environment
    place: Place
    secrets: Secrets = field(repr=False)
    texts: Mapping[str, str] = field(repr=False)
    theirs: Mapping[str, Any] = field(repr=False)
    files: tuple[File, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """What it is called where it runs: unique, and short enough for the names Swarm makes of it."""
        return f"{self.environment.name}-{self.place.project.rpartition('-')[2]}"

    @property
    def addition(self) -> str:
        """What kratosctl adds to Kratos' configuration: the text of environment.yml."""
        return next(file.text for file in self.files if file.path == ENVIRONMENT_FILE)

    @property
    def secret_files(self) -> list[File]:
        return [file for file in self.files if file.secret]

    @property
    def addresses(self) -> dict[str, str]:
        """Where people reach it: public, and ui and mail where it has them."""
        shown = [name for name in ("ui", "mail", "public") if name in self.place.ports]
        return {name: self.environment.url(name, self.place.ports[name]) for name in shown}


def portable(
    environment: Environment, place: Place, secrets: Secrets, texts: Mapping[str, str], theirs: Mapping[str, Any]
) -> Portable:
    """Renders what goes along whatever runs it: the configuration that kratosctl adds, and the secrets."""
    return Portable(environment, place, secrets, texts, theirs, render(environment, place, secrets, theirs))

"""What changes the engine's projects and images; the only module that uses python-on-whales.

The library is imported where its 160 ms pass unnoticed: beside a pull or a build. Creating containers takes Compose no
longer than that, and is what every `up` waits for, so there Compose is run as it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kratosctl.engine import faults, program
from kratosctl.errors import EngineFailed, ImageMissing

_TRIES = 6
_AT_ONCE = r"is already in use by container|removal of container .* is already in progress|No such container"


class Project:
    """One Compose project.

    Args:
        name: the project's name.
        files: its Compose files; later ones are merged over earlier ones.
        directory: what relative paths in them refer to.
    """

    def __init__(self, name: str, files: Sequence[Path], directory: Path) -> None:
        self.name, self.files, self.directory = name, list(files), directory

    @property
    def where(self) -> list[str]:
        """The words that tell `docker compose` which project is meant."""
        files = [word for file in self.files for word in ("--file", str(file))]
        # .env is for the user's own file: an application's need be nothing that Compose can read
        variables = ["--env-file", os.devnull] if len(self.files) == 1 else []
        return [*files, *variables, "--project-name", self.name, "--project-directory", str(self.directory)]

    def check(self) -> None:
        """Has Compose read the files.

        Raises:
            ComposeFileInvalid: it refuses them.
        """
        program.docker("compose", *self.where, "config", "--quiet", doing="reading the Compose files")

    def create(self, services: Sequence[str], anew: bool = False) -> dict[str, str]:
        """Creates the containers, networks and volumes that are missing; makes changed containers anew, stopped.

        Args:
            services: those that are meant.
            anew: make all of them anew. Their volumes, unnamed ones too, stay theirs.

        Returns:
            The containers that Compose says it created under the names it gives first ones: by service.
        """
        words = ("create", *(["--force-recreate"] if anew else []), "--remove-orphans", "--pull", "never", *services)
        for tries_left in range(_TRIES - 1, -1, -1):
            try:
                said = program.docker("compose", *self.where, *words, doing="creating containers").stderr
            except EngineFailed as error:
                # the Compose of a kratosctl that was killed may still be at it
                if not tries_left or not re.search(_AT_ONCE, error.why):
                    raise
                time.sleep(0.5)
            else:
                return _created(self.name, said)
        raise AssertionError("unreachable")

    def start_beside(self, services: Sequence[str]) -> None:
        """Creates and starts services that the user's own Compose file adds; what they depend on runs by then."""
        words = ("up", "--detach", "--no-deps", *services)
        program.docker("compose", *self.where, *words, doing="starting " + ", ".join(services))


def _created(project: str, said: str) -> dict[str, str]:
    """What Compose made new, out of the lines it prints meanwhile."""
    names = re.findall(rf"^ *Container ({re.escape(project)}-(\S+)-1) +Created *$", said, re.MULTILINE)
    return {service: name for name, service in names}


def pull(reference: str, platform: str | None, option: str = "") -> None:
    """Pulls an image.

    Args:
        reference: its name.
        platform: for which it is wanted; None for the engine's.
        option: what names another image in its place.

    Raises:
        ImageMissing: no registry has it, or none answers.
    """
    from python_on_whales import DockerClient

    try:
        with _failing_as(f"pulling {reference}"):
            DockerClient().image.pull(reference, platform=platform, quiet=True)
    except ImageMissing as error:
        error.what = f"image {reference} is neither here nor to be had"
        if option:
            error.fix = f"check the network and the tag, or name one that is here with {option}"
        raise


def build(context: Path, tags: Sequence[str], labels: Mapping[str, str]) -> None:
    """Builds an image from a directory with a Dockerfile, and tags it.

    This is plain `docker build`: BuildKit where docker has buildx, the classic builder where not.
    """
    from python_on_whales import DockerClient

    for tried in (False, True):
        try:
            with _failing_as(f"building {tags[0]}"):
                DockerClient().legacy_build(context, tags=list(tags), labels=labels)
        except EngineFailed as error:
            # the classic builder's cache named an image that somebody removed just then
            if tried or "unknown parent image" not in error.why:
                raise
        else:
            return


@contextlib.contextmanager
def _failing_as(doing: str) -> Iterator[None]:
    from python_on_whales import ClientNotFoundError, DockerException

    try:
        yield
    except ClientNotFoundError:
        raise faults.docker_missing() from None
    except DockerException as error:
        raise faults.from_output(error.stderr or "", doing) from None
    except UnicodeDecodeError:
        raise faults.from_output("", doing) from None

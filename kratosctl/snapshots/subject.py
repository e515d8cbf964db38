"""The environment whose database is acted on, and the release of Kratos it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kratosctl import catalog
from kratosctl.answers import configuration_file
from kratosctl.environment import Environment
from kratosctl.errors import ChoiceImpossible
from kratosctl.running import Found
from kratosctl.snapshots import live as live_database
from kratosctl.snapshots.live import Live


@dataclass(frozen=True)
class Subject:
    """The environment that is acted on, as it is and as it was asked for."""

    found: Found
    environment: Environment

    @property
    def release(self) -> str:
        """The exact tag of the Kratos it was asked to be."""
        return self.environment.facts.tag

    @property
    def migrated_by(self) -> str:
        """The exact tag of the Kratos that last migrated its data: `up` may not have brought what was asked for yet, or
        was asked for another one by a flag."""
        return self.found.workspace.state().releases.get(self.environment.database, self.release)

    @property
    def live(self) -> Live:
        """Its database."""
        return live_database.of(self.found, self.environment.database)


def image_of(environment: Environment, release: str) -> str | None:
    """The image of another release: the same one with another tag; None where its tag does not name the release."""
    repository, tag = catalog.split_reference(environment.kratos_image)
    head, dash, variant = tag.partition("-")
    return f"{repository}:{release}{dash}{variant}" if head == environment.release else None


def with_release_of(subject: Subject, release: str) -> Environment:
    """The environment on another release of Kratos, and nothing else changed.

    Raises:
        ChoiceImpossible: its image does not tell by its tag which one that would be.
    """
    image = image_of(subject.environment, release)
    if image is None:
        raise ChoiceImpossible(
            f"which image has Kratos {release}?",
            f"the tag of {subject.environment.kratos_image} is not {subject.environment.release}",
            "name it: --kratos-image REF, or kratos_image in kratosctl.yaml",
        )
    return replace(subject.environment, release=release, kratos_image=image)


def save_release(subject: Subject, release: str, image: str | None = None) -> None:
    """Writes another release to kratosctl.yaml, where the environment stands in it.

    Args:
        subject: the environment.
        release: of Kratos.
        image: its image, where that is not the one the environment had, with another tag.
    """
    workspace = subject.found.workspace
    kept = configuration_file.load(workspace.directory).get(workspace.name)
    if kept is not None:
        changed = {"release": release}
        if image or "kratos_image" in kept:
            changed["kratos_image"] = image or with_release_of(subject, release).kratos_image
        configuration_file.save(workspace.directory, workspace.name, changed)

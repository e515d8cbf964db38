"""The image of your own: a Kratos release with the configuration in it, for `config: image`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kratosctl import catalog
from kratosctl.environment import Environment
from kratosctl.stack.compose import CONFIG_TARGET
from kratosctl.stack.kratos_configuration import secrets_in
from kratosctl.stack.labels import LABEL

CONTENT_LABEL = LABEL + "content"
NAME_LABEL = LABEL + "image"
CONTEXT_FOLDER = "kratos"


@dataclass(frozen=True)
class CustomImage:
    """
    Attributes:
        reference: the tag it is built and run under.
        base: the released image it is built from.
        dockerfile: how.
        files: what is copied into it, by path.
        content: digest of all that; a built image carries it as a label, and is up to date while both are equal.
    """

    reference: str
    base: str
    dockerfile: str
    files: Mapping[str, bytes] = field(repr=False)
    content: str = ""

    @property
    def name(self) -> str:
        """The reference without its tag: `kratosctl/<project>`."""
        return self.reference.partition(":")[0]


def custom_image(
    environment: Environment, project: str, lock: Mapping[str, str], config_file: str, files: Mapping[str, bytes]
) -> CustomImage:
    """The image of an environment.

    Args:
        environment: what was asked for.
        project: its Compose project, which names the image.
        lock: what a floating tag of the Kratos image is locked to; empty for an exact tag.
        config_file: name of the main file among `files`.
        files: Kratos' configuration directory: path in it -> content.
    """
    # an image ID names a local image for docker, but not for BuildKit: then its tag has to do
    base = lock.get("digest") or environment.kratos_image
    text = dockerfile(base, environment.platform, config_file)
    made_from = [text, lock.get("id", ""), {path: hashlib.sha256(files[path]).hexdigest() for path in sorted(files)}]
    content = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:16]
    suffix = catalog.DISTROLESS_SUFFIX if environment.variant == "distroless" else ""
    return CustomImage(f"kratosctl/{project}:{environment.release}{suffix}", base, text, files, content)


def dockerfile(base: str, platform: str | None, config_file: str) -> str:
    """The text of the Dockerfile.

    Args:
        base: the released image.
        platform: for which platform, where it is not the engine's.
        config_file: name of the main configuration file.
    """
    origin = f"--platform={platform} {base}" if platform else base
    return (
        "# Made by kratosctl. Secrets, the DSN and addresses are not in it: they are given to the container.\n"
        f"FROM {origin}\n"
        f"COPY {CONTEXT_FOLDER}/ {CONFIG_TARGET}/\n"
        f"CMD {json.dumps(['serve', '-c', f'{CONFIG_TARGET}/{config_file}'])}\n"
    )


def warnings(config_file: str, configuration: Mapping[str, Any] | None) -> list[str]:
    """What a person should know before an image is handed on."""
    return [f"{key} of {config_file} is in the image: whoever has it can read it" for key in secrets_in(configuration)]

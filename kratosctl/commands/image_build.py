"""`image build`: builds the custom image of an environment; `up` does the same for `config: image`."""

from __future__ import annotations

from kratosctl import ownership
from kratosctl.console import Console
from kratosctl.engine import client, reading
from kratosctl.environment import Environment
from kratosctl.files.workspace import Workspace
from kratosctl.results import Result
from kratosctl.stack.custom_image import CustomImage, warnings
from kratosctl.stages import assemble, build_image, images


def show(environment: Environment, workspace: Workspace) -> Result:
    """The Dockerfile, without building it. Needs no engine."""
    image, warnings = _image(environment, workspace)
    data = {"environment": environment.name, "dockerfile": image.dockerfile, "files": sorted(image.files)}
    return Result("image build", data, lambda: image.dockerfile.rstrip("\n"), warnings)


def build(environment: Environment, workspace: Workspace, tag: str | None, console: Console) -> Result:
    """Builds the image from the configuration as it is now.

    Args:
        environment: what was asked for.
        workspace: its generated directory.
        tag: the tag to build it under; None is the one that `up` runs.
        console: where steps are shown.

    Raises:
        ImageMissing: the released image is neither here nor to be had.
        ConfigDirectoryMissing, ConfigurationInvalid: there is no configuration to put into it.
    """
    image, warnings = _image(environment, workspace)
    if not images.is_here(reading.image(image.base), environment.platform):
        with console.step(f"pull {image.base}"):
            client.pull(image.base, environment.platform, "--kratos-image")
    reference = tag or image.reference
    build_image.make(image, [reference], console)
    built = reading.image(reference)
    data = {
        "environment": environment.name,
        "image": reference,
        "id": built.id if built else None,
        "from": image.base,
        "content": image.content,
        "files": sorted(image.files),
    }
    lines = [f"{reference} is built from {image.base}"]
    if tag is None and environment.config != "image":
        lines.append(f"run it: kratosctl up {environment.name} --config image")
    return Result("image build", data, lambda: "\n".join(lines), warnings)


def _image(environment: Environment, workspace: Workspace) -> tuple[CustomImage, list[str]]:
    """The image, and warnings about what should not be in it."""
    config_file, theirs = assemble.their_configuration(environment, workspace)
    image = assemble.custom_image(environment, workspace, ownership.settled_state(workspace), config_file)
    return image, warnings(config_file, theirs)

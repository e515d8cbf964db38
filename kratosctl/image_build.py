"""`image build`: builds the custom image of an environment; `up` does the same for `config: image`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from kratosctl import assemble, identity, images
from kratosctl.console import Console
from kratosctl.engine import client, reading
from kratosctl.environment import Environment
from kratosctl.results import Result
from kratosctl.stack.custom_image import CONTENT_LABEL, CONTEXT_FOLDER, NAME_LABEL, CustomImage, warnings
from kratosctl.workspace import Workspace


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
    make(image, [reference], console)
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


def make(image: CustomImage, tags: Sequence[str], console: Console) -> None:
    """Builds an image in a temporary directory.

    Args:
        image: what to build.
        tags: the tags it gets.
        console: where the step is shown.
    """
    with console.step(f"build {tags[0]}"), tempfile.TemporaryDirectory(prefix="kratosctl-") as scratch:
        context = Path(scratch)
        (context / "Dockerfile").write_text(image.dockerfile, encoding="utf-8")
        for name, content in image.files.items():
            path = context / CONTEXT_FOLDER / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        # whatever the caller's umask is, Kratos' own user reads them
        for path in [context / CONTEXT_FOLDER, *(context / CONTEXT_FOLDER).rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        client.build(context, tags, {CONTENT_LABEL: image.content, NAME_LABEL: image.name})
    _remove_replaced(image)


def _remove_replaced(image: CustomImage) -> None:
    """Removes earlier builds that lost their tag, but for one that a container still runs."""
    unused = ("--filter", "dangling=true", "--filter", f"label={NAME_LABEL}={image.name}")
    names = reading.docker("image", "ls", "--quiet", *unused, check=False).stdout.split()
    if names:
        reading.docker("image", "rm", *names, check=False)


def _image(environment: Environment, workspace: Workspace) -> tuple[CustomImage, list[str]]:
    """The image, and warnings about what should not be in it."""
    config_file, theirs = assemble.their_configuration(environment, workspace)
    image = assemble.custom_image(environment, workspace, identity.settled_state(workspace), config_file)
    return image, warnings(config_file, theirs)

"""Builds the custom image of an environment, which has its configuration inside."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from kratosctl.console import Console
from kratosctl.engine import client, program
from kratosctl.stack.custom_image import CONTENT_LABEL, CONTEXT_FOLDER, NAME_LABEL, CustomImage


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
    names = program.docker("image", "ls", "--quiet", *unused, check=False).stdout.split()
    if names:
        program.docker("image", "rm", *names, check=False)

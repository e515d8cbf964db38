"""Building images: what docker says once, and not again. Without an engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from python_on_whales import DockerException
from python_on_whales.components.image.cli_wrapper import ImageCLI

from kratosctl.engine import client
from kratosctl.errors import EngineFailed

GONE = b"unknown parent image ID sha256:4915cbaa437990748e1b7375854efa57"


@pytest.mark.parametrize(("said", "tries"), [([GONE], 2), ([GONE, GONE], 2), ([b"failed to solve: COPY kratos"], 1)])
def test_a_build_whose_cache_was_cleared_meanwhile_is_tried_once_more(
    monkeypatch: pytest.MonkeyPatch, said: list[bytes], tries: int
) -> None:
    tried: list[Path] = []

    def build(_: ImageCLI, context: Path, **_asked: object) -> None:
        tried.append(context)
        if len(tried) <= len(said):
            raise DockerException(["docker", "build"], 1, stderr=said[len(tried) - 1])

    monkeypatch.setattr(ImageCLI, "legacy_build", build)

    if len(said) < tries:
        client.build(Path("context"), ["app:v26.2.0"], {})
    else:
        with pytest.raises(EngineFailed):
            client.build(Path("context"), ["app:v26.2.0"], {})

    assert len(tried) == tries

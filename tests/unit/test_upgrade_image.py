"""Which image has another release, where people run one of their own."""

from __future__ import annotations

import pytest

from kratosctl.environment import from_answers
from kratosctl.snapshots.operations import image_of


@pytest.mark.parametrize(
    ("image", "then"),
    [
        ("oryd/kratos:v1.3.1", "oryd/kratos:v26.2.0"),
        ("oryd/kratos:v1.3.1-distroless", "oryd/kratos:v26.2.0-distroless"),
        ("registry.local:5000/kratos:v1.3.1-ours", "registry.local:5000/kratos:v26.2.0-ours"),
        # nothing says what these are
        ("registry.local/kratos:prod", None),
        ("registry.local/kratos:v1.3", None),
        ("registry.local/kratos:v1.3.10", None),
        (f"oryd/kratos@sha256:{'a' * 64}", None),
    ],
)
def test_the_tag_names_the_release_or_nothing_is_guessed(image: str, then: str | None) -> None:
    environment = from_answers("dev", {"release": "v1.3.1", "kratos_image": image, "database": "postgres"})
    assert image_of(environment, "v26.2.0") == then

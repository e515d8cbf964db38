"""What people find in .kratosctl/: whole files, as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kratosctl import questions
from tests.unit import golden, stacks

COMPOSE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "sqlite": ({}, {}),
    "sqlite-in-a-volume": ({}, {"bind_database": False, "user": None}),
    "postgres": ({"database": "postgres"}, {}),
    "postgres-distroless": ({"database": "postgres", "variant": "distroless"}, {}),
    "postgres-18": ({"database": "postgres", "postgres_image": "postgres:18"}, {"postgres_major": 18}),
    "memory": ({"database": "memory"}, {}),
    "external": ({"database": "external"}, {}),
    "external-distroless": ({"database": "external", "variant": "distroless"}, {}),
    "no-ui-no-mail": ({"ui": False, "mail": False}, {"sends_mail": False}),
    "every-port": (
        {
            "database": "postgres",
            "public_port": 10001,
            "admin_port": 10002,
            "ui_port": 10003,
            "mail_port": 10004,
            "postgres_port": 10005,
        },
        {},
    ),
    "addresses-from-a-range": ({"subnets": "10.213.0.0/16"}, {"subnet": "10.213.0.16/28"}),
    "beyond-loopback": ({"bind": "0.0.0.0", "admin_port": 4434}, {}),
    "beyond-loopback-with-admin": (
        {"bind": "::", "admin_port": 4434, "expose_admin_without_authentication": True},
        {},
    ),
    "configuration-in-the-image": ({"config": "image"}, {"content": "0123456789abcdef"}),
    "own-configuration": (
        {"config_dir": "./kratos", "release": "v26", "platform": "linux/arm64"},
        {"config_file": "kratos.yaml", "images": {"kratos": "oryd/kratos@sha256:" + "0" * 64}},
    ),
}
RELEASES = ("v1.1.0", "v26.2.0")
CONFIGURATIONS = [
    (preset, release, ui)
    for preset in questions.PRESETS
    for release in RELEASES
    for ui in (True, False)
    if (preset, release) != ("passkey", "v1.1.0")
]


@pytest.mark.parametrize("name", COMPOSE)
def test_the_compose_file_is_as_people_know_it(name: str) -> None:
    answers, changes = COMPOSE[name]
    asked = stacks.environment(**answers)
    golden.check(f"compose/{name}.yaml", stacks.files(asked, stacks.place(asked, **changes))["compose.yaml"].text)


@pytest.mark.parametrize(("preset", "release", "ui"), CONFIGURATIONS)
def test_the_configuration_beside_each_preset_is_as_people_know_it(preset: str, release: str, ui: bool) -> None:
    asked = stacks.environment(preset=preset, release=release, ui=ui)
    text = stacks.files(asked, stacks.place(asked))["environment.yml"].text
    golden.check(f"environment/{preset}-{release}{'' if ui else '-no-ui'}.yml", text)


def test_no_golden_file_is_left_that_nothing_makes() -> None:
    made = {f"compose/{name}.yaml" for name in COMPOSE}
    made |= {f"environment/{p}-{r}{'' if ui else '-no-ui'}.yml" for p, r, ui in CONFIGURATIONS}
    there = {str(path.relative_to(golden.DIRECTORY)) for path in Path(golden.DIRECTORY).rglob("*") if path.is_file()}
    assert there == made

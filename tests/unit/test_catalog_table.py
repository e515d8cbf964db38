"""What `catalog` shows."""

from __future__ import annotations

import json

from kratosctl import catalog
from kratosctl.commands import catalog_table
from kratosctl.environment import from_answers
from kratosctl.questions import DATABASES, PRESETS


def test_every_release_and_variant_is_shown_newest_first() -> None:
    data = catalog_table.show().data

    assert [release["tag"] for release in data["releases"]] == [r.tag for r in reversed(catalog.RELEASES)]
    assert [variant["name"] for variant in data["variants"]] == list(catalog.VARIANTS)
    assert [preset["name"] for preset in data["presets"]] == list(PRESETS)
    assert data["newest"] == catalog.NEWEST.tag


def test_what_is_shown_to_work_can_be_asked_for() -> None:
    data = catalog_table.show().data

    for release in data["releases"]:
        for preset in release["presets"]:
            from_answers("dev", {"release": release["tag"], "preset": preset})
    for variant in data["variants"]:
        assert set(variant["databases"]) <= set(DATABASES)
        for database in variant["databases"]:
            for platform in variant["architectures"]:
                from_answers("dev", {"variant": variant["name"], "database": database, "platform": platform})


def test_the_images_are_those_that_run() -> None:
    newest = catalog_table.show().data["releases"][0]

    for variant, image in newest["images"].items():
        answers = {"variant": variant, "database": "postgres"}
        assert from_answers("dev", answers).kratos_image == image


def test_people_get_tables_and_scripts_json() -> None:
    result = catalog_table.show()

    assert "v1.0.0" in result.text()
    assert "all presets but passkey" in result.text()
    assert json.loads(result.json())["data"]["newest"] == catalog.NEWEST.tag
    assert max(len(line) for line in result.text().splitlines()) <= 120

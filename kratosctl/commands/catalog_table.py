"""What `kratosctl catalog` shows: releases, variants and presets, and what works with what."""

from __future__ import annotations

from typing import Any

from kratosctl import catalog, fragments
from kratosctl.results import Result, table


def show() -> Result:
    """Everything the catalogue knows, newest release first. Needs no engine and no network."""
    presets = fragments.presets()["presets"]
    data = {
        "newest": catalog.NEWEST.tag,
        "releases": [_release(release, presets) for release in reversed(catalog.RELEASES)],
        "variants": [_variant(name) for name in catalog.VARIANTS],
        "presets": [{"name": name, **_preset(facts)} for name, facts in presets.items()],
    }
    return Result("catalog", data, lambda: _text(data))


def _release(release: catalog.Release, presets: dict[str, Any]) -> dict[str, Any]:
    number = catalog.version_key(release.tag)
    return {
        "tag": release.tag,
        "year": release.year,
        "postgres_migrations": release.migrations,
        "migrate_status": release.migrate_status,
        "images": {variant: catalog.kratos_reference(release.tag, variant) for variant in catalog.VARIANTS},
        "presets": [name for name, facts in presets.items() if catalog.version_key(facts["since"]) <= number],
    }


def _variant(name: str) -> dict[str, Any]:
    sqlite = name == "default"
    return {
        "name": name,
        "sqlite": sqlite,
        "databases": ["sqlite", "postgres", "memory", "external"] if sqlite else ["postgres", "external"],
        "architectures": list(catalog.ARCHITECTURES[name]),
        "shell": sqlite,
    }


def _preset(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: facts[key] for key in ("title", "description", "since", "methods", "ui", "mail", "notes")}


def _text(data: dict[str, Any]) -> str:
    everything = {preset["name"] for preset in data["presets"]}

    def works(release: dict[str, Any]) -> str:
        missing = [name for name in everything if name not in release["presets"]]
        return "all presets" if not missing else "all presets but " + ", ".join(sorted(missing))

    releases = table(
        ("RELEASE", "YEAR", "POSTGRESQL MIGRATIONS", "MIGRATE --STATUS", "WORKS WITH"),
        [
            (r["tag"], r["year"], r["postgres_migrations"], _yes(r["migrate_status"]), works(r))
            for r in data["releases"]
        ],
    )
    variants = table(
        ("VARIANT", "SQLITE", "SHELL", "DATABASES", "ARCHITECTURES"),
        [
            (v["name"], _yes(v["sqlite"]), _yes(v["shell"]), ", ".join(v["databases"]), ", ".join(v["architectures"]))
            for v in data["variants"]
        ],
    )
    presets = table(
        ("PRESET", "SINCE", "METHODS", "WHAT IT IS"),
        [(p["name"], p["since"], ", ".join(p["methods"]), p["title"]) for p in data["presets"]],
    )
    notes = (
        f"--release {data['newest']} is the default. vX.Y and vX mean the newest of theirs when first run, and stay.",
        "Every release has both variants; the image of the distroless one ends in -distroless.",
    )
    return "\n\n".join((releases, variants, presets, "\n".join(notes)))


def _yes(value: bool) -> str:
    return "yes" if value else "no"

"""Tags that move: locked to what they meant, and told when they mean something else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from tests.e2e import engine, images, registry
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

Tag = Callable[[str, str], str]


@pytest.fixture
def directory(directory: Directory) -> Directory:
    """A directory in which nothing but kratosctl.yaml and flags name the image."""
    del directory.variables["KRATOSCTL_KRATOS_IMAGE"]
    return directory


@pytest.fixture
def tag() -> Iterator[Tag]:
    """Gives an image another name, until the test ends; returns the image's ID."""
    names: set[str] = set()

    def give(image: str, name: str) -> str:
        engine.docker("tag", image, name)
        names.add(name)
        return str(engine.inspect(name)[0]["Id"])

    yield give
    for name in names:
        engine.succeeds("image", "rm", name)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a registry, to which the engine uploads what most images are made of once."""
    with registry.running() as running:
        yield running


def test_an_environment_stays_on_the_image_its_tag_meant_and_the_plan_tells_that_it_moved(
    directory: Directory, tag: Tag
) -> None:
    floating = "kratosctl-test/kratos:v26.2"
    first = tag(images.kratos("v26.2.0"), floating)
    flags = ("--kratos-image", floating, "--no-ui", "--no-mail", "--yes", "--json")
    told = directory.run("up", *flags).data
    locked = directory.run("status", "--json").envelope["warnings"]
    assert locked == [f"{floating} is a floating tag, locked to {_short(first)}"]

    moved = tag(images.kratos("v25.4.0"), floating)

    assert directory.run("up", "--json").data["changed"] is False
    would = directory.run("up", "--dry-run", "--json").data
    assert [note for note in would["notes"] if _short(first) in note and _short(moved) in note and "--pull" in note]
    assert engine.container(told["project"], "kratos")["Image"] == first


def test_once_it_is_pinned_nobody_is_warned_of_the_tag_that_moves(directory: Directory, tag: Tag) -> None:
    floating = "kratosctl-test/kratos:v26.2"
    tag(images.kratos("v26.2.0"), floating)
    flags = ("--no-ui", "--no-mail", "--yes", "--save")
    directory.run("up", "--kratos-image", floating, *flags)

    directory.run("up", "--kratos-image", images.kratos("v26.2.0"), *flags)

    assert directory.run("status", "--json").envelope["warnings"] == []


def test_pull_takes_what_the_tag_means_in_its_registry_now(directory: Directory, tag: Tag, address: str) -> None:
    floating = f"{address}/kratos:v26"
    tag(images.kratos("v25.4.0"), floating)
    engine.docker("push", "--quiet", floating)
    flags = ("--kratos-image", floating, "--no-ui", "--no-mail", "--yes", "--json")
    told = directory.run("up", *flags).data
    pinned = engine.container(told["project"], "kratos")["Config"]["Image"]
    assert pinned.startswith(f"{address}/kratos@sha256:")

    newer = tag(images.kratos("v26.2.0"), floating)
    engine.docker("push", "--quiet", floating)
    assert directory.run("up", "--json").data["changed"] is False
    pulled = directory.run("up", "--pull", "--json")

    assert pulled.data["changed"] is True
    assert _short(newer) in pulled.err
    assert engine.container(told["project"], "kratos")["Image"] == newer
    for image in engine.inspect(newer)[0]["RepoDigests"]:
        if image.startswith(address):
            engine.succeeds("image", "rm", image)


def test_a_locked_image_that_was_cleared_away_is_pulled_again_though_its_tag_moved(
    directory: Directory, tag: Tag, address: str
) -> None:
    floating = f"{address}/another/kratos:v26"
    first = _another(images.kratos("v26.2.0"), floating)
    engine.docker("push", "--quiet", floating)
    flags = ("--kratos-image", floating, "--no-ui", "--no-mail", "--yes", "--json")
    told = directory.run("up", *flags).data
    directory.down()
    engine.docker("image", "rm", "--force", first)
    tag(images.kratos("v25.4.0"), floating)
    engine.docker("push", "--quiet", floating)
    engine.docker("image", "rm", floating)

    directory.run("up", "--yes")

    assert engine.container(told["project"], "kratos")["Image"] == first
    directory.wipe()
    engine.docker("image", "rm", "--force", first)


def test_a_locked_image_of_no_registry_that_was_cleared_away_is_said(directory: Directory, tag: Tag) -> None:
    floating = "kratosctl-test/kratos:v26"
    first = _another(images.kratos("v26.2.0"), floating)
    directory.run("up", "--kratos-image", floating, "--no-ui", "--no-mail", "--yes")
    directory.down()
    engine.docker("image", "rm", "--force", first)
    tag(images.kratos("v26.2.0"), floating)

    refused = directory.run("up", "--yes", code=50)

    assert f"the image that {floating} is locked to is gone" in refused.said
    assert "--pull" in refused.said


def test_a_class_needs_the_images_it_is_locked_to_and_a_seat_that_lost_its_own_stops_no_other(
    directory: Directory, tag: Tag
) -> None:
    floating = "kratosctl-test/kratos:v26"
    tag(images.kratos("v26.2.0"), floating)
    words = ("--kratos-image", floating, "--no-ui", "--no-mail", "--yes")
    directory.run("workshop", "init", "--seats", "3", *words)
    directory.run("workshop", "up")
    engine.docker("image", "rm", floating)

    directory.run("workshop", "up")

    state = directory.home("seat-02") / "state.json"
    allotted = json.loads(state.read_text())
    allotted["images"][floating]["id"] = "sha256:" + "0" * 64
    state.write_text(json.dumps(allotted))
    rows = directory.run("workshop", "up", "--json", code=1).envelope["data"]["seats"]
    assert [row["ready"] for row in rows] == [True, False, True]
    assert rows[1]["error"] == "image-missing"
    assert "`kratosctl up seat-02 --pull`" in rows[1]["fix"]


def test_pull_without_a_registry_says_so_and_leaves_what_runs(directory: Directory, tag: Tag) -> None:
    floating = "127.0.0.1:1/kratos:v26.2"
    tag(images.kratos("v26.2.0"), floating)
    told = directory.run("up", "--kratos-image", floating, "--no-ui", "--no-mail", "--json").data
    before = engine.containers(told["project"])

    refused = directory.run("up", "--pull", code=50)

    assert floating in refused.said
    assert engine.containers(told["project"]) == before
    assert directory.status()["state"] == "ready"


@pytest.mark.parametrize("image", ["kratosctl-test/kratos:latest", "kratosctl-test/kratos"])
def test_latest_and_untagged_images_are_refused_with_the_tag_to_use(directory: Directory, image: str) -> None:
    refused = directory.run("up", "--kratos-image", image, "--yes", code=34)

    assert f"kratosctl-test/kratos:{images.NEWEST}" in refused.said
    assert "--allow-floating-tag" in refused.said
    assert list(directory.path.iterdir()) == []


def test_release_latest_is_refused_unless_allowed_and_then_status_warns(directory: Directory, tag: Tag) -> None:
    assert images.NEWEST in directory.run("up", "--release", "latest", "--yes", code=34).said
    floating = "kratosctl-test/kratos:latest"
    tag(images.kratos(), floating)

    flags = ("--kratos-image", floating, "--allow-floating-tag", "--no-ui", "--no-mail", "--yes")
    directory.run("up", *flags)

    assert any(floating in warning for warning in directory.run("status", "--json").envelope["warnings"])
    assert floating in directory.run("status").err


def _another(image: str, name: str) -> str:
    """An image like one that is here, whose names can all be taken away; returns its ID."""
    container = engine.docker("create", image).strip()
    made = engine.docker("commit", "--change", f"LABEL one={uuid4().hex}", container, name).strip()
    engine.docker("rm", container)
    return made


def _short(image: str) -> str:
    return image.removeprefix("sha256:")[:12]

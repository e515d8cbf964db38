"""The image with the configuration in it: built, run by `up`, and built anew when the configuration changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from kratosctl.stack.custom_image import NAME_LABEL
from tests.e2e import engine, images, people
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine


@pytest.fixture
def directory(make_directory: Callable[[str], Directory]) -> Iterator[Directory]:
    """An empty directory; the images of its environments are gone after the test."""
    found = make_directory("app")
    yield found
    projects = [json.loads(state.read_text())["project"] for state in found.path.glob(".kratosctl/*/state.json")]
    for name in found.environments():
        found.run("down", name, "--quiet")
    for project in projects:
        for built in engine.docker(
            "image", "ls", "--quiet", "--filter", f"label={NAME_LABEL}=kratosctl/{project}"
        ).split():
            engine.docker("image", "rm", "--force", built)


def their_configuration(directory: Directory, title: str = "Person") -> None:
    """A configuration directory of the user's, whose identity schema has a title."""
    if not (directory.path / "kratosctl.yaml").exists():
        directory.run("init", "--no-ui", "--no-mail", "--yes")
    schema = directory.path / "kratos" / "identity.schema.json"
    schema.write_text(json.dumps(json.loads(schema.read_text()) | {"title": title}))


def title(public: str) -> str:
    """The title of the identity schema that Kratos serves."""
    (found,) = people.request("GET", f"{public}/schemas").json()
    return str(found["schema"]["title"])


def mounts(project: str) -> set[str]:
    return {mount["Destination"] for mount in engine.container(project, "kratos")["Mounts"]}


@pytest.mark.parametrize(
    ("release", "variant", "database"),
    [("v26.2.0", "default", "sqlite"), ("v1.1.0", "distroless", "postgres")],
)
def test_up_builds_and_runs_it_without_a_mount(directory: Directory, release: str, variant: str, database: str) -> None:
    told = directory.up("dev", "--config", "image", release=release, variant=variant, database=database)

    token = people.sign_up_and_ask(told["endpoints"]["public"])
    kratos = engine.container(told["project"], "kratos")
    suffix = "-distroless" if variant == "distroless" else ""
    assert kratos["Config"]["Image"] == f"kratosctl/{told['project']}:{release}{suffix}"
    assert "/etc/config/kratos" not in mounts(told["project"])
    again = directory.run("up", "--yes", "--json").data
    assert again["changed"] is False
    assert engine.container(told["project"], "kratos")["Id"] == kratos["Id"]
    assert people.whoami(told["endpoints"]["public"], token) == "someone@example.org"


def test_a_changed_configuration_is_built_anew_and_nothing_else(directory: Directory) -> None:
    their_configuration(directory, "Before")
    told = directory.run("up", "--config", "image", "--save", "--yes", "--json").data
    public, before = told["endpoints"]["public"], engine.container(told["project"], "kratos")["Image"]
    token = people.sign_up_and_ask(public)
    assert title(public) == "Before"

    their_configuration(directory, "Between")
    directory.run("up", "--yes")
    their_configuration(directory, "After")
    plan = directory.run("up", "--dry-run", "--json").data["steps"]
    changed = directory.run("up", "--yes", "--json").data

    assert {step["do"]: step["subject"] for step in plan}["build"] == f"kratosctl/{told['project']}:{images.NEWEST}"
    assert {step["subject"]: step["do"] for step in changed["steps"]}["kratos-migrate"] == "keep"
    assert title(public) == "After"
    assert engine.container(told["project"], "kratos")["Image"] != before
    assert people.whoami(public, token) == "someone@example.org"
    assert directory.run("up", "--yes", "--json").data["changed"] is False
    untagged = ("--filter", "dangling=true", "--filter", f"label={NAME_LABEL}=kratosctl/{told['project']}")
    assert len(engine.docker("image", "ls", "--quiet", *untagged).split()) <= 1


def test_from_mount_to_image_and_back(directory: Directory) -> None:
    told = directory.up()
    token = people.sign_up_and_ask(told["endpoints"]["public"])
    for way, mounted in (("image", False), ("mount", True)):
        directory.run("up", "--config", way, "--yes")
        assert ("/etc/config/kratos" in mounts(told["project"])) == mounted
        assert people.whoami(told["endpoints"]["public"], token) == "someone@example.org"


def test_the_image_holds_the_configuration_and_no_secret(directory: Directory) -> None:
    their_configuration(directory)
    (directory.path / "kratos" / ".env").write_text("PASSWORD=hunter2\n")
    told = directory.up("dev", "--config", "image")
    reference = f"kratosctl/{told['project']}:{images.NEWEST}"

    made = engine.docker("create", reference).strip()
    try:
        copied = directory.path / "copied"
        engine.docker("cp", f"{made}:/etc/config", str(copied))
    finally:
        engine.docker("rm", made)

    files = {str(path.relative_to(copied)) for path in copied.rglob("*") if path.is_file()}
    assert files == {"kratos/kratos.yml", "kratos/identity.schema.json"}
    everything = json.dumps(engine.inspect(reference)) + engine.docker("history", "--no-trunc", reference)
    for secret in _secrets(directory):
        assert secret not in everything


def _secrets(directory: Directory) -> set[str]:
    texts = [path.read_text() for path in (directory.home() / "secrets").iterdir()]
    return {word for text in texts for word in text.replace("'", " ").split() if len(word) == 32}


def test_image_build_makes_what_up_then_runs_and_builds_again_where_somebody_removed_it(directory: Directory) -> None:
    built = directory.run("image", "build", "--no-ui", "--no-mail", "--json").data

    assert built["from"] == images.kratos()
    assert engine.docker("run", "--rm", built["image"], "version").strip()
    told = directory.up("dev", "--config", "image")
    assert engine.container(told["project"], "kratos")["Image"] == built["id"]

    directory.down()
    engine.docker("image", "rm", built["image"])
    directory.run("up", "--yes")
    people.sign_up_and_ask(told["endpoints"]["public"])


def test_a_tag_of_ones_own(directory: Directory) -> None:
    tag = "kratosctl-test/own:1"
    try:
        assert directory.run("image", "build", "--tag", tag, "--json").data["image"] == tag
        assert engine.succeeds("image", "inspect", tag)
    finally:
        engine.succeeds("image", "rm", tag)


def test_print_builds_nothing_and_needs_no_engine(directory: Directory) -> None:
    done = directory.run("image", "build", "--print", variables={"DOCKER_HOST": "unix:///nowhere.sock"})

    assert f"FROM {images.kratos()}\n" in done.out
    assert "COPY" in done.out


def test_a_base_image_that_is_nowhere(directory: Directory) -> None:
    refused = directory.run("image", "build", "--kratos-image", "registry.invalid/kratos:v26.2.0", code=50)
    assert "registry.invalid" in refused.said or "neither here nor to be had" in refused.said

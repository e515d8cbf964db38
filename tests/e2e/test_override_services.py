"""Services of one's own, in a compose.override.yaml, run beside Kratos."""

from __future__ import annotations

import pytest

from tests.e2e import engine, images
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

_OVERRIDE = """\
services:
  side:
    image: {image}
    entrypoint: [sh, -c, "echo ready to serve; exec sleep infinity"]
    init: true
    depends_on: {{kratos: {{condition: service_started}}}}
  hidden:
    image: {image}
    profiles: [seldom]
    entrypoint: [sleep, infinity]
"""


def test_a_service_of_ones_own_is_started_and_started_again_and_goes_with_down(directory: Directory) -> None:
    (directory.path / "compose.override.yaml").write_text(_OVERRIDE.format(image=images.postgres()))
    project = directory.up()["project"]
    assert engine.running(project) == {"kratos", "side"}
    assert directory.up()["changed"] is False

    engine.docker("rm", "--force", engine.container(project, "side")["Id"])
    told = directory.up()
    assert [step["subject"] for step in told["steps"] if step["do"] == "create"] == ["side"]
    assert engine.running(project) == {"kratos", "side"}

    directory.run("restart", "side")
    assert "ready to serve" in directory.run("logs", "side").out

    directory.down()
    assert engine.running(project) == set()


def test_what_it_says_of_a_service_is_for_the_environments_that_have_it(directory: Directory) -> None:
    """Compose refused a file that says something of the mail inbox wherever an environment had none."""
    (directory.path / "compose.override.yaml").write_text("services: {mail: {environment: {MP_LABEL: ours}}}\n")
    project = directory.up()["project"]
    assert engine.running(project) == {"kratos"}

    directory.run("up", "--mail")
    assert "MP_LABEL=ours" in engine.container(project, "mail")["Config"]["Env"]

    told = directory.up()
    assert [step["subject"] for step in told["steps"] if step["do"] == "remove"] == ["mail"]
    assert set(engine.containers(project)) - {"kratos-migrate"} == {"kratos"}
    assert directory.up()["changed"] is False


def test_what_such_a_service_keeps_in_a_volume_without_a_name_outlives_a_network_that_was_removed(
    directory: Directory,
) -> None:
    """Containers are made anew for it: with `docker rm` the volume would be nobody's."""
    (directory.path / "compose.override.yaml").write_text(_OVERRIDE.format(image=images.postgres()))
    project = directory.up()["project"]
    kept = "/var/lib/postgresql/data/kept"
    engine.docker("exec", engine.container(project, "side")["Id"], "touch", kept)
    engine.docker("stop", *engine.containers(project).values())
    engine.docker("network", "rm", f"{project}_default")

    directory.up()

    assert engine.running(project) == {"kratos", "side"}
    assert engine.succeeds("exec", engine.container(project, "side")["Id"], "test", "-e", kept)
    directory.run("down", "--volumes", "--yes")


def test_with_the_data_goes_what_such_a_service_kept_in_a_volume_without_a_name(directory: Directory) -> None:
    (directory.path / "compose.override.yaml").write_text(_OVERRIDE.format(image=images.postgres()))
    project = directory.up()["project"]
    (unnamed,) = {mount["Name"] for mount in engine.container(project, "side")["Mounts"]}
    assert unnamed in engine.volumes()

    directory.down("dev", "--volumes", "--yes")

    assert unnamed not in engine.volumes()

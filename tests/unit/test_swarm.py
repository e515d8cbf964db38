"""A seat's stack file: Docker takes it, it needs nothing of this host, and it stays where its data is."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kratosctl import ownership
from kratosctl.stack import swarm
from kratosctl.stack.portable import Portable
from tests.unit import portables, stacks

EVERY_KIND = pytest.mark.parametrize("kind", portables.KINDS)


def stack(seat: Portable) -> dict[str, Any]:
    found: dict[str, Any] = stacks.load(swarm.render(seat, "node-1")[0].text)
    return found


@pytest.mark.engine
@EVERY_KIND
def test_docker_takes_the_stack_by_its_own_schema_and_without_a_word(kind: str, tmp_path: Path) -> None:
    if shutil.which("docker") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no docker command")
    for file in swarm.render(portables.of_kind(kind), "node-1"):
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).write_text(file.text, encoding="utf-8")

    done = subprocess.run(
        ["docker", "stack", "config", "--compose-file", str(tmp_path / "stack.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@EVERY_KIND
def test_it_needs_nothing_of_this_host_but_the_files_beside_it(kind: str) -> None:
    files = swarm.render(portables.of_kind(kind), "node-1")
    found = stacks.load(files[0].text)
    paths = {file.path for file in files}

    assert str(stacks.DIRECTORY) not in files[0].text
    for part in ("configs", "secrets"):
        assert {source["file"].removeprefix("./") for source in found[part].values()} <= paths
    for service in found["services"].values():
        for mount in service.get("volumes", []):
            assert isinstance(mount, str) or mount["type"] == "tmpfs"
    # all of the secrets, and no secret in a file that everybody reads
    assert {file.path for file in files if file.secret} == {s["file"][2:] for s in found["secrets"].values()}
    open_texts = [file.text for file in files if not file.secret]
    assert not [secret for secret in stacks.EVERY_SECRET for text in open_texts if secret in text]


@EVERY_KIND
def test_all_of_it_is_on_the_node_that_has_its_data_and_answers_there_alone(kind: str) -> None:
    for service in stack(portables.of_kind(kind))["services"].values():
        assert "node.hostname == node-1" in service["deploy"]["placement"]["constraints"]
        assert service["deploy"]["replicas"] == 1
        assert {port["mode"] for port in service.get("ports", [])} <= {"host"}


@EVERY_KIND
def test_nothing_is_said_that_swarm_ignores(kind: str) -> None:
    for service in stack(portables.of_kind(kind))["services"].values():
        assert not {"depends_on", "restart", "security_opt", "shm_size", "extra_hosts", "platform"} & set(service)


def test_the_admin_api_and_postgresql_are_not_published_for_the_whole_network() -> None:
    services = stack(portables.of_kind("all ports"))["services"]
    exposed = {"admin_port": 4434, "expose_admin_without_authentication": True}
    asked = stack(portables.seat(stacks.environment("seat-01", **exposed)))["services"]["kratos"]

    assert [port["target"] for port in services["kratos"]["ports"]] == [4433]
    assert "ports" not in services["postgres"]
    assert [port["target"] for port in asked["ports"]] == [4433, 4434]


def test_an_image_with_a_shell_migrates_and_then_serves() -> None:
    services = stack(portables.of_kind("sqlite"))["services"]

    (command,) = services["kratos"]["command"]
    assert "kratos-migrate" not in services
    assert command.startswith("kratos migrate sql -e --yes ")
    assert " && exec kratos serve " in command


def test_an_image_without_one_has_a_task_that_migrates_and_ends() -> None:
    services = stack(portables.of_kind("distroless"))["services"]

    assert services["kratos-migrate"]["deploy"]["restart_policy"]["condition"] == "on-failure"
    assert services["kratos"]["command"][0] == "serve"
    assert "entrypoint" not in services["kratos"]


def test_what_changes_gets_another_name_because_swarm_changes_none_in_place() -> None:
    seat = portables.of_kind("sqlite")
    changed = replace(seat, texts={**seat.texts, "kratos.yml": seat.texts["kratos.yml"] + "# mine\n"})
    one, same, other = (
        {source["file"]: source["name"] for source in stack(each)["configs"].values()}
        for each in (seat, portables.of_kind("sqlite"), changed)
    )

    assert one == same
    assert {path for path in one if one[path] != other[path]} == {"./kratos/kratos.yml"}


def test_the_names_of_two_seats_have_nothing_in_common() -> None:
    one, other = portables.of_kind("sqlite"), portables.seat(stacks.environment("seat-02"))
    other = replace(other, place=replace(other.place, project="shop-seat-02-89abcdef"))

    names = [
        {s["name"] for part in ("configs", "secrets") for s in stack(each)[part].values()} for each in (one, other)
    ]
    assert not names[0] & names[1]


def test_the_longest_name_of_an_environment_still_makes_names_that_swarm_takes() -> None:
    seat = portables.seat(stacks.environment("a" * 32, database="postgres", variant="distroless"))
    project = ownership.project_name(Path("/home/ada/a-directory-with-a-long-name"), seat.environment.name)
    seat = replace(seat, place=replace(seat.place, project=project))

    for service in stack(seat)["services"]:
        assert len(f"{seat.name}_{service}") <= 63


def test_an_image_that_is_locked_goes_along_by_its_digest() -> None:
    seat = portables.of_kind("sqlite")
    locked = replace(seat, place=replace(seat.place, images={"kratos": "oryd/kratos@sha256:" + "a" * 64}))

    assert stack(locked)["services"]["kratos"]["image"] == "oryd/kratos@sha256:" + "a" * 64


def test_a_platform_is_asked_for_in_the_words_of_swarm() -> None:
    placed = stack(portables.of_kind("for a platform"))["services"]["kratos"]["deploy"]["placement"]

    assert placed["constraints"] == ["node.hostname == node-1", "node.platform.arch == aarch64"]


def test_behind_a_tls_proxy_addresses_are_https_and_cookies_go_no_other_way() -> None:
    for https in (False, True):
        seat = portables.seat(stacks.environment("seat-01", https=https))
        kratos, ui = (str(stack(seat)["services"][name]) for name in ("kratos", "ui"))
        assert ("--dev" in kratos, "DANGEROUSLY" in ui) == (not https, not https)
        assert seat.addresses["ui"].startswith("https://" if https else "http://")
        assert seat.addresses["public"] in ui

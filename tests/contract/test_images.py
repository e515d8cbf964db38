"""The images themselves."""

from __future__ import annotations

from . import containers
from .containers import image_config
from .kratos import Image


def test_the_entrypoint_is_kratos_and_it_serves_unless_told_otherwise(image: Image) -> None:
    config = image_config(str(image))
    assert config["Entrypoint"] == ["kratos"]
    assert config["Cmd"] == ["serve"]


def test_it_exposes_the_public_and_the_admin_port_and_has_no_health_check(image: Image) -> None:
    config = image_config(str(image))
    assert set(config["ExposedPorts"]) == {"4433/tcp", "4434/tcp"}
    assert "Healthcheck" not in config


def test_it_runs_as_a_numbered_user_other_than_root(image: Image) -> None:
    assert image_config(str(image))["User"] == {"default": "10000", "distroless": "65532"}[image.variant]


def test_only_the_default_variant_declares_volumes(image: Image) -> None:
    declared = set(image_config(str(image)).get("Volumes") or {})
    assert declared == ({"/var/lib/sqlite", "/home/ory"} if image.variant == "default" else set())


def test_the_user_of_the_default_variant_owns_the_sqlite_directory(default_image: Image) -> None:
    done = containers.run(str(default_image), "-c", "touch /var/lib/sqlite/x && id -u", options=["--entrypoint=sh"])
    assert (done.code, done.out.strip()) == (0, "10000"), done.text


def test_only_the_default_variant_has_a_shell_and_wget(image: Image) -> None:
    for program in ("sh", "wget"):
        done = containers.run(str(image), "--help", options=[f"--entrypoint={program}"])
        found = "executable file not found" not in done.err
        assert found == (image.variant == "default"), done.text


def test_version_names_the_release(image: Image) -> None:
    done = containers.run(str(image), "version", options=["--network=none"])
    assert (done.code, done.out.splitlines()[0].split()) == (0, ["Version:", image.release])


def test_an_unknown_command_exits_1(image: Image) -> None:
    done = containers.run(str(image), "no-such-command", options=["--network=none"])
    assert done.code == 1

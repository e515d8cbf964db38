"""The host has no room, no port, no right to write, or odd names."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e import engine, images, people
from tests.e2e.program import Directory, as_user
from tests.faults.soundness import assert_files_whole, assert_one_error, assert_sound, secrets

pytestmark = pytest.mark.engine

UP = ("up", "--yes", "--no-ui", "--no-mail")
NOBODY = 65534
needs_root = pytest.mark.skipif(
    os.getuid() != 0 and os.environ.get("CI") != "true", reason="only root can mount a small disk, or become nobody"
)


@needs_root
@pytest.mark.parametrize("kilobytes", [8, 24, 64, 120])
def test_the_disk_is_full(make_directory: Callable[[str], Directory], kilobytes: int) -> None:
    directory = make_directory("small")
    with small_disk(directory.path, kilobytes):
        said = assert_one_error(directory.run(*UP, code=None), 20)
        assert str(directory.path) in said
        assert "free some space" in said
        before = secrets(directory)

        subprocess.run(["mount", "-o", "remount,size=20m", str(directory.path)], check=True)
        told = directory.run(*UP, "--json").data
        assert_sound(directory, told)
        assert {name: text for name, text in secrets(directory).items() if name in before} == before
        directory.wipe()


@needs_root
@pytest.mark.parametrize("left", [0, 4])
def test_the_disk_is_full_for_a_change_and_what_ran_goes_on(
    make_directory: Callable[[str], Directory], left: int
) -> None:
    directory = make_directory("small")
    with small_disk(directory.path, 20_000):
        told = directory.run(*UP, "--json").data
        token = people.sign_up_and_ask(told["endpoints"]["public"])
        before = secrets(directory)
        fill(directory.path / "filler", left)

        assert_one_error(directory.run("up", "--host", "127.0.0.1", code=None), 20)

        (directory.path / "filler").unlink()
        assert secrets(directory) == before
        assert_files_whole(directory)
        assert directory.run("up", "--json").data["environment"] == "dev"
        assert people.whoami(told["endpoints"]["public"], token) == "someone@example.org"
        directory.wipe()


@needs_root
def test_a_disk_that_is_full_for_kratos_is_told_while_it_tries_and_up_goes_on_once_there_is_room(
    make_directory: Callable[[str], Directory],
) -> None:
    other, directory = make_directory("other"), make_directory("small")
    other.run("init", "--yes", "--no-ui", "--no-mail")
    other.run("migrate")
    database = directory.home() / "database"
    database.mkdir(parents=True)
    # just room for the tables
    with small_disk(database, (other.home() / "database" / "db.sqlite").stat().st_size // 1024), ExitStack() as last:
        last.callback(engine.remove_all_of, directory.path)
        said = assert_one_error(directory.run(*UP, "--wait-timeout", "1000", code=None), 20)
        assert said.startswith("error: the database's disk is full")

        subprocess.run(["mount", "-o", "remount,size=20m", str(database)], check=True)
        assert_sound(directory, directory.run(*UP, "--json").data)


@contextlib.contextmanager
def small_disk(path: Path, kilobytes: int) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(path)], check=True)
    try:
        yield
    finally:
        # whatever a failed test left running holds it
        engine.remove_all_of(path)
        subprocess.run(["umount", str(path)], check=True)


def fill(file: Path, left: int) -> None:
    """Fills a disk, but for some kilobytes."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    os.truncate(file, file.stat().st_size - left * 1024)


@needs_root
def test_the_directory_is_read_only(directory: Directory) -> None:
    directory.wrapper = as_user(NOBODY, Path("/var/run/docker.sock").stat().st_gid)

    said = assert_one_error(directory.run(*UP, code=None), 22)

    assert str(directory.path) in said
    assert "--directory DIR" in said
    assert list(directory.path.iterdir()) == []
    directory.wrapper = ()


def test_the_port_is_taken_by_a_program(directory: Directory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        said = assert_one_error(directory.run(*UP, "--public-port", str(port), code=None), 21)

    assert f"port {port} is taken by" in said
    assert f"process {os.getpid()}" in said
    assert "--public-port" in said
    assert not (directory.path / "kratosctl.yaml").exists()
    assert not (directory.home() / "secrets").exists()


def test_the_port_is_taken_by_a_container_of_another_environment(make_directory: Callable[[str], Directory]) -> None:
    one, two = make_directory("one"), make_directory("two")
    port = one.up()["endpoints"]["public"].rpartition(":")[2]

    said = assert_one_error(two.run(*UP, "--public-port", port, code=None), 21)

    assert f"the environment in {one.path}" in said
    assert one.status()["state"] == "ready"


def test_a_port_that_kratosctl_chose_moves_when_somebody_took_it_meanwhile(directory: Directory) -> None:
    port = int(directory.up()["endpoints"]["public"].rpartition(":")[2])
    directory.down()
    with socket.create_server(("127.0.0.1", port)):
        moved = directory.run("up", "--json")

    assert f"port {port} is taken by" in moved.err
    assert moved.data["endpoints"]["public"] != f"http://localhost:{port}"
    people.sign_up_and_ask(moved.data["endpoints"]["public"])


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a b",
        "ünïcode",
        "x" * 300,
        "$HOME",
        "${HOME}",
        "UPPER",
        ".",
        "a/b",
        "a\nb",
        "-",
        "under_score",
    ],
    ids=[
        "path",
        "space",
        "unicode",
        "long",
        "variable",
        "braces",
        "upper",
        "dot",
        "slash",
        "line",
        "dash",
        "underscore",
    ],
)
def test_a_name_that_cannot_be_one_is_refused_before_anything_is_made(directory: Directory, name: str) -> None:
    said = assert_one_error(directory.run("up", "--yes", "--", name, code=None), 32)

    assert "lower-case letters, digits and hyphens" in said
    assert list(directory.path.iterdir()) == []
    assert [path.name for path in directory.path.parent.iterdir()] == [directory.path.name]


@pytest.mark.parametrize(
    "name", ["a$b ${HOME}", "ünï çødé with space", "quo'te\"s, co,mma=x", "#hash {} a:b back\\slash"]
)
def test_a_directory_may_have_any_name(make_directory: Callable[[str], Directory], name: str) -> None:
    directory = make_directory(name)

    told = directory.up()

    people.sign_up_and_ask(told["endpoints"]["public"])
    assert directory.status()["directory"] == str(directory.path)
    (row,) = [r for r in directory.run("list", "--json").data["environments"] if r["directory"] == str(directory.path)]
    assert row["directory_gone"] is False
    assert directory.run("up", "--json").data["changed"] is False
    directory.run("down", "--volumes", "--yes")
    assert engine.of_directory(directory.path) == {}


def test_a_configuration_directory_may_have_a_dollar_in_its_name(directory: Directory) -> None:
    directory.run("init", "--config-dir", "./ko$fig ${HOME}", "--no-ui", "--no-mail", "--yes")

    told = directory.run("up", "--json").data

    people.sign_up_and_ask(told["endpoints"]["public"])
    mounts = engine.container(told["project"], "kratos")["Mounts"]
    assert str(directory.path / "ko$fig ${HOME}") in [mount["Source"] for mount in mounts]


def test_an_image_that_is_neither_here_nor_in_a_registry(directory: Directory) -> None:
    image = f"127.0.0.1:1/kratos:{images.NEWEST}"

    said = assert_one_error(directory.run(*UP, "--kratos-image", image, code=None), 50)

    assert image in said
    assert not (directory.home() / "secrets").exists()

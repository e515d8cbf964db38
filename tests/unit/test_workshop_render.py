"""`workshop render`: every seat whole in a directory of its own, with the ports and secrets it has here."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kratosctl.engine import faults, program
from kratosctl.files import cache
from kratosctl.files.workspace import authority
from kratosctl.main import main
from tests.unit import stacks

WAYS = pytest.mark.parametrize("way", ["swarm", "kubernetes"])
CLASS = """\
name: class
environment: {database: postgres, preset: email-password, ui: true, mail: true}
seats:
  seat-01: Ada
  seat-02:
"""


@pytest.fixture
def classroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workshop of two seats that never ran, on a host without an engine."""

    def docker(*_words: str, **_how: Any) -> None:
        raise faults.docker_missing()

    monkeypatch.setattr(program, "docker", docker)
    monkeypatch.setattr(cache, "directory", lambda: tmp_path / "cache")
    directory = tmp_path / "class"
    directory.mkdir()
    (directory / "workshop.yaml").write_text(CLASS)
    return directory


def run(directory: Path, *words: str) -> int:
    return main(["workshop", "render", "-C", str(directory), *words])


def data(directory: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(directory, *words, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["data"]
    return found


def texts(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


@WAYS
def test_each_seat_has_a_directory_and_the_readme_says_how_to_bring_it_up(
    classroom: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = data(classroom, capsys, "--for", way)

    readme = (classroom / way / "README.txt").read_text()
    assert "seat-01 (Ada)" in readme
    for seat in told["seats"]:
        assert (classroom / way / seat["seat"] / "secrets").is_dir()
        for command in [*seat["deploy"], *seat["remove"]]:
            assert f"  {command}" in readme
            for word in command.split():
                assert not word.startswith("seat-0") or "/" not in word or (classroom / way / word).is_file()


@WAYS
def test_secrets_are_for_the_owner_alone_and_are_never_printed(
    classroom: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(classroom, "--for", way) == 0
    printed = "".join(capsys.readouterr()) + json.dumps(data(classroom, capsys, "--for", way))
    kept = stacks.load((classroom / ".kratosctl/seat-01/secrets/kratos.yml").read_text())

    secrets = [*kept["secrets"]["default"], *kept["secrets"]["cipher"], kept["dsn"].split(":")[2].split("@")[0]]
    written = texts(classroom / way / "seat-01")
    assert all(any(secret in text for text in written.values()) for secret in secrets)
    assert not [secret for secret in secrets if secret in printed]
    for name, text in written.items():
        path = classroom / way / "seat-01" / name
        if any(secret in text for secret in secrets):
            assert "*" in (path.parent / ".gitignore").read_text().splitlines()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("way", "bind", "asks"),
    [
        # Swarm has no port on 127.0.0.1 alone; in Kubernetes nobody but `kubectl port-forward` comes there
        ("swarm", "127.0.0.1", True),
        ("swarm", "0.0.0.0", True),
        ("kubernetes", "127.0.0.1", False),
        ("kubernetes", "0.0.0.0", True),
    ],
)
def test_an_inbox_that_others_can_come_to_asks_for_the_password_on_the_handout(
    classroom: Path, way: str, bind: str, asks: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    (classroom / "workshop.yaml").write_text(CLASS.replace("mail: true", f"mail: true, bind: {bind}"))
    assert run(classroom, "--for", way) == 0

    kept = classroom / ".kratosctl/seat-01/secrets/mail-password"
    pages = [classroom / way / "handouts" / name for name in ("seat-01.html", "all.html")]
    assert kept.exists() == asks
    if not asks:
        assert not [page for page in pages if "password <code>" in page.read_text()]
        assert {stat.S_IMODE(page.stat().st_mode) for page in pages} == {0o644}
        return
    password = kept.read_text().strip()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    shown = f"user name <code>seat-01</code>, password <code>{password}</code>"
    assert all(shown in page.read_text() for page in pages)
    assert {stat.S_IMODE(page.stat().st_mode) for page in pages} == {0o600}
    assert password not in "".join(texts(classroom / way / "seat-01").values()), "a hash is enough for Mailpit"
    assert f"seat-01:{{SHA}}{_sha(password)}" in "".join(texts(classroom / way / "seat-01").values())
    assert password not in "".join(capsys.readouterr())
    assert "*" in (classroom / way / "handouts" / ".gitignore").read_text().splitlines()
    # a page is made again where somebody wrote into it; a secret is not
    pages[0].write_text("another")
    assert run(classroom, "--for", way, "--overwrite") == 0
    assert password in pages[0].read_text()


def _sha(text: str) -> str:
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()


@WAYS
def test_run_again_it_writes_the_same(classroom: Path, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    first = data(classroom, capsys, "--for", way)
    before = texts(classroom / way)

    assert data(classroom, capsys, "--for", way) == first
    assert texts(classroom / way) == before


def test_both_ways_give_a_seat_the_same_addresses_and_no_two_seats_one(
    classroom: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swarm, kubernetes = (data(classroom, capsys, "--for", way)["seats"] for way in ("swarm", "kubernetes"))

    assert [seat["endpoints"] for seat in swarm] == [seat["endpoints"] for seat in kubernetes]
    urls = [url for seat in swarm for url in seat["endpoints"].values()]
    assert len(set(urls)) == len(urls) == 6


def test_ports_stay_though_somebody_listens_there_now(classroom: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = data(classroom, capsys, "--for", "swarm")["seats"]
    with socket.create_server(("127.0.0.1", int(first[0]["endpoints"]["public"].rpartition(":")[2]))):
        assert data(classroom, capsys, "--for", "swarm")["seats"] == first


def test_a_port_that_was_asked_for_is_given_to_one_seat_alone(
    classroom: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (classroom / "workshop.yaml").write_text(CLASS.replace("database: postgres", "public_port: 4999"))

    assert run(classroom, "--for", "swarm") == 21
    assert not (classroom / "swarm").exists()


def test_seats_are_spread_over_nodes_and_say_where_attendees_reach_them(
    classroom: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = data(classroom, capsys, "--for", "swarm", "--node", "big=10.0.0.1", "--node", "small=node-2.example")

    assert [seat["node"] for seat in told["seats"]] == ["big", "small"]
    second = told["seats"][1]["endpoints"]["public"]
    assert second.startswith("http://node-2.example:")
    assert second in (classroom / "swarm/seat-02/environment.yml").read_text()
    assert second in (classroom / "swarm/handouts/seat-02.html").read_text()
    assert "node.hostname == small" in (classroom / "swarm/seat-02/stack.yaml").read_text()


def test_a_file_that_differs_is_kept_and_a_secret_always(classroom: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data(classroom, capsys, "--for", "swarm")
    changed = classroom / "swarm" / "seat-01" / "stack.yaml"
    changed.write_text("mine\n")

    assert run(classroom, "--for", "swarm") == 37
    assert changed.read_text() == "mine\n"
    assert run(classroom, "--for", "swarm", "--overwrite") == 0
    secret = classroom / "swarm" / "seat-02" / "secrets" / "kratos.yml"
    secret.write_text("mine\n")
    assert run(classroom, "--for", "swarm", "--overwrite") == 37
    assert secret.read_text() == "mine\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--for", "kubernetes", "--node", "n"), 2, "--node is for Swarm"),
        (("--for", "swarm", "--node", "a b"), 2, "'a b' is no node"),
        (("--for", "swarm", "--output", ".kratosctl/x"), 2, "where kratosctl keeps its own files"),
        (("--for", "nomad"), 2, "nomad"),
        ((), 2, "--for"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    classroom: Path, words: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(classroom, *words) == code
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in classroom.iterdir()) == ["workshop.yaml"]


def test_a_passkey_needs_a_node_with_a_name(classroom: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (classroom / "workshop.yaml").write_text(CLASS.replace("email-password", "passkey"))

    assert run(classroom, "--for", "swarm", "--node", "big=10.0.0.1") == 33
    assert "seat-01: passkeys need a host name" in capsys.readouterr().err
    assert not (classroom / "swarm").exists()


@WAYS
def test_a_seat_that_cannot_be_what_it_is_asked_to_be_is_named_before_anything_is_written(
    classroom: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (classroom / "kratosctl.yaml").write_text("environments: {seat-02: {preset: passkey, release: v1.1.0}}\n")

    assert run(classroom, "--for", way) == 33
    assert "error: seat-02: preset passkey does not work on Kratos v1.1.0" in capsys.readouterr().err
    assert sorted(path.name for path in classroom.iterdir()) == ["kratosctl.yaml", "workshop.yaml"]


def test_what_is_not_as_here_is_said(classroom: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = "seed: people.yaml, admin_port: 4434, database: postgres"
    (classroom / "workshop.yaml").write_text(CLASS.replace("database: postgres", environment))
    (classroom / "compose.override.yaml").write_text("services: {}\n")
    # two seats cannot have one port
    (classroom / "kratosctl.yaml").write_text("environments: {seat-02: {admin_port: 4534}}\n")

    assert run(classroom, "--for", "swarm") == 0

    said = capsys.readouterr().err
    for part in ("every address of a node", "admin APIs", "seeds", "compose.override.yaml is not taken along"):
        assert part in said


@pytest.mark.parametrize(
    ("asked", "here", "swarm"),
    [
        ("", False, False),
        ("admin_port: 4534", True, False),
        ("admin_port: 4534, bind: '::1'", True, False),
        ("admin_port: 4534, bind: 0.0.0.0", False, False),
        ("admin_port: 4534, bind: 0.0.0.0, expose_admin_without_authentication: true", True, True),
        ("admin_port: 4534, bind: 127.0.0.2, https: true", False, False),
    ],
)
def test_a_handout_names_the_admin_api_where_its_attendee_reaches_it(
    classroom: Path, asked: str, here: bool, swarm: bool
) -> None:
    (classroom / "kratosctl.yaml").write_text(f"environments: {{seat-02: {{{asked}}}}}\n")
    for way in ("swarm", "kubernetes"):
        assert run(classroom, "--for", way) == 0
    # of the TLS proxy, which was up
    authority(classroom).parent.mkdir(parents=True)
    authority(classroom).write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert main(["workshop", "handout", "-C", str(classroom)]) == 0

    pages = {way: (classroom / way / "handouts/seat-02.html").read_text() for way in (".", "swarm", "kubernetes")}
    found = {way: ":4534" in page and "asks nobody who they are" in page for way, page in pages.items()}
    assert found == {".": here, "swarm": swarm, "kubernetes": False}
    assert all("Admin API" not in page for way, page in pages.items() if not found[way])


@pytest.mark.parametrize("output", [(), ("--output", ".")])
def test_passwords_on_handouts_go_into_no_repository_and_nothing_else_is_kept_from_one(
    classroom: Path, output: tuple[str, ...]
) -> None:
    (classroom / "workshop.yaml").write_text(CLASS.replace("database: postgres", "database: postgres, bind: 0.0.0.0"))
    assert run(classroom, "--for", "swarm") == 0
    subprocess.run(["git", "init", "--quiet", classroom], check=True)
    assert main(["workshop", "handout", "-C", str(classroom), *output]) == 0

    listed = ["git", "-C", str(classroom), "ls-files", "--others", "--exclude-standard"]
    found = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()
    assert "workshop.yaml" in found
    assert ("seat-01.html" in found, "handouts/seat-01.html" in found) == (bool(output), False)

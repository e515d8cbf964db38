"""What the TLS proxy of a workshop is told: nothing a user writes changes what it does."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.console import Console
from kratosctl.engine import program, reading
from kratosctl.engine.objects import Container, Engine
from kratosctl.errors import ConfigurationInvalid, NotRunning
from kratosctl.files.state import State
from kratosctl.files.workspace import PROXY, Workspace
from kratosctl.ownership import settled_state
from kratosctl.stages import assemble
from kratosctl.workshop import handout, proxy, seats
from kratosctl.workshop.proxy_files import Front, caddyfile, compose_model

FRONT = Front("class.test", "192.168.1.10", [4533, 4555], 4480)


def test_each_port_of_a_seat_leads_to_the_same_port_where_the_seat_listens_and_nowhere_else() -> None:
    text = caddyfile("class", FRONT)
    assert re.findall(r"^https://(\S+) ", text, re.MULTILINE) == ["class.test:4533", "class.test:4555"]
    assert re.findall(r"reverse_proxy (\S+)", text) == ["127.0.0.1:4533", "127.0.0.1:4555"]
    # once for the certificate, once for all seats
    assert re.findall(r"bind (\S+)", text) == ["192.168.1.10", "192.168.1.10"]


def test_of_the_authority_only_its_certificate_is_handed_out() -> None:
    text = caddyfile("class", FRONT)
    site = text.partition("http://:4480 {")[2].partition("\n}")[0]
    assert "rewrite * /root.crt" in site
    assert "respond 404" in site
    assert text.count("file_server") == 1


@given(st.text())
def test_the_name_of_a_workshop_is_a_name_and_no_directive(name: str) -> None:
    lines = caddyfile("class", FRONT).splitlines()
    other = caddyfile(name, FRONT).splitlines()
    assert len(lines) == len(other)
    changed = [line for line, before in zip(other, lines, strict=True) if line != before]
    assert all(re.fullmatch(r'\t\t\t(name|root_cn) "[^"{}\\]+"', line) for line in changed)


def test_it_is_as_small_as_the_seats_and_known_as_kratosctls() -> None:
    model = compose_model("class-proxy-1", "caddy:2", "1000:1000", Path("/a/$x/.kratosctl/.proxy"))
    service = model["services"]["proxy"]
    assert service["user"] == "1000:1000"
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["labels"]["dev.kratosctl.directory"] == "/a/$$x"
    assert service["labels"]["dev.kratosctl.environment"] == ".proxy"
    assert [mount["source"] for mount in service["volumes"] if mount["type"] == "bind"] == [
        "/a/$$x/.kratosctl/.proxy/proxy",
        "/a/$$x/.kratosctl/.proxy/authority",
    ]


@pytest.mark.parametrize("it_has_a_port", [True, False])
def test_handouts_wait_for_the_certificate_of_a_proxy_that_never_came_up_or_is_forgotten(
    tmp_path: Path, it_has_a_port: bool
) -> None:
    asked = {"https": True, "bind": "192.168.1.10"}
    workshop_file.write(tmp_path, Workshop("class", asked, {"seat-01": "Ada"}))
    seat = Workspace(tmp_path, "seat-01")
    # as `workshop down --volumes` leaves it
    seat.save_state(replace(settled_state(seat), ports={"public": 4533, "ui": 4555, "mail": 8125}))
    seat.write("secrets/mail-password", "kq4x-9mzt\n")
    workspace = Workspace(tmp_path, PROXY)
    if it_has_a_port:
        # that is saved before its image is asked for
        workspace.home.mkdir(parents=True)
        workspace.save_state(replace(settled_state(workspace), ports={"certificate": 4480}))
    workshop, everyone = seats.chosen(tmp_path, (), everybody=True)

    with pytest.raises(NotRunning, match="the TLS proxy was not brought up yet"):
        handout.write(tmp_path, workshop, everyone, tmp_path / "handouts")


def test_where_the_host_has_another_address_than_yesterday_the_way_out_is_one_that_the_proxy_can_take(
    tmp_path: Path,
) -> None:
    # one for documentation, which no host has
    asked = {"https": True, "bind": "192.0.2.1", "host": "192.0.2.1"}
    workshop_file.write(tmp_path, Workshop("class", asked, {"seat-01": "Ada"}))
    _, everyone = seats.chosen(tmp_path, (), everybody=True)

    with pytest.raises(ConfigurationInvalid, match=r"192\.0\.2\.1 is no address of this host") as refused:
        proxy.refuse_impossible(everyone, Engine("27", "linux/amd64", True, False, "local"))

    assert "`bind` and `host` in workshop.yaml" in refused.value.fix
    # the proxy listens at neither
    assert not re.search(r"127\.0\.0\.1|0\.0\.0\.0", refused.value.fix)


def test_a_seat_that_cannot_be_what_it_is_asked_to_be_is_still_led_to(tmp_path: Path) -> None:
    workshop_file.write(
        tmp_path, Workshop("class", {"https": True, "bind": "127.0.0.2"}, {"seat-01": "", "seat-02": ""})
    )
    (tmp_path / "kratosctl.yaml").write_text("environments: {seat-02: {variant: distroless}}\n")
    _, everyone = seats.chosen(tmp_path, (), everybody=True)
    for name, ports in (
        ("seat-01", {"public": 4533}),
        ("seat-02", {"public": 4633, "admin": 4634}),
        (PROXY, {"certificate": 4480}),
    ):
        workspace = Workspace(tmp_path, name)
        workspace.save_state(replace(settled_state(workspace), ports=ports))

    found = proxy.front(tmp_path, everyone)

    assert found == Front("localhost", "127.0.0.2", [4533, 4633], 4480)


@pytest.mark.parametrize("state", ["exited", "running", "paused"])
def test_where_another_class_has_the_port_of_the_certificate_it_gets_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    monkeypatch.setenv("KRATOSCTL_CACHE_DIR", str(tmp_path / "cache"))
    workshop_file.write(tmp_path, Workshop("class", {"https": True, "bind": "127.0.0.1"}, {"seat-01": "Ada"}))
    workshop, everyone = seats.chosen(tmp_path, (), everybody=True)
    workspace = Workspace(tmp_path, PROXY)
    labels = {"directory": str(tmp_path), "environment": PROXY}
    own = Container("id", "c", "proxy", "p", state, "Up", "", None, "caddy", {}, labels)
    monkeypatch.setattr(reading, "containers", lambda _: (own,))
    monkeypatch.setattr(proxy, "_start", lambda *_: None)
    monkeypatch.setattr(proxy, "_wait", lambda *_: None)
    told: list[str] = []

    def docker(*words: str, **_: str) -> SimpleNamespace:
        told.append(words[0])
        return SimpleNamespace(stdout="")

    monkeypatch.setattr(program, "docker", docker)
    # what is paused holds its port, and with it what attendees were told
    holds = state != "exited"

    with socket.create_server(("127.0.0.1", 0)) as listens:
        kept = listens.getsockname()[1]
        workspace.home.mkdir(parents=True)
        workspace.save_state(replace(settled_state(workspace), ports={"certificate": kept}))
        found = proxy.up(tmp_path, workshop, everyone, Console())

    assert (found.certificate_port == kept) == holds
    assert proxy.holds_ports(tmp_path) == holds
    assert ("unpause" in told) == (state == "paused")
    assert f"http://:{found.certificate_port} {{" in (workspace.home / "proxy" / "Caddyfile").read_text()
    assert workspace.state().ports["certificate"] == found.certificate_port
    assert (f"port {kept} is taken" in capsys.readouterr().err) != holds


@pytest.mark.parametrize("https", [True, False])
def test_a_seat_whose_port_moves_says_who_has_to_learn_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, https: bool
) -> None:
    monkeypatch.setenv("KRATOSCTL_CACHE_DIR", str(tmp_path / "cache"))
    workshop_file.write(tmp_path, Workshop("class", {"https": https, "bind": "127.0.0.1"}, {"seat-01": "Ada"}))
    _, (seat,) = seats.chosen(tmp_path, (), everybody=True)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        state = State(project="class-seat-01", ports={"public": taken.getsockname()[1]})
        notes = assemble.assemble(seat.environment, seat.workspace, state, None, set(), {}).notes

    assert "is taken" in notes[0]
    assert ("kratosctl workshop up" in " ".join(notes)) == https

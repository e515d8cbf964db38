"""A class whose attendees come by TLS: one proxy before all seats, and a local authority."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import time
from urllib.parse import urlsplit

import pytest
import yaml

from kratosctl.files.workspace import authority
from kratosctl.kratos.api import Client
from tests.e2e import engine, images
from tests.e2e.people import request
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

# an address of this host beside the one where seats listen
ADDRESS = "127.0.0.2"


def ready(directory: Directory) -> dict[str, dict[str, str]]:
    """Brings the class up; the addresses of each seat."""
    rows = directory.run("workshop", "up", "--json").data["seats"]
    assert all(row["ready"] for row in rows), rows
    return {row["seat"]: row["endpoints"] for row in rows}


def proxy_id(directory: Directory) -> str:
    label = f"label=dev.kratosctl.directory={directory.path}"
    return engine.docker(
        "ps", "--quiet", "--filter", label, "--filter", "label=dev.kratosctl.environment=.proxy"
    ).strip()


def listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


@pytest.fixture(scope="module")
def classroom(shared_directory: Directory) -> Directory:
    shared_directory.choose()
    words = ("--seats", "2", "--reach", "tls", "--bind", ADDRESS, "--no-ui", "--mail", "--yes")
    shared_directory.run("workshop", "init", *words)
    return shared_directory


def test_people_sign_in_over_tls_and_cookies_go_no_other_way(classroom: Directory) -> None:
    for seat, urls in ready(classroom).items():
        assert all(url.startswith(f"https://{ADDRESS}:") for url in urls.values())
        steps = classroom.run("verify", seat, "--json").data["steps"]
        assert [step["name"] for step in steps if not step["ok"]] == []
        browser = Client(urls["public"], browser=True, authority=authority(classroom.path))
        assert browser.begin("login").ok
        assert [cookie.secure for cookie in browser.cookies] == [True]
    assert classroom.run("workshop", "up", "--json").data["seats"][0]["changed"] is False


def test_who_comes_in_the_morning_finds_a_certificate_of_the_evening_valid(classroom: Directory) -> None:
    where = urlsplit(ready(classroom)["seat-01"]["public"])
    context = ssl.create_default_context(cafile=authority(classroom.path))
    address = (str(where.hostname), where.port or 0)
    with (
        socket.create_connection(address, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=where.hostname) as secure,
    ):
        found = secure.getpeercert() or {}
    assert ssl.cert_time_to_seconds(str(found["notAfter"])) > time.time() + 24 * 3600


def test_nobody_who_does_not_know_the_authority_takes_the_seats_for_what_they_say(classroom: Directory) -> None:
    public = ready(classroom)["seat-01"]["public"]
    assert "certificate verify failed" in str(Client(public, browser=False).begin("login").body)
    plain = Client(public.replace("https", "http"), browser=False).begin("login")
    assert plain.status == 400, "HTTP where TLS is spoken"


def test_handouts_say_what_to_install_and_how_to_know_it(classroom: Directory) -> None:
    ready(classroom)
    classroom.run("workshop", "handout")
    page = (classroom.path / "handouts" / "seat-01.html").read_text()
    url = re.search(r'href="(http://[^"]+/authority\.crt)"', page)
    assert url
    said = request("GET", url[1])
    assert said.status == 200
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(said.text)).hexdigest().upper()
    shown = re.sub(r"[:\s]", "", re.findall(r"<pre>([0-9A-F:\s]+)</pre>", page)[0])
    assert shown == digest
    for other in ("root.key", "pki/authorities/local/root.key", "authority.crt/../root.key", ""):
        assert request("GET", url[1].replace("authority.crt", other)).status == 404


def test_a_seat_that_comes_later_disturbs_nobody_and_the_authority_outlives_a_night(classroom: Directory) -> None:
    urls, before = ready(classroom), proxy_id(classroom)
    with Client(urls["seat-01"]["public"], browser=False, authority=authority(classroom.path)) as open_all_along:
        assert open_all_along.begin("login").ok
        classroom.run("workshop", "add", "--seats", "1")
        classroom.run("verify", "seat-01")
        assert ready(classroom)["seat-03"]["public"].startswith("https://")
        assert open_all_along.begin("login").ok
    assert proxy_id(classroom) == before
    classroom.run("verify", "seat-03")
    engine.docker("pause", before)
    assert ready(classroom)["seat-01"] == urls["seat-01"]
    assert proxy_id(classroom) == before
    known = authority(classroom.path).read_bytes()
    engine.docker("kill", before)
    warnings = classroom.run("workshop", "status", "--json").envelope["warnings"]
    assert "nobody reaches a seat" in str(warnings)
    assert ready(classroom) == urls | {"seat-03": ready(classroom)["seat-03"]}
    classroom.run("workshop", "down")
    assert "container" not in engine.of_directory(classroom.path)
    assert ready(classroom)["seat-01"] == urls["seat-01"]
    assert authority(classroom.path).read_bytes() == known
    said = classroom.run("workshop", "down", "--volumes", "--yes").err
    assert "the authority that attendees installed is gone" in said
    assert "write the handouts anew" in said
    assert not (classroom.path / ".kratosctl" / ".proxy").exists()


def test_nothing_of_this_host_is_reached_where_a_seat_was_removed_and_who_comes_after_has_its_address(
    directory: Directory,
) -> None:
    directory.choose()
    words = ("--seats", "2", "--reach", "tls", "--bind", ADDRESS, "--no-ui", "--no-mail", "--yes")
    directory.run("workshop", "init", *words)
    urls = ready(directory)
    gone = urlsplit(urls["seat-02"]["public"])

    directory.run("workshop", "remove", "seat-02", "--yes")

    assert engine.until(lambda: not listens(str(gone.hostname), gone.port or 0))
    assert Client(urls["seat-01"]["public"], browser=False, authority=authority(directory.path)).begin("login").ok
    directory.run("workshop", "add", "--seats", "1")
    assert ready(directory) == urls
    directory.run("workshop", "remove", "seat-01", "seat-02", "--yes")
    assert proxy_id(directory) == ""


def test_a_mistake_in_what_a_seat_is_asked_to_be_cuts_nobody_off(directory: Directory) -> None:
    directory.choose()
    words = ("--seats", "2", "--reach", "tls", "--bind", ADDRESS, "--no-ui", "--no-mail", "--yes")
    directory.run("workshop", "init", *words)
    urls = ready(directory)
    (directory.path / "kratosctl.yaml").write_text("environments: {seat-02: {variant: distroless}}\n")

    directory.run("workshop", "up", code=1)

    for seat in urls:
        found = Client(urls[seat]["public"], browser=False, authority=authority(directory.path))
        assert found.begin("login").ok, seat


def test_an_address_where_no_proxy_can_stand_is_refused_before_anything_starts(directory: Directory) -> None:
    directory.choose()
    directory.run("workshop", "init", "--seats", "1", "--reach", "tls", "--bind", "127.0.0.1", "--no-ui", "--yes")

    done = directory.run("workshop", "up", code=33)

    assert "the TLS proxy cannot listen on 127.0.0.1" in done.said
    assert engine.of_directory(directory.path) == {}


def test_seats_that_are_to_be_reached_at_different_addresses_are_refused_before_anything_starts(
    directory: Directory,
) -> None:
    directory.choose()
    directory.run("workshop", "init", "--seats", "2", "--reach", "tls", "--bind", ADDRESS, "--no-ui", "--yes")
    (directory.path / "kratosctl.yaml").write_text("environments: {seat-02: {bind: 127.0.0.3}}\n")

    done = directory.run("workshop", "up", code=33)

    assert "seat-01 and seat-02 are to be reached by TLS at different addresses" in done.said
    assert engine.of_directory(directory.path) == {}


def test_a_seat_that_is_not_to_be_reached_by_tls_is_none_of_the_proxys(directory: Directory) -> None:
    directory.choose()
    directory.run(
        "workshop", "init", "--seats", "2", "--reach", "tls", "--bind", ADDRESS, "--no-ui", "--no-mail", "--yes"
    )
    plain = "{https: false, bind: 127.0.0.1, host: localhost}"
    (directory.path / "kratosctl.yaml").write_text(f"environments: {{seat-01: {plain}}}\n")

    urls = ready(directory)

    assert (urls["seat-01"]["public"][:17], urls["seat-02"]["public"][:8]) == ("http://localhost:", "https://")
    for seat in urls:
        directory.run("verify", seat)
    directory.run("workshop", "handout")
    pages = [(directory.path / "handouts" / f"{seat}.html").read_text() for seat in ("seat-01", "seat-02")]
    assert ["authority.crt" in page for page in pages] == [False, True]


def test_a_seat_can_be_upgraded_and_its_lesson_solved_as_without_tls(directory: Directory) -> None:
    directory.choose("v25.4.0")
    words = ("--seats", "1", "--release", "v25.4.0", "--reach", "tls", "--bind", ADDRESS, "--no-mail", "--yes")
    directory.run("workshop", "init", *words)
    ui = ready(directory)["seat-01"]["ui"]

    directory.run("upgrade", "seat-01", "--to", images.NEWEST, "--kratos-image", images.kratos(images.NEWEST))
    assert directory.status("seat-01")["release"] == images.NEWEST

    directory.choose()
    directory.run("lesson", "start", "no-way-back", "seat-01")
    assert directory.run("lesson", "check", "seat-01", "--json", code=1).envelope["data"]["solved"] is False
    file = directory.path / "kratos" / "kratos.yml"
    content = yaml.safe_load(file.read_text())
    content["selfservice"]["allowed_return_urls"] = [ui]
    file.write_text(yaml.safe_dump(content))
    directory.run("restart", "seat-01", "kratos")
    assert directory.run("lesson", "check", "seat-01", "--json").data["solved"] is True

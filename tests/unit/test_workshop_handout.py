"""Handouts: a page for each, all to print, an index; names are text whatever they hold."""

from __future__ import annotations

import dataclasses
import datetime
import re
from html.parser import HTMLParser

import pytest

from kratosctl.answers import workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.errors import NameInvalid
from kratosctl.stack.inbox import Login
from kratosctl.workshop import handout
from kratosctl.workshop.handout import Sheet

EVIL = "<script>alert('x')</script>\" onload=\"y"
URLS = {"ui": "http://192.168.1.5:4555", "mail": "http://192.168.1.5:8125", "public": "http://192.168.1.5:4533"}


def sheet(seat: str = "seat-01", attendee: str = "Ada", here: str = "") -> Sheet:
    return Sheet(seat, attendee, URLS, "v26.2.0", True, here)


class Text(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_each_attendee_has_a_page_with_their_addresses_and_a_code_to_scan() -> None:
    pages = handout.render(Workshop("class"), [sheet(), sheet("seat-02", "")])

    assert set(pages) == {"seat-01.html", "seat-02.html", "all.html", "index.html"}
    page = Text(pages["seat-01.html"])
    assert set(URLS.values()) <= set(page.links)
    assert "svg" in page.tags
    assert "Ada" in page.text
    assert "curl http://192.168.1.5:4533/health/ready" in page.text


def test_all_of_them_are_on_the_page_to_print_one_sheet_each() -> None:
    pages = handout.render(Workshop("class"), [sheet(f"seat-{number:02d}", f"N{number}") for number in range(1, 31)])

    assert Text(pages["all.html"]).tags.count("article") == 30
    assert [link for link in Text(pages["index.html"]).links if link.startswith("seat-")] == [
        f"seat-{number:02d}.html" for number in range(1, 31)
    ]


def test_no_seat_has_the_name_of_a_page_that_is_for_the_whole_class() -> None:
    own = handout.render(Workshop("class"), [sheet()]).keys() - {"seat-01.html"}

    for name in (*(page.removesuffix(".html") for page in own), handout.DIRECTORY):
        with pytest.raises(NameInvalid, match=f"workshop.yaml:1:10: no seat can be called '{name}'"):
            workshop_file.parse(f"seats: {{ {name}: Ada }}\n")


def test_what_a_name_holds_is_text() -> None:
    for page in handout.render(Workshop(EVIL), [sheet(attendee=EVIL)]).values():
        found = Text(page)
        assert "script" not in found.tags
        assert "alert('x')" in found.text


def test_a_page_needs_nothing_from_elsewhere() -> None:
    pages = handout.render(Workshop("class"), [sheet()])

    assert not [link for page in pages.values() for link in Text(page).links if link not in URLS.values()
                and not re.fullmatch(r"[a-z0-9-]+\.html", link)]  # fmt: skip
    assert not re.search(r"url\(|@import", "".join(pages.values()))


def test_who_sits_at_the_host_is_shown_its_commands_and_others_are_not() -> None:
    workshop = Workshop("class", ends=datetime.datetime(2026, 12, 1, 17, 30))

    here = Text(handout.render(workshop, [sheet(here="/home/ada/my class")])["seat-01.html"]).text
    there = Text(handout.render(workshop, [sheet()])["seat-01.html"]).text

    assert "kratosctl -C '/home/ada/my class' logs seat-01" in here
    assert "kratosctl" not in there
    assert "until 17:30 on 01 December" in there


def test_the_inbox_is_shown_with_its_name_and_password_and_says_who_else_can_read_it() -> None:
    asks = dataclasses.replace(sheet(), login=Login("seat-01", "kq4x-9mzt-<&>"))
    tls = dataclasses.replace(asks, urls={name: url.replace("http", "https") for name, url in URLS.items()})

    page, open_one, secure = (Text(handout.render(Workshop("class"), [one])["seat-01.html"]).text
                              for one in (asks, sheet(), tls))  # fmt: skip

    assert f"{URLS['mail']}user name seat-01, password kq4x-9mzt-<&>" in page
    assert "whoever listens in this network" in page
    assert "whoever listens in this network" not in secure
    assert "password kq4x" not in open_one
    assert "Whoever opens the address of your inbox can read it" in open_one
    assert "kq4x" not in handout.render(Workshop("class"), [asks])["index.html"]


def test_an_admin_api_that_its_attendee_reaches_is_named_with_its_risk_and_no_other_is() -> None:
    admin = "http://192.168.1.5:4534"
    reached = dataclasses.replace(sheet(), urls={**URLS, "admin": admin})

    page, without = (handout.render(Workshop("class"), [one])["seat-01.html"] for one in (reached, sheet()))

    assert admin in Text(page).links
    assert "asks nobody who they are" in Text(page).text
    assert "admin" not in without.lower()

"""A board that is served, and what a page asks of it."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.e2e import engine, images, people
from tests.e2e.program import Directory


def workshop(directory: Directory, seats: Mapping[str, str]) -> None:
    """Writes a workshop.yaml with these seats, on SQLite without UI and mail."""
    answers = {
        "release": images.NEWEST,
        "kratos_image": images.kratos(),
        "database": "sqlite",
        "ui": False,
        "mail": False,
    }
    lines = [f"  {seat}: {json.dumps(who) if who else ''}\n" for seat, who in seats.items()]
    text = f"name: the class\nenvironment: {json.dumps(answers)}\nseats:\n{''.join(lines)}"
    (directory.path / "workshop.yaml").write_text(text)


@dataclass
class Board:
    """A board, as a browser that has opened its address sees it.

    Attributes:
        url: the address that it printed.
        cookie: what it gave for that.
        token: what it gave beside that, and its page sends with each act.
    """

    url: str
    cookie: str = ""
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> str:
        return self.url.partition("/?")[0]

    @property
    def port(self) -> int:
        return int(urlsplit(self.url).port or 0)

    def enter(self) -> None:
        """Opens the address, and then the page behind it."""
        entered = people.request("GET", self.url)
        assert entered.status == 200, entered.text
        self.cookie = str(entered.headers["Set-Cookie"]).split(";")[0]
        (self.token,) = re.findall(r'name="token" content="([^"]+)"', entered.text)
        page = self.get("/")
        assert page.status == 200, page.text

    def get(self, path: str, **headers: str) -> people.Answer:
        return people.request("GET", self.root + path, headers={"Cookie": self.cookie, **headers})

    def act(self, seat: str, doing: str, **changed: str) -> people.Answer:
        """Asks for an act, as the page does unless headers are changed."""
        headers = {"Cookie": self.cookie, "Origin": self.root, "X-Kratosctl-Token": self.token, **changed}
        return people.request("POST", f"{self.root}/api/seats/{seat}/{doing}", headers=headers)

    def data(self) -> dict[str, Any]:
        answer = self.get("/api/seats")
        assert answer.status == 200, answer.text
        return dict(answer.json())

    def seat(self, name: str) -> dict[str, Any]:
        """What is told of one seat."""
        (found,) = [seat for seat in self.data()["seats"] if seat["seat"] == name]
        return dict(found)

    def until(self, seat: str, **wanted: Any) -> dict[str, Any]:
        """Waits until so much is told of a seat."""

        def fits() -> dict[str, Any]:
            found = self.seat(seat)
            return found if all(found[key] == value for key, value in wanted.items()) else {}

        return engine.until(fits, 30, f"{seat}: {wanted}")

    def done(self, seat: str) -> dict[str, Any]:
        """Waits until the act at a seat has ended, and returns it."""

        def ended() -> dict[str, Any]:
            act = self.seat(seat)["act"]
            return dict(act) if act and act["seconds"] is not None else {}

        return engine.until(ended, 30, f"the act at {seat}")


@contextlib.contextmanager
def served(directory: Directory, *words: str) -> Iterator[Board]:
    """A board of a directory, entered, and ended with Ctrl-C."""
    process = directory.start("workshop", "board", "--no-open", "--json", "--port", "0", *words)
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while lines[-1:] != ["}\n"]:
            line = process.stdout.readline()
            assert line, process.communicate()
            lines.append(line)
        board = Board(json.loads("".join(lines))["data"]["url"])
        board.enter()
        yield board
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)

"""The page of a board, in a browser."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.states import STATES
from kratosctl.workshop.board import Board
from kratosctl.workshop.seen import Picture, Seen
from kratosctl.workshop.watch import Watch
from tests.e2e import boards, chromium, engine, people
from tests.e2e.chromium import Page
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><b>Eve</b>"
CARD = "[...document.querySelectorAll('.seat')].find(card => card.innerText.includes('{seat}'))"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A browser. Without one these tests cannot say anything: with CI=true that is a failure."""
    if not chromium.program():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no Chromium: scripts/engine browser")
    with chromium.page(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def classroom(shared_directory: Directory) -> Directory:
    boards.workshop(shared_directory, {"seat-01": HOSTILE, "seat-02": "Grace Hopper"})
    shared_directory.run("workshop", "up")
    return shared_directory


def card(seat: str) -> str:
    return CARD.format(seat=seat)


def press(page: Page, seat: str, button: str) -> None:
    page.run(f"[...{card(seat)}.querySelectorAll('button')].find(one => one.innerText == '{button}').click()")


def test_a_seat_that_dies_is_seen_and_healed_and_another_reset_in_one_page(classroom: Directory, page: Page) -> None:
    with boards.served(classroom) as board:
        page.open(board.url)
        page.until("document.querySelectorAll('.seat[data-state=ready]').length == 2")
        assert page.run("location.href") == f"{board.root}/"

        kratos = running.find(classroom.path, "seat-02").running("kratos")
        engine.docker("kill", kratos.name)
        page.until(f"{card('seat-02')}.dataset.state == 'broken'", 15)
        assert "kratos was killed" in page.run(f"{card('seat-02')}.innerText")
        assert page.run("document.querySelector('.seat .name').innerText") == "seat-02"
        assert "Grace Hopper" in page.run("document.getElementById('news').textContent")
        press(page, "seat-02", "Restart")
        page.until(f"{card('seat-02')}.dataset.state == 'ready'")

        people.sign_up(str(board.seat("seat-01")["address"]), "eve@example.org")
        page.until(f"{card('seat-01')}.innerText.includes('1 identity')", 15)
        press(page, "seat-01", "Reset")
        assert page.run("document.getElementById('ask').open")
        assert "snapshot restore --undo --env seat-01" in page.run("document.getElementById('ask').innerText")
        page.run("document.querySelector('#ask button').click()")
        assert page.run("fetch('/api/seats').then(a => a.json()).then(d => d.seats[0].act)") is None
        press(page, "seat-01", "Reset")
        page.run("document.getElementById('ask-yes').click()")
        page.until(f"{card('seat-01')}.innerText.includes('0 identities')")

        press(page, "seat-02", "Log")
        page.until("document.getElementById('log-text').innerText.includes('level=info')")
        page.run("document.getElementById('log').close()")

        assert page.run(f"{card('seat-01')}.querySelector('.who').textContent") == HOSTILE
        assert page.run("document.querySelectorAll('.seat img, .seat b > b').length") == 0
        assert "owned" not in page.run("document.title")
    page.until("!document.getElementById('problem').hidden", 10)
    assert "does not answer" in page.run("document.getElementById('problem').innerText")


def test_a_page_acts_with_the_printed_key_also_when_it_is_read_again_and_without_it_says_so(
    classroom: Directory, page: Page
) -> None:
    restarting = "fetch('/api/seats').then(a => a.json()).then(d => d.seats[1].act)"
    with boards.served(classroom) as board:
        page.open(board.url)
        page.until("document.querySelectorAll('.seat[data-state=ready]').length == 2")
        assert "key=" not in page.run("location.href + document.documentElement.outerHTML")

        page.call("Page.reload")
        page.until("document.querySelectorAll('.seat[data-state=ready]').length == 2")
        press(page, "seat-02", "Restart")
        page.until(f"{restarting}.then(act => act && act.seconds !== null && act.error === null)")

        # another tab, in which the address without the key is opened
        page.run("sessionStorage.clear()")
        page.open(f"{board.root}/")
        page.until("document.querySelectorAll('.seat[data-state=ready]').length == 2")
        began = page.run(restarting)
        for button in ("Restart", "Reset"):
            press(page, "seat-02", button)
            page.until(f"{card('seat-02')}.innerText.includes('{button} failed: this page was opened without')", 5)
        time.sleep(2.5)  # it stays while the page follows the seats
        assert "open the address that kratosctl workshop board printed" in page.run(f"{card('seat-02')}.innerText")
        assert page.run(restarting) == began

        page.open(board.url)
        page.until("document.querySelectorAll('.seat[data-state=ready]').length == 2")
        press(page, "seat-02", "Restart")
        page.until(f"{restarting}.then(act => act.began !== '{began['began']}')")
        page.until(f"{card('seat-02')}.dataset.state == 'ready'")


def seats(number: int) -> tuple[Seen, ...]:
    """Seats in every state, with names and errors of every length."""
    found = []
    for at in range(number):
        state = STATES[at % 5] if at % 4 == 0 else "ready"
        error = "Unable to reach postgres: connection refused " * (at % 3) if state == "broken" else ""
        who = "Maximiliane von Hohenzollern-Sigmaringen" if at % 6 == 0 else f"Attendee {at}"
        found.append(Seen(f"seat-{at + 1:02d}", who, state, "v26.2.0", "sqlite", at, error, address=f"http://h:{at}"))
    return tuple(found)


def test_what_is_to_be_said_of_the_whole_class_is_shown_while_it_holds(classroom: Directory, page: Page) -> None:
    warnings: list[str] = []
    board = Board(classroom.path, 0)
    board.watch = Watch(lambda: Picture("class", None, seats(3), warnings=tuple(warnings)), dict, every=0.1)
    threading.Thread(target=board.serve, daemon=True).start()
    try:
        page.open(board.url(board.door.key))
        page.until("document.querySelectorAll('.seat').length == 3")
        assert page.run("document.getElementById('warnings').hidden")

        warnings.append("the TLS proxy does not run: <b>nobody</b> comes in")
        page.until("!document.getElementById('warnings').hidden", 10)
        said = page.run("document.getElementById('warnings').innerText")
        warnings.clear()
        page.until("document.getElementById('warnings').hidden", 10)
    finally:
        board.shutdown()

    assert said == "The TLS proxy does not run: <b>nobody</b> comes in."


@pytest.mark.parametrize("number", [30, 100])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_many_seats_stay_readable_light_and_dark(
    classroom: Directory, page: Page, tmp_path: Path, number: int, width: int, height: int
) -> None:
    board = Board(classroom.path, 0)
    board.watch = Watch(lambda: Picture("class", None, seats(number)), dict)
    threading.Thread(target=board.serve, daemon=True).start()
    try:
        for dark in (False, True):
            page.open(board.url(board.door.key), width, height, dark)
            page.until(f"document.querySelectorAll('.seat').length == {number}")

            assert page.run("document.documentElement.scrollWidth") <= width
            # nothing that tells which seat it is, or how it is, is cut off or hidden
            cut = "e => e.clientWidth && e.scrollWidth > e.clientWidth + 1"
            assert page.run(f"[...document.querySelectorAll('.name, .word')].filter({cut}).length") == 0
            assert page.run("[...document.querySelectorAll('.word')].every(e => e.offsetHeight >= 14)")
            assert page.run("document.querySelectorAll('.seat svg').length") == number
            address = "[...document.querySelectorAll('.seat a')].filter(a => a.offsetWidth && a.href == 'http://h:7/')"
            assert page.run(f"{address}.length") == 1
            assert page.run(_FAINTEST) >= 4.5
            order = page.run("[...document.querySelectorAll('.seat')].map(e => e.dataset.state)")
            assert order == sorted(order, key=STATES.index)
            page.run(
                "const f = document.getElementById('filter'); f.value = 'seat-07'; f.dispatchEvent(new Event('input'))"
            )
            assert page.run("document.querySelectorAll('.seat').length") == 1
            page.picture(tmp_path / f"{number}-{width}-{dark}.png")
    finally:
        board.shutdown()


# the least contrast between a text of a seat and what is behind it, as WCAG 2 counts it
_FAINTEST = """(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = parts(colour).slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if ((parts(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const kinds = ".word, .name, .who, .facts *, .error, .since, .people, .links a, dt, dd, h1";
  const texts = [...document.querySelectorAll(kinds)];
  return Math.min(...texts.filter((node) => node.offsetWidth).map((node) => {
    const [a, b] = [light(getComputedStyle(node).color), light(behind(node))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
})()"""

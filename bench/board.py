"""Measures what a board costs: the processor time of `kratosctl workshop board` with one page that follows it.

    python bench/board.py --kratos-image oryd/kratos:v26.2.0 --seats 30 --seconds 60

The page asks as the board's own does: each answer comes once something is new. Beside it stands dockerd's share,
with the board and without: it runs the health checks of all seats.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil

MOST = 5.0  # percent of one core


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kratos-image", default="oryd/kratos:v26.2.0")
    for flag in ("--postgres-image", "--rounds"):
        parser.add_argument(flag, help="not used here; taken so that all benches take the same flags")
    parser.add_argument("--seats", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-board-") as directory:
        seats = "".join(f"  seat-{number:03d}: Attendee {number}\n" for number in range(1, asked.seats + 1))
        answers = f"{{kratos_image: {asked.kratos_image}, database: sqlite, ui: false, mail: false}}"
        (Path(directory) / "workshop.yaml").write_text(f"name: bench\nenvironment: {answers}\nseats:\n{seats}")
        try:
            run(directory, "workshop", "up")
            alone = engine_alone(asked.seconds)
            percent, engine, looks = measured(directory, asked.seconds)
        finally:
            run(directory, "workshop", "down", "--volumes", "--yes")
    print(f"| seats | board, % of one core | engine, % | engine without it, % | answers in {asked.seconds:g} s |")
    print("|---|---|---|---|---|")
    print(f"| {asked.seats} | {percent:.2f} | {engine:.1f} | {alone:.1f} | {looks} |")
    if percent >= MOST:
        sys.exit(f"the board takes {percent:.2f} % of one core, not under {MOST:g} %")


def measured(directory: str, seconds: float) -> tuple[float, float, int]:
    """Percent of one core of the board and of dockerd, and how many answers the page had."""
    board = subprocess.Popen(
        [*kratosctl(directory), "workshop", "board", "--port", "0", "--no-open", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    answers = [0]
    try:
        threading.Thread(target=follow, args=(url_of(board), answers), daemon=True).start()
        # the first look asks every seat everything
        time.sleep(10)
        found = psutil.Process(board.pid)
        before, theirs, counted = spent(found), sum(map(spent, engines())), answers[0]
        time.sleep(seconds)
        own, engine = spent(found) - before, sum(map(spent, engines())) - theirs
        return own / seconds * 100, engine / seconds * 100, answers[0] - counted
    finally:
        board.terminate()
        board.wait()


def engine_alone(seconds: float) -> float:
    """Percent of one core that dockerd takes while nobody looks at the seats."""
    time.sleep(5)
    before = sum(map(spent, engines()))
    time.sleep(seconds)
    return (sum(map(spent, engines())) - before) / seconds * 100


def engines() -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if process.name() == "dockerd"]


def spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def url_of(board: subprocess.Popen[str]) -> str:
    """The address in the envelope that the board prints."""
    assert board.stdout is not None
    lines = []
    for line in board.stdout:
        lines.append(line)
        if line.rstrip() == "}":
            break
    return str(json.loads("".join(lines))["data"]["url"])


def follow(url: str, answers: list[int]) -> None:
    """Opens the board, and asks for the seats as its page does."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.request("GET", f"/?{parts.query}")
    entered = connection.getresponse()
    entered.read()
    cookie, tag = (entered.headers["Set-Cookie"] or "").split(";")[0], ""
    # until the board is ended
    with contextlib.suppress(OSError, http.client.HTTPException):
        while True:
            asking = {"Cookie": cookie, "If-None-Match": tag, "Prefer": "wait=20"}
            connection.request("GET", "/api/seats", headers=asking)
            answer = connection.getresponse()
            answer.read()
            tag = answer.headers["ETag"]
            answers[0] += 1
            time.sleep(0.3)


def kratosctl(directory: str) -> list[str]:
    return [sys.executable, "-m", "kratosctl", "--directory", directory]


def run(directory: str, *words: str) -> None:
    subprocess.run([*kratosctl(directory), *words], check=True, stdout=subprocess.DEVNULL, env=os.environ)


if __name__ == "__main__":
    main()

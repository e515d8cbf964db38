"""Times sign-ins at the seats of a class while attendees hammer another one, against the same when nobody does.

    python bench/neighbours.py --kratos-image oryd/kratos:v26.2.0 --rounds 3

Those who hammer are sixteen processes that sign in at one seat, again and again. They run on this host and take from
it what in a class their own machines would.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import row
from workshop import Class

from kratosctl.kratos.api import Client

SEATS, HAMMERING, SIGN_INS = 4, 16, 5
_PERSON, _PASSWORD = "someone@example.org", "a-password-of-the-bench-7"


def sign_up(public: str) -> None:
    with Client(public, browser=False) as client:
        flow = client.begin("registration").body
        done = client.submit(flow, {"method": "password", "password": _PASSWORD, "traits": {"email": _PERSON}})
        assert done.ok, done.messages


def sign_in(public: str) -> float:
    """Seconds of one sign-in, by the flow of an app."""
    with Client(public, browser=False) as client:
        began = time.monotonic()
        flow = client.begin("login").body
        done = client.submit(flow, {"method": "password", "password": _PASSWORD, "identifier": _PERSON})
        assert done.ok, done.messages
        return time.monotonic() - began


def _hammer(public: str, stop: Event) -> None:
    while not stop.is_set():
        # a seat that is overrun may refuse: that is its own affair
        with contextlib.suppress(AssertionError, KeyError, TypeError):
            sign_in(public)


@contextlib.contextmanager
def hammered(public: str) -> Iterator[None]:
    stop = multiprocessing.Event()
    processes = [multiprocessing.Process(target=_hammer, args=(public, stop)) for _ in range(HAMMERING)]
    for process in processes:
        process.start()
    time.sleep(1)
    try:
        yield
    finally:
        stop.set()
        for process in processes:
            process.join()


def measure(image: str, rounds: int, scratch: Path) -> tuple[list[float], list[float]]:
    """The sign-ins when nobody hammers, and while somebody does."""
    ours = Class(SEATS, image, scratch)
    ours.up()
    first, *others = [f"http://localhost:{port}" for port in ours.ports()]
    for public in (first, *others):
        sign_up(public)
    idle, busy = [], []
    for _ in range(rounds):
        idle += [sign_in(public) for public in others for _ in range(SIGN_INS)]
        with hammered(first):
            busy += [sign_in(public) for public in others for _ in range(SIGN_INS)]
    ours.run("down", "--volumes", "--yes")
    return idle, busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kratos-image", default="oryd/kratos:v26.2.0")
    parser.add_argument("--postgres-image", help="not used here; taken so that all benches take the same flags")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kratosctl-bench-") as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        idle, busy = measure(arguments.kratos_image, arguments.rounds, scratch)
    print(f"Kratos {arguments.kratos_image}, {arguments.rounds} rounds, medians in seconds\n")
    print("| | nobody hammers, s | one seat hammered, s | min to max | ratio | at most | met |")
    print("|---|---|---|---|---|---|---|")
    print(row("sign-in at another seat", busy, idle, "2 x", lambda _, r: r <= 2))
    slow = statistics.quantiles(busy, n=10)[-1], statistics.quantiles(idle, n=10)[-1]
    print(f"\nnine of ten within {slow[0]:.2f} s, without hammering within {slow[1]:.2f} s")


if __name__ == "__main__":
    main()

"""Times Kratos as a test fixture: resets against the quickstart's `down -v` and `up`, second starts, snapshots.

    python bench/testing.py --kratos-image oryd/kratos:v26.2.0 --postgres-image postgres:15 --rounds 5

After each reset somebody new signs in, and whoever was there before cannot: a fast wrong reset ends the run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import Kratosctl, Quickstart

from kratosctl.errors import KratosRefused
from kratosctl.kratos.api import Admin
from kratosctl.running import find as found_in
from kratosctl.snapshots import live
from kratosctl.testing import Kratos, kratos

Outcome = TypeVar("Outcome")
RESETS = 10
IDENTITIES = 10_000
BATCH = 500


@dataclass
class Found:
    """Figures by name, each a list of seconds."""

    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, figure: str, action: Callable[[], Outcome]) -> Outcome:
        """Times an action, and returns what it returned."""
        began = time.monotonic()
        outcome = action()
        self.figures.setdefault(figure, []).append(time.monotonic() - began)
        return outcome

    def median(self, figure: str) -> float:
        return statistics.median(self.figures[figure])


def prove(k: Kratos, before: str) -> None:
    """Ends the run where Kratos is not as new: somebody of before is known, or nobody new can sign in."""
    with contextlib.suppress(KratosRefused):
        k.session_token(before, "of before")
        sys.exit(f"{before} is still known after the reset")
    if not k.session_token(k.create_identity("new@example.org")):
        sys.exit("nobody can sign in after the reset")


def resets(k: Kratos, found: Found) -> None:
    for number in range(RESETS):
        before = f"before-{number}@example.org"
        k.session_token(k.create_identity(before, password="of before"))
        found.note("reset", k.reset)
        prove(k, before)


@contextlib.contextmanager
def cached(directory: Path) -> Iterator[None]:
    """Templates go to a directory, and are all there is of them."""
    kept = os.environ.get("KRATOSCTL_CACHE_DIR")
    os.environ["KRATOSCTL_CACHE_DIR"] = str(directory)
    try:
        yield
    finally:
        os.environ.pop("KRATOSCTL_CACHE_DIR")
        if kept:
            os.environ["KRATOSCTL_CACHE_DIR"] = kept


def measure(database: str, images: dict[str, str], rounds: int, scratch: Path) -> Found:
    """One database: both sides in turn."""
    found = Found()
    theirs = Quickstart(database, images, scratch)
    asked: dict[str, Any] = {
        "database": database,
        "kratos_image": images["kratos"],
        "postgres_image": images["postgres"],
    }
    theirs.up()
    for number in range(rounds):
        found.note("quickstart", lambda: again(theirs))
        with cached(scratch / f"cache-{database}-{number}"):
            for figure in ("first", "second"):
                with contextlib.ExitStack() as running:
                    k = found.note(figure, lambda: running.enter_context(kratos(**asked, mail=False)))
                    resets(k, found)
        print(f"{database}: round {number + 1} of {rounds}", file=sys.stderr)
    theirs.remove()
    shutil.rmtree(scratch / "quickstart")
    return found


def again(theirs: Quickstart) -> None:
    """The quickstart's reset."""
    theirs.remove()
    theirs.up()


def measure_commands(database: str, images: dict[str, str], rounds: int, scratch: Path) -> Found:
    """`reset` as a whole process; `snapshot save` and `restore` with many identities."""
    found = Found()
    ours = Kratosctl(database, images, scratch)
    ours.up()
    try:
        for _ in range(rounds):
            found.note("reset command", lambda: ours.run("reset", "--quiet"))
        there = found_in(ours.directory, "dev")
        fill(Admin(there.admin_url()))
        for number in range(rounds):
            found.note("save", lambda number=number: ours.run("snapshot", "save", f"s{number}", "--quiet"))
            ours.run("reset", "--quiet")
            found.note("restore", lambda number=number: ours.run("snapshot", "restore", f"s{number}", "--quiet"))
            if live.of(there, database).facts().identities != IDENTITIES:
                sys.exit("restore did not bring everybody back")
    finally:
        ours.remove()
    return found


def fill(admin: Admin) -> None:
    """Makes identities without passwords: what is timed is the database."""
    for first in range(0, IDENTITIES, BATCH):
        people = range(first, first + BATCH)
        done = admin.create_many([b'{"schema_id":"default","traits":{"email":"p%d@example.org"}}' % n for n in people])
        if not done.ok:
            sys.exit(f"identities were not made: {done.messages}")


def row(name: str, found: Found, figure: str, base: str, limits: tuple[float, float]) -> str:
    """One line of the table. A limit of 0 is none.

    Args:
        name: what it shows.
        found: the figures.
        figure: what is measured.
        base: what it is compared with; empty for nothing.
        limits: at most so many seconds, and so many times the base.
    """
    ours, theirs = found.median(figure), found.median(base) if base else 0.0
    ratio = ours / theirs if theirs else 0.0
    met = (not limits[0] or ours <= limits[0]) and (not limits[1] or ratio <= limits[1])
    spread = f"{min(found.figures[figure]) * 1000:.0f} to {max(found.figures[figure]) * 1000:.0f}"
    wanted = " and ".join(
        part
        for part in (f"{limits[0] * 1000:.0f} ms" if limits[0] else "", f"{limits[1]} x" if limits[1] else "")
        if part
    )
    compared, times = (f"{theirs * 1000:.0f}", f"{ratio:.3f} x") if base else ("", "")
    return f"| {name} | {compared} | {ours * 1000:.0f} | {spread} | {times} | {wanted} | {'yes' if met else 'NO'} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kratos-image", default="oryd/kratos:v26.2.0")
    parser.add_argument("--postgres-image", default="postgres:17")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", choices=("sqlite", "postgres"), action="append")
    arguments = parser.parse_args()
    images = {"kratos": arguments.kratos_image, "postgres": arguments.postgres_image}
    lines = [
        "| | compared with, ms | kratosctl, ms | min to max | ratio | at most | met |",
        "|---|---|---|---|---|---|---|",
    ]
    limits = {"sqlite": ((0.02, 0.02), 0.5), "postgres": ((0.15, 0.05), 2.0)}
    with tempfile.TemporaryDirectory(prefix="kratosctl-bench-") as scratch:
        Path(scratch).chmod(0o755)
        for database in arguments.database or ("sqlite", "postgres"):
            of_reset, of_snapshot = limits[database]
            found = measure(database, images, arguments.rounds, Path(scratch))
            lines.append(
                row(f"{database}: reset in a fixture, quickstart's down -v, up", found, "reset", "quickstart", of_reset)
            )
            lines.append(row(f"{database}: second environment, the first", found, "second", "first", (0, 0.6)))
            found = measure_commands(database, images, arguments.rounds, Path(scratch))
            lines.append(row(f"{database}: kratosctl reset, whole process", found, "reset command", "", (0.4, 0)))
            for figure in ("save", "restore"):
                name = f"{database}: snapshot {figure}, {IDENTITIES} identities"
                lines.append(row(name, found, figure, "", (of_snapshot, 0)))
    print(f"Kratos {arguments.kratos_image}, {arguments.rounds} rounds, {RESETS} resets in each start, medians\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

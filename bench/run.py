"""Times kratosctl against the shape of Ory's quickstart: both sides in one run, in turn, medians and ratios.

    python bench/run.py --kratos-image oryd/kratos:v26.2.0 --postgres-image postgres:15 --rounds 7

Each side is timed from its command's start until Kratos' /health/ready answers 200, for which it is asked every 10 ms.
`docker compose up -d` returns before that, `kratosctl up` after, which has a row of its own:
on PostgreSQL the first one keeps a template once Kratos is ready and its addresses are printed.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
PORT = 14433


class Quickstart:
    """Ory's shape, driven by docker compose."""

    def __init__(self, database: str, images: dict[str, str], scratch: Path) -> None:
        configuration = scratch / "quickstart"
        shutil.copytree(HERE.parent / "configs" / "email-password", configuration)
        shutil.copy(HERE / "quickstart" / "addresses.yml", configuration)
        configuration.chmod(0o755)
        self.command = ["docker", "compose", "--file", str(HERE / "quickstart" / f"{database}.yaml")]
        self.environment = os.environ | {
            "BENCH_PROJECT": f"bench-quickstart-{database}",
            "BENCH_CONFIG": str(configuration),
            "BENCH_PORT": str(PORT),
            "KRATOS_IMAGE": images["kratos"],
            "POSTGRES_IMAGE": images["postgres"],
        }

    def compose(self, *words: str) -> None:
        run([*self.command, *words], self.environment)

    def up(self) -> float:
        return to_ready([*self.command, "up", "--detach"], self.environment, PORT)

    def again(self) -> None:
        self.compose("up", "--detach")

    def down(self) -> None:
        self.compose("down")

    def remove(self) -> None:
        self.compose("down", "--volumes")


class Kratosctl:
    """The same through kratosctl."""

    def __init__(self, database: str, images: dict[str, str], scratch: Path) -> None:
        self.directory = scratch / f"kratosctl-{database}"
        self.directory.mkdir()
        self.cache = scratch / "cache"
        self.command = [kratosctl()]
        self.where = ["--directory", str(self.directory)]
        self.environment = os.environ | {
            "KRATOSCTL_CACHE_DIR": str(self.cache),
            "KRATOSCTL_KRATOS_IMAGE": images["kratos"],
            "KRATOSCTL_POSTGRES_IMAGE": images["postgres"],
        }
        self.flags = [
            "--database",
            database,
            "--no-ui",
            "--no-mail",
            "--public-port",
            str(PORT + 1),
            "--yes",
            "--quiet",
        ]

    def run(self, *words: str) -> None:
        run([*self.command, *words, *self.where], self.environment)

    def up(self) -> float:
        return to_ready([*self.command, "up", *self.flags, *self.where], self.environment, PORT + 1)

    def again(self) -> None:
        self.run("up", *self.flags)

    def down(self) -> None:
        self.run("down", "--quiet")

    def remove(self) -> None:
        self.run("down", "--volumes", "--yes", "--quiet")
        shutil.rmtree(self.directory)
        self.directory.mkdir()

    def forget_templates(self) -> None:
        shutil.rmtree(self.cache, ignore_errors=True)

    def status(self) -> None:
        self.run("status", "--quiet")


def kratosctl() -> str:
    """The console script beside this Python."""
    return str(Path(sys.executable).with_name("kratosctl"))


def run(words: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(words, env=environment, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr.decode()[-2000:]}")


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def to_ready(words: list[str], environment: dict[str, str], port: int) -> float:
    """Runs a command to its end, and returns the seconds from its start until Kratos was ready."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        while not is_ready(port):
            if process.poll():
                said.seek(0)
                sys.exit(f"{' '.join(words)}: exit {process.returncode}\n{said.read().decode()[-2000:]}")
            time.sleep(0.01)
        taken = time.monotonic() - began
        process.wait()
    return taken


def seconds(action: Callable[[], None]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def measure(database: str, images: dict[str, str], rounds: int, scratch: Path) -> dict[str, list[float]]:
    """One database: every figure of both sides, in turn."""
    theirs, ours = Quickstart(database, images, scratch), Kratosctl(database, images, scratch)
    found: dict[str, list[float]] = {}

    def note(figure: str, action: Callable[[], None]) -> None:
        found.setdefault(figure, []).append(seconds(action))

    def note_ready(figure: str, up: Callable[[], float]) -> None:
        began = time.monotonic()
        found.setdefault(figure, []).append(up())
        found.setdefault(f"{figure}, returned", []).append(time.monotonic() - began)

    for number in range(rounds + 1):
        if number == 1:
            found.clear()  # the first round warms the page cache
        ours.forget_templates()
        note_ready("cold, quickstart", theirs.up)
        note_ready("cold, kratosctl", ours.up)
        note("no-op, quickstart", theirs.again)
        note("no-op, kratosctl", ours.again)
        note("status", ours.status)
        theirs.down()
        ours.down()
        note_ready("after down, quickstart", theirs.up)
        note_ready("after down, kratosctl", ours.up)
        ours.remove()
        note_ready("cold, template cached", ours.up)
        theirs.remove()
        ours.remove()
        print(f"{database}: round {number} of {rounds}", file=sys.stderr)
    shutil.rmtree(scratch / "quickstart")
    return found


def measure_start(rounds: int) -> dict[str, list[float]]:
    """The start of the command line itself."""
    completing = os.environ | {
        "_KRATOSCTL_COMPLETE": "bash_complete",
        "COMP_WORDS": "kratosctl up --da",
        "COMP_CWORD": "2",
    }
    found: dict[str, list[float]] = {}
    for number in range(3 * rounds + 1):
        for figure, words, environment in (
            ("docker compose version", ["docker", "compose", "version"], None),
            ("--version", [kratosctl(), "--version"], None),
            ("--help", [kratosctl(), "--help"], None),
            ("completion", [kratosctl()], completing),
        ):
            taken = seconds(lambda words=words, environment=environment: run(words, environment))  # type: ignore[misc]
            if number:
                found.setdefault(figure, []).append(taken)
    return found


def row(
    name: str, ours: list[float], theirs: list[float] | None, target: str, limit: Callable[[float, float], bool]
) -> str:
    median = statistics.median(ours)
    base = statistics.median(theirs) if theirs else 0.0
    ratio = f"{median / base:.2f} x" if theirs else ""
    met = "" if not target else "yes" if limit(median, median / base if theirs else 0.0) else "NO"
    spread = f"{min(ours):.2f} to {max(ours):.2f}"
    return f"| {name} | {base:.2f} | {median:.2f} | {spread} | {ratio} | {target} | {met} |"


def report(database: str, found: dict[str, list[float]]) -> list[str]:
    cold, warm, again = (found[f"{name}, quickstart"] for name in ("cold", "after down", "no-op"))
    return [
        row(f"{database}: cold", found["cold, kratosctl"], cold, "1.0 x", lambda _, r: r <= 1.0),
        row(
            f"{database}: cold, until the command returns",
            found["cold, kratosctl, returned"],
            cold,
            "",
            lambda _, r: True,
        ),
        row(f"{database}: cold, template cached", found["cold, template cached"], cold, "0.7 x", lambda _, r: r <= 0.7),
        row(f"{database}: after down", found["after down, kratosctl"], warm, "0.9 x", lambda _, r: r <= 0.9),
        row(
            f"{database}: no-op", found["no-op, kratosctl"], again, "0.7 x or 0.3 s", lambda m, r: r <= 0.7 or m <= 0.3
        ),
        row(f"{database}: status", found["status"], None, "0.2 s", lambda m, _: m <= 0.2),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kratos-image", default="oryd/kratos:v26.2.0")
    parser.add_argument("--postgres-image", default="postgres:17")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", choices=("sqlite", "postgres"), action="append")
    arguments = parser.parse_args()
    images = {"kratos": arguments.kratos_image, "postgres": arguments.postgres_image}
    lines = ["| | quickstart, s | kratosctl, s | min to max | ratio | at most | met |", "|---|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory(prefix="kratosctl-bench-") as scratch:
        Path(scratch).chmod(0o755)
        for database in arguments.database or ("sqlite", "postgres"):
            lines += report(database, measure(database, images, arguments.rounds, Path(scratch)))
    start = measure_start(arguments.rounds)
    for figure in ("--version", "--help", "completion"):
        base = start["docker compose version"]
        lines.append(
            row(f"{figure} (against `docker compose version`)", start[figure], base, "1.2 x", lambda _, r: r <= 1.2)
        )
    print(f"Kratos {arguments.kratos_image}, {arguments.rounds} rounds, medians in seconds\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

"""Times a class: `kratosctl workshop` against one plain Compose project of as many pre-migrated seats, in turn.

    python bench/workshop.py --kratos-image oryd/kratos:v26.2.0 --rounds 3

Ready means that the public API of every seat answers /health/ready with 200. The plain project has one network, one
service a seat and a migrated database file for each; the quickstarts are Ory's shape, one after the other.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import PORT, Quickstart, is_ready, kratosctl, row, run, seconds

RAW_PORT = 21000


class Raw:
    """One Compose project of many Kratos, made from what kratosctl generates for one seat."""

    def __init__(self, seat: Path, database: Path, count: int, scratch: Path) -> None:
        self.ports = [RAW_PORT + number for number in range(count)]
        self.seat, self.database, self.home = seat, database, scratch / f"raw-{count}"
        self.command = ["docker", "compose", "--file", str(self.home / "compose.yaml")]

    def up(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        model = yaml.safe_load((self.seat / "compose.yaml").read_text())
        services = {}
        for port in self.ports:
            folder = self.home / f"database-{port}"
            folder.mkdir(parents=True)
            shutil.copy(self.database, folder / "db.sqlite")
            services[f"kratos-{port}"] = service(model, folder, port)
        whole = {"name": f"bench-raw-{len(self.ports)}", "services": services}
        whole |= {key: model[key] for key in ("configs", "secrets")}
        (self.home / "compose.yaml").write_text(yaml.safe_dump(whole))
        run([*self.command, "up", "--detach"])
        all_ready(self.ports)

    def down(self) -> None:
        run([*self.command, "down"])


def service(model: dict[str, Any], folder: Path, port: int) -> dict[str, Any]:
    """Kratos as kratosctl makes it, with another database and port."""
    kratos: dict[str, Any] = json.loads(json.dumps(model["services"]["kratos"]))
    for key in ("depends_on", "labels"):
        kratos.pop(key, None)
    for mount in kratos["volumes"]:
        if mount["target"] == "/var/lib/sqlite":
            mount["source"] = str(folder)
    kratos["volumes"] = [m for m in kratos["volumes"] if m["target"] != "/var/lib/sqlite" or m["type"] == "bind"]
    return kratos | {"ports": [f"127.0.0.1:{port}:4433"]}


def all_ready(ports: list[int]) -> None:
    left = set(ports)
    while left:
        left = {port for port in left if not is_ready(port)}
        time.sleep(0.01)


class Class:
    """The same by kratosctl."""

    def __init__(self, count: int, image: str, scratch: Path) -> None:
        self.directory, self.cache = scratch / f"class-{count}", scratch / "cache"
        self.directory.mkdir()
        self.environment = os.environ | {"KRATOSCTL_CACHE_DIR": str(self.cache), "KRATOSCTL_KRATOS_IMAGE": image}
        self.run("init", "--seats", str(count), "--no-ui", "--no-mail", "--yes")

    def run(self, *words: str) -> None:
        run([kratosctl(), "--directory", str(self.directory), "workshop", *words], self.environment)

    def up(self) -> None:
        self.run("up", "--quiet")

    def ports(self) -> list[int]:
        states = self.directory.glob(".kratosctl/seat-*/state.json")
        return [json.loads(state.read_text())["ports"]["public"] for state in states]

    def memory(self) -> float:
        """MiB a seat, of its container alone."""
        names = run_out(["docker", "ps", "-q", "--filter", f"label=dev.kratosctl.directory={self.directory}"]).split()
        used = run_out(["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", *names]).splitlines()
        return statistics.mean(float(line.split("MiB")[0]) for line in used)


def run_out(words: list[str]) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def quickstarts(count: int, image: str, scratch: Path) -> float:
    """Ory's shape, one after the other, each on a port of its own."""
    started = []
    began = time.monotonic()
    for number in range(count):
        place = scratch / f"quickstart-{number}"
        place.mkdir()
        one = Quickstart("sqlite", {"kratos": image, "postgres": ""}, place)
        one.environment |= {"BENCH_PROJECT": f"bench-class-{number}", "BENCH_PORT": str(PORT + number)}
        started.append(one)
        run([*one.command, "up", "--detach"], one.environment)
        all_ready([PORT + number])
    taken = time.monotonic() - began
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: one.remove(), started))
    for place in scratch.glob("quickstart-*"):
        shutil.rmtree(place)
    return taken


def measure(count: int, image: str, rounds: int, scratch: Path) -> dict[str, list[float]]:
    ours = Class(count, image, scratch)
    ours.up()
    template = next(ours.cache.glob("templates/sqlite-*"))
    raw = Raw(ours.directory / ".kratosctl" / "seat-01", template, count, scratch)
    ours.run("down", "--volumes", "--yes")
    found: dict[str, list[float]] = {}

    def note(figure: str, taken: float) -> None:
        found.setdefault(figure, []).append(taken)

    for number in range(rounds):
        note("raw up", seconds(raw.up))
        note("raw down", seconds(raw.down))
        note("up", seconds(ours.up))
        all_ready(ours.ports())
        note("no-op", seconds(ours.up))
        note("memory", ours.memory())
        note("reset one", seconds(lambda: ours.run("reset", "seat-01")))
        note("reset all", seconds(lambda: ours.run("reset", "--all")))
        note("down", seconds(lambda: ours.run("down")))
        note("up after down", seconds(ours.up))
        ours.run("down", "--volumes", "--yes")
        print(f"{count} seats: round {number + 1} of {rounds}", file=sys.stderr)
    return found


def report(count: int, found: dict[str, list[float]]) -> list[str]:
    raw, stopped = found["raw up"], found["raw down"]
    in_time = "1.5 x, 15 s" if count == 30 else "1.5 x"
    limit = 15.0 if count == 30 else 1e9
    return [
        row(f"{count} seats: nothing to all ready", found["up"], raw, in_time, lambda m, r: r <= 1.5 and m <= limit),
        row(f"{count} seats: up after down", found["up after down"], raw, "", lambda _, r: True),
        row(f"{count} seats: up again, nothing to do", found["no-op"], None, "", lambda _, r: True),
        row(f"{count} seats: down", found["down"], stopped, "1.3 x", lambda _, r: r <= 1.3),
        row(f"{count} seats: reset one", found["reset one"], None, "0.5 s", lambda m, _: m <= 0.5),
        row(f"{count} seats: reset all", found["reset all"], None, "2 s", lambda m, _: m <= 2),
        row(f"{count} seats: MiB a seat", found["memory"], None, "60", lambda m, _: m <= 60),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kratos-image", default="oryd/kratos:v26.2.0")
    parser.add_argument("--postgres-image", help="not used here; taken so that all benches take the same flags")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seats", type=int, action="append", help="how many; twice: both [10 and 30]")
    arguments = parser.parse_args()
    lines = [
        "| | plain Compose, s | kratosctl, s | min to max | ratio | at most | met |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory(prefix="kratosctl-bench-") as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        for count in arguments.seats or (10, 30):
            found = measure(count, arguments.kratos_image, arguments.rounds, scratch)
            lines += report(count, found)
            if count == 10:
                base = [quickstarts(10, arguments.kratos_image, scratch)]
                figure = "10 seats, against ten quickstarts one after the other"
                lines.append(row(figure, found["up"], base, "0.25 x", lambda _, r: r <= 0.25))
    print(f"Kratos {arguments.kratos_image}, {arguments.rounds} rounds, medians in seconds\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

"""Times `kratosctl seed` against a plain loop over PATCH /admin/identities: both sides in one run, in turn, medians.

    python bench/seed.py --kratos-image oryd/kratos:v26.2.0 --postgres-image postgres:15 --rounds 3

The plain loop reads the JSON whole and sends one batch after another, of as many as Kratos takes, over one connection.
Both are whole processes. Each round begins with a reset, and afterwards every identity is counted; on `kratosctl`'s
side somebody then signs in, so that a fast wrong seed cannot pass.

The memory is the peak of a process that reads, makes and sends 100,000 and 1,000,000 rows to a consumer that answers
as Kratos does and keeps nothing: what Kratos itself needs is no part of it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from run import kratosctl, run, seconds

from kratosctl import running
from kratosctl.kratos.api import Client

PASSWORD = "correct-horse-3-battery"
FORMATS = ("csv", "jsonl", "json", "yaml")
PLAIN_LOOP = """
import http.client, json, sys
from urllib.parse import urlsplit

url, file, size = urlsplit(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with open(file, encoding="utf-8") as source:
    identities = json.load(source)
connection = http.client.HTTPConnection(url.hostname, url.port)
for at in range(0, len(identities), size):
    patches = [{"create": one} for one in identities[at : at + size]]
    body = json.dumps({"identities": patches})
    connection.request("PATCH", "/admin/identities", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    made = json.load(answer)
    if answer.status != 200 or any(one["action"] != "create" for one in made["identities"]):
        sys.exit(f"HTTP {answer.status}: {str(made)[:300]}")
"""
SENDER = """
import resource, sys
from kratosctl.seeding import seed
from kratosctl.seeding.files import Reader, sources
from kratosctl.seeding.sending import Sender
from pathlib import Path

tally, reader = seed.Tally(), Reader(sources([sys.argv[2]], Path(), None))
for outcome in Sender(sys.argv[1]).send(seed.identities_of(reader.rows(), {}, False)):
    tally.add(outcome)
print(tally.created, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


class Environment:
    """A running environment in a directory of its own."""

    def __init__(self, database: str, images: dict[str, str], scratch: Path) -> None:
        self.directory = scratch / database
        self.directory.mkdir()
        self.environment = os.environ | {
            "KRATOSCTL_CACHE_DIR": str(scratch / "cache"),
            "KRATOSCTL_KRATOS_IMAGE": images["kratos"],
            "KRATOSCTL_POSTGRES_IMAGE": images["postgres"],
        }
        self.run("up", "--database", database, "--no-ui", "--no-mail", "--yes")
        found = running.find(self.directory.resolve(), "dev")
        address = found.public_address()
        assert address
        self.public, self.admin = f"http://{address[0]}:{address[1]}", found.admin_url()

    def run(self, *words: str) -> None:
        run([kratosctl(), *words, "--directory", str(self.directory), "--quiet"], self.environment)

    def people(self) -> int:
        """How many identities there are."""
        client, number, token = Client(self.admin, browser=False), 0, ""
        while True:
            answer = client.get(f"{self.admin}/admin/identities?page_size=500&page_token={token}")
            number += len(answer.body)
            if len(answer.body) < 500:
                return number
            token = answer.body[-1]["id"]

    def sign_in(self, email: str) -> None:
        person = Client(self.public, browser=False)
        values = {"method": "password", "identifier": email, "password": PASSWORD}
        answer = person.submit(person.begin("login").body, values)
        if not answer.ok:
            sys.exit(f"{email} cannot sign in: {answer.messages}")


def hashed() -> str:
    """A password hash that Kratos imports."""
    salt = b"0123456789abcdef"
    raw = (salt, hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, 1000))
    encoded = [base64.b64encode(part).decode().rstrip("=") for part in raw]
    return f"$pbkdf2-sha256$i=1000,l=32${encoded[0]}${encoded[1]}"


def write(file: Path, number: int, secret: str) -> Path:
    """A file of so many people, in the format of its ending, in Kratos' own form where it is JSON."""
    credentials = {"password": {"config": {"hashed_password": secret}}}

    def whole(n: int) -> str:
        traits = {"email": f"p{n}@example.org", "name": f"Person {n}"}
        return json.dumps({"schema_id": "default", "traits": traits, "credentials": credentials})

    with file.open("w", encoding="utf-8") as target:
        if file.suffix == ".csv":
            target.write("email,name,password_hash\n")
            target.writelines(f'p{n}@example.org,Person {n},"{secret}"\n' for n in range(number))
        elif file.suffix == ".json":
            target.writelines(("," if n else "[") + whole(n) + "\n" for n in range(number))
            target.write("]")
        else:
            mark = "- " if file.suffix == ".yaml" else ""
            target.writelines(mark + whole(n) + "\n" for n in range(number))
    return file


def measure(environment: Environment, number: int, rounds: int, batch: int, scratch: Path) -> dict[str, list[float]]:
    """Both sides in turn, on one environment."""
    secret = hashed()
    whole = write(scratch / "whole.json", number, secret)
    table = write(scratch / "people.csv", number, secret)
    plain = [sys.executable, "-c", PLAIN_LOOP, environment.admin, str(whole), str(batch)]
    found: dict[str, list[float]] = {}

    def note(side: str, action: Callable[[], None]) -> None:
        environment.run("reset")
        found.setdefault(side, []).append(seconds(action))
        if environment.people() != number:
            sys.exit(f"{side}: not {number} identities")

    for count in range(rounds):
        note("plain loop", lambda: run(plain))
        note("kratosctl, JSON", lambda: environment.run("seed", str(whole)))
        note("kratosctl, CSV", lambda: environment.run("seed", str(table)))
        environment.sign_in(f"p{number - 1}@example.org")
        found.setdefault("again", []).append(seconds(lambda: environment.run("seed", str(table))))
        print(f"round {count + 1} of {rounds}", file=sys.stderr)
    return found


class Consumer(BaseHTTPRequestHandler):
    """Answers as Kratos does when it has created everything."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_PATCH(self) -> None:
        number = self.rfile.read(int(self.headers["Content-Length"])).count(b'{"create":')
        data = b'{"identities":[%s]}' % b",".join([b'{"action":"create"}'] * number)
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


def memory(scratch: Path, numbers: tuple[int, ...]) -> list[str]:
    """The peak of the seeding process, by format and number of rows."""
    lines = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Consumer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for ending in FORMATS:
            cells = []
            for number in numbers:
                file = write(scratch / f"rows.{ending}", number, hashed())
                began = time.monotonic()
                words = [sys.executable, "-c", SENDER, f"http://127.0.0.1:{server.server_port}", str(file)]
                done = subprocess.run(words, capture_output=True, text=True, check=True)
                created, peak = done.stdout.split()
                assert int(created) == number
                cells.append(f"{float(peak):.0f} MiB ({time.monotonic() - began:.0f} s)")
                file.unlink()
            lines.append(f"| {ending} | {' | '.join(cells)} |")
        server.shutdown()
    return lines


def report(database: str, found: dict[str, list[float]]) -> list[str]:
    base = statistics.median(found["plain loop"])
    lines = []
    for side, limit in (("kratosctl, JSON", 0.9), ("kratosctl, CSV", 0.9), ("again", None)):
        median, spread = statistics.median(found[side]), f"{min(found[side]):.1f} to {max(found[side]):.1f}"
        name = "kratosctl, all there already" if side == "again" else side
        met = "" if limit is None else f"{limit} x | {'yes' if median / base <= limit else 'NO'}"
        lines.append(
            f"| {database}: {name} | {base:.1f} | {median:.1f} | {spread} | {median / base:.2f} x | {met or ' | '} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kratos-image", default="oryd/kratos:v26.2.0")
    parser.add_argument("--postgres-image", default="postgres:17")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--identities", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=1000, help="identities in one request of the plain loop")
    parser.add_argument("--database", choices=("sqlite", "postgres"), action="append")
    parser.add_argument("--memory", type=int, nargs="*", default=[100_000, 1_000_000], metavar="ROWS")
    arguments = parser.parse_args()
    images = {"kratos": arguments.kratos_image, "postgres": arguments.postgres_image}
    print(
        f"Kratos {arguments.kratos_image}, {arguments.identities} identities with hashed passwords, medians in seconds"
    )
    print("\n| | plain loop, s | kratosctl, s | min to max | ratio | at most | met |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="kratosctl-bench-") as name:
        scratch = Path(name)
        for database in arguments.database or ("sqlite", "postgres"):
            environment = Environment(database, images, scratch)
            try:
                found = measure(environment, arguments.identities, arguments.rounds, arguments.batch, scratch)
            finally:
                environment.run("down", "--volumes", "--yes")
                shutil.rmtree(environment.directory)
            print("\n".join(report(database, found)))
        if arguments.memory:
            heads = " | ".join(f"{number:,} rows" for number in arguments.memory)
            print(f"\n| peak memory | {heads} |\n|---|{'---|' * len(arguments.memory)}")
            print("\n".join(memory(scratch, tuple(arguments.memory))))


if __name__ == "__main__":
    main()

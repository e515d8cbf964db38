"""Seeding a running Kratos: each identity once, bad rows by name, all or none where asked for, and after reset."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.kratos.api import Admin
from tests.e2e import people
from tests.e2e.program import Directory, program

pytestmark = pytest.mark.engine

# a release before and one after batches became partial, each on another database
CASES = [("v1.1.0", "postgres"), ("v26.2.0", "sqlite")]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def serving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> Iterator[Directory]:
    """An environment that runs, one for each case."""
    release, database = request.param
    directory = Directory(tmp_path_factory.mktemp(f"seed-{release}-{database}"), cache)
    directory.up(release=release, database=database)
    yield directory
    directory.wipe()


@pytest.fixture
def empty(serving: Directory) -> Directory:
    """The same with nobody in it."""
    serving.run("reset")
    return serving


def hashed(password: str) -> str:
    """A hash in a format that Kratos imports, and so does its stand-in."""
    salt = b"0123456789abcdef"
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1000)
    encoded = [base64.b64encode(raw).decode().rstrip("=") for raw in (salt, digest)]
    return f"$pbkdf2-sha256$i=1000,l=32${encoded[0]}${encoded[1]}"


def write(directory: Directory, name: str, text: str) -> str:
    (directory.path / name).write_text(text, encoding="utf-8")
    return name


def csv_of(directory: Directory, number: int, name: str = "many.csv") -> str:
    secret = hashed(people.PASSWORD)
    rows = "".join(f'p{n}@example.org,"{secret}"\n' for n in range(number))
    return write(directory, name, "email,password_hash\n" + rows)


def identities(directory: Directory) -> list[dict[str, object]]:
    api = Admin(running.find(directory.path, "dev").admin_url())
    found = api._client.get(f"{api.url}/admin/identities?per_page=1000&page_size=1000")
    assert found.ok, found
    return list(found.body)


def emails(directory: Directory) -> set[str]:
    found = [one["traits"]["email"] for one in identities(directory)]  # type: ignore[index]
    assert len(found) == len({*found})
    return {email.partition("@")[0] for email in found}


def test_each_format_seeds_each_person_once_however_often_it_is_run(empty: Directory) -> None:
    named = [
        write(empty, "a.yaml", "- email: yaml@example.org\n  name: Ада\n"),
        write(empty, "b.json", '{"identities": [{"traits": {"email": "json@example.org"}}]}'),
        write(empty, "c.jsonl", '{"email": "lines@example.org"}\n{"email": "lines2@example.org"}\n'),
        write(empty, "d.csv", '\ufeffemail;name\r\ncsv@example.org;"O\'Neil; ""Ada"""\r\n'),
    ]
    everybody = {"yaml", "json", "lines", "lines2", "csv"}

    first = empty.run("seed", *named, "--json").data
    assert (first["created"], first["already_there"], first["failed"]) == (5, 0, 0)
    again = empty.run("seed", *named, "--json").data
    assert (again["created"], again["already_there"], again["failed"]) == (0, 5, 0)

    assert emails(empty) == everybody
    names = {one["traits"].get("name") for one in identities(empty)}  # type: ignore[attr-defined]
    assert {'O\'Neil; "Ada"', "Ада"} <= names


def test_people_sign_in_with_passwords_that_were_seeded_plain_and_hashed(empty: Directory) -> None:
    secret = people.PASSWORD
    rows = f'email,password,verified\nplain@example.org,{secret},yes\nhashed@example.org,"{hashed(secret)}",no\n'

    empty.run("seed", write(empty, "passwords.csv", rows))

    public = empty.status()["endpoints"]["public"]
    for name in ("plain", "hashed"):
        assert people.sign_in(public, f"{name}@example.org", secret)
        assert not people.sign_in(public, f"{name}@example.org", "not-this-one")
    verified = {
        one["traits"]["email"]: [address["verified"] for address in one["verifiable_addresses"]]  # type: ignore
        for one in identities(empty)
    }
    assert verified == {"plain@example.org": [True], "hashed@example.org": [False]}


def test_each_bad_row_is_named_by_its_line_with_kratos_reason_and_the_good_ones_are_kept(empty: Directory) -> None:
    secret = hashed(people.PASSWORD)
    many = "".join(f'p{n}@example.org,"{secret}"\n' for n in range(300))
    table = f'email,password\nnobody,"{secret}"\n{many}too,many,cells\nlast@example.org,"{secret}"\n'
    named = [
        write(empty, "bad.csv", table),
        write(empty, "bad.yaml", "- email: good@example.org\n- email: x@example.org\n  colour: red\n- 12\n"),
        write(empty, "bad.jsonl", '{"email": "a@example.org", "schema_id": "none"}\n{"email"\n'),
    ]

    done = empty.run("seed", *named, "--json", code=1)
    data = done.envelope["data"]

    places = [(row["file"], row["line"]) for row in data["failed_rows"]]
    assert places == [
        *(("bad.csv", 2), ("bad.csv", 303)),
        *(("bad.jsonl", 1), ("bad.jsonl", 2)),
        *(("bad.yaml", 2), ("bad.yaml", 4)),
    ]
    reasons = {place: row["reason"] for place, row in zip(places, data["failed_rows"], strict=True)}
    assert "is not valid" in reasons["bad.csv", 2]
    assert "colour" in reasons["bad.yaml", 2]
    assert "none" in reasons["bad.jsonl", 1]
    assert (data["created"], data["failed"]) == (302, 6)
    assert len(emails(empty)) == 302
    assert secret not in done.out + done.err


def test_atomic_keeps_all_or_nothing(empty: Directory) -> None:
    empty.run("seed", write(empty, "one.csv", "email\nbefore@example.org\n"))
    csv_of(empty, 300)
    broken = (empty.path / "many.csv").read_text() + f'nobody,"{hashed(people.PASSWORD)}"\n'
    before = empty.run("snapshot", "list", "--json").data

    done = empty.run("seed", write(empty, "broken.csv", broken), "--atomic", "--json", code=1)
    data = done.envelope["data"]
    assert (data["created"], data["failed"], data["failed_rows"][0]["line"]) == (0, 1, 302)
    assert emails(empty) == {"before"}
    # what was undone by itself is nothing to undo
    assert empty.run("snapshot", "list", "--json").data == before

    assert empty.run("seed", "many.csv", "--atomic", "--json").data["created"] == 300
    assert len(emails(empty)) == 301
    # what was seeded can be taken back as what was restored can
    empty.run("snapshot", "restore", "--undo")
    assert emails(empty) == {"before"}


def test_a_row_that_is_wrong_by_itself_keeps_atomic_from_sending_anything(empty: Directory) -> None:
    rows = "email,password\na@example.org,\nb@example.org\n"
    before = empty.run("snapshot", "list", "--json").data

    done = empty.run("seed", write(empty, "cells.csv", rows), "--atomic", "--json", code=1)

    assert done.envelope["data"]["failed_rows"] == [
        {"file": "cells.csv", "line": 3, "reason": "1 cells where the header names 2"}
    ]
    assert empty.run("snapshot", "list", "--json").data == before
    assert emails(empty) == set()


def test_standard_input_is_read_in_the_format_that_is_said(empty: Directory) -> None:
    words = [*program(), "seed", "-", "--format", "csv", "--verified", "--json"]
    done = subprocess.run(
        words, cwd=empty.path, env=empty.environ(), input=b"email\npiped@example.org\n", capture_output=True, check=True
    )

    assert json.loads(done.stdout)["data"]["created"] == 1
    (piped,) = identities(empty)
    assert piped["verifiable_addresses"][0]["verified"] is True  # type: ignore[index]


def test_atomic_creates_what_another_command_writes(empty: Directory) -> None:
    words = [*program(), "seed", "--atomic", "--format", "csv", "--json"]
    done = subprocess.run(
        ["bash", "-c", '"$@" <(printf "email\\npiped@example.org\\n")', "bash", *words],
        cwd=empty.path,
        env=empty.environ(),
        capture_output=True,
        check=True,
    )

    assert json.loads(done.stdout)["data"]["created"] == 1
    assert emails(empty) == {"piped"}


def test_a_file_that_is_not_there_or_of_no_known_format_is_refused(empty: Directory) -> None:
    assert "cannot be read" in empty.run("seed", "nothing.csv", code=30).said
    assert "--format" in empty.run("seed", write(empty, "people.txt", "email\n"), code=2).said
    assert "--format" in empty.run("seed", "-", code=2).said
    assert "no `seed:`" in empty.run("seed", code=2).said


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_new_database_and_one_that_is_reset_hold_the_environments_seed(directory: Directory, database: str) -> None:
    write(directory, "people.csv", "email\nada@example.org\nbob@example.org\n")
    told = directory.up("dev", "--seed", "./people.csv", database=database)
    assert told["seeded"] == {"created": 2, "already_there": 0, "failed": 0, "failed_rows": []}
    assert "seed: ./people.csv" in (directory.path / "kratosctl.yaml").read_text()

    directory.run("seed", write(directory, "eve.csv", "email\neve@example.org\n"))
    for _ in range(2):
        directory.run("reset")
        assert emails(directory) == {"ada", "bob"}
        directory.run("seed", "eve.csv")
    kept = [s for s in directory.run("snapshot", "list", "--json").data["snapshots"] if "seeded" in s["name"]]
    assert [s["identities"] for s in kept] == [2]

    # another seed is another state
    write(directory, "people.csv", "email\nada@example.org\nzoe@example.org\n")
    directory.run("reset")
    assert emails(directory) == {"ada", "zoe"}
    assert directory.run("seed", "--json").data["already_there"] == 2
    # a database that was there is not filled again by `up`
    write(directory, "people.csv", "email\nnew@example.org\n")
    directory.down()
    assert "seeded" not in directory.up(database=database)
    assert emails(directory) == {"ada", "zoe"}


def test_a_memory_database_is_filled_whenever_it_is_new(directory: Directory) -> None:
    write(directory, "people.csv", "email\nada@example.org\n")
    directory.up("dev", "--seed", "people.csv", database="memory")
    directory.down()
    assert directory.up(database="memory")["seeded"]["created"] == 1
    assert emails(directory) == {"ada"}
    assert "has no snapshots" in directory.run("seed", "people.csv", "--atomic", code=33).said


def test_a_seed_with_a_bad_row_leaves_the_database_as_it_was_at_reset(directory: Directory) -> None:
    write(directory, "people.csv", "email\nada@example.org\n")
    directory.up("dev", "--seed", "people.csv")
    write(directory, "people.csv", "email\nbob@example.org\nnobody\n")

    failed = directory.run("reset", code=65).said

    assert "people.csv:3" in failed
    assert emails(directory) == {"ada"}


def test_a_seed_that_cannot_be_read_is_refused_before_anything_starts(directory: Directory) -> None:
    done = directory.run("up", "--seed", "nothing.csv", "--yes", code=30)

    assert "nothing.csv cannot be read" in done.said
    assert not (directory.path / "kratosctl.yaml").exists()


def test_a_kratos_that_does_not_run_cannot_be_seeded(make_directory: Callable[[str], Directory]) -> None:
    directory = make_directory("stopped")
    directory.up()
    directory.down()

    assert "does not run" in directory.run("seed", csv_of(directory, 1), code=39).said

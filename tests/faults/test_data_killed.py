"""`snapshot restore` and `upgrade`, killed anywhere: the old data or the new, and the next command says which.

KRATOSCTL_TEST_POINTS is how many points of each are killed at, on each database; 100 takes about an hour in all. One
test goes through them: making what is killed takes longer than the points that are tried by default.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.kratos.api import Client
from tests.e2e import engine, images, people
from tests.e2e.program import Directory
from tests.faults.killing import FLAGS, kill, kill_once_there, moment, seconds
from tests.faults.soundness import assert_sound

POINTS = int(os.environ.get("KRATOSCTL_TEST_POINTS", "2"))
DATABASES = ("sqlite", "postgres")
OLD, NEW = images.RELEASES[0], images.NEWEST
pytestmark = [pytest.mark.engine, pytest.mark.timeout(170 + 30 * POINTS)]
WHICH = {"finished", "undone"}


@dataclass
class Subject:
    """An environment, and about how many seconds it takes to do to it what is killed."""

    directory: Directory
    lasts: float = 5.0
    token: str = ""

    @property
    def public(self) -> str:
        return str(self.directory.status()["endpoints"]["public"])

    def people(self) -> set[str]:
        url = running.find(self.directory.path, "dev").admin_url()
        found = Client(url, browser=False).get(f"{url}/admin/identities")
        assert found.ok, found
        return {identity["traits"]["email"].partition("@")[0] for identity in found.body}


def _made(path: Path, cache: Path, database: str, release: str) -> Subject:
    """An environment with the snapshot `two` of Ada and Bob."""
    directory = Directory(path, cache)
    # kratosctl.yaml says which image, as it does for people: an upgrade changes it there
    del directory.variables["KRATOSCTL_KRATOS_IMAGE"]
    image = ("--release", release, "--kratos-image", images.kratos(release))
    public = directory.run("up", "--database", database, *image, *FLAGS).data["endpoints"]["public"]
    subject = Subject(directory, token=people.sign_up_and_ask(public, "ada@example.org"))
    people.sign_up_and_ask(public, "bob@example.org")
    directory.run("snapshot", "save", "two")
    return subject


@pytest.fixture
def restored(tmp_path: Path, cache: Path, database: str) -> Iterator[Subject]:
    """An environment that is restored over and over."""
    subject = _made(tmp_path, cache, database, NEW)
    subject.lasts = seconds(subject.directory, "snapshot", "restore", "two")
    yield subject
    subject.directory.wipe()


@pytest.fixture
def upgraded(tmp_path: Path, cache: Path, database: str) -> Iterator[Subject]:
    """An environment of the old release that is upgraded over and over."""
    subject = _made(tmp_path, cache, database, OLD)
    # a few points need no better guess; the first has the templates to make, and takes longer
    for _ in range(0 if POINTS < 10 else 2):
        subject.lasts = seconds(subject.directory, *UPGRADE)
        subject.directory.run("snapshot", "restore", "two", "--with-release")
    yield subject
    subject.directory.wipe()


UPGRADE = ("upgrade", "--to", NEW, "--kratos-image", images.kratos(NEW))


@pytest.fixture
def record(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Keeps what became of a point, for the table of all of them."""
    path = os.environ.get("KRATOSCTL_TEST_POINTS_LOG")

    def keep(line: str) -> None:
        record_property("outcome", line)
        if path:
            with Path(path).open("a") as file:
                file.write(line + "\n")

    return keep


@pytest.mark.parametrize("database", DATABASES)
def test_a_restore_that_was_killed_leaves_the_old_data_or_the_new(
    restored: Subject, record: Callable[[str], None], database: str
) -> None:
    for point in range(POINTS):
        _kill_a_restore(restored, record, database, point)


def _kill_a_restore(subject: Subject, record: Callable[[str], None], database: str, point: int) -> None:
    people.sign_up_and_ask(subject.public, f"eve-{point}@example.org")
    old = subject.people()

    words = ("snapshot", "restore", "two")
    if point % 4 in (0, 3):
        kill(subject.directory, moment(subject.lasts, "restore", point, POINTS), point, *words)
    else:
        kill_once_there(subject.directory, "restore.json", moment(0.2, "restore", point, POINTS), point, *words)

    left = subject.people()
    assert left in (old, {"ada", "bob"}), "neither the old data nor the new"
    noted = (subject.directory.home() / "restore.json").exists()
    said = subject.directory.run("snapshot", "list").err + subject.directory.run("up", *FLAGS[:-1]).err
    after = subject.people()
    assert ("the restore of two was interrupted: finished" in said) == noted
    assert after == ({"ada", "bob"} if noted else left)
    assert people.whoami(subject.public, subject.token) == "ada@example.org"
    assert_sound(subject.directory, subject.directory.run("up", *FLAGS).data)
    record(f"restore {database} {point} {'old' if left == old else 'new'} {'finished' if noted else 'nothing to do'}")
    subject.directory.run("snapshot", "restore", "two")


@pytest.mark.parametrize("database", DATABASES)
def test_an_upgrade_that_was_killed_is_undone_or_finished_by_the_next_command(
    upgraded: Subject, record: Callable[[str], None], database: str
) -> None:
    for point in range(POINTS):
        _kill_an_upgrade(upgraded, record, database, point)


def _kill_an_upgrade(subject: Subject, record: Callable[[str], None], database: str, point: int) -> None:
    directory = subject.directory
    before = subject.people()

    if point % 4 in (0, 3):
        kill(directory, moment(subject.lasts, "upgrade", point, POINTS), point, *UPGRADE)
    else:
        after = moment(subject.lasts / 3, "upgrade", point, POINTS)
        kill_once_there(directory, "upgrade.json", after, point, *UPGRADE)

    notes = [name for name in ("upgrade.json", "upgrade-rehearsal") if (directory.home() / name).exists()]
    told = directory.run("up", *FLAGS[:-1])
    release = directory.status()["release"]
    assert release in (OLD, NEW)
    if notes:
        assert sum(word in told.err for word in WHICH) == 1, told.err
        assert ("finished" in told.err) == (release == NEW)
    assert (f"release: {release}") in _file(directory)
    assert subject.people() == before
    assert people.whoami(subject.public, subject.token) == "ada@example.org"
    assert_sound(directory, directory.run("up", *FLAGS).data)
    record(f"upgrade {database} {point} {release} {'+'.join(notes) or 'no note'}")

    if release == NEW:
        directory.run("snapshot", "restore", "two", "--with-release")
        assert directory.status()["release"] == OLD


def _file(directory: Directory) -> str:
    return (directory.path / "kratosctl.yaml").read_text()


def test_nothing_of_a_rehearsal_that_was_killed_is_left(tmp_path: Path, cache: Path) -> None:
    directory = _made(tmp_path, cache, "sqlite", OLD).directory
    rehearsal = f"{directory.path}/.kratosctl/dev/upgrade-rehearsal"
    process = directory.start(*UPGRADE, heard=False)
    engine.until(lambda: engine.of_directory(Path(rehearsal)))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    directory.run("down")
    assert not (directory.home() / "upgrade-rehearsal").exists()
    assert engine.of_directory(directory.home() / "upgrade-rehearsal") == {}
    assert directory.run("up", *FLAGS).data["release"] == OLD
    directory.wipe()

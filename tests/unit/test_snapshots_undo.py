"""What `snapshot restore --undo` goes back to, where what came last did not work."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.commands import rehearsal, upgrade
from kratosctl.commands.rehearsal import Change
from kratosctl.console import Console
from kratosctl.engine import faults, program, reading
from kratosctl.engine.objects import Container
from kratosctl.environment import Environment
from kratosctl.errors import (
    ChoiceImpossible,
    ComposeFileInvalid,
    DatabaseHeld,
    DatabaseUnreachable,
    DiskFull,
    KratosctlError,
    ServiceFailed,
    SnapshotDamaged,
    SnapshotForeign,
    UpgradeFailed,
)
from kratosctl.files.state import State
from kratosctl.files.workspace import CONTENT_NOTE, RESTORE_NOTE, SEED_WANTED, UPGRADE_NOTE, Workspace
from kratosctl.lessons import breaking
from kratosctl.main import main
from kratosctl.results import Result
from kratosctl.running import Found
from kratosctl.snapshots import putting_back, resetting, restoring, saving, sqlite, store
from kratosctl.snapshots.live import SqliteFile
from kratosctl.snapshots.subject import Subject
from kratosctl.stages import converge, up
from kratosctl.stages import prepare as planning
from kratosctl.stages.plan import Plan, Step
from tests.unit import stacks
from tests.unit.test_snapshot_store import save
from tests.unit.test_snapshots_sqlite import database

QUIET = Console(quiet=True)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """An environment with a database, a snapshot of it, and nothing that runs."""
    workspace = Workspace(tmp_path, "dev")
    (workspace.home / "database").mkdir(parents=True)
    database(workspace.home / "database" / "db.sqlite", 3)
    subject = Subject(Found(workspace, State(), ()), stacks.environment())
    saving.save(subject, "three", "", False, QUIET)
    return subject


def safety(subject: Subject) -> list[str]:
    found = store.listing(subject.found.workspace)
    return [snapshot.safety_before for snapshot in found if snapshot.safety_before]


@pytest.mark.parametrize("replace_data", ["reset", "restore"])
def test_what_is_written_while_data_is_replaced_is_in_the_database_afterwards_or_in_what_was_kept(
    subject: Subject, replace_data: str
) -> None:
    assert isinstance(subject.live, SqliteFile)
    path, written, ended = subject.live.path, list[str](), threading.Event()

    def write() -> None:
        for number in itertools.count():
            if ended.is_set():
                return
            with closing(sqlite3.connect(path, timeout=20)) as connection, connection:
                connection.execute("INSERT INTO identities VALUES (?)", [f"person {number}."])
            written.append(f"person {number}.")

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        try:
            for _ in range(saving.SAFETY_KEPT):
                if replace_data == "reset":
                    resetting.reset(subject, None, "", QUIET)
                else:
                    restoring.restore(subject, "three", QUIET, False, {})
        finally:
            ended.set()
        writer.result()

    kept = [path, *store.directory(subject.found.workspace).glob("*/database")]
    found = set[str]()
    for each in kept:
        with closing(sqlite3.connect(each)) as connection:
            found |= {str(row[0]) for row in connection.execute("SELECT id FROM identities")}
    assert written
    assert set(written) - found == set()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_restore_that_changed_nothing_is_nothing_to_undo(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    resetting.reset(subject, None, "", QUIET)

    def full(live: SqliteFile, source: Path, same_tables: bool) -> None:
        raise DiskFull("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteFile, "restore", full)
        with pytest.raises(DiskFull):
            restoring.restore(subject, "three", QUIET, False, {})

    assert safety(subject) == ["reset"]
    restoring.restore(subject, None, QUIET, True, {})
    assert subject.live.facts().identities == 3


def test_what_was_there_is_kept_and_can_be_brought_back_where_the_clock_went_back(subject: Subject) -> None:
    """As that of WSL after sleep, or of a machine with a flat battery: five that seem newer are there already."""
    for number in range(1, saving.SAFETY_KEPT + 1):
        save(subject.found.workspace, f"before-reset-29990101-00000{number}", f"2999-01-01T00:00:0{number}.000Z")

    made = resetting.reset(subject, None, "", QUIET).data["safety"]
    restored = restoring.restore(subject, None, QUIET, True, {}).data["snapshot"]["name"]

    assert restored == made
    assert subject.live.facts().identities == 3
    resetting.reset(subject, None, "", QUIET)
    assert safety(subject)[-1] == "reset"


def test_a_restore_that_may_have_changed_something_can_be_undone(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = SqliteFile.restore

    def stopped(live: SqliteFile, source: Path, same_tables: bool) -> None:
        was(live, source, same_tables)
        raise DatabaseUnreachable("it stopped meanwhile")

    resetting.reset(subject, None, "", QUIET)
    monkeypatch.setattr(SqliteFile, "restore", stopped)
    with pytest.raises(DatabaseUnreachable):
        restoring.restore(subject, "three", QUIET, False, {})

    assert safety(subject) == ["reset", "restore"]


@pytest.mark.parametrize("words", ["reset", "reset with a seed", "restore"])
def test_what_could_not_be_begun_is_nothing_to_undo_neither_now_nor_by_the_next_command(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """Somebody has the database open in a browser, with edits that are not written; people go on signing up after."""
    workspace = subject.found.workspace
    doing: dict[str, Callable[[], object]] = {
        "reset": lambda: resetting.reset(subject, None, "", QUIET),
        "reset with a seed": lambda: resetting.reset(subject, lambda: None, "0123456789abcdef", QUIET),
        "restore": lambda: restoring.restore(subject, "three", QUIET, False, {}),
    }
    resetting.reset(subject, None, "", QUIET)
    monkeypatch.setattr(sqlite, "_BUSY", 0.1)
    with closing(sqlite3.connect(workspace.home / "database" / "db.sqlite", isolation_level=None)) as browser:
        browser.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseHeld, match="stayed locked"):
            doing[words]()

    assert not workspace.has_unfinished
    assert safety(subject) == ["reset"]
    restoring.restore(subject, None, QUIET, True, {})
    assert subject.live.facts().identities == 3


def test_a_seed_that_is_put_back_by_reset_and_finds_no_room_is_nothing_to_undo(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    resetting.reset(subject, lambda: None, "0123456789abcdef", QUIET)

    def full(live: SqliteFile, source: Path, same_tables: bool) -> None:
        raise DiskFull("no space left")

    monkeypatch.setattr(SqliteFile, "restore", full)
    with pytest.raises(DiskFull):
        resetting.reset(subject, lambda: None, "0123456789abcdef", QUIET)

    assert safety(subject) == ["reset"]


def test_what_undid_itself_is_nothing_to_undo(subject: Subject) -> None:
    def interrupted() -> None:
        with putting_back.whole_or_undone(subject, saving.save_safety(subject, "seed"), "seed"):
            subject.live.empty()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert subject.live.facts().identities == 3
    assert safety(subject) == []


def upgraded(subject: Subject, monkeypatch: pytest.MonkeyPatch, fails: str, rehearse_only: bool = False) -> Result:
    """What an upgrade says; of `rehearse` and `converge` the one that is named fails, and what needs an engine is not
    done."""
    kratos = Container("1", "kratos", "kratos", "p", "running", "", "", None, "i")
    found = replace(subject.found, containers=(kratos,))
    (found.workspace.home / "secrets").mkdir()
    before, after = stacks.environment(release="v1.1.0"), stacks.environment(release="v26.2.0")

    def rehearse(*asked: object) -> None:
        if fails == "rehearse":
            raise UpgradeFailed("it cannot take over")

    def converging(environment: Environment, *others: object) -> None:
        if fails == "converge" and environment is after:
            raise KratosctlError("the migrations failed")

    monkeypatch.setattr(program, "docker", lambda *words: None)
    monkeypatch.setattr(reading, "start", lambda names: None)
    monkeypatch.setattr(rehearsal, "rehearse", rehearse)
    monkeypatch.setattr(planning, "prepare", lambda *asked: (None, None, Plan()))
    monkeypatch.setattr(converge, "converge", converging)
    return upgrade.upgrade(found, Change(before, after), rehearse_only, QUIET, {})


def test_an_upgrade_that_was_only_tried_is_nothing_to_undo(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    resetting.reset(subject, None, "", QUIET)
    assert upgraded(subject, monkeypatch, "", rehearse_only=True).data["snapshot"] == ""
    assert safety(subject) == ["reset"]


@pytest.mark.parametrize("stage", ["rehearse", "converge"])
def test_an_upgrade_that_failed_is_nothing_to_undo(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    resetting.reset(subject, None, "", QUIET)
    with pytest.raises(UpgradeFailed):
        upgraded(subject, monkeypatch, stage)

    assert safety(subject) == ["reset"]
    assert subject.live.facts().identities == 0
    restoring.restore(subject, None, QUIET, True, {})
    assert subject.live.facts().identities == 3


@pytest.mark.parametrize("name", ["compose.override.yaml", "compose.override.yml"])
def test_an_upgrade_that_cannot_be_tried_says_that_the_clone_has_no_compose_file_of_ones_own(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Such as one that gives Kratos the variable, or the host, without which it does not start."""

    def stops(*_asked: object) -> None:
        raise ServiceFailed("Kratos stopped (exit code 1)", "no such host")

    monkeypatch.setattr(up, "up", stops)
    change = Change(stacks.environment(release="v1.1.0"), stacks.environment(release="v26.2.0"))
    clone = Workspace(subject.found.workspace.home / "clone", "dev")

    with pytest.raises(UpgradeFailed) as without:
        rehearsal.rehearse(subject.found, clone, change, QUIET, {})
    assert without.value.fix == "nothing was changed: v1.1.0 serves with its data"

    (subject.found.workspace.directory / name).write_text("services: {kratos: {environment: {PROVIDER: ours}}}\n")
    with pytest.raises(UpgradeFailed) as caught:
        rehearsal.rehearse(subject.found, clone, change, QUIET, {})
    assert f"the clone runs without {name}" in caught.value.fix
    assert "without proof: kratosctl up dev --release v26.2.0 --save" in caught.value.fix


def test_a_compose_file_that_compose_refuses_stops_an_upgrade_before_kratos(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the new release nor the old one could be brought up with it, and nobody was served until then."""
    path = subject.found.workspace.directory / "compose.override.yaml"
    path.write_text("services: {kratos: {environment: {A: ${A}}}}\n")
    kratos = Container("1", "kratos", "kratos", "p", "running", "", "", None, "i")
    asked: list[tuple[str, ...]] = []

    def docker(*words: str, **_: object) -> None:
        asked.append(words)
        raise faults.from_output(f"failed to parse {path}: did not find expected ',' or '}}'", "reading")

    monkeypatch.setattr(program, "docker", docker)
    change = Change(stacks.environment(release="v1.1.0"), stacks.environment(release="v26.2.0"))

    with pytest.raises(ComposeFileInvalid, match="did not find expected"):
        upgrade.upgrade(replace(subject.found, containers=(kratos,)), change, False, QUIET, {})

    assert [words[0] for words in asked] == ["compose"]
    assert not subject.found.workspace.has_unfinished


def test_an_upgrade_changes_nothing_but_the_release(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `up` was given without --save, such as --ui, would go with it, and not come back where it is undone."""
    kratos = Container("1", "kratos", "kratos", "p", "running", "", "", None, "i")
    steps = (Step("replace", "kratos", "its settings changed"), Step("remove", "ui", "no longer asked for"))
    monkeypatch.setattr(planning, "prepare", lambda *asked: (None, None, Plan(steps)))
    change = Change(stacks.environment(release="v1.1.0"), stacks.environment(release="v26.2.0"))

    with pytest.raises(ChoiceImpossible, match="this would also replace kratos, remove ui"):
        upgrade.upgrade(replace(subject.found, containers=(kratos,)), change, False, QUIET, {})

    assert not subject.found.workspace.has_unfinished


@pytest.mark.parametrize("database", ["external", "memory"])
def test_where_an_upgrade_cannot_be_tried_the_way_without_is_told(subject: Subject, database: str) -> None:
    """Of snapshots, which nobody asked for, there is nothing to say."""
    before, after = (stacks.environment(release=tag, database=database) for tag in ("v1.1.0", "v26.2.0"))

    with pytest.raises(ChoiceImpossible, match=f"a database of kind {database} cannot be cloned") as caught:
        upgrade.upgrade(subject.found, Change(before, after), False, QUIET, {})

    assert caught.value.fix.endswith("without proof: kratosctl up dev --release v26.2.0 --save")


def test_what_was_there_before_an_upgrade_is_kept(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = upgraded(subject, monkeypatch, "").data["snapshot"]
    assert safety(subject) == ["upgrade"]
    assert store.load(subject.found.workspace, kept).identities == 3


def test_a_damaged_database_is_kept_where_it_goes_with_the_data(subject: Subject) -> None:
    directory = subject.found.workspace.home / "database"
    (directory / "db.sqlite").write_bytes(b"no" * 5000)

    restoring.restore(subject, "three", QUIET, False, {})

    assert subject.live.facts().identities == 3
    (kept,) = directory.glob("damaged-*")
    assert (kept / "db.sqlite").read_bytes() == b"no" * 5000


def test_a_snapshot_of_a_newer_release_is_put_in_place_of_a_damaged_database_as_the_error_says(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converge, "converge", lambda *asked: None)
    older = Subject(subject.found, stacks.environment(release="v1.1.0"))
    (subject.found.workspace.home / "database" / "db.sqlite").write_bytes(b"no" * 5000)
    with pytest.raises(SnapshotForeign, match="snapshot restore three --with-release --env dev"):
        restoring.restore(older, "three", QUIET, False, {})
    restoring.restore(older, "three", QUIET, True, {})
    assert subject.live.facts().identities == 3


def asked_for(subject: Subject, release: str, migrated_by: str) -> Subject:
    """The environment as kratosctl.yaml asks for it, with the release that last migrated its data, and a Kratos."""
    workspace = subject.found.workspace
    workspace.save_state(replace(workspace.state(), releases={"sqlite": migrated_by}))
    (workspace.directory / "kratosctl.yaml").write_text(f"environments:\n  dev: {{release: {release}}}\n")
    kratos = Container("1", "kratos", "kratos", "p", "exited", "", "", 0, "i")
    return Subject(replace(subject.found, containers=(kratos,)), stacks.environment(release=release))


@pytest.fixture
def brought_up(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The releases that a Kratos was brought up with, each with that of the data it found."""
    found: list[tuple[str, str]] = []

    def converging(environment: Environment, workspace: Workspace, *others: object) -> None:
        found.append((environment.release, workspace.state().releases["sqlite"]))

    monkeypatch.setattr(converge, "converge", converging)
    return found


def test_a_snapshot_goes_back_to_the_release_its_data_was_on_not_to_the_one_asked_for_since(
    subject: Subject, brought_up: list[tuple[str, str]]
) -> None:
    """Whoever writes a release to kratosctl.yaml, saves to be sure, and then runs `up`."""
    saving.save(asked_for(subject, "v26.2.0", "v1.1.0"), "to-be-sure", "", False, QUIET)
    assert store.load(subject.found.workspace, "to-be-sure").release == "v1.1.0"

    restoring.restore(asked_for(subject, "v26.2.0", "v26.2.0"), "to-be-sure", QUIET, True, {})

    assert brought_up == [("v1.1.0", "v1.1.0")]
    assert "v1.1.0" in (subject.found.workspace.directory / "kratosctl.yaml").read_text()


def test_after_migrations_that_failed_a_snapshot_goes_back_to_the_release_before_them(
    subject: Subject, brought_up: list[tuple[str, str]]
) -> None:
    """`up --release v26.2.0 --save` was given up half-way: whose the tables are then nobody has noted."""
    saving.save(asked_for(subject, "v1.1.0", "v1.1.0"), "to-be-sure", "", False, QUIET)
    failed = asked_for(subject, "v26.2.0", "v1.1.0")
    assert isinstance(failed.live, SqliteFile)
    with closing(sqlite3.connect(failed.live.path)) as database, database:
        database.execute("INSERT INTO schema_migration VALUES (26)")

    restoring.restore(failed, "to-be-sure", QUIET, True, {})

    assert brought_up == [("v1.1.0", "v1.1.0")]
    assert "v1.1.0" in (subject.found.workspace.directory / "kratosctl.yaml").read_text()


def test_to_undo_a_reset_takes_back_nothing_that_was_asked_for_since(
    subject: Subject, brought_up: list[tuple[str, str]]
) -> None:
    asked = asked_for(subject, "v26.2.0", "v1.1.0")
    resetting.reset(asked, None, "", QUIET)

    told = restoring.restore(asked, None, QUIET, True, {})

    assert told.text().startswith("restored before-reset-")
    assert "3 identities, Kratos v1.1.0\n" in told.text()
    assert subject.live.facts().identities == 3
    assert brought_up == []
    assert "v26.2.0" in (subject.found.workspace.directory / "kratosctl.yaml").read_text()


def test_the_way_back_from_an_upgrade_leads_to_a_release_with_the_same_tables_too(
    subject: Subject, brought_up: list[tuple[str, str]]
) -> None:
    """v1.2.0 to v1.3.1 have the same migrations."""
    saving.save(asked_for(subject, "v1.2.0", "v1.2.0"), "before", "", False, QUIET)

    restoring.restore(asked_for(subject, "v1.3.1", "v1.3.1"), "before", QUIET, True, {})

    assert brought_up == [("v1.2.0", "v1.2.0")]


def test_an_upgrade_starts_from_the_release_that_the_data_is_of(subject: Subject) -> None:
    upgrade.refuse_another_asked_for(asked_for(subject, "v1.1.0", "v1.1.0"))
    with pytest.raises(ChoiceImpossible, match=r"is to be Kratos v26\.2\.0, and its data is of v1\.1\.0") as forward:
        upgrade.refuse_another_asked_for(asked_for(subject, "v26.2.0", "v1.1.0"))
    assert "kratosctl up dev" in forward.value.fix
    # which would refuse the downgrade
    with pytest.raises(ChoiceImpossible) as back:
        upgrade.refuse_another_asked_for(asked_for(subject, "v1.1.0", "v26.2.0"))
    assert back.value.fix == "ask for v26.2.0 in kratosctl.yaml, then upgrade"


def test_no_other_database_is_saved_or_emptied_than_the_one_that_kratos_serves_from(subject: Subject) -> None:
    """As after `up --database postgres` without --save: the SQLite file is still there."""
    kratos = Container("1", "kratos", "kratos", "p", "running", "", "", None, "i", {}, {"database": "postgres"})
    served = Subject(replace(subject.found, containers=(kratos,)), subject.environment)

    with pytest.raises(ChoiceImpossible, match="serves from postgres, and is asked to serve from sqlite"):
        saving.save(served, "to-be-sure", "", False, QUIET)
    with pytest.raises(ChoiceImpossible):
        resetting.reset(served, None, "", QUIET)

    assert subject.live.facts().identities == 3
    assert [snapshot.name for snapshot in store.listing(subject.found.workspace)] == ["three"]


def test_what_was_restored_is_not_filled_with_the_seed_that_a_new_database_waited_for(subject: Subject) -> None:
    """As after `migrate`, or an `up` that was killed before it seeded."""
    subject.found.workspace.write(SEED_WANTED, "")

    restoring.restore(subject, "three", QUIET, False, {})

    assert not subject.found.workspace.wants_seed


def test_a_restore_that_was_killed_and_cannot_be_finished_is_not_tried_over_and_over(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each try saves what is there: the first of those holds what was there before all of it."""
    workspace = subject.found.workspace
    first = saving.save_safety(subject, "restore")
    workspace.write_note(RESTORE_NOTE, {"snapshot": "three", "safety": first.name, "with_release": False})

    def held(live: SqliteFile, source: Path, same_tables: bool) -> None:
        raise DatabaseUnreachable("somebody holds it")

    monkeypatch.setattr(SqliteFile, "restore", held)
    monkeypatch.setattr(running, "find", lambda *_: subject.found)
    failed = 0
    for _ in range(saving.SAFETY_KEPT + 1):
        try:
            upgrade.settle(workspace.directory, "dev", Console(), {})
        except DatabaseUnreachable:
            failed += 1

    assert store.load(workspace, first.name) == first
    assert failed == 1
    said = capsys.readouterr().err
    assert f"could not be finished: restore it again, or {first.name}, which was there before" in said


@pytest.mark.parametrize("what", ["no snapshot 'three'", "snapshot three is damaged"])
def test_what_cannot_be_undone_is_said_once_and_stops_nobody(
    subject: Subject, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    workspace = subject.found.workspace
    workspace.write_note(CONTENT_NOTE, {"doing": "seed", "snapshot": "three"})
    if "damaged" in what:
        store.content(workspace, "three").write_bytes(b"no")
    else:
        store.remove(workspace, "three")

    putting_back.undo_content(subject, Console())

    assert f"a seed was interrupted: it cannot be undone: {what}" in capsys.readouterr().err
    assert not workspace.has_unfinished
    assert subject.live.facts().identities == 3
    assert not [snapshot.name for snapshot in store.listing(workspace) if snapshot.name.startswith("undone")]


def test_who_signed_up_after_an_interruption_nobody_noticed_is_in_a_snapshot_when_it_is_undone(
    subject: Subject, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody closed the terminal in which it ran; Kratos went on serving for days."""
    workspace = subject.found.workspace
    before = saving.save_safety(subject, "reset")
    workspace.write_note(CONTENT_NOTE, {"doing": "reset", "snapshot": before.name})
    assert isinstance(subject.live, SqliteFile)
    with closing(sqlite3.connect(subject.live.path)) as database, database:
        database.execute("INSERT INTO identities VALUES ('who signed up since')")

    putting_back.undo_content(subject, Console())

    assert subject.live.facts().identities == 3
    assert safety(subject) == []
    (kept,) = (snapshot for snapshot in store.listing(workspace) if snapshot.name != "three")
    assert kept.identities == 4
    assert f"what it held since is snapshot {kept.name}" in capsys.readouterr().err
    restoring.restore(subject, kept.name, QUIET, False, {})
    assert subject.live.facts().identities == 4


def test_an_upgrade_that_cannot_be_undone_says_once_how_it_is_finished(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = subject.found.workspace
    note = {"from": "v1.1.0", "to": "v26.2.0", "release": "v26.2.0", "image": None, "stage": "swapping"}
    workspace.write_note(UPGRADE_NOTE, {**note, "snapshot": "three"})
    store.content(workspace, "three").write_bytes(b"no")
    monkeypatch.setattr(running, "find", lambda *_: subject.found)

    with pytest.raises(SnapshotDamaged) as caught:
        upgrade.settle(workspace.directory, "dev", QUIET, {})

    assert "finish it: kratosctl up dev --release v26.2.0 --save" in caught.value.fix
    upgrade.settle(workspace.directory, "dev", QUIET, {})


@pytest.mark.parametrize("down", [False, True], ids=["it runs", "it is down"])
def test_what_was_interrupted_is_undone_where_another_database_is_asked_for_by_now(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], down: bool
) -> None:
    workspace = subject.found.workspace
    workspace.save_state(State(project="p", migrated={"image": "i", "database": "file 1 2"}))
    workspace.write_note(CONTENT_NOTE, {"doing": "seed", "snapshot": "three"})
    ask_for(workspace, "database: postgres, variant: distroless")
    labels = {"database": "sqlite", "variant": "default"}
    kratos = Container("1", "kratos", "kratos", "p", "exited", "", "", None, "i", {}, labels)
    there = Found(workspace, workspace.state(), () if down else (kratos,))
    monkeypatch.setattr(running, "find", lambda *_: there)
    assert isinstance(subject.live, SqliteFile)
    with closing(sqlite3.connect(subject.live.path)) as database, database:
        database.execute("DELETE FROM identities")

    upgrade.settle(workspace.directory, "dev", Console(), {})

    assert "a seed was interrupted: undone" in capsys.readouterr().err
    assert subject.live.facts().identities == 3
    assert not workspace.has_unfinished


@pytest.mark.parametrize("image", [[], ["--kratos-image", "oryd/kratos:v1.3.1"]], ids=["", "with its image"])
def test_an_upgrade_that_was_killed_when_it_was_done_can_be_run_again(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], image: list[str]
) -> None:
    """Whoever runs it again wants no newer release than that, and is to hear of no older one."""
    workspace = subject.found.workspace
    note = {"from": "v1.1.0", "to": "v1.3.1", "release": "v1.3.1", "image": None, "stage": "swapped"}
    workspace.write_note(UPGRADE_NOTE, {**note, "snapshot": "three"})
    ask_for(workspace, "database: sqlite, release: v1.1.0")
    monkeypatch.setattr(running, "find", lambda *_: subject.found)
    again = ["upgrade", "--to", "v1.3.1", *image, "-C", str(workspace.directory)]

    assert main(again) == 0
    said = capsys.readouterr()
    assert "the upgrade to v1.3.1 was interrupted when it was done: finished" in said.err
    assert said.out == "dev is on v1.3.1\n"
    assert main(again) == 0
    # the same release of somebody else is no upgrade
    assert main([*again, "--kratos-image", "registry.local/kratos:v1.3.1"]) == 56


def test_an_interrupted_upgrade_is_undone_to_the_release_before_it_whatever_is_asked_for_by_now(
    subject: Subject, brought_up: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its data would be migrated again at once, while it is said to be back."""
    workspace = subject.found.workspace
    saving.save(asked_for(subject, "v1.1.0", "v1.1.0"), "before", "", False, QUIET)
    note = {"from": "v1.1.0", "to": "v26.2.0", "release": "v26.2.0", "image": None, "stage": "swapping"}
    workspace.write_note(UPGRADE_NOTE, {**note, "snapshot": "before"})
    ask_for(workspace, "database: sqlite, release: v26.2.0")
    monkeypatch.setattr(running, "find", lambda *_: subject.found)

    upgrade.settle(workspace.directory, "dev", QUIET, {})

    assert brought_up == [("v1.1.0", "v1.1.0")]
    assert "release: v26.2.0" in (workspace.directory / "kratosctl.yaml").read_text()


@pytest.mark.parametrize("state", ["exited", "running"])
def test_who_signed_up_after_an_upgrade_was_interrupted_is_in_a_snapshot_when_it_is_undone(
    subject: Subject,
    brought_up: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    state: str,
) -> None:
    """It was killed while it waited for the new Kratos, which came up all the same."""
    workspace = subject.found.workspace
    before = saving.save_safety(asked_for(subject, "v1.1.0", "v1.1.0"), "upgrade")
    note = {"from": "v1.1.0", "to": "v26.2.0", "release": "v26.2.0", "image": None, "stage": "swapping"}
    workspace.write_note(UPGRADE_NOTE, {**note, "snapshot": before.name})
    kratos = Container("1", "kratos", "kratos", "p", state, "", "", None, "i")
    found = replace(subject.found, containers=(kratos,))
    monkeypatch.setattr(running, "find", lambda *_: found)
    monkeypatch.setattr(program, "docker", lambda *words: None)
    assert isinstance(subject.live, SqliteFile)
    with closing(sqlite3.connect(subject.live.path)) as database, database:
        database.execute("INSERT INTO identities VALUES ('who signed up since')")

    upgrade.settle(workspace.directory, "dev", Console(), {})

    assert subject.live.facts().identities == 3
    assert safety(subject) == []
    kept = [snapshot for snapshot in store.listing(workspace) if snapshot.name != "three"]
    assert [snapshot.identities for snapshot in kept] == ([4] if state == "running" else [])
    assert ("what it held since is snapshot" in capsys.readouterr().err) == (state == "running")


def ask_for(workspace: Workspace, answers: str) -> None:
    (workspace.directory / "kratosctl.yaml").write_text(f"environments:\n  dev: {{{answers}}}\n")


def test_a_snapshot_of_a_release_between_the_one_asked_for_and_the_one_that_serves_is_refused_before_it_is_put_in_place(
    subject: Subject, brought_up: list[tuple[str, str]]
) -> None:
    """As after `up --release v26.2.0` without --save: `up` would refuse to go to what kratosctl.yaml asks for."""
    between = asked_for(subject, "v1.1.0", "v1.3.0")
    saving.save(between, "between", "", False, QUIET)
    served = asked_for(subject, "v1.1.0", "v26.2.0")
    assert isinstance(served.live, SqliteFile)
    with closing(sqlite3.connect(served.live.path)) as database, database:
        database.execute("INSERT INTO schema_migration VALUES (26)")

    with pytest.raises(SnapshotForeign, match=r"migrated by Kratos v1\.3\.0"):
        restoring.restore(served, "between", QUIET, False, {})
    assert brought_up == []

    restoring.restore(served, "between", QUIET, True, {})
    assert brought_up == [("v1.3.0", "v1.3.0")]


@pytest.mark.parametrize(("migrations", "kept"), [((1,), 0), ((1, 2), 3), ((1, 2, 3), 3)])
def test_a_lesson_that_is_given_up_keeps_everybody_where_the_tables_have_been_migrated(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, migrations: tuple[int, ...], kept: int
) -> None:
    """By this release, or by a newer one: `up --release` and `upgrade` mend it, too."""
    monkeypatch.setattr(running, "find", lambda *_: subject.found)
    assert isinstance(subject.live, SqliteFile)
    with closing(sqlite3.connect(subject.live.path)) as database, database:
        database.execute("INSERT INTO schema_migration VALUES (2)")
        database.execute("DELETE FROM identities")
    saving.keep(subject, "before-the-lesson", "")
    with closing(sqlite3.connect(subject.live.path)) as database, database:
        database.execute("DELETE FROM schema_migration")
        database.executemany("INSERT INTO schema_migration VALUES (?)", [(number,) for number in migrations])
        database.executemany("INSERT INTO identities VALUES (?)", [("who",), ("came",), ("since",)])

    safety = breaking._put_back_tables(subject.found, subject.environment, "before-the-lesson", QUIET)

    assert subject.live.facts().identities == kept
    assert bool(safety) == (kept == 0)


@pytest.mark.parametrize("lost", ["removed", "damaged"])
def test_a_lesson_can_be_given_up_without_its_snapshot_too(
    subject: Subject, capsys: pytest.CaptureFixture[str], lost: str
) -> None:
    """It was removed by hand, or the disk has lost it: whoever mends the lesson does without it."""
    workspace = subject.found.workspace
    saving.keep(subject, "before-the-lesson", "")
    if lost == "removed":
        store.remove(workspace, "before-the-lesson")
    else:
        store.content(workspace, "before-the-lesson").write_bytes(b"no")
    workspace.save_state(State(project="p", migrated={"image": "i", "database": "1"}))

    assert not breaking._put_back_tables(subject.found, subject.environment, "before-the-lesson", Console())

    assert workspace.state() == State(project="p"), "the next `up`, which giving up does, looks for migrations"
    assert subject.live.facts().identities == 3
    assert safety(subject) == []
    assert "the migrations that its database lacks are applied instead" in capsys.readouterr().err


def test_what_reset_puts_back_is_made_anew_where_it_is_damaged(subject: Subject) -> None:
    def seed() -> None:
        assert isinstance(subject.live, SqliteFile)
        with closing(sqlite3.connect(subject.live.path)) as database, database:
            database.execute("INSERT INTO identities VALUES ('ada')")

    workspace, key = subject.found.workspace, "0123456789abcdef"
    resetting.reset(subject, seed, key, QUIET)
    store.content(workspace, f"{store.SEEDED}{key}").write_bytes(b"no")

    resetting.reset(subject, seed, key, QUIET)

    assert subject.live.facts().identities == 1
    assert store.check(workspace, store.load(workspace, f"{store.SEEDED}{key}"))

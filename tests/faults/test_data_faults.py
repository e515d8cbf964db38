"""Snapshots, reset and upgrade where something else goes wrong: the disk, the database, Kratos, another kratosctl."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.kratos.api import Client
from kratosctl.snapshots import sqlite
from tests.e2e import engine, images, people
from tests.e2e.program import Directory
from tests.faults.soundness import assert_files_whole, assert_one_error, assert_sound
from tests.faults.test_host import needs_root, small_disk

FLAGS = ("--yes", "--no-ui", "--no-mail")
OLD, NEW = images.RELEASES[0], images.NEWEST
UPGRADE = ("upgrade", "--to", NEW, "--kratos-image", images.kratos(NEW))
databases = pytest.mark.parametrize("database", ["sqlite", "postgres"])


def emails(directory: Directory) -> set[str]:
    url = running.find(directory.path, "dev").admin_url()
    found = Client(url, browser=False).get(f"{url}/admin/identities?page_size=500")
    assert found.ok, found
    return {identity["traits"]["email"].partition("@")[0] for identity in found.body}


def with_ada(directory: Directory, database: str, release: str = NEW) -> None:
    """An environment with Ada in it, and a snapshot `ada`; then Eve came."""
    del directory.variables["KRATOSCTL_KRATOS_IMAGE"]
    image = ("--release", release, "--kratos-image", images.kratos(release))
    public = directory.run("up", "--database", database, *image, *FLAGS, "--json").data["endpoints"]["public"]
    people.sign_up_and_ask(public, "ada@example.org")
    directory.run("snapshot", "save", "ada")
    people.sign_up_and_ask(public, "eve@example.org")


def container(directory: Directory, service: str) -> str:
    return running.find(directory.path, "dev").running(service).name


def sql(directory: Directory, database: str, statement: dict[str, str]) -> None:
    """Runs a statement where the environment keeps its data, behind Kratos' back."""
    if database == "sqlite":
        with contextlib.closing(sqlite3.connect(directory.home() / "database" / "db.sqlite")) as connection:
            connection.executescript(statement["sqlite"])
    else:
        psql = ("psql", "-U", "kratos", "-d", "kratos", "-v", "ON_ERROR_STOP=1", "-c", statement["postgres"])
        engine.docker("exec", container(directory, "postgres"), *psql)


def test_a_journal_that_a_killed_writer_left_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE schema_migration (version); CREATE TABLE networks (id); CREATE TABLE identities (id, fill);"
            "INSERT INTO networks VALUES ('n');"
        )
        connection.executemany("INSERT INTO identities VALUES (?, ?)", [(number, "x" * 2000) for number in range(500)])
        connection.commit()
    killed = (
        "import os, signal, sqlite3; c = sqlite3.connect(__import__('sys').argv[1], isolation_level=None);"
        "c.execute('PRAGMA cache_size = 5'); c.execute('BEGIN'); c.execute(\"UPDATE identities SET fill = 'y'\");"
        "c.execute('DELETE FROM identities'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", killed, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.with_name("db.sqlite-journal").stat().st_size
    assert sqlite.facts(path).identities == 500
    assert not path.with_name("db.sqlite-journal").exists()


@needs_root
@pytest.mark.engine
@databases
@pytest.mark.parametrize("left", [0, 20])
def test_the_disk_is_full_for_a_snapshot(make_directory: Callable[[str], Directory], database: str, left: int) -> None:
    directory = make_directory("small")
    with small_disk(directory.path, 20_000):
        with_ada(directory, database)
        _fill(directory.path / "filler", left)
        for words in (("snapshot", "save", "new"), ("snapshot", "restore", "ada"), ("reset",)):
            said = assert_one_error(directory.run(*words, code=None), 20)
            assert "free some space" in said
            assert emails(directory) == {"ada", "eve"}
        (directory.path / "filler").unlink()
        listed = [snapshot["name"] for snapshot in directory.run("snapshot", "list", "--json").data["snapshots"]]
        assert listed == ["ada"]
        directory.run("up")
        assert_files_whole(directory)
        directory.run("snapshot", "restore", "ada")
        assert emails(directory) == {"ada"}
        directory.wipe()


@needs_root
@pytest.mark.engine
def test_the_disk_is_full_for_an_upgrade(make_directory: Callable[[str], Directory]) -> None:
    directory = make_directory("small")
    with small_disk(directory.path, 20_000):
        with_ada(directory, "sqlite", OLD)
        for left in (0, 1500, 3000):
            _fill(directory.path / "filler", left)
            done = directory.run(*UPGRADE, code=None)
            assert done.code in (0, 20, 64), done
            (directory.path / "filler").unlink()
            directory.run("up")
            assert directory.status()["release"] == (NEW if done.code == 0 else OLD)
            assert emails(directory) == {"ada", "eve"}
            if done.code == 0:
                break
        directory.wipe()


def _fill(file: Path, left: int) -> None:
    """Fills a disk, but for some kilobytes."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    os.truncate(file, file.stat().st_size - left * 1024)


def _noted(directory: Directory, note: str, process: subprocess.Popen[str]) -> bool:
    """Waits until a command has begun to change data. False where it has ended by then."""
    path = directory.home() / note
    return engine.until(lambda: path.exists() or process.poll() is not None, 120) and path.exists()


@pytest.mark.engine
def test_postgres_is_killed_in_the_middle_of_a_restore(directory: Directory) -> None:
    with_ada(directory, "postgres")
    postgres = container(directory, "postgres")
    process = directory.start("snapshot", "restore", "ada")
    _noted(directory, "restore.json", process)
    engine.docker("kill", postgres)
    _, err = process.communicate(timeout=100)
    assert process.returncode in (0, 16, 39, 53), err
    assert "Traceback" not in err
    if process.returncode:
        assert len(err[err.rindex("error: ") :].splitlines()) <= 3
    directory.run("up")
    # who was told that it is done has it; else all of what was there, or all of the snapshot
    assert emails(directory) in ([{"ada"}] if process.returncode == 0 else [{"ada"}, {"ada", "eve"}])
    assert_sound(directory, directory.run("up", "--json").data)


@pytest.mark.engine
@databases
def test_kratos_is_restarted_in_the_middle_of_a_restore(directory: Directory, database: str) -> None:
    with_ada(directory, database)
    kratos = container(directory, "kratos")
    process = directory.start("snapshot", "restore", "ada")
    _noted(directory, "restore.json", process)
    engine.docker("restart", "--time", "0", kratos)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    directory.run("up")
    assert emails(directory) == {"ada"}


@pytest.mark.engine
@databases
def test_two_restores_at_once_leave_one_of_the_two(directory: Directory, database: str) -> None:
    with_ada(directory, database)
    directory.run("snapshot", "save", "both")
    started = [directory.start("snapshot", "restore", name) for name in ("ada", "both") * 3]
    ended = [process.communicate(timeout=100) for process in started]
    assert [process.returncode for process in started] == [0] * 6, ended
    assert emails(directory) in ({"ada"}, {"ada", "eve"})
    assert_sound(directory, directory.run("up", "--json").data)


@pytest.mark.engine
def test_a_client_that_holds_one_table_and_wants_another_keeps_no_restore_from_its_end(directory: Directory) -> None:
    with_ada(directory, "postgres")
    postgres = f"{directory.status()['project']}-postgres-1"
    # tables are locked by name: who has the last and wants the first closes the circle
    client = f"""DO $$ BEGIN
      LOCK sessions IN ROW EXCLUSIVE MODE;
      WHILE NOT EXISTS (SELECT FROM pg_locks WHERE {_SESSIONS} AND NOT granted) LOOP PERFORM pg_sleep(0.02); END LOOP;
      LOCK identities IN ROW EXCLUSIVE MODE;
    END $$"""
    psql = ("docker", "exec", postgres, "psql", "--username", "kratos", "--tuples-only", "--command")
    # who looks for a circle first is the one to give way: the restore, when the client has surely closed it
    subprocess.check_call([*psql, "ALTER DATABASE kratos SET deadlock_timeout = '5s'"], stdout=subprocess.DEVNULL)
    patient = "SET deadlock_timeout = '60s'"
    with subprocess.Popen([*psql, patient, "--command", client], stdout=subprocess.DEVNULL) as process:
        held = f"SELECT count(*) FROM pg_locks WHERE {_SESSIONS} AND mode = 'RowExclusiveLock'"
        engine.until(lambda: subprocess.check_output([*psql, held]).strip() == b"1")
        directory.run("snapshot", "restore", "ada")
        assert process.wait(timeout=20) == 0
    assert emails(directory) == {"ada"}
    assert "deadlock detected" in engine.everything_said(postgres)


_SESSIONS = "relation = 'sessions'::regclass"


@pytest.mark.engine
def test_a_client_that_holds_a_table_for_itself_keeps_nobody_waiting_for_ever(directory: Directory) -> None:
    """A psql in some other window, in which a TRUNCATE still waits for its COMMIT."""
    with_ada(directory, "postgres")
    psql = ("docker", "exec", container(directory, "postgres"), "psql", "-U", "kratos", "-d", "kratos", "-Atc")
    with subprocess.Popen([*psql, "LOCK TABLE identities; SELECT pg_sleep(45)"], stdout=subprocess.DEVNULL):
        held = "SELECT pid FROM pg_locks WHERE relation = 'identities'::regclass AND mode = 'AccessExclusiveLock'"
        engine.until(lambda: subprocess.check_output([*psql, held]).strip() != b"")
        for words in (("snapshot", "save", "one"), ("reset",)):
            assert "lock timeout" in assert_one_error(directory.run(*words, code=None), 59)
        assert "Delete the database" in directory.run("down", "--volumes", code=38).said
        assert subprocess.check_output([*psql, held]).strip() != b"", "it was not waited for"
        subprocess.check_call([*psql, f"SELECT pg_terminate_backend(({held}))"], stdout=subprocess.DEVNULL)
    assert emails(directory) == {"ada", "eve"}


@pytest.mark.engine
@pytest.mark.parametrize("command", ["save", "restore", "show", "remove", "export"])
def test_a_path_names_no_snapshot_for_any_command(shared_directory: Directory, command: str) -> None:
    if not shared_directory.environments():
        shared_directory.up()
    for name in ("../../secrets", "/etc", "a/b", "..", ".making-x", ".replaced-x", "a\nb"):
        assert "cannot name a snapshot" in assert_one_error(
            shared_directory.run("snapshot", command, "--", name, code=None), 32
        )


_NO_MORE_MIGRATIONS = {
    "sqlite": "CREATE TRIGGER no_more BEFORE INSERT ON schema_migration BEGIN SELECT RAISE(ABORT, 'no more'); END;",
    "postgres": (
        "CREATE FUNCTION no_more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no more'; END $$;"
        "CREATE TRIGGER no_more BEFORE INSERT ON schema_migration FOR EACH ROW EXECUTE FUNCTION no_more();"
    ),
}


@pytest.mark.engine
@databases
def test_a_migration_that_fails_on_the_clone_leaves_the_old_release_alone(directory: Directory, database: str) -> None:
    with_ada(directory, database, OLD)
    sql(directory, database, _NO_MORE_MIGRATIONS)
    kratos = running.find(directory.path, "dev").running("kratos").id
    said = assert_one_error(directory.run(*UPGRADE, code=None), 64)
    assert "migrations failed" in said
    assert "nothing was changed" in said
    assert running.find(directory.path, "dev").running("kratos").id == kratos
    assert emails(directory) == {"ada", "eve"}
    assert directory.status()["release"] == OLD
    assert not (directory.home() / "upgrade-rehearsal").exists()


@pytest.mark.engine
@databases
def test_a_migration_that_fails_on_the_data_itself_is_undone(directory: Directory, database: str) -> None:
    with_ada(directory, database, OLD)
    process = directory.start(*UPGRADE)
    assert _noted(directory, "upgrade.json", process)
    # the rehearsal went well; now Kratos is stopped, and only the migration writes
    with _killing_migrations(directory):
        _, err = process.communicate(timeout=160)
    assert process.returncode == 64, err
    assert "undone" in err
    assert directory.status()["release"] == OLD
    assert emails(directory) == {"ada", "eve"}
    assert not (directory.home() / "upgrade.json").exists()
    assert not list(directory.home().glob("snapshots/before-upgrade-*"))
    assert f"release: {OLD}" in (directory.path / "kratosctl.yaml").read_text()


@pytest.mark.engine
def test_an_upgrade_is_taken_back_beside_a_schema_of_somebodys_own(directory: Directory) -> None:
    """Such as Hasura's, in the same database."""
    with_ada(directory, "postgres", OLD)
    own = "CREATE SCHEMA app; CREATE TABLE app.members (identity uuid REFERENCES public.identities);"
    own += "INSERT INTO app.members SELECT id FROM identities; CREATE VIEW app.v AS TABLE app.members;"
    sql(directory, "postgres", {"postgres": own})
    directory.run(*UPGRADE)

    directory.run("snapshot", "restore", "--undo")

    assert directory.status()["release"] == OLD
    assert emails(directory) == {"ada", "eve"}
    # fails where it is not two
    sql(directory, "postgres", {"postgres": "SELECT 1 / (count(*) = 2)::int FROM app.v"})


@pytest.mark.engine
def test_a_reset_of_many_people_empties_no_table_of_somebodys_own_schema(directory: Directory) -> None:
    """One that refers to Kratos': no undo would bring its rows back."""
    with_ada(directory, "postgres", NEW)
    another = "(jsonb_populate_record(i, jsonb_build_object('id', gen_random_uuid()))).*"
    own = f"INSERT INTO identities SELECT {another} FROM identities i, generate_series(1, 25000);"
    own += "SELECT 1 / (pg_relation_size('identities') > 4000000)::int; CREATE SCHEMA app;"
    own += "CREATE TABLE app.members AS SELECT id FROM identities;"
    own += "ALTER TABLE app.members ADD FOREIGN KEY (id) REFERENCES public.identities;"
    sql(directory, "postgres", {"postgres": own})

    directory.run("reset")
    assert emails(directory) == set()
    directory.run("snapshot", "restore", "--undo")

    # fails where one is missing
    there = "SELECT 1 / (count(*) = 50002)::int FROM app.members JOIN identities USING (id)"
    sql(directory, "postgres", {"postgres": there})


@contextlib.contextmanager
def _killing_migrations(directory: Directory) -> Iterator[None]:
    """Kills each migration of the environment as soon as it runs, while a block does."""
    project = running.find(directory.path, "dev").state.project
    # the events of the engine come in at once, so no migration is over before it is seen
    watch = (
        f"docker events --filter event=start --filter label=com.docker.compose.project={project}"
        ' --filter label=com.docker.compose.service=kratos-migrate --format "{{.ID}}"'
        " | head -n 1 | xargs docker kill"
    )
    process = subprocess.Popen(["sh", "-c", watch], stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.engine
def test_postgres_is_killed_in_the_middle_of_an_upgrade(directory: Directory) -> None:
    with_ada(directory, "postgres", OLD)
    postgres = container(directory, "postgres")
    process = directory.start(*UPGRADE)
    assert _noted(directory, "upgrade.json", process)
    engine.docker("kill", postgres)
    _, err = process.communicate(timeout=160)
    assert process.returncode in (0, 64), err
    assert "Traceback" not in err
    directory.run("up")
    assert directory.status()["release"] == (NEW if process.returncode == 0 else OLD)
    assert emails(directory) == {"ada", "eve"}


@pytest.mark.engine
def test_a_snapshot_that_was_being_replaced_is_the_old_one_or_the_new(directory: Directory) -> None:
    with_ada(directory, "sqlite")
    public = directory.status()["endpoints"]["public"]
    saved, there = 1, 2
    for point in range(8):
        process = directory.start("snapshot", "save", "ada", "--overwrite", heard=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.15 + 0.03 * point)
        process.kill()
        process.wait()
        shown = directory.run("snapshot", "show", "ada", "--json").data["snapshot"]["identities"]
        assert shown in (saved, there)
        saved = shown
        people.sign_up_and_ask(public, f"eve-{point}@example.org")
        there += 1
    directory.run("snapshot", "restore", "ada")
    directory.run("up")
    assert_files_whole(directory)

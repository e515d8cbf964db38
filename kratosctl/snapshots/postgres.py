"""Snapshots of a PostgreSQL database: a plain dump, put back in one transaction.

Replacing the content of the tables, or the tables themselves, inside the database that Kratos is connected to needs no
connection to be cut and no database to be renamed: PostgreSQL shows everybody the old data until COMMIT, and a process
killed before that changes nothing.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from kratosctl.engine import program, reading
from kratosctl.errors import DatabaseHeld, DatabaseUnreachable, DiskFull, EngineFailed, KratosctlError
from kratosctl.kratos.log_lines import last_telling
from kratosctl.snapshots import dump
from kratosctl.snapshots.facts import KEPT_TABLES, SENDING, Facts

_ASK = ("psql", "--username", "kratos", "--dbname", "kratos", "--no-psqlrc", "--quiet")
_PATIENCE = "--lock-wait-timeout=10000"  # ms
_DUMP = ("pg_dump", "--username", "kratos", "--dbname", "kratos", "--no-owner", "--no-privileges", _PATIENCE)
_FACTS = """
SET lock_timeout = '10s';
SELECT (SELECT count(*) FROM schema_migration), (SELECT count(*) FROM identities),
       coalesce((SELECT id::text FROM networks LIMIT 1), '');
"""
# Begins a transaction for which all who write wait, while who reads, as a dump does, goes on. All tables are locked
# first and in one order, so that no client can hold one we want and want one we hold. Foreign keys need no order among
# rows that are all replaced at once.
_HOLD = """
BEGIN;
SET LOCAL session_replication_role = replica;
SET LOCAL client_min_messages = warning;
SET LOCAL lock_timeout = '10s';
DO $$
DECLARE
  names text;
BEGIN
  SELECT string_agg(format('public.%I', relname), ', ' ORDER BY relname) INTO names
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace;
  IF names <> '' THEN
    EXECUTE 'LOCK TABLE ' || names || ' IN EXCLUSIVE MODE';
  END IF;
END $$;
"""
# TRUNCATE takes about a millisecond for each table and index, however few rows there are: small tables are deleted
# from. So are all where a table of another schema refers to one: it would be emptied, too, and no snapshot brings that
# back; and one that somebody goes on reading, who may wait for us to write.
_EMPTY_TABLES = """
DO $$
DECLARE
  name text;
BEGIN
  CONDITION
  PERFORM set_config('lock_timeout', '200ms', true);
  FOR name IN SELECT format('public.%I', relname) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> ALL ('{KEPT}'::text[])
  LOOP
    IF pg_relation_size(name::regclass) > 4000000 AND NOT EXISTS (
      SELECT FROM pg_constraint JOIN pg_class ON pg_class.oid = confrelid
        WHERE relnamespace = 'public'::regnamespace AND connamespace <> relnamespace
    ) THEN
      BEGIN
        EXECUTE 'TRUNCATE ' || name || ' CASCADE';
      EXCEPTION WHEN lock_not_available THEN
        EXECUTE 'DELETE FROM ' || name;
      END;
    ELSE
      EXECUTE 'DELETE FROM ' || name;
    END IF;
  END LOOP;
END $$;
"""
# without the search path that a dump leaves empty
FORGET_MAIL = "DELETE FROM public.courier_messages;\n"
_SENDING_NOW = "Kratos is sending mail"
_UNLESS_SENDING = f"""IF EXISTS (SELECT FROM courier_messages WHERE {SENDING}) THEN
    RAISE EXCEPTION '{_SENDING_NOW}';
  END IF;"""
# said after the statements before it succeeded, so that silence is never taken for success
_HELD = "kratosctl-held"
_EMPTIED = "kratosctl-emptied"
_END = "kratosctl-end-of-answer"
_TRIES = 5
_DEADLOCK = "deadlock detected"
_LOCK_TIMEOUT_SAID = "lock timeout"
_TRY_AGAIN = "nothing was changed; try again"
_WHOLE = "the database holds the old data or the new, and no mixture"
_EMPTY_SCHEMA = "DROP SCHEMA public CASCADE;\nCREATE SCHEMA public;\n"


def save(container: str, target: Path) -> None:
    """Dumps the database, however busy it is, to a file of plain SQL: the tables first, then their rows.

    Args:
        container: of PostgreSQL, running.
        target: the file to write.

    Raises:
        EngineFailed: with what pg_dump said.
        DatabaseUnreachable: PostgreSQL stopped.
        DatabaseHeld: somebody held a table for too long.
    """
    with target.open("wb") as file:
        done = program.docker("exec", container, *_DUMP, check=False, stdout=file)
    if done.returncode != 0:
        raise _failure(container, "pg_dump", last_telling(done.stderr.splitlines()))


class Session:
    """A psql that stays open: to start one takes longer than to empty the database.

    Args:
        container: of PostgreSQL, running.
    """

    def __init__(self, container: str) -> None:
        self.container = container
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._holds = False

    def hold(self) -> None:
        """Has all who write wait, until the database is restored or emptied, or this is closed; who reads goes on.

        Raises:
            DatabaseUnreachable: PostgreSQL stopped.
            DatabaseHeld: somebody held a table for too long. Nothing was changed.
        """
        with self._lock:
            for _ in range(_TRIES):
                said = self._ask(f"{_HOLD}SELECT '{_HELD}';\n")
                if _HELD in said:
                    self._holds = True
                    return
                self._ask("ROLLBACK;\n")
                if not any(_DEADLOCK in line for line in said):
                    break
        raise _held(_first_error(said))

    def restore(self, source: Path, same_tables: bool) -> None:
        """Puts a dump in place of the database's content, in one transaction, and closes this.

        Args:
            source: a dump by `save`.
            same_tables: the database has the migrations of the dump: only rows are replaced, and what Kratos knows of
                the tables stays true. Otherwise the tables are made anew, and Kratos must be started again.

        Raises:
            SnapshotDamaged: the dump is not whole. Nothing was changed.
            DatabaseUnreachable: PostgreSQL stopped.
            DatabaseHeld: somebody held a table for too long. Nothing was changed.
        """
        dump.check_whole(source)
        try:
            if not self._holds:
                self.hold()
            first = "\\set ON_ERROR_STOP 1\n" + dump.guard() + (_empty_tables(()) if same_tables else _EMPTY_SCHEMA)
            rows = dump.rows(source) if same_tables else dump.statements(source)
            code, said = self._told_at_the_end([first.encode()], rows, [b"COMMIT;\n"])
        finally:
            self.close()
        if code != 0:
            raise _failure(self.container, "psql", said)

    def empty(self, unless_sending: bool) -> bool:
        """Takes the database back to what it was when Kratos first served from it, in one transaction.

        Args:
            unless_sending: change nothing while Kratos is sending mail.

        Returns:
            Whether it was emptied.

        Raises:
            DatabaseUnreachable: PostgreSQL stopped.
            DatabaseHeld: it does not let itself be emptied. Nothing was changed.
        """
        script = ("" if self._holds else _HOLD) + _empty_script(_UNLESS_SENDING if unless_sending else "")
        with self._lock:
            for _ in range(_TRIES):
                said = self._ask(script)
                if self._holds or not any(_DEADLOCK in line for line in said):
                    break
            self._holds = False
        if _EMPTIED in said:
            return True
        if any(_SENDING_NOW in line for line in said):
            return False
        raise DatabaseHeld("PostgreSQL was not emptied", _first_error(said), _TRY_AGAIN)

    def facts(self) -> Facts:
        """What the database holds.

        Raises:
            EngineFailed: it does not hold Kratos' tables.
            DatabaseUnreachable: PostgreSQL stopped.
            DatabaseHeld: somebody held a table for too long.
        """
        with self._lock:
            said = self._ask(_FACTS)
        try:
            migrations, identities, network = said[-1].split("|")
            return Facts(int(migrations), int(identities), network)
        except (IndexError, ValueError):
            first = _first_error(said)
            if _LOCK_TIMEOUT_SAID in first:
                raise _held(first) from None
            fix = "nothing was changed; see `kratosctl logs {env} postgres`"
            raise EngineFailed("PostgreSQL does not tell what the database holds", first, fix) from None

    def _ask(self, script: str) -> list[str]:
        """What psql prints for a script, whose last statement succeeded."""
        said: list[str] = []
        for _ in range(1 if self._holds else 2):
            try:
                said, ended = self._said(script)
            except BaseException:
                # interrupted, as by a test's time limit: whoever asks next would read this answer
                self.close()
                raise
            if not ended:
                return said
            # PostgreSQL was started again since: its old psql has ended
            self.close()
        why = last_telling(said)
        raise DatabaseUnreachable("PostgreSQL does not answer", why, "see `kratosctl logs {env} postgres`")

    def _said(self, script: str) -> tuple[list[str], bool]:
        """What psql printed, and whether it ended before it was through."""
        process = self._process = self._process or self._start()
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(f"{script}\\echo {_END} :SQLSTATE\n")
            process.stdin.flush()
        said: list[str] = []
        for line in process.stdout:
            if line.startswith(_END):
                succeeded = line.split()[1:] == ["00000"]
                return said if succeeded else [one for one in said if one != _EMPTIED], False
            said.append(line.rstrip())
        return said, True

    def _told_at_the_end(self, *parts: Iterable[bytes]) -> tuple[int, str]:
        """Gives psql the last it has to do. Returns its exit code, and what it said."""
        process = self._process
        assert process
        assert isinstance(process.stdin, io.TextIOWrapper)
        assert process.stdout
        # it reads no further than the first error
        with contextlib.suppress(BrokenPipeError):
            for part in parts:
                process.stdin.buffer.writelines(part)
            process.stdin.close()
        said = process.stdout.read()
        return process.wait(), last_telling(said.splitlines())

    def _start(self) -> subprocess.Popen[str]:
        # one stream: over two of them an error could arrive after the end of the answer
        words = ("sh", "-c", 'exec "$@" 2>&1', "sh", *_ASK, "--tuples-only", "--no-align")
        arguments = ("exec", "--interactive", self.container, *words)
        return program.talking(*arguments, stdin=subprocess.PIPE, own_session=True)

    def close(self) -> None:
        """Ends psql, and what it held."""
        process, self._process, self._holds = self._process, None, False
        if process:
            assert process.stdin
            assert process.stdout
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.stdout.close()
            process.kill()
            process.wait()


def _empty_script(condition: str) -> str:
    return _empty_tables(KEPT_TABLES, condition) + f"SELECT '{_EMPTIED}';\nCOMMIT;\n"


def _empty_tables(but: Sequence[str], condition: str = "") -> str:
    return _EMPTY_TABLES.replace("KEPT", ",".join(but)).replace("CONDITION", condition)


def _first_error(said: Sequence[str]) -> str:
    """What comes after the first error says only that there was one."""
    return next((line for line in said if "ERROR:" in line), last_telling(said))


def _failure(container: str, name: str, said: str) -> KratosctlError:
    """The error for a program that failed in the container of PostgreSQL."""
    if "no space left on device" in said.lower():
        fix = "free some space, then run the same command again: nothing was changed"
        return DiskFull(f"no space left for {name}", said, fix)
    if reading.state(container)[0] != "running":
        fix = f"{_WHOLE}; start it: kratosctl up {{env}}"
        return DatabaseUnreachable("PostgreSQL stopped meanwhile", said, fix)
    if name == "pg_dump" and _LOCK_TIMEOUT_SAID in said:
        return _held(said)
    if name == "psql" and (_LOCK_TIMEOUT_SAID in said or _DEADLOCK in said):
        return DatabaseHeld("PostgreSQL did not take the data", said, _TRY_AGAIN)
    if name == "psql" and "connection" in said:
        return DatabaseUnreachable("PostgreSQL did not take the data", said, f"{_WHOLE}; try again")
    return EngineFailed(f"{name} failed", said, "nothing was changed; see `kratosctl logs {env} postgres`")


def _held(said: str) -> DatabaseHeld:
    fix = "nothing was changed; end what holds a table, such as a transaction in an open psql, then try again"
    return DatabaseHeld("PostgreSQL does not give the data", said, fix)

"""An environment's own PostgreSQL on its way to being served: its files made or copied, started, answering."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from kratosctl.console import Console
from kratosctl.database import templates
from kratosctl.engine import faults, program, reading
from kratosctl.errors import DatabaseUnreachable, KratosctlError, NotRunning, ServiceFailed
from kratosctl.files.atomic import said_plainly
from kratosctl.limits import Limits
from kratosctl.running import Found
from kratosctl.stack.files import COMPOSE_FILE
from kratosctl.stages import images
from kratosctl.stages.assemble import Stack
from kratosctl.stages.plan import Observed

_SNAPSHOT_SQL = "kratosctl-snapshot.sql"
_DATA = "/var/lib/postgresql/data"
_HALF_MADE = (
    r"(?i)exists but is not empty|is not a database cluster directory|does not contain .*PG_VERSION|pg_control"
    r"|could not (open|read|locate|access) .*(global/|base/|pg_wal|pg_xact|checkpoint record)|WAL ends before"
)
# what a PostgreSQL that is whole answers to one it does not let in
_REFUSES = (
    r"pg_hba\.conf|not permitted to log in|not currently accepting connections|authentication failed"
    r"|too many (clients|connections)|connection slots|permission denied"
)
_PSQL_FAILED = (2, 3)  # psql's exit codes where it got no connection, or the server did not do what it was asked
# one process in the container that asks until it is answered: each `docker exec` costs as much as twenty questions
_ASK = """n=0
until pg_isready -q {address} -U kratos -d kratos; do
  n=$((n+1)); [ $n -gt {tries} ] && exit 9
  sleep 0.02
done
"""
_PSQL = "psql --username kratos --dbname kratos --no-psqlrc --quiet --set ON_ERROR_STOP=1"
_TRY = 0.03


def offer_snapshot(home: Path, dump: Path, then: str = "") -> None:
    """Lets a new PostgreSQL start with somebody's data.

    Args:
        home: the generated directory of an environment that has no database yet.
        dump: plain SQL, as a snapshot holds it.
        then: SQL to run after it.
    """
    offered = initdb(home) / _SNAPSHOT_SQL
    templates.copy(dump, offered)
    with said_plainly(offered), offered.open("a", encoding="utf-8") as file:
        file.write(then)
    offered.chmod(0o644)


def forget_snapshot(home: Path) -> None:
    """The data that PostgreSQL started with is in it: a copy that stayed would come back after the data was deleted."""
    (home / "initdb" / _SNAPSHOT_SQL).unlink(missing_ok=True)


def initdb(home: Path) -> Path:
    """The directory of SQL that a new PostgreSQL runs; it is mounted, so it must be there."""
    directory = home / "initdb"
    directory.mkdir(exist_ok=True)
    # PostgreSQL's own user reads it, whatever the caller's umask is
    directory.chmod(0o755)
    return directory


def template_of(stack: Stack, observed: Observed) -> Path | None:
    """Where the files of a PostgreSQL that this Kratos image migrated are kept, or will be.

    Returns:
        None where such files would not be what a new PostgreSQL makes by itself: the environment starts with a
        snapshot, the user's own Compose file changes the service, or the image keeps them elsewhere (since 18).
    """
    special = (
        stack.environment.database != "postgres"
        or (stack.workspace.home / "initdb" / _SNAPSHOT_SQL).exists()
        or "postgres" in stack.overridden
        or stack.place.postgres_major > 17
    )
    if special or not (observed.kratos_id and observed.postgres_id):
        return None
    return templates.path_of(observed.kratos_id, f"postgres-{images.short(observed.postgres_id)}")


def begin_first_start(stack: Stack) -> None:
    """Notes that PostgreSQL is about to make its files, so that it is known if that is cut short."""
    if stack.environment.database == "postgres":
        stack.workspace.save_state(replace(stack.workspace.state(), first_start=True, migrated={}))


def copy_template(stack: Stack, container: str, template: Path) -> None:
    """Fills the volume of a created container, which was never started, with the files of a template.

    Raises:
        FileNotFoundError: the template is gone; nothing was changed.
        KratosctlError: the engine cannot; the next `up` does without the template.
    """
    try:
        with template.open("rb") as file:
            stack.workspace.save_state(replace(stack.workspace.state(), copying=True))
            program.docker("cp", "--archive", "-", f"{container}:{_DATA}", stdin=file, doing="copying a template")
    except KratosctlError:
        template.unlink(missing_ok=True)
        raise


def keep_template(container: str, template: Path) -> None:
    """Keeps a backup of a running PostgreSQL as the image's template, unless somebody signed up meanwhile."""
    words = ("pg_basebackup", "-U", "kratos", "-D", "-", "-F", "tar", "-X", "fetch", "--checkpoint", "fast")
    with templates.scratch_file(template) as scratch, scratch.open("wb") as file:
        done = program.docker("exec", container, *words, check=False, stdout=file)
        if done.returncode == 0 and _holds_somebody(container) is False:
            templates.keep(scratch, template)


def start(
    stack: Stack, names: Mapping[str, str], create: Callable[[], object], new: bool, console: Console, seconds: float
) -> None:
    """Starts PostgreSQL, where there is one, and waits until it answers; a new one may still be making the database.

    Args:
        stack: the environment.
        names: container names by service.
        create: makes the containers that are missing.
        new: the database was not there before.
        console: where steps are shown.
        seconds: how long it may take.
    """
    if "postgres" not in names:
        return
    container, state = names["postgres"], stack.workspace.state()
    with console.step("start PostgreSQL"):
        if state.first_start and not new and _was_cut_short(container, state.copying, seconds):
            # PostgreSQL does not go on with files that are half made
            program.docker("rm", "--force", container)
            program.docker("volume", "rm", f"{stack.place.project}_postgres")
            create()
        reading.start([container])
        wait(container, seconds, initialising=new)


def adopt_template(stack: Stack, container: str, seconds: float) -> None:
    """Starts a PostgreSQL on a template's files, and makes it this environment's: its password, and nobody's data.

    The template holds the network that the Kratos it was taken from served; deleting it deletes all it holds.
    """
    password = stack.workspace.secrets().postgres_password.replace("'", "''")
    script = f"BEGIN; ALTER ROLE kratos PASSWORD '{password}'; DELETE FROM networks; COMMIT;"
    reading.start([container])
    wait(container, seconds, script)


def wait(container: str, seconds: float, script: str = "", initialising: bool = False) -> None:
    """Waits until PostgreSQL answers over TCP, as Kratos will ask it.

    Args:
        container: of PostgreSQL, started.
        seconds: how long it may take.
        script: SQL to run then.
        initialising: its socket will do: there it answers once it has made its files, while it still makes the
            database. Whoever goes on then must be ready to try again.

    Raises:
        ServiceFailed: it stopped.
        DatabaseUnreachable: it was not ready in time.
    """
    ask = _ASK.format(address="" if initialising else "-h 127.0.0.1", tries=int(seconds / _TRY))
    words = ("exec", "--interactive", container, "sh", "-c", ask + _PSQL if script else ask)
    done = program.docker(*words, check=False, stdin=script)
    if done.returncode == 0:
        return
    if done.returncode == 9:
        raise DatabaseUnreachable(
            f"PostgreSQL was not ready within {seconds:g} s",
            reading.last_line(container),
            "see `kratosctl logs {env} postgres`; give it longer with `kratosctl up {env} --database-timeout`",
        )
    status, code = _settled_state(container)
    if status != "running":
        raise ServiceFailed(
            f"PostgreSQL stopped (exit code {code})",
            reading.last_line(container),
            "see `kratosctl logs {env} postgres`",
        )
    raise faults.from_output(done.stderr, "asking PostgreSQL")


def _settled_state(container: str) -> tuple[str, int]:
    """A container's state and exit code. One that ends is called running for a moment longer than it can be asked."""
    for _ in range(20):
        status, code = reading.state(container)
        if status != "running":
            break
        time.sleep(0.1)
    return status, code


def wake(found: Found, engine: str) -> None:
    """Starts a PostgreSQL that was stopped, and waits until it answers; elsewhere there is nothing to do.

    Args:
        found: the environment.
        engine: its database: sqlite, postgres, memory or external.

    Raises:
        DatabaseUnreachable, ServiceFailed: it does not answer, or stops again.
        NotRunning: it has no container any more.
    """
    if engine != "postgres":
        return
    container = found.container("postgres")
    if container is None:
        compose_file = shlex.quote(str(found.workspace.home / COMPOSE_FILE))
        raise NotRunning(
            f"PostgreSQL of environment {found.name} has no container",
            "what was interrupted cannot be undone or finished without it",
            f"make it: docker compose -f {compose_file} up --wait postgres",
        )
    reading.start([container.name])
    wait(container.name, Limits.database)


def _was_cut_short(container: str, copied: bool, seconds: float) -> bool:
    """Whether PostgreSQL's files are half made. Those that hold an identity, whoever made it, never are; nor are those
    that cannot be asked.

    Args:
        container: of PostgreSQL.
        copied: they are a template's: even whole they are not this environment's own yet.
        seconds: how long it may take.
    """
    goes_on = reading.state(container)[0] == "running"
    try:
        reading.start([container])
        wait(container, seconds)
    except ServiceFailed:
        # a full disk or a wrong mount stops it too: only what PostgreSQL says of half a directory counts
        return not goes_on and bool(re.search(_HALF_MADE, reading.logs(container, 50)))
    except DatabaseUnreachable:
        return False
    if goes_on and not copied:
        done = program.docker("exec", container, *_PSQL.split(), "-Atc", "SELECT 1", check=False)
        return _fails_by_itself(done)
    return _holds_somebody(container) is False


def _holds_somebody(container: str) -> bool | None:
    """Whether anybody is in the database; None where it does not say."""
    asked = ("exec", container, *_PSQL.split(), "-Atc", "SELECT 1 FROM identities LIMIT 1")
    done = program.docker(*asked, check=False)
    if done.returncode == 0:
        return done.stdout.strip() == "1"
    return False if _fails_by_itself(done) else None


def _fails_by_itself(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether PostgreSQL was asked and could not answer, as one whose files are half made; not that it would not."""
    return done.returncode in _PSQL_FAILED and not re.search(_REFUSES, done.stderr)

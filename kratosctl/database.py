"""An environment's database on its way to being served: started, made from a template, migrated."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from kratosctl import migration, observe, templates
from kratosctl.assemble import Stack
from kratosctl.console import Console
from kratosctl.engine import reading
from kratosctl.errors import DatabaseUnreachable, ServiceFailed
from kratosctl.plan import Observed

_TEMPLATE_SQL = "kratosctl-template.sql"
_SNAPSHOT_SQL = "kratosctl-snapshot.sql"
_HALF_MADE = re.compile(
    r"exists but is not empty|is not a database cluster directory|does not contain .*PG_VERSION|pg_control"
    r"|could not (open|read|locate) .*(global/|base/|pg_wal|checkpoint record)",
    re.IGNORECASE,
)


def new_from_template(stack: Stack, observed: Observed) -> bool:
    """True where a new SQLite database can be a copy of the image's template."""
    return stack.database_directory is not None and not observed.database_exists


def kratos_id(stack: Stack) -> str:
    """The ID of the image whose migrations count."""
    image = reading.image(stack.kratos_image)
    return image.id if image else stack.kratos_image


def has_sqlite_template(kratos_id: str) -> bool:
    """Whether an empty SQLite database was migrated with this image before."""
    return templates.path_of(kratos_id, "sqlite").exists()


def make_sqlite(stack: Stack, kratos_id: str) -> None:
    """Puts a migrated, empty SQLite database in place."""
    assert stack.database_directory is not None
    template = templates.make_sqlite(stack.kratos_image, kratos_id, stack.place.user, stack.environment.platform)
    templates.copy(template, stack.database_directory / "db.sqlite")


def offer_template(stack: Stack, observed: Observed, kratos_id: str, until_made: ExitStack) -> bool:
    """Lets a new PostgreSQL load the image's migrated schema when it initialises.

    Args:
        stack: the environment.
        observed: what is there.
        kratos_id: the ID of the image that migrated.
        until_made: closed once `keep_postgres_template` has made the template that is not there yet.

    Returns:
        Whether there was a template to offer. An old one is taken away.
    """
    if stack.environment.database != "postgres":
        return False
    directory = initdb(stack.workspace.home)
    (directory / _TEMPLATE_SQL).unlink(missing_ok=True)
    template = _postgres_template(stack, kratos_id)
    if observed.database_exists or has_snapshot(stack.workspace.home) or not templates.found(template, until_made):
        return False
    templates.copy(template, directory / _TEMPLATE_SQL)
    (directory / _TEMPLATE_SQL).chmod(0o644)
    return True


def offer_snapshot(home: Path, dump: Path) -> None:
    """Lets a new PostgreSQL start with somebody's data.

    Args:
        home: the generated directory of an environment that has no database yet.
        dump: plain SQL, as a snapshot holds it.
    """
    templates.copy(dump, initdb(home) / _SNAPSHOT_SQL)
    (initdb(home) / _SNAPSHOT_SQL).chmod(0o644)


def has_snapshot(home: Path) -> bool:
    """Whether a new PostgreSQL would start with somebody's data: then it is no template for others."""
    return (home / "initdb" / _SNAPSHOT_SQL).exists()


def initdb(home: Path) -> Path:
    """The directory of SQL that a new PostgreSQL runs; it is mounted, so it must be there."""
    directory = home / "initdb"
    directory.mkdir(exist_ok=True)
    # PostgreSQL's own user reads it, whatever the caller's umask is
    directory.chmod(0o755)
    return directory


def begin_first_start(stack: Stack) -> None:
    """Notes that PostgreSQL is about to make its files, so that it is known if that is cut short."""
    if stack.environment.database == "postgres":
        stack.workspace.save_state(replace(stack.workspace.state(), first_start=True, migrated={}))


def start(
    stack: Stack, names: Mapping[str, str], create: Callable[[], object], new: bool, console: Console, seconds: float
) -> None:
    """Starts PostgreSQL, where there is one, and waits until it answers.

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
        if state.first_start and not new and _was_cut_short(container, seconds):
            # nothing was ever served from it, and PostgreSQL does not go on with files that are half made
            reading.docker("rm", "--force", container)
            reading.docker("volume", "rm", f"{stack.place.project}_postgres")
            create()
        reading.start([container])
        _wait_for_postgres(container, seconds)
    if state.first_start:
        stack.workspace.save_state(replace(state, first_start=False))


def _was_cut_short(container: str, seconds: float) -> bool:
    """Whether PostgreSQL's files are half made. Those that hold an identity, whoever made it, never are."""
    goes_on = reading.state(container)[0] == "running"
    psql = ("exec", container, "psql", "-U", "kratos", "-d", "kratos", "-Atc")
    try:
        reading.start([container])
        _wait_for_postgres(container, seconds)
    except ServiceFailed:
        # a full disk or a wrong mount stops it too: only what PostgreSQL says of half a directory counts
        return not goes_on and bool(_HALF_MADE.search(reading.logs(container, 50)))
    except DatabaseUnreachable:
        return False
    if goes_on:
        return reading.docker(*psql, "SELECT 1", check=False).returncode != 0
    return reading.docker(*psql, "SELECT 1 FROM identities LIMIT 1", check=False).stdout.strip() != "1"


def migrate(stack: Stack, kratos_id: str, names: Mapping[str, str], console: Console, seconds: float) -> list[str]:
    """Runs kratos-migrate, and keeps what a new PostgreSQL then holds as the image's template.

    Args:
        stack: the environment.
        kratos_id: the ID of the image that migrates.
        names: container names by service.
        console: where steps are shown.
        seconds: how long the database may stay unreachable.

    Returns:
        The last lines it printed.
    """
    with console.step("migrate"):
        printed = migration.run(names["kratos-migrate"], seconds)
    remember(stack, kratos_id)
    return printed


def remember(stack: Stack, kratos_id: str) -> None:
    """Notes which image migrated which database, so that it need not run again."""
    mark = observe.migrated_mark(kratos_id, observe.database_identity(stack))
    state = stack.workspace.state()
    stack.workspace.save_state(replace(state, migrated=mark, release=stack.environment.facts.tag))


def keep_postgres_template(stack: Stack, kratos_id: str, postgres: str) -> None:
    """Dumps a migrated PostgreSQL that nothing was served from yet, unless the image has a template."""
    template = _postgres_template(stack, kratos_id)
    if template.exists() or has_snapshot(stack.workspace.home):
        return
    done = reading.docker("exec", postgres, "pg_dump", "-U", "kratos", "--no-owner", "kratos", check=False)
    if done.returncode == 0:
        with templates.scratch_file(template) as scratch:
            scratch.write_text(done.stdout, encoding="utf-8")
            templates.keep(scratch, template)


def _postgres_template(stack: Stack, kratos_id: str) -> Path:
    return templates.path_of(kratos_id, f"postgres-{stack.place.postgres_major}")


def _wait_for_postgres(container: str, seconds: float) -> None:
    """Asks over TCP: while it initialises, the server listens on its socket only."""
    command = ("exec", container, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "kratos", "-d", "kratos")
    end = time.monotonic() + seconds
    while reading.docker(*command, check=False).returncode != 0:
        status, code = reading.state(container)
        if status != "running":
            said = [line for line in reading.logs(container, 30).splitlines() if line.strip()]
            raise ServiceFailed(
                f"PostgreSQL stopped (exit code {code})",
                said[-1][:300] if said else "it printed nothing",
                "see `kratosctl logs postgres`",
            )
        if time.monotonic() > end:
            raise DatabaseUnreachable(
                f"PostgreSQL was not ready within {seconds:g} s",
                fix="see `kratosctl logs postgres`; give it longer with --database-timeout",
            )
        time.sleep(0.05)

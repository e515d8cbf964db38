"""A SQLite database in a named volume, where an engine in a virtual machine keeps it: copied out, and put in.

This host cannot open it: the volume lies on the virtual machine's own disk, and file locks do not cross the border.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from kratosctl.engine import faults, program, reading
from kratosctl.errors import NotRunning
from kratosctl.files.atomic import said_plainly
from kratosctl.stack.labels import LABEL

_DIRECTORY = "/var/lib/sqlite"
_FILE = "db.sqlite"
_COMPOSE = "com.docker.compose."
# Nobody writes meanwhile. By itself, so that Kratos goes on even if kratosctl is killed.
_COPY_FROZEN = """docker pause "$1" >/dev/null || exit
docker cp "$1:$2/." "$3" >/dev/null
code=$?
docker unpause "$1" >/dev/null
exit $code
"""
# In one step, and only whole: a client that is killed ends what is read here early. What is left of a transaction that
# was cut short belongs to the old file.
_PUT = """cd "$1" && cat >.new && [ "$(wc -c <.new)" -eq "$2" ] && chown "$3" . .new && chmod 600 .new && sync \\
&& rm -f db.sqlite-journal db.sqlite-wal db.sqlite-shm && mv .new db.sqlite
"""


def name_of(project: str) -> str:
    """The volume of a Compose project."""
    return f"{project}_sqlite"


def holds_database(container: str) -> bool:
    """Whether there is a database in the volume.

    Args:
        container: one that mounts it, running or not.
    """
    with tempfile.TemporaryFile() as unread:
        done = program.docker("cp", f"{container}:{_DIRECTORY}/{_FILE}", "-", check=False, stdout=unread)
    if done.returncode != 0 and "could not find the file" not in done.stderr.lower():
        raise faults.from_output(done.stderr, "looking for the database")
    return done.returncode == 0


@contextlib.contextmanager
def copied(kratos: str) -> Iterator[Path]:
    """A copy of the database as it is at one moment, for a block.

    Args:
        kratos: the container that mounts the volume. If it runs, it stands still meanwhile.

    Raises:
        NotRunning: there is no database in it.
        DiskFull: there is no room for the copy.
    """
    with tempfile.TemporaryDirectory(prefix="kratosctl-") as scratch:
        if reading.state(kratos)[0] == "running":
            _copy_frozen(kratos, scratch)
        else:
            program.docker("cp", f"{kratos}:{_DIRECTORY}/.", scratch, doing="copying the database")
        file = Path(scratch, _FILE)
        if not file.exists():
            raise NotRunning(
                "there is no database in the volume", "it was never migrated", "make it: kratosctl up {env}"
            )
        yield file


def _copy_frozen(kratos: str, target: str) -> None:
    done = subprocess.run(
        ["sh", "-c", _COPY_FROZEN, "sh", kratos, _DIRECTORY, target],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        # neither Ctrl-C nor a closed terminal is for it
        start_new_session=True,
        check=False,
    )
    if done.returncode != 0:
        raise faults.from_output(done.stderr, "copying the database")


def put(container: str, source: Path) -> None:
    """Puts a database in place of what is in the volume: all of it or nothing.

    Args:
        container: one that mounts the volume; none that does may run.
        source: the database's file.

    Raises:
        DiskFull, EngineFailed: nothing was changed.
    """
    (mounting,) = json.loads(program.docker("inspect", container).stdout)
    volume = next(mount["Name"] for mount in mounting["Mounts"] if mount["Destination"] == _DIRECTORY)
    name = f"{container}-put"
    # of one that was killed before it began
    program.docker("rm", "--force", name, check=False)
    words = ["run", "--rm", "--interactive", "--name", name, "--network", "none"]
    words += _labels(mounting["Config"]["Labels"])
    words += ["--volume", f"{volume}:{_DIRECTORY}", "--user", "0:0", "--entrypoint", "sh", mounting["Image"]]
    words += ["-c", _PUT, "sh", _DIRECTORY, str(source.stat().st_size), mounting["Config"]["User"] or "0:0"]
    with said_plainly(source), source.open("rb") as file:
        program.docker(*words, stdin=file, doing="putting the database into its volume")


def _labels(labels: Mapping[str, str]) -> list[str]:
    """What has the container taken for one of the environment's, as those of `docker compose run`: it goes with it."""
    ours = {name: value for name, value in labels.items() if name.startswith(LABEL) or name == f"{_COMPOSE}project"}
    ours[f"{_COMPOSE}oneoff"] = "True"
    return [word for name, value in ours.items() for word in ("--label", f"{name}={value}")]

"""`seed`: identities of files into a running Kratos, each once; and what an environment is filled with by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kratosctl.console import Console
from kratosctl.environment import Environment
from kratosctl.errors import ChoiceImpossible, NotReady, SeedFailed, UsageError
from kratosctl.files.workspace import SEED_WANTED
from kratosctl.kratos import api, config_dir
from kratosctl.limits import LOCK_WAIT
from kratosctl.results import Result
from kratosctl.running import Found
from kratosctl.seeding import files
from kratosctl.seeding.files import Reader, Source
from kratosctl.seeding.identity import Identity, Schemas, identity_of
from kratosctl.seeding.rows import Bad, BadRow, Row
from kratosctl.seeding.sending import Outcome, Sender
from kratosctl.snapshots import putting_back, saving
from kratosctl.snapshots.subject import Subject
from kratosctl.stages import assemble

_SHOWN = 20
_KEPT = 1000


@dataclass
class Tally:
    """What became of the rows so far.

    Attributes:
        created: how many identities were made.
        there: of how many the identifier was taken already.
        failed: how many rows made none.
        bad: the first of those.
    """

    created: int = 0
    there: int = 0
    failed: int = 0
    bad: list[Bad] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.created += outcome.became == "created"
        self.there += outcome.became == "there"
        if outcome.bad:
            self.add_bad(outcome.bad)

    def add_bad(self, bad: Bad) -> None:
        self.failed += 1
        if len(self.bad) < _KEPT:
            self.bad.append(bad)

    def __str__(self) -> str:
        return f"{self.created} created, {self.there} already there, {self.failed} failed"


class _Refused(Exception):
    """Some rows were refused where all or none were wanted."""


def seed(
    subject: Subject, found: Sequence[Source], console: Console, atomic: bool = False, verified: bool = False
) -> Result:
    """Creates the identities of files that are not there yet.

    Args:
        subject: the environment; its Kratos runs.
        found: where the identities stand.
        console: where progress is shown.
        atomic: keep all or none.
        verified: addresses are verified unless their row says otherwise.

    Returns:
        How many were created, there already, or failed, and which rows those are; exit code 1 where some failed.

    Raises:
        NotRunning, NotReady: Kratos does not answer; what was created stays, but with `atomic`.
        ChoiceImpossible: the admin API is out of reach; `atomic` with a database that has no snapshots.
    """
    subject.found.running("kratos")
    with subject.found.workspace.locked("seed", LOCK_WAIT, console.note):
        if not atomic:
            return _result(subject, _fill(subject, found, verified, console), kept=True)
        tally = _wrong_by_themselves(subject, found, verified)
        if not tally.failed:
            before = saving.save_safety(subject, "seed")
            try:
                with putting_back.whole_or_undone(subject, before, "seed"):
                    tally = _fill(subject, found, verified, console)
                    if tally.failed:
                        raise _Refused
            except _Refused:
                tally.created = 0
        return _result(subject, tally, kept=not tally.failed)


def own_sources(environment: Environment, directory: Path) -> list[Source]:
    """What an environment is filled with by itself: its key `seed`.

    Args:
        environment: the environment.
        directory: where kratosctl.yaml lies.

    Raises:
        ConfigurationInvalid: it cannot be read.
    """
    return files.sources([environment.seed], directory, None) if environment.seed else []


def named_or_own(subject: Subject, names: Sequence[str], format: str | None) -> list[Source]:
    """What is to be seeded: the files that were named, else the environment's own.

    Raises:
        UsageError: there are neither.
        ConfigurationInvalid: one cannot be read.
    """
    if names:
        return files.sources(names, subject.found.workspace.directory, format)
    found = own_sources(subject.environment, subject.found.workspace.directory)
    if not found:
        raise UsageError(
            f"no file to seed {subject.found.name} with",
            "none was named, and the environment has no `seed:` in kratosctl.yaml",
            f"name one: kratosctl seed people.yaml --env {subject.found.name}",
        )
    return found


def for_reset(subject: Subject) -> tuple[Callable[[], None] | None, str]:
    """What `reset` fills an emptied database with, and a key that changes whenever that would change.

    Raises:
        ConfigurationInvalid: it cannot be read.
    """
    found = own_sources(subject.environment, subject.found.workspace.directory)
    if not found:
        return None, ""

    subject.found.running("kratos")

    def fill() -> None:
        # reset shows itself as one step
        tally = _fill(subject, found, False, Console(quiet=True))
        if tally.failed:
            more = f" (and {tally.failed - 1} more)" if tally.failed > 1 else ""
            fix = "mend it and reset again; the database was put back as it was"
            raise SeedFailed(f"the seed of {subject.found.name} is not whole", f"{tally.bad[0]}{more}", fix)

    schemas = assemble.configuration_files(subject.environment, subject.found.workspace)
    return fill, files.digest(found, schemas)[:16]


def finish_first(subject: Subject, console: Console) -> Result | None:
    """Seeds a database that `up` made, if that is not done yet.

    Returns:
        What `seed` says; None where nothing is to be done.
    """
    workspace = subject.found.workspace
    wanted = workspace.read(SEED_WANTED)
    if wanted is None:
        return None
    # what was made and never filled may have been left for another one, such as somebody's own
    new = wanted == subject.environment.database
    found = own_sources(subject.environment, workspace.directory) if new else None
    result = seed(subject, found, console) if found else None
    # killed before this, the next `up` seeds again, which creates nothing twice
    workspace.remove_note(SEED_WANTED)
    return result


def _fill(subject: Subject, sources: Sequence[Source], verified: bool, console: Console) -> Tally:
    url = _admin_url(subject.found)
    schemas = _schemas(subject)
    reader, tally = Reader(sources), Tally()
    with console.progress(f"seed {subject.found.name}") as show:
        for outcome in Sender(url).send(identities_of(reader.rows(), schemas, verified)):
            tally.add(outcome)
            show(reader.part, str(tally))
    return tally


def _wrong_by_themselves(subject: Subject, sources: Sequence[Source], verified: bool) -> Tally:
    """Looks for what Kratos need not be asked about, in what can be read again."""
    tally, schemas = Tally(), _schemas(subject)
    for one in identities_of(Reader([source for source in sources if source.is_file]).rows(), schemas, verified):
        if isinstance(one, Bad):
            tally.add_bad(one)
    return tally


def identities_of(rows: Iterator[Row | Bad], schemas: Schemas, verified: bool) -> Iterator[Identity | Bad]:
    """The identities that rows mean, and what is wrong with those that mean none.

    Args:
        rows: the rows.
        schemas: Kratos' identity schemas.
        verified: addresses are verified unless a row says otherwise.
    """
    for row in rows:
        if isinstance(row, Bad):
            yield row
            continue
        try:
            yield identity_of(row, schemas, verified)
        except BadRow as error:
            yield Bad(row.file, row.line, str(error))


def _admin_url(found: Found) -> str:
    url = found.admin_url()
    if not url:
        raise ChoiceImpossible(
            f"the admin API of {found.name} is out of this host's reach",
            "it is not published, and the engine's containers have no address here",
            f"publish it: kratosctl up {found.name} --admin-port 4434",
        )
    return url


def _schemas(subject: Subject) -> Schemas:
    """Kratos' identity schemas: they say what is an address, and what is a number."""
    found = subject.found
    address = found.public_address()
    host, port = address or ("", 0)
    host = f"[{host}]" if ":" in host else host
    answer = api.Client(f"http://{host}:{port}", browser=False).get(f"http://{host}:{port}/schemas")
    if not answer.ok or not isinstance(answer.body, list):
        raise NotReady(
            "Kratos does not tell its identity schemas", answer.messages, "see `kratosctl logs {env} kratos`"
        )
    schemas = {one["id"]: one["schema"] for one in answer.body}
    _, theirs = assemble.their_configuration(subject.environment, found.workspace)
    default = config_dir.value_at(theirs, "identity.default_schema_id") or "default"
    return schemas | {"": schemas.get(default, {})}


def _result(subject: Subject, tally: Tally, kept: bool) -> Result:
    rows = sorted(tally.bad, key=lambda bad: (bad.file, bad.line))
    data: dict[str, Any] = {
        "environment": subject.found.name,
        "created": tally.created,
        "already_there": tally.there,
        "failed": tally.failed,
        "failed_rows": [asdict(bad) for bad in rows],
    }
    more = tally.failed - min(len(rows), _SHOWN)
    lines = [
        f"{subject.found.name}: {tally}" if kept else f"{subject.found.name}: nothing was kept, {tally.failed} failed"
    ]
    lines += [f"  {bad}" for bad in rows[:_SHOWN]]
    lines += [f"  and {more} more"] if more else []
    return Result("seed", data, lambda: "\n".join(lines), exit_code=1 if tally.failed else 0)

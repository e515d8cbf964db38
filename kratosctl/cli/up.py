"""`kratosctl up`."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import click

from kratosctl.cli.options import environment_argument, question_options, seconds_option, yes_option
from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from collections.abc import Callable

    from kratosctl.answers.selection import Selection
    from kratosctl.answers.wishes import Wishes
    from kratosctl.engine.objects import Engine
    from kratosctl.environment import Environment
    from kratosctl.files.workspace import Workspace
    from kratosctl.results import Result
    from kratosctl.running import Found


@define(
    environment_argument(),
    *question_options(),
    yes_option(),
    click.option("--save", is_flag=True, help="Write flags that differ to kratosctl.yaml."),
    click.option("--dry-run", is_flag=True, help="Print the plan and the differences of files; change nothing."),
    click.option("--overwrite", is_flag=True, help="Write over generated files you edited."),
    click.option("--pull", is_flag=True, help="Take what floating tags mean now."),
    click.option("--attach/--detach", default=False, help="Follow the logs; Ctrl-C stops the environment."),
    click.option("--verify", is_flag=True, help="Then prove that people can sign up and in."),
    click.option("--open", "open_page", is_flag=True, help="Open the UI (or the API) in a browser."),
    seconds_option("--wait-timeout", 60, "For Kratos to be ready"),
    seconds_option("--database-timeout", 30, "To reach the database"),
)
def command(session: Session, name: str | None, **options: Any) -> Result:
    """Bring an environment up, and wait until Kratos is ready. Run again, it changes nothing needlessly."""
    from dataclasses import replace

    from kratosctl.answers import configuration_file, selection
    from kratosctl.cli import interview
    from kratosctl.engine import reading
    from kratosctl.errors import UsageError
    from kratosctl.files.workspace import Workspace
    from kratosctl.questions import BY_KEY

    if options["attach"] and session.json:
        raise UsageError("--attach and --json do not go together", "JSON is one envelope", "say one of the two")
    flags = {key: options.pop(key) for key in list(options) if key in BY_KEY}
    chosen = said = interview.select(session, name, flags, options["yes"])
    selection.refuse_other_dsn(chosen)
    if not chosen.known and interview.asks(session, options["yes"]):
        skip = {"preset"} if chosen.answers.get("config_dir") else set()
        chosen = interview.complete(session, chosen, *_last_look(chosen.name, options["dry_run"]), skip)
    workspace = Workspace(session.directory, chosen.name)
    if workspace.has_unfinished and not options["dry_run"]:
        from kratosctl.commands.upgrade import settle

        settle(session.directory, chosen.name, session.console, os.environ)
        chosen = selection.select(session.directory, chosen.name, flags, os.environ)
    environment = selection.environment_of(chosen)
    if environment.seed:
        from kratosctl.seeding import files

        files.sources([environment.seed], session.directory, None)
    # docker answers while the rest is imported
    engine = reading.begin(reading.engine)
    from kratosctl.stages.up import up

    def save() -> None:
        configuration_file.save(session.directory, chosen.name, selection.saved_answers(chosen.answers, environment))

    saving = not chosen.known or (options["save"] and bool(chosen.differs))
    # the questions end with a summary, which has the preset's notes
    presented = not chosen.known and chosen.answers is not said.answers
    notes = _notes(chosen, environment, saving)
    wishes = _wishes(options, save if saving else None, engine, notes, presented)
    session.after_interrupt = f"`kratosctl up {chosen.name}` goes on from here; `kratosctl down {chosen.name}` stops it"
    result = up(environment, workspace, wishes, session.console, os.environ)
    if wishes.dry_run:
        return result
    if result.after and (workspace.wants_seed or options["verify"] or options["attach"]):
        # others may be waiting for what it keeps
        result.after()
        result = replace(result, after=None)
    result = _looked_over(environment, workspace, result)
    result = _seeded(session, environment, result, bool(flags["seed"]) and "seed" in chosen.differs)
    if options["verify"]:
        result = _verified(session, environment, result)
    return _afterwards(session, chosen.name, result, options)


def _notes(chosen: Selection, environment: Environment, saving: bool) -> tuple[str, ...]:
    """What a person should know of what was asked for."""
    from kratosctl.answers import selection

    notes = () if saving else _not_kept(chosen)
    notes += selection.without_effect(chosen.answers, environment)
    if "preset" in chosen.differs:
        from kratosctl.commands.init import unused_preset

        notes += unused_preset(chosen)
    return notes


def _not_kept(chosen: Selection) -> tuple[str, ...]:
    """Says which flags hold for this run alone; variables hold as long as they are set."""
    from click.core import ParameterSource

    from kratosctl.questions import BY_KEY

    context, said = click.get_current_context(), []
    for key in chosen.differs:
        if context.get_parameter_source(key) is ParameterSource.COMMANDLINE:
            value, (flag, _, off) = chosen.answers[key], BY_KEY[key].flag.partition("/")
            said.append((flag if value else off) if isinstance(value, bool) else f"{flag} {value}")
    return (f"not kept in kratosctl.yaml: {', '.join(said)}; --save keeps it",) if said else ()


def _wishes(
    options: dict[str, Any],
    save: Callable[[], None] | None,
    engine: Callable[[], Engine],
    notes: tuple[str, ...],
    presented: bool,
) -> Wishes:
    from kratosctl.answers.wishes import Wishes
    from kratosctl.limits import Limits

    return Wishes(
        dry_run=options["dry_run"],
        overwrite=options["overwrite"],
        pull=options["pull"],
        limits=Limits(options["wait_timeout"], options["database_timeout"]),
        save=save,
        notes=notes,
        presented=presented,
        engine=engine,
    )


def _looked_over(environment: Environment, workspace: Workspace, result: Result) -> Result:
    """The result of `up` with what doctor finds in a configuration of one's own, which was made for another place."""
    # what a lesson broke is to be found
    if not environment.config_dir or workspace.lesson:
        return result
    from dataclasses import replace

    from kratosctl.doctor import gather_kratos, kratos_rules
    from kratosctl.doctor.facts import EnvironmentFacts

    kratos = gather_kratos.kratos_facts(workspace.directory, environment, workspace.state())
    about = EnvironmentFacts(environment.name, kratos=kratos)
    found = [f"{one.what}: {one.fix}" for one in kratos_rules.findings(about)]
    return replace(result, warnings=[*result.warnings, *found])


def _seeded(session: Session, environment: Environment, result: Result, asked: bool) -> Result:
    """The result of `up` with that of filling a new database behind it; one that was there is left as it is, which is
    said to whoever asked for it."""
    import shlex
    from dataclasses import replace

    from kratosctl.files.workspace import Workspace

    if not Workspace(session.directory, environment.name).wants_seed:
        fill = shlex.join(["kratosctl", "seed", str(environment.seed), "--env", environment.name])
        left = f"the database was there already, and is not filled with the seed: {fill} does that"
        return replace(result, warnings=[*result.warnings, left]) if asked else result
    from kratosctl import running
    from kratosctl.seeding import seed
    from kratosctl.snapshots.subject import Subject

    subject = Subject(running.find(session.directory, environment.name), environment)
    seeded = seed.finish_first(subject, session.console)
    if seeded is None:
        return result
    data = {**result.data, "seeded": {key: value for key, value in seeded.data.items() if key != "environment"}}
    return replace(result, data=data, text=lambda: f"{result.text()}\n\n{seeded.text()}", exit_code=seeded.exit_code)


def _verified(session: Session, environment: Environment, result: Result) -> Result:
    """The result of `up` with that of `verify` behind it."""
    from dataclasses import replace

    from kratosctl import running
    from kratosctl.commands.verify import verify

    proof = verify(running.find(session.directory, environment.name), environment, session.console)
    code = max(result.exit_code, proof.exit_code)
    data = {**result.data, "verified": proof.data["verified"], "verification": proof.data["steps"]}
    return replace(result, data=data, text=lambda: f"{result.text()}\n\n{proof.text()}", exit_code=code)


def _afterwards(session: Session, name: str, result: Result, options: dict[str, Any]) -> Result:
    """--open and --attach, which follows the logs until Ctrl-C stops the environment, as `docker compose up` does.

    Raises:
        ServiceFailed: Kratos ended by itself.
    """
    if options["open_page"]:
        from kratosctl.cli.open import open_page

        urls = result.data["endpoints"]
        open_page(session, urls.get("ui") or urls["public"] + "/health/ready")
    if not options["attach"]:
        return result
    from kratosctl import running
    from kratosctl.commands import down, logs

    session.console.warn(result)
    session.console.note(result.text())
    found = running.find(session.directory, name)
    with contextlib.suppress(KeyboardInterrupt):
        # of a kratos-migrate that had nothing to do Compose would wait for a first line, and never end
        logs.show(found, [c.service for c in found.containers if c.state == "running"], follow=True, tail="0")
        # not by Ctrl-C: nothing runs any more
        _refuse_ended(running.find(session.directory, name))
    return down.down(found, None, session.console)


def _refuse_ended(found: Found) -> None:
    """Tells of a Kratos that ended by itself, whose log stays to be read.

    Raises:
        ServiceFailed: it did.
    """
    from kratosctl.kratos import readiness

    kratos = found.container("kratos")
    if kratos and kratos.state == "exited" and kratos.exit_code:
        error = readiness.stopped("kratos", kratos.name, kratos.exit_code)
        error.environment = found.name
        raise error


def _last_look(name: str, dry_run: bool) -> tuple[list[str], str]:
    """What the questions say at their end: what will be written, and what is confirmed."""
    from kratosctl.answers.configuration_file import FILE_NAME
    from kratosctl.files.workspace import GENERATED

    if dry_run:
        return ["nothing (--dry-run)"], "Show the plan?"
    return [FILE_NAME, f"{GENERATED}/{name}/ (Compose file, secrets, data)"], "Bring it up?"

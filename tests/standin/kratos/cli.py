"""The `kratos` command."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from . import config as configuration
from . import migrations
from .config import Config, ConfigError
from .database import Database, Permanent, Unavailable, connect, retrying
from .log import Logger
from .release import current

FORMATS = ["default", "table", "json", "json-pretty", "yaml"]


def main(arguments: list[str]) -> NoReturn:
    # The first process of a container is not ended by a signal it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(2))
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if not hasattr(parsed, "run"):
        parser.print_help()
        sys.exit(0)
    try:
        parsed.run(parsed)
    except ConfigError as error:
        _say(error.report)
        Logger().error("Unable to instantiate configuration.", error={"message": str(error)})
        _refuse(str(error), parsed.usage)
    except Permanent as error:
        Logger().error("Unable to instantiate service registry.", error={"message": str(error)})
        _refuse(str(error), parsed.usage)
    except Unavailable as error:
        _refuse(str(error), parsed.usage)
    sys.exit(0)


def _version(_: argparse.Namespace) -> None:
    release = current()
    print(f"Version:\t\t\t{release.name}\nBuild Commit:\t{release.commit}\nBuild Timestamp:\t{release.built}")


def _serve(parsed: argparse.Namespace) -> None:
    from .serve import serve

    flags = {"dev": True} if parsed.dev else {}
    serve(lambda: configuration.load(parsed.config, flags), parsed.config, watch_courier=parsed.watch_courier)


def _courier_watch(parsed: argparse.Namespace) -> None:
    from .mail import Courier
    from .serve import ready_database, wait_for_signal

    config = configuration.load(parsed.config, {})
    config.validate()
    log = config.logger()
    Courier(*ready_database(config, log), config, log).start()
    wait_for_signal()


def _migrate_up(parsed: argparse.Namespace) -> None:
    modern = current().since("v25.4.0")
    if modern and parsed.deprecated:
        _say('Command "sql" is deprecated, Please use `kratos migrate sql` instead.\n')
    log, database = _database_to_migrate(parsed)
    if modern:
        migrations.prepare(database)
        print("The migration plan is as follows:")
        _print_status(database)
        print("\nThe SQL statements to be executed from top to bottom are:\n")
        for migration in migrations.pending(database):
            print(f"------------ {migration.version} - {migration.name} ------------\n{migration.statement}\n")
    if not parsed.yes and not _confirmed():
        print("Migration aborted.")
        sys.exit(0 if modern else 1)
    migrations.up(database, log)
    if modern:
        print("------------ SUCCESS ------------\nSuccessfully applied migrations!")
    else:
        print("Successfully applied SQL migrations!")


def _migrate_down(parsed: argparse.Namespace) -> None:
    log, database = _database_to_migrate(parsed)
    migrations.prepare(database)
    migrations.down(database, parsed.steps, log)
    print("------------ SUCCESS ------------\nSuccessfully applied migrations!")


def _migrate_status(parsed: argparse.Namespace) -> None:
    _, database = _database_to_migrate(parsed)
    migrations.prepare(database)
    if parsed.format.startswith("json"):
        print(json.dumps(_status(database)))
    else:
        _print_status(database)


def _print_status(database: Database) -> None:
    for row in [{"version": "Version", "name": "Name", "state": "Status"}, *_status(database)]:
        print(f"{row['version']}\t{row['name']}\t{row['state']}\t")


def _status(database: Database) -> list[dict[str, str]]:
    waiting = {migration.version for migration in migrations.pending(database)}
    return [
        {
            "state": "Pending" if migration.version in waiting else "Applied",
            "version": migration.version,
            "name": migration.name,
            "content": migration.statement,
        }
        for migration in migrations.all_migrations(database.dialect)
    ]


def _database_to_migrate(parsed: argparse.Namespace) -> tuple[Logger, Database]:
    """Migrating does not check the configuration: only the DSN is needed."""
    config = configuration.load(parsed.config, {})
    if not parsed.read_from_env:
        if not parsed.dsn:
            _refuse("accepts 1 arg(s), received 0", parsed.usage)
        config = Config(config.values | {"dsn": parsed.dsn})
    log = config.logger()
    config.require_dsn(log)
    log.info("No tracer configured - skipping tracing setup")
    database: Database = retrying(lambda: connect(config.dsn), log)
    return log, database


def _confirmed() -> bool:
    print("To skip the next question use flag --yes (at your own risk).")
    return input("Do you wish to execute this migration plan? [y/n]: ").strip().lower() in {"y", "yes"}


def _with_client(name: str, *, arguments: str = "") -> Callable[[argparse.Namespace], None]:
    """Run a function of the client module; it is imported only then."""

    def run(parsed: argparse.Namespace) -> None:
        from . import client

        extra = [getattr(parsed, arguments)] if arguments else []
        try:
            getattr(client, name)(client.Client(parsed.endpoint), parsed.format, *extra)
        except client.Failed as failure:
            if failure.usage:
                _refuse(str(failure), parsed.usage)
            _say(f"{failure}\n")
            sys.exit(1)

    return run


class _Parser(argparse.ArgumentParser):
    """Fails with 1, as Kratos does, where argparse would exit with 2."""

    def error(self, message: str) -> NoReturn:
        _refuse(message, self.format_usage())


def _parser() -> argparse.ArgumentParser:
    root = _Parser(prog="kratos", allow_abbrev=False)
    commands = root.add_subparsers()
    _command(commands, "version", _version)
    serve = _command(commands, "serve", _serve, _configured)
    for flag in ("--dev", "--watch-courier", "--sqa-opt-out"):
        serve.add_argument(flag, action="store_true")
    _command(_group(commands, "courier"), "watch", _courier_watch, _configured)
    _add_migrate(_group(commands, "migrate"))

    remote = _group(commands, "remote")
    _command(remote, "status", _with_client("remote_status"), _remote)
    _command(remote, "version", _with_client("remote_version"), _remote)
    _command(_group(commands, "list", "ls"), "identities", _with_client("list_identities"), _remote)
    for verb, noun, call, many in (
        ("get", "identity", "get_identities", "+"),
        ("delete", "identity", "delete_identities", "+"),
        ("import", "identities", "import_identities", "*"),
    ):
        command = _command(_group(commands, verb), noun, _with_client(call, arguments="names"), _remote)
        command.add_argument("names", nargs=many)
    return root


def _add_migrate(migrate: argparse._SubParsersAction[_Parser]) -> None:
    sql = _command(migrate, "sql", _migrate_up, _configured, _migrating)
    sql.set_defaults(deprecated=True)
    if not current().since("v25.4.0"):
        sql.add_argument("dsn", nargs="?")
        return
    verbs = sql.add_subparsers()
    up = _command(verbs, "up", _migrate_up, _configured, _migrating)
    up.set_defaults(deprecated=False)
    up.add_argument("dsn", nargs="?")
    down = _command(verbs, "down", _migrate_down, _configured, _migrating)
    down.add_argument("--steps", type=int, default=0)
    status = _command(verbs, "status", _migrate_status, _configured, _migrating)
    status.add_argument("--format", choices=FORMATS, default="default")
    status.add_argument("dsn", nargs="?")


def _group(commands: argparse._SubParsersAction[_Parser], *names: str) -> argparse._SubParsersAction[_Parser]:
    return commands.add_parser(names[0], aliases=names[1:]).add_subparsers(required=True)


def _command(
    commands: argparse._SubParsersAction[_Parser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    *describe: Callable[[argparse.ArgumentParser], None],
) -> _Parser:
    parser = commands.add_parser(name, allow_abbrev=False)
    for add in describe:
        add(parser)
    parser.set_defaults(run=run, usage=parser.format_usage())
    return parser


def _configured(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-c", "--config", action="append", default=[])


def _migrating(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-e", "--read-from-env", action="store_true")
    parser.add_argument("-y", "--yes", action="store_true")


def _remote(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-e", "--endpoint")
    parser.add_argument("--format", choices=FORMATS, default="default")


def _refuse(message: str, usage: str) -> NoReturn:
    _say(f"Error: {message}\n{usage}\n{message}\n")
    sys.exit(1)


def _say(text: str) -> None:
    sys.stderr.write(text)

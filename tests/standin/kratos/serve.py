"""`kratos serve`: wait for the database, then answer on both ports until told to stop."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn
from uuid import uuid4

from ..web import server
from . import migrations
from .apis import Apis
from .config import Config, Watcher
from .database import Database, Unavailable, connect, retrying
from .identities import timestamp
from .log import Logger
from .mail import Courier
from .release import current

_MEMORY = (
    "Ory Kratos is running migrations on every startup as DSN is memory."
    " This means your data is lost when Kratos terminates."
)
_DEV = "\n\nYOU ARE RUNNING Ory KRATOS IN DEV MODE.\nSECURITY IS DISABLED.\nDON'T DO THIS IN PRODUCTION!\n\n"


def serve(load: Callable[[], Config], files: list[str], *, watch_courier: bool) -> NoReturn:
    config = load()
    config.validate()
    log = config.logger()
    config.require_dsn(log)
    database, network = ready_database(config, log)
    _greet(config, log)

    watcher = Watcher(files, load, config, log)
    watcher.start()
    if watch_courier:
        Courier(database, network, config, log).start()
    apis = Apis(database, network, lambda: watcher.config, log)
    servers = []
    for name, handler in (("public", apis.public()), ("admin", apis.admin())):
        address, port = config.get(f"serve.{name}.host") or "0.0.0.0", config.get(f"serve.{name}.port")
        servers.append(server(address, port, handler))
        log.info(f"Starting the {name} httpd on: {address}:{port}")
    for each in servers:
        threading.Thread(target=each.serve_forever, daemon=True).start()
    wait_for_signal()
    log.info("Public httpd was shutdown gracefully")
    log.info("Admin httpd was shutdown gracefully")
    sys.exit(0)


def ready_database(config: Config, log: Logger) -> tuple[Database, str]:
    """The database and the id of its network, which the first process to serve on it creates."""

    def attempt() -> tuple[Database, str]:
        database = connect(config.dsn)
        if config.dsn == "memory":
            log.info(_MEMORY)
            migrations.up(database, log)
        return database, _network(database)

    result: tuple[Database, str] = retrying(attempt, log)
    return result


def wait_for_signal() -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()


def _network(database: Database) -> str:
    try:
        with database.transaction() as transaction:
            row = transaction.row("SELECT id FROM networks ORDER BY created_at LIMIT 1")
            if row:
                return str(row[0])
            key, now = str(uuid4()), timestamp()
            transaction.insert("networks", id=key, created_at=now, updated_at=now)
            return key
    except database.errors as error:
        full = "database or disk is full"
        reason = f"sqlite create: named insert: {full}" if full in str(error) else "Unable to locate the table"
        raise Unavailable("determine network", reason) from error


def _greet(config: Config, log: Logger) -> None:
    if config.dev:
        log.warning(_DEV)
    version = config.get("version")
    if not version:
        log.warning("The config has no version specified. Add the version to improve your development experience.")
    elif version != current().name:
        log.warning(f"Config version is '{version}' but kratos runs on version '{current().name}'")

"""What Kratos' log lines mean, in one to three lines instead of three hundred."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from kratosctl import errors
from kratosctl.stack.compose import CONFIG_TARGET

_PASSWORD = re.compile(r"password authentication failed|SQLSTATE 28P01|SQLSTATE 28000|Access denied for user", re.I)
# not "connection refused" and the like by themselves: mail servers and webhooks refuse connections too
_UNREACHABLE = re.compile(
    r"Unable to (ping|connect to|open) database|sqlite3 support was not compiled|unable to open database file"
    # the second line of an error that names every address that was tried
    r"|^\s+\S+:\d+ \([^)]*\): (dial|server|tls) error",
    re.I,
)
_FULL = re.compile(r"database or disk is full|SQLSTATE 53100", re.I)
# (pattern, what, what to do next) for faults that are no silence
_SPECIAL = (
    (
        r"database .* does not exist|SQLSTATE 3D000|Unknown database",
        "the database does not exist",
        "create it, or correct its name in DSN",
    ),
    (
        r"cannot parse `|invalid URL escape",
        "DSN is not a valid address",
        "write special characters of its password percent-encoded: @ as %40, / as %2F, % as %25",
    ),
    (
        r"sqlite3 support was not compiled",
        "this Kratos image cannot use SQLite",
        "use --variant default, or --database postgres",
    ),
    (
        r"unable to open database file",
        "Kratos cannot open its SQLite database",
        "its directory must exist, and belong to the user Kratos runs as",
    ),
)
_WATCHES = re.compile(r"too many open files|inotify_init|no space left on device.*watch", re.I)
_REFUSED = re.compile(r"Unable to instantiate configuration|level=fatal msg=dsn must be set")
_TAKEN = re.compile(r"configuration change processed successfully", re.I)
_NOT_TAKEN = re.compile(
    r"changed configuration is invalid and could not be loaded|marked as immutable has changed"
    r"|error occurred while watching (the )?config",
    re.I,
)
_IMMUTABLE = re.compile(r"marked as immutable", re.I)
_KEY = re.compile(r"\bkey=([\w.]+)|\"key\":\s*\"([\w.]+)\"")
_TELLING = re.compile(r"level=(error|fatal)|\"level\":\"(error|fatal)\"|^Error:|panic:|could not|unable to", re.I)
_ERROR = re.compile(r"level=(error|fatal|panic)\b|\"level\":\s*\"(error|fatal|panic)\"|^Error:|^panic:")
_TIME = re.compile(r"^time=(\S+)|\"time\":\s*\"([^\"]+)\"")
_MESSAGE = re.compile(
    r"error=map\[.*?message:(.*?)"
    r"(?: reason:| status:| status_code:| stack_trace:|\] (?:http_request|file)=|\]? service_name=|\]?$)"
)
_PLAIN_MESSAGE = re.compile(r"^time=\S+ level=\S+ msg=(.*?)(?: audience=| service_name=|$)")
_DSN_PASSWORD = re.compile(r"(\w+://[^:/@\s]*):\S*@")
# of several ways to be valid; what each of them wants is said beside it
_NO_HELP = re.compile(r"(any|all|one)Of failed|doesn't validate with|^validation failed")
_HEAD = "The configuration contains values or keys which are invalid:"
_LONGEST = 300


def is_database_fault(line: str) -> bool:
    """True for a line that says the database cannot be reached, entered or written; Kratos tries again for minutes."""
    return bool(_PASSWORD.search(line) or _UNREACHABLE.search(line)) or is_full_disk(line)


def is_wrong_password(line: str) -> bool:
    """True for a line that no retry will mend."""
    return bool(_PASSWORD.search(line))


def is_full_disk(line: str) -> bool:
    """True for a line that says that the database has no room: no retry mends that while nobody makes some."""
    return bool(_FULL.search(line))


def database_error(line: str, seconds: float) -> errors.KratosctlError:
    """The error for a database fault.

    Args:
        line: Kratos' log line.
        seconds: how long it was tried.
    """
    said = message(line)
    if is_wrong_password(line):
        return errors.DatabasePasswordWrong(
            "the database refuses Kratos' password",
            said,
            "set the right DSN; for a generated PostgreSQL restore secrets/, or start afresh: "
            "kratosctl down {env} --volumes",
        )
    if is_full_disk(line):
        return errors.DiskFull("the database's disk is full", said, "free some space, then run the same command again")
    for pattern, what, fix in _SPECIAL:
        if re.search(pattern, line, re.I):
            return errors.DatabaseUnreachable(what, said, fix)
    return errors.DatabaseUnreachable(
        "the database did not answer" + (f" within {seconds:g} s" if seconds else ""),
        said,
        "check its address and that it runs; a server on this host is host.docker.internal in DSN",
    )


def explain(logs: str) -> errors.KratosctlError:
    """The error behind a Kratos that stopped.

    Args:
        logs: its last lines; those of earlier starts may be among them.
    """
    lines = logs.splitlines()
    for index in reversed(range(len(lines))):
        if _REFUSED.search(lines[index]) and _WATCHES.search(lines[index]):
            return errors.HostTooSmall(
                "Kratos cannot watch its configuration: this host's limit of file watchers is reached",
                "each Kratos takes three of fs.inotify.max_user_instances, which all programs of one user share",
                "raise it: sudo sysctl fs.inotify.max_user_instances=1024; or stop other environments",
            )
        if _REFUSED.search(lines[index]):
            why = refused_configuration("\n".join(lines[: index + 2]))
            where = f", whose directory is {CONFIG_TARGET} to Kratos" if "no such file" in why else ""
            return errors.KratosRefusedConfiguration(
                "Kratos refuses its configuration",
                why,
                f"correct it in kratos.yml{where}, then run `kratosctl up {{env}}` again",
            )
        if is_database_fault(lines[index]):
            return database_error(lines[index], 0)
    return errors.ServiceFailed("Kratos did not stay up", last_telling(lines), "see `kratosctl logs {env} kratos`")


def refused_configuration(logs: str) -> str:
    """What Kratos finds wrong in its configuration, on one line; empty where it complains of nothing.

    Kratos prints blocks of `key: value` with `^-- reason` below, `(root)` for the file as a whole, and then an error.
    Only the last start's are read.
    """
    found: list[str] = []
    key: str | None = None
    said, ended = "", False
    lines = logs.splitlines()
    for index, line in enumerate(lines):
        reason = re.match(r"\s*\^-- (.*)", line)
        if line.strip() == _HEAD:
            found = [] if ended else found
            key, ended = None, False
        elif reason:
            # never the value: it may be a secret
            found.append(f"{key}: {reason[1]}" if key and key != "(root)" else reason[1])
        elif _REFUSED.search(line):
            said = _announced(lines, index)
            found = [] if ended else found
            ended = True
        elif key is None and line.strip():
            key = line.split(":", 1)[0].strip()
    if not found:
        return said
    helpful = [reason for reason in dict.fromkeys(found) if not _NO_HELP.search(reason.split(": ", 1)[-1])]
    return _short("; ".join(helpful or dict.fromkeys(found)))


def rejected_change(logs: str) -> str:
    """Why a Kratos that runs did not take its changed configuration, with `{env}` for its environment's name.

    Empty where it took the last one, or saw none.
    """
    lines = logs.splitlines()
    said = [index for index, line in enumerate(lines) if _TAKEN.search(line) or _NOT_TAKEN.search(line)]
    if not said or _TAKEN.search(lines[said[-1]]):
        return ""
    begin = said[-2] + 1 if said[1:] else 0
    last = lines[said[-1]]
    if _IMMUTABLE.search(last):
        # its error quotes both values: they may be secrets
        key = _KEY.search(last)
        which = (key[1] or key[2]) if key else "a key"
        return f"{which} cannot change while it runs: kratosctl restart {{env}} kratos takes it in"
    return refused_configuration("\n".join(lines[begin : said[-1]])) or _announced(lines, said[-1])


def _announced(lines: Sequence[str], index: int) -> str:
    """What a line says, with the first of the keys that are there twice; all else below it may quote values."""
    said, below = message(lines[index]), "".join(lines[index + 1 : index + 2])
    return f"{said} {message(below)}" if said.endswith(":") and "already defined" in below else said


def last_telling(lines: Iterable[str]) -> str:
    """The last line that says what went wrong."""
    said = [line for line in lines if line.strip()]
    telling = [line for line in said if _TELLING.search(line)]
    return message((telling or said or ["it printed nothing"])[-1])


def last_error(lines: Sequence[str]) -> tuple[str, str]:
    """The last line that is an error of Kratos itself, not of who asked it: what it says, and when it was said.

    Both are empty where there is none, the time also where the line has none.
    """
    for line in reversed(lines):
        if _ERROR.search(line):
            said = _TIME.search(line)
            return shown(message(line)), (said[1] or said[2]) if said else ""
    return "", ""


def shown(line: str) -> str:
    """A line that can be shown anywhere: without the password of a DSN, and nothing that steers a terminal."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", _DSN_PASSWORD.sub(r"\1:***@", line))
    return re.sub(r"[^\S ]", " ", re.sub("[\x00-\x08\x0e-\x1f\x7f-\x9f]", "", plain))


def message(line: str) -> str:
    """What a log line says, without time stamps and field names, short enough to read, without a DSN's password."""
    found = _MESSAGE.search(line) or _PLAIN_MESSAGE.search(line)
    plain = re.sub(r"\]? service_name=.*", "", line.strip()).removeprefix("Error: ")
    text = _of_json(line) or (found[1] if found else plain)
    return _short(_DSN_PASSWORD.sub(r"\1:***@", text.strip()))


def _of_json(line: str) -> str:
    """What a line of `log.format: json` says."""
    if not line.startswith("{"):
        return ""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    error = said.get("error") if isinstance(said, dict) else None
    text = error.get("message") if isinstance(error, dict) else None
    return " ".join(str(text or said.get("msg") or "").split())


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"

"""What Kratos' log lines mean, in one to three lines instead of three hundred."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kratosctl import errors

_PASSWORD = re.compile(r"password authentication failed|SQLSTATE 28P01|SQLSTATE 28000|Access denied for user", re.I)
_UNREACHABLE = re.compile(
    r"Unable to ping database|connection refused|no such host|hostname resolving error|dial error|i/o timeout"
    r"|network is unreachable|database .* does not exist|unable to open database file|sqlite3 support was not compiled",
    re.I,
)
_TELLING = re.compile(r"level=(error|fatal)|^Error:|panic:|could not|unable to", re.I)
_MESSAGE = re.compile(r"error=map\[.*?message:(.*?)(?:\]? (?:stack_trace|service_name|status_code)|\]|$)")
_DSN_PASSWORD = re.compile(r"(\w+://[^:/@\s]*):[^@\s]*@")


def is_database_fault(line: str) -> bool:
    """True for a line that says the database cannot be reached or entered; Kratos retries these for minutes."""
    return bool(_PASSWORD.search(line) or _UNREACHABLE.search(line))


def is_wrong_password(line: str) -> bool:
    """True for a line that no retry will mend."""
    return bool(_PASSWORD.search(line))


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
            "set the right DSN; for a generated PostgreSQL restore secrets/, or start afresh: kratosctl down --volumes",
        )
    return errors.DatabaseUnreachable(
        f"the database did not answer within {seconds:g} s",
        said,
        "check its address and that it runs; a server on this host is host.docker.internal in DSN",
    )


def explain(logs: str, doing: str) -> errors.KratosctlError:
    """The error behind a container that stopped or never became ready.

    Args:
        logs: its last lines.
        doing: what it was to do, such as "start".
    """
    refused = refused_configuration(logs)
    if refused:
        return errors.KratosRefusedConfiguration(
            "Kratos refuses its configuration", refused, "correct it in kratos.yml, then run `kratosctl up` again"
        )
    for line in reversed(logs.splitlines()):
        if is_database_fault(line):
            return database_error(line, 0)
    return errors.ServiceFailed(
        f"Kratos did not {doing}", last_telling(logs.splitlines()), "see `kratosctl logs kratos`"
    )


def refused_configuration(logs: str) -> str:
    """What Kratos finds wrong in its configuration, on one line; empty where it complains of nothing.

    Kratos prints blocks of `key: value` with `^-- reason` below; `(root)` stands for the file as a whole.
    """
    found: list[str] = []
    key = ""
    for line in logs.splitlines():
        reason = re.match(r"\s*\^-- (.*)", line)
        if reason:
            # never the value: it may be a secret
            found.append(reason[1] if key in ("", "(root)") else f"{key}: {reason[1]}")
        elif line.strip():
            key = line.split(":", 1)[0].strip()
    if not found:
        for line in logs.splitlines():
            if re.search(r"level=(fatal|error)", line) and re.search(r"schema|configuration", line, re.I):
                return message(line)
    return "; ".join(dict.fromkeys(found))


def last_telling(lines: Iterable[str]) -> str:
    """The last line that says what went wrong."""
    said = [line for line in lines if line.strip()]
    telling = [line for line in said if _TELLING.search(line)]
    return message((telling or said or ["it printed nothing"])[-1])


def message(line: str) -> str:
    """What a log line says, without time stamps and field names, short enough to read, without a DSN's password."""
    found = _MESSAGE.search(line)
    text = found[1] if found else re.sub(r"^time=\S+ level=\S+ ", "", line)
    text = _DSN_PASSWORD.sub(r"\1:***@", text.strip())
    return text if len(text) <= 300 else text[:300] + "…"

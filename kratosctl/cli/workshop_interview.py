"""What a new workshop is to be: from flags and variables, and on a terminal from questions."""

from __future__ import annotations

import datetime
import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kratosctl import questions
from kratosctl.answers import selection, workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.cli import interview
from kratosctl.cli.session import Session
from kratosctl.errors import ConfigurationInvalid, Interrupted, KratosctlError
from kratosctl.workshop import init

# each seat gets its own
_NOT_ASKED = {"public_port"}
_REACHES = (
    ("this-host", "this host", "attendees sit at this machine"),
    ("lan", "the local network", "plain HTTP: for a classroom's own network"),
    ("tls", "the local network, by TLS", "attendees install a certificate first"),
)


def wanted(session: Session, said: Mapping[str, Any], yes: bool) -> Workshop:
    """Gathers what was said, and asks for the rest where there is somebody to ask.

    Args:
        session: this run of the program.
        said: options by name; None where nothing was said.
        yes: ask nothing.

    Raises:
        UsageError, ConfigurationInvalid, ChoiceImpossible, FloatingTag: what was said cannot work.
        Interrupted, KeyboardInterrupt, EOFError: the person left.
    """
    flags = {key: value for key, value in said.items() if key in questions.BY_KEY}
    answers = selection.said(flags, os.environ)
    if interview.asks(session, yes):
        return _asked(session, said, answers)
    return _made(session, said, answers, init.attendees(said["count"], _roster(session, said["roster"])))


def _asked(session: Session, said: Mapping[str, Any], answers: dict[str, Any]) -> Workshop:
    from kratosctl.answers import asking, prompting

    session.after_interrupt = interview.NOTHING_WRITTEN
    # which are free is seen when seats come up
    host = asking.Host(lambda _port, _address: False, lambda _port: "", "seats cannot share an external database")
    init.check_shared(answers)
    asking.refuse_impossible("seat-01", answers, _NOT_ASKED, host)
    given = dict(said)
    if given["name"]:
        workshop_file.checked_name(given["name"])
    else:
        given["name"] = prompting.text(
            f"What is the workshop called? Empty: {_usual_name(session)}", _against_name
        ).strip()
    if given["count"] is None and not given["roster"]:
        against = functools.partial(_against_seats, session)
        text = prompting.text("How many seats? A number, or a CSV file of names:", against).strip()
        given |= {"count": int(text)} if text.isdecimal() else {"roster": text}
    coming = init.attendees(given["count"], _roster(session, given["roster"]))
    answers = asking.interview("seat-01", answers, _NOT_ASKED, host, prompting.ask)
    if given["spares"] is None:
        choices = [
            asking.Choice(0, "none"),
            asking.Choice(1, "1", "takes a failing seat's place"),
            asking.Choice(2, "2"),
        ]
        given["spares"] = prompting.select("Spare seats?", choices, 1 if len(coming) >= 10 else 0)
    if given["reach"] is None:
        reaches = [
            asking.Choice(reach, title, about, _against_reach(session, {**given, "reach": reach}, answers))
            for reach, title, about in _REACHES
        ]
        given["reach"] = prompting.select("From where do attendees reach their seats?", reaches)
    if given["ends"] is None:
        given["ends"] = prompting.text(f"When is it over? Such as {_tomorrow()}; empty: never", _against_moment)
    made = _made(session, given, answers, coming)
    session.console.note(f"\n{made.name}: {len(made.seats)} seats, {asking.in_short(answers)}\n")
    if not prompting.confirm(f"Write {workshop_file.FILE_NAME}?", default=True):
        raise Interrupted(interview.NOTHING_WRITTEN)
    return made


def _made(session: Session, said: Mapping[str, Any], answers: Mapping[str, Any], coming: list[str]) -> Workshop:
    environment = dict(answers)
    if said["reach"] == "lan":
        environment = {"bind": "0.0.0.0", **environment, "host": environment.get("host") or _own_address()}
    if said["reach"] == "tls":
        address = environment.get("bind") or _own_address()
        environment = {"host": address, "bind": address, **environment, "https": True}
    ends = (said["ends"] or "").strip()
    try:
        moment = workshop_file.moment(ends) if ends else None
    except ValueError:
        raise ConfigurationInvalid(f"--ends: expected a time such as {_tomorrow()}, found {ends[:60]!r}") from None
    if moment and moment <= datetime.datetime.now():
        raise ConfigurationInvalid(f"--ends: {ends[:60]} is over already", fix="every seat would be stopped at once")
    name = workshop_file.checked_name(said["name"] or _usual_name(session))
    return Workshop(name, init.pinned(environment), init.seated(coming, said["spares"] or 0), moment)


def _usual_name(session: Session) -> str:
    return session.directory.name or "workshop"


def _roster(session: Session, given: str | None) -> Path | None:
    """A roster's path, relative to where kratosctl was told to run; at a question no shell knows what `~` is."""
    if not given:
        return None
    return session.directory / (Path(given).expanduser() if given.startswith("~/") else given)


def _own_address() -> str:
    """This host's address in its local network.

    Raises:
        ConfigurationInvalid: it is in none, or in one that attendees are not in.
    """
    import platform
    import socket

    import psutil

    if "microsoft" in platform.release().lower():
        why = "WSL can be in a network of its own, behind Windows, which other machines do not reach"
        fix = "say the address that Windows has (ipconfig shows it): --host, with --reach tls --bind, too"
        raise ConfigurationInvalid("which address do attendees open?", why, fix)

    states = psutil.net_if_stats()
    for name, addresses in psutil.net_if_addrs().items():
        virtual = name.startswith(("docker", "br-", "veth", "lo", "virbr"))
        for address in addresses:
            if address.family == socket.AF_INET and not virtual and name in states and states[name].isup:
                return str(address.address)
    raise ConfigurationInvalid("this host is in no network", fix="say which address attendees use: --host and --bind")


def _against_name(text: str) -> str:
    return "" if not text.strip() or workshop_file.is_name(text.strip()) else "one line, please"


def _against_seats(session: Session, text: str) -> str:
    if text.strip().isdecimal():
        return "" if 1 <= int(text) <= workshop_file.MOST_SEATS else f"1 to {workshop_file.MOST_SEATS}"
    try:
        init.attendees(None, _roster(session, text.strip()))
    except KratosctlError as error:
        # there is one line for it
        return error.what.replace(f"{session.directory}/", "")
    return ""


def _against_reach(session: Session, given: Mapping[str, Any], answers: Mapping[str, Any]) -> str:
    try:
        _made(session, {**given, "ends": None}, answers, [])
    except KratosctlError as error:
        return f"{error.why or error.what}; {error.fix}"
    return ""


def _against_moment(text: str) -> str:
    try:
        if text.strip() and workshop_file.moment(text) <= datetime.datetime.now():
            return "that is over already"
    except ValueError:
        return f"such as {_tomorrow()}"
    return ""


def _tomorrow() -> str:
    """A time as one may be given, which is none of the past."""
    return f"{datetime.date.today() + datetime.timedelta(days=1)} 17:00"

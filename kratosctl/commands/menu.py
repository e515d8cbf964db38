"""What the menu offers: environments to pick, and what can be done with one. Pure: `cli.menu` asks and acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kratosctl.answers.asking import Choice, in_short

# of a line of eighty columns: what is left for the name and the path of an environment, and the least for the path
_NAME_AND_PATH, _PATH = 38, 14
NEW, BACK, QUIT = "new", "back", "quit"
PAGES = {
    "ui": ("ui", "the self-service UI"),
    "mail": ("mail", "the mail inbox"),
    "public": ("api", "the public API's health"),
    "admin": ("admin", "the admin API's health"),
}


@dataclass(frozen=True)
class Act:
    """One thing to do with an environment.

    Attributes:
        words: the command line, behind `kratosctl`.
        question: what is asked before; empty where the command itself asks, or nothing is lost.
        returns: Ctrl-C ends it and comes back to the menu.
    """

    words: tuple[str, ...]
    question: str = ""
    returns: bool = False


def environments(rows: Sequence[Mapping[str, Any]], here: str) -> list[Choice]:
    """The environments to pick from, each with its state. What tests run is theirs: of that, only what was kept.

    Args:
        rows: what `list` found.
        here: the directory we are in.
    """
    room = max(_PATH, _NAME_AND_PATH - max((len(row["environment"]) for row in rows), default=0))
    found = [
        Choice(number, row["environment"], _about(row, here, room), _gone(row, room))
        for number, row in enumerate(rows)
        if row["ephemeral"] in (None, "kept")
    ]
    return [*found, Choice(NEW, "new", "answer a few questions, and bring it up here"), Choice(QUIT, "quit")]


def _about(row: Mapping[str, Any], here: str, room: int) -> str:
    where = "here" if row["directory"] == here else _short(row["directory"], room)
    return f"{row['state']:<8} {in_short(row):<26} {where}"


def _gone(row: Mapping[str, Any], room: int) -> str:
    return f"{row['state']}; its directory {_short(row['directory'], room)} is gone" if row["directory_gone"] else ""


def _short(path: str, room: int) -> str:
    """The end of a path tells more than its beginning."""
    return path if len(path) <= room else "…" + path[1 - room :]


def state(status: Mapping[str, Any], headline: str, here: str) -> str:
    """An environment's state in a few lines: addresses, and services that do not run.

    Args:
        status: what `status` found.
        headline: its first line.
        here: the directory we are in.
    """
    where = "" if status["directory"] == here else f", in {status['directory']}"
    lines = [f"{name:<9} {url}" for name, url in status["endpoints"].items()]
    for service in status["services"]:
        if service["service"] != "kratos-migrate" and service["state"] != "running":
            code = f", exit code {service['exit_code']}" if service["exit_code"] else ""
            lines.append(f"{service['service']:<9} {service['state']}{code}")
    return "\n  ".join([headline + where, *lines])


def actions(status: Mapping[str, Any], lost: str) -> list[Choice]:
    """What can be done with an environment; what makes no sense now is shown with the reason.

    Args:
        status: what `status` found.
        lost: what deleting its data would lose, in words; empty where there is none.
    """
    alive = any(service["state"] == "running" for service in status["services"])
    stopped = "" if alive else "it does not run"
    nothing = "" if status["services"] else "it has no containers"
    return [
        Choice("up", "up", "bring it to what kratosctl.yaml asks for"),
        Choice("open", "open", "in a browser", stopped),
        Choice("logs", "logs", "follow them; Ctrl-C comes back here", nothing),
        Choice("status", "status", "services, ports, addresses"),
        Choice("restart", "restart", "all of its services", stopped),
        Choice("down", "down", "stop it; its data stays" if status["database"] != "memory" else "stop it", nothing),
        Choice("delete", "down with data", "stop it, and delete its database", "" if lost else "it has no data"),
        Choice(BACK, "back", "to the environments"),
        Choice(QUIT, "quit"),
    ]


def act(key: str, status: Mapping[str, Any]) -> Act:
    """The command behind one of the actions.

    Args:
        key: value of one of the choices of `actions`.
        status: what `status` found.
    """
    name = status["environment"]
    data = "its database is in memory, and dies with it" if status["database"] == "memory" else "its data stays"
    return {
        "up": Act(("up", name)),
        "open": Act(("open", "--env", name)),
        "logs": Act(("logs", name, "--tail", "50", "--follow"), returns=True),
        "status": Act(("status", name)),
        "restart": Act(("restart", name)),
        "down": Act(("down", name), f"Stop {name}? {data[0].upper()}{data[1:]}."),
        "delete": Act(("down", name, "--volumes")),
    }[key]


def pages(status: Mapping[str, Any]) -> list[Choice]:
    """The pages that can be opened now."""
    return [Choice(word, word, about) for name, (word, about) in PAGES.items() if name in status["endpoints"]]

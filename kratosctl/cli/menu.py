"""`kratosctl menu`, and `kratosctl` alone on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@define(reports=False)
def command(session: Session) -> None:
    """Pick an environment, see its state, and act on it. Every action is a command, which is shown."""
    from kratosctl.answers import prompting
    from kratosctl.commands import menu, status
    from kratosctl.errors import UsageError

    if not session.interactive:
        fix = "use `kratosctl list`, and `kratosctl up`, `status`, `logs` or `down` with a name"
        raise UsageError("the menu needs a terminal", "there is nobody to ask", fix)
    here = session.directory
    while True:
        session.console.note("")
        rows = status.listing(here).data["environments"]
        picked = prompting.select("Which environment?", menu.environments(rows, str(here)))
        if picked == menu.QUIT:
            return
        if picked == menu.NEW:
            _make_new(session, here)
        elif _act_on(session, here, rows[picked]) == menu.QUIT:
            return


def _make_new(session: Session, here: Path) -> None:
    """Asks for a name that is not used here, and brings up an environment of that name."""
    from kratosctl import questions, running
    from kratosctl.answers import prompting
    from kratosctl.errors import KratosctlError

    known = running.names(here)

    def check(name: str) -> str:
        try:
            questions.check_name(name)
        except KratosctlError as error:
            return f"{error.what}: {error.fix}"
        return f"there is an environment {name} here already" if name in known else ""

    name = questions.DEFAULT_NAME if not known else prompting.text("Its name?", check)
    _run(session, here, ("up", name))


def _act_on(session: Session, here: Path, row: dict[str, Any]) -> str:
    """Shows an environment's state and does what is picked, until one leaves it. Returns BACK or QUIT."""
    from pathlib import Path

    from kratosctl import running
    from kratosctl.answers import prompting
    from kratosctl.commands import down, menu, status
    from kratosctl.database.data import data_of
    from kratosctl.errors import KratosctlError

    directory, name = Path(row["directory"]), row["environment"]
    while True:
        try:
            found = status.status(directory, name)
            one = running.find(directory, name)
            lost = ", and ".join(filter(None, (data_of(one).lost, down.forgotten(one))))
        except KratosctlError as error:
            session.console.error(session.command, error)
            return menu.BACK
        headline = found.text().splitlines()[0]
        session.console.note(f"\n{menu.state(found.data, headline, str(here))}\n")
        ready = found.data["state"] == "ready"
        picked = str(prompting.select(f"What with {name}?", menu.actions(found.data, lost), "open" if ready else "up"))
        if picked in (menu.BACK, menu.QUIT):
            return picked
        act = menu.act(picked, found.data)
        if act.question and not prompting.confirm(act.question, default=False):
            continue
        page = _page(menu.pages(found.data)) if picked == "open" else ()
        _run(session, directory, (*act.words, *page), act.returns)


def _page(choices: Sequence[Any]) -> tuple[str, ...]:
    from kratosctl.answers import prompting

    return (prompting.select("Which page?", choices),) if len(choices) > 1 else ()


def _run(session: Session, directory: Path, words: tuple[str, ...], returns: bool = False) -> None:
    """Runs one command as if it had been typed, and shows it, so that people learn it.

    Raises:
        click.Abort: Ctrl-C or Ctrl-D at a question of the command, or while it works, unless it `returns`.
    """
    import shlex
    from pathlib import Path

    from kratosctl.cli import kratosctl
    from kratosctl.errors import KratosctlError

    where = () if directory == Path.cwd() else ("-C", str(directory))
    session.directory_given = None
    session.console.note(f"$ kratosctl {shlex.join((*where, *words))}")
    try:
        kratosctl.main([*where, *words], prog_name="kratosctl", standalone_mode=False, obj=session)
    except KratosctlError as error:
        session.console.error(session.command, error)
    except click.Abort:
        # what click makes of Ctrl-C and Ctrl-D
        if not returns:
            raise
    # what Ctrl-C means to it is over
    session.after_interrupt, session.until_interrupt = "", False

"""`kratosctl open`."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import click

from kratosctl.cli.options import environment_option
from kratosctl.cli.session import Session, define

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kratosctl.results import Result

PAGES = {"ui": "ui", "mail": "mail", "api": "public", "admin": "admin"}


@define(
    click.argument("page", type=click.Choice(list(PAGES)), required=False),
    environment_option(),
    click.option("--print", "print_only", is_flag=True, help="Print the address, open nothing."),
)
def command(session: Session, page: str | None, name: str | None, print_only: bool) -> Result:
    """Open the UI, the mail inbox, the API or the admin API in a browser; without a name the UI, else the API."""
    from kratosctl import running
    from kratosctl.commands import status
    from kratosctl.errors import NotRunning

    found = running.find(session.directory, name)
    found.running("kratos")
    urls = status.endpoints(found)
    wanted = PAGES[page] if page else "ui" if "ui" in urls else "public"
    if wanted not in urls:
        flag = "--admin-port 4434" if page == "admin" else f"--{page}"
        fix = f"have it: kratosctl up {found.name} {flag}"
        raise NotRunning(f"environment {found.name} has no {page}", f"open now: {', '.join(urls)}", fix)
    login = status.mail_login(found) if wanted == "mail" else None
    if login:
        session.console.note(
            f"it asks for a name, {login['user']}, and a password, which is in {login['password_file']}"
        )
    return open_page(session, urls[wanted] + ("/health/ready" if wanted in ("public", "admin") else ""), print_only)


def open_page(session: Session, url: str, print_only: bool = False) -> Result:
    """Opens an address in the person's browser, or prints it where there is none."""
    from kratosctl.results import Result

    opened = False
    if not print_only:
        import webbrowser

        with _printing_elsewhere():
            opened = webbrowser.open(url)
        if not opened:
            session.console.note("no browser could be started here; the address:")
    return Result("open", {"url": url, "opened": opened}, lambda: url)


@contextlib.contextmanager
def _printing_elsewhere() -> Iterator[None]:
    """What is started meanwhile prints on the terminal, or nowhere: a browser would print among our results, and hold
    the pipe of whoever reads them for as long as it is open."""
    elsewhere = os.dup(2) if sys.stderr.isatty() else os.open(os.devnull, os.O_WRONLY)
    ours = {stream: os.dup(stream) for stream in (1, 2)}
    try:
        for stream in ours:
            os.dup2(elsewhere, stream)
        yield
    finally:
        for stream, kept in ours.items():
            os.dup2(kept, stream)
            os.close(kept)
        os.close(elsewhere)

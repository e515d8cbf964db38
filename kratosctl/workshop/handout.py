"""`workshop handout`: a page for each attendee, all of them to print, and an index. Rendering is pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from kratosctl.answers.workshop_file import Workshop
from kratosctl.errors import NotRunning
from kratosctl.files import git
from kratosctl.files.atomic import said_plainly, write_atomically
from kratosctl.results import Result
from kratosctl.stack import inbox
from kratosctl.stack.inbox import Login
from kratosctl.urls import LOOPBACK
from kratosctl.workshop import proxy, proxy_files, seats
from kratosctl.workshop.seats import Seat

DIRECTORY = "handouts"
_TITLES = {
    "ui": "Sign-up and sign-in pages",
    "mail": "Your mail inbox",
    "public": "Public API",
    "admin": "Admin API",
}
_ABOUT = {
    "ui": "Open this first, and make an account.",
    "mail": "Every mail your Kratos sends ends here, whatever its address.",
    "public": "What an app of yours talks to.",
    "admin": "It asks nobody who they are: whoever opens this address can read, change and delete every account here.",
}


@dataclass(frozen=True)
class Trust:
    """The certificate that attendees install before they come.

    Attributes:
        url: where it is to be had.
        fingerprint: its SHA-256, as browsers show it.
    """

    url: str
    fingerprint: str


@dataclass(frozen=True)
class Sheet:
    """What is on one attendee's page.

    Attributes:
        seat: its name.
        attendee: who sits there; empty: nobody yet.
        urls: addresses by name: ui, mail, public, and admin where its attendee reaches it.
        release: of Kratos.
        browser: people sign in on pages; otherwise an app does it for them.
        here: attendees sit at the host itself: where to run kratosctl; empty where they do not.
        trust: what they install first; None where addresses are plain HTTP.
        login: what the mail inbox asks for; None: nothing.
    """

    seat: str
    attendee: str
    urls: Mapping[str, str]
    release: str
    browser: bool
    here: str = ""
    trust: Trust | None = None
    login: Login | None = None

    @property
    def first(self) -> str:
        """The address to open first."""
        return self.urls.get("ui") or self.urls["public"]


def write(directory: Path, workshop: Workshop, everyone: Sequence[Seat], target: Path) -> Result:
    """Writes the pages.

    Args:
        directory: where workshop.yaml lies.
        workshop: the workshop.
        everyone: all its seats.
        target: the directory they go to; pages of earlier times are replaced.

    Raises:
        NotRunning: the TLS proxy has no certificate yet.
        KratosctlError: what keeps every seat from having a page, such as addresses.
        DiskFull, DirectoryReadOnly: each page is whole, old or new.
    """
    # what is wrong at one seat takes nobody else's page away
    failed = seats.failed(seats.each(everyone, 1, lambda seat: (seat.environment, seats.state_of(seat))))
    sound = [seat for seat in everyone if seat.name not in failed]
    # asked for first: without a proxy there are no addresses either
    fingerprint = proxy.fingerprint(directory) if proxy.behind(sound) else ""
    front = proxy.front(directory, sound)
    trust = Trust(front.certificate, fingerprint) if front else None
    made = seats.each(everyone, 1, lambda seat: _sheet(directory, seat, trust))
    failed = seats.failed(made)
    if len(failed) == len(made):
        for error in failed.values():
            raise error
    sheets = [sheet for sheet in made.values() if isinstance(sheet, Sheet)]
    pages = render(workshop, sheets)
    private = any(sheet.login for sheet in sheets)
    if private and target == directory / DIRECTORY:
        # anywhere else it might hide what is somebody's own
        keep = git.kept_out(DIRECTORY)
        write_atomically(directory / keep.path, keep.text, 0o600)
    for name, text in pages.items():
        write_atomically(target / name, text, 0o600 if private else 0o644)
    with said_plainly(target):
        for old in target.glob("*.html"):
            # of seats that are no more; whatever else somebody put there stays
            seat = old.stem in workshop.seats
            if not seat and old.name not in pages and _MARK in old.read_text(encoding="utf-8", errors="replace")[:200]:
                old.unlink()
    data = {"workshop": workshop.name, "directory": str(target), "pages": sorted(pages)}
    said = f"wrote {len(sheets)} handouts to {target}/\nopen {target}/index.html; print {target}/all.html"
    warnings = [f"no page for {workshop.label(name)}: {'; '.join(error.lines())}" for name, error in failed.items()]
    return Result("workshop handout", data, lambda: said, [*warnings, *([_PRIVATE] if private else [])])


def _sheet(directory: Path, seat: Seat, trust: Trust | None) -> Sheet:
    environment, ports = seat.environment, seats.state_of(seat).ports
    if "public" not in ports:
        raise NotRunning(f"{seat.name} has no addresses yet", fix="bring it up first: kratosctl workshop up")
    login = inbox.login(environment, seat.workspace.secrets().inbox_password)
    if login and not login.password:
        raise NotRunning(f"the inbox of {seat.name} has no password yet", fix="`kratosctl workshop up` makes it")
    has = {"ui": environment.ui, "mail": environment.mail, "public": True, "admin": environment.admin_is_reached}
    shown = [name for name, there in has.items() if there and name in ports]
    return Sheet(
        seat=seat.name,
        attendee=seat.attendee,
        urls={name: environment.url(name, ports[name]) for name in shown},
        release=environment.release,
        browser=environment.preset != "api-only",
        here=str(directory) if environment.bind in LOOPBACK else "",
        trust=trust if environment.https else None,
        login=login,
    )


_PRIVATE = "the pages hold the passwords of the inboxes: only you can read the files; keep them out of repositories"
_MARK = 'name="generator" content="kratosctl"'


def render(workshop: Workshop, sheets: Sequence[Sheet]) -> dict[str, str]:
    """The pages by file name: one a seat, all of them to print, and the index."""
    pages = {f"{sheet.seat}.html": _page(_who(sheet), [_article(workshop, sheet)]) for sheet in sheets}
    pages["all.html"] = _page(workshop.name, [_article(workshop, sheet) for sheet in sheets])
    pages["index.html"] = _page(workshop.name, [_index(workshop, sheets)])
    return pages


def _who(sheet: Sheet) -> str:
    return sheet.attendee or sheet.seat


def _page(title: str, articles: Sequence[str]) -> str:
    style = Path(__file__).with_name("page").joinpath("handout.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta {_MARK}>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n" + "\n".join(articles) + "\n</html>\n"
    )


def _article(workshop: Workshop, sheet: Sheet) -> str:
    rows = "".join(
        f'<tr><th>{_TITLES[name]}<td><a href="{escape(url)}">{escape(url)}</a><br>'
        f'{_asks(sheet.login) if name == "mail" else ""}<span class="soft">{_ABOUT[name]}</span>'
        for name, url in sheet.urls.items()
    )
    ends = f", until {workshop.ends:%H:%M on %d %B}" if workshop.ends else ""
    commands = escape("\n".join(_commands(sheet)))
    return (
        f"<article>\n<header><div><p class=soft>{escape(workshop.name)}{ends}</p>\n<h1>{escape(_who(sheet))}</h1>\n"
        f"<p>{escape(sheet.seat)}: an Ory Kratos {escape(sheet.release)} of your own</p></div>\n"
        f'<div class="code">{_qr(sheet.first)}</div></header>\n'
        f"{_first(sheet.trust) if sheet.trust else ''}<h2>Your addresses</h2>\n<table>{rows}</table>\n"
        f"<h2>First commands</h2>\n<pre>{commands}</pre>\n"
        f'<p class="soft">Your accounts and sessions are yours alone{_who_reads(sheet)}: use made-up names, and no '
        "password that you use elsewhere.</p>\n</article>"
    )


def _asks(login: Login | None) -> str:
    """The name and the password of the inbox, to be copied from paper."""
    if login is None:
        return ""
    return f"user name <code>{escape(login.user)}</code>, password <code>{escape(login.password)}</code><br>"


def _who_reads(sheet: Sheet) -> str:
    """Who else can read the mail, where there is any."""
    if "mail" not in sheet.urls:
        return ""
    if sheet.login is None:
        return ". Whoever opens the address of your inbox can read it"
    listeners = "" if sheet.urls["mail"].startswith("https:") else ", and so can whoever listens in this network"
    return f". Whoever has the password of your inbox can read it{listeners}"


def _first(trust: Trust) -> str:
    """How a device comes to trust the workshop's own authority."""
    url, command = escape(trust.url), escape(f"curl -O {trust.url}")
    return (
        "<h2>Before you begin</h2>\n"
        f'<p>Your device does not know yet who vouches for these addresses. Get <a href="{url}">{url}</a>, see that '
        f"its SHA-256 fingerprint is</p>\n<pre>{_in_lines(trust.fingerprint)}</pre>\n<p>and install it as a trusted "
        "authority for web sites:</p>\n<table>"
        "<tr><th>Windows<td>open it: Install Certificate, Trusted Root Certification Authorities"
        "<tr><th>macOS<td>open it, then in Keychain Access set it to Always Trust"
        "<tr><th>Linux<td>in the browser: Settings, Certificates, Authorities, Import"
        "<tr><th>Firefox<td>Settings, Certificates, View Certificates, Authorities, Import"
        "<tr><th>iOS<td>install the profile, then Settings, General, About, Certificate Trust Settings"
        "<tr><th>Android<td>Settings, Security, Encryption and credentials, Install a certificate, CA"
        "<tr><th>curl<td>"
        f"<code>{command}</code>, then <code>--cacert {proxy_files.CERTIFICATE}</code>"
        "</table>\n<p class=soft>Take it out again when the workshop is over.</p>\n"
    )


def _in_lines(fingerprint: str) -> str:
    half = len(fingerprint) // 2 + 1
    return f"{fingerprint[:half].rstrip(':')}\n{fingerprint[half:].lstrip(':')}"


def _commands(sheet: Sheet) -> Iterator[str]:
    public = sheet.urls["public"]
    curl = f"curl --cacert {proxy_files.CERTIFICATE}" if sheet.trust else "curl"
    yield "# does it run?"
    yield f"{curl} {public}/health/ready"
    yield "# begin to sign up as an app does it: the answer says what to send where"
    yield f"{curl} -H 'Accept: application/json' {public}/self-service/registration/api"
    yield "# the form for people's data, as JSON Schema"
    yield f"{curl} {public}/schemas"
    if sheet.here:
        here = shlex.quote(sheet.here)
        yield "# what Kratos logs, and who is there"
        yield f"kratosctl -C {here} logs {sheet.seat} kratos --follow"
        yield f"kratosctl -C {here} kratos --env {sheet.seat} -- list identities"


def _qr(url: str) -> str:
    import segno

    return segno.make(url, error="m", micro=False).svg_inline(border=2, svgclass=None, lineclass=None, omitsize=True)


def _index(workshop: Workshop, sheets: Sequence[Sheet]) -> str:
    rows = "".join(
        f'<tr><td><a href="{escape(sheet.seat)}.html">{escape(sheet.seat)}</a><td>{escape(sheet.attendee)}'
        f'<td><a href="{escape(sheet.first)}">{escape(sheet.first)}</a>'
        for sheet in sheets
    )
    return (
        f"<article>\n<h1>{escape(workshop.name)}</h1>\n"
        f'<p class="soft">{len(sheets)} seats. <a href="all.html">All handouts, to print</a></p>\n'
        f"<table><tr><th>Seat<th>Attendee<th>Address{rows}</table>\n</article>"
    )

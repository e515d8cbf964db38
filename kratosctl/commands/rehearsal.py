"""Trying an upgrade before anything is touched: on a clone of the data, with somebody who signs in."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kratosctl import catalog, running
from kratosctl.answers.wishes import Wishes
from kratosctl.commands import down
from kratosctl.commands.verify import Person, target_of
from kratosctl.console import Console
from kratosctl.environment import Environment
from kratosctl.errors import KratosctlError, NotReady, UpgradeFailed
from kratosctl.files import override
from kratosctl.files.atomic import said_plainly
from kratosctl.files.workspace import Workspace
from kratosctl.running import Found
from kratosctl.snapshots import postgres, sqlite
from kratosctl.snapshots.subject import Subject
from kratosctl.stages import postgres_start, up


@dataclass(frozen=True)
class Change:
    """What is to change.

    Attributes:
        before: the environment as it is.
        after: the same with the new release.
        wishes: how to go about it.
    """

    before: Environment
    after: Environment
    wishes: Wishes = field(default_factory=Wishes)


def rehearse(found: Found, clone: Workspace, change: Change, console: Console, variables: Mapping[str, str]) -> None:
    """Runs the old release on a clone, makes somebody, then the new one, and lets that person sign in."""
    unproven = without_proof(found.name, change.after)
    try:
        with console.step(f"migrate the clone with {change.after.release}, sign in"):
            quiet = Console(quiet=True)
            old, new = (replace(e, **_beside(clone, found, e)) for e in (change.before, change.after))
            up.up(old, clone, change.wishes, quiet, variables)
            somebody = _sign_up(clone, old, unproven)
            up.up(new, clone, change.wishes, quiet, variables)
            # the clone's ports are chosen: another environment may have taken one meanwhile
            somebody.client.public = target_of(running.find(clone.directory, clone.name), new).public
            _must(somebody.whoami(), "the old release's sessions are not valid on the new one")
            somebody.client.token = ""
            _must(somebody.sign_in(), f"nobody can sign in on Kratos {change.after.release}")
    except KratosctlError as error:
        longer = "give it longer with --wait-timeout" if isinstance(error, NotReady) else ""
        own = override.file(found.workspace.directory)
        # its ports and names are the environment's own: a clone that had them would collide with it
        alone = f"the clone runs without {own.name}; if that is why, without proof: {unproven}" if own else ""
        also = alone or (error.fix if isinstance(error, UpgradeFailed) else "")
        kept = f"nothing was changed: {change.before.release} serves with its data"
        raise UpgradeFailed(
            f"{change.after.release} cannot take over: {error.what}",
            error.why,
            "; ".join(filter(None, (kept, longer, also))),
        ) from error


def make_clone(subject: Subject) -> Workspace:
    """A directory with an environment of its own in it: the same data, the same secrets, other ports.

    Mail that waits to be sent is not in it: the environment itself sends that.
    """
    theirs = subject.found.workspace
    directory = down.clone_directory(theirs)
    shutil.rmtree(directory, ignore_errors=True)
    clone = Workspace(directory, theirs.name)
    with said_plainly(clone.home), contextlib.closing(subject.live) as live:
        for made in (clone.home, clone.home / "secrets"):
            made.mkdir(parents=True, mode=0o700)
        for secret in (theirs.home / "secrets").iterdir():
            shutil.copy(secret, clone.home / "secrets")
        if live.engine == "sqlite":
            clone.sqlite.parent.mkdir()
            live.save(clone.sqlite)
            sqlite.forget_mail(clone.sqlite)
        else:
            with tempfile.NamedTemporaryFile(dir=clone.home) as dump:
                live.save(Path(dump.name))
                postgres_start.offer_snapshot(clone.home, Path(dump.name), postgres.FORGET_MAIL)
    return clone


def _beside(clone: Workspace, found: Found, environment: Environment) -> dict[str, Any]:
    """What a clone changes: no self-service UI, ports that are free, the same configuration."""
    theirs = environment.config_dir
    directory = found.workspace.directory / theirs if theirs else found.workspace.home / "kratos"
    ports = dict.fromkeys(("public_port", "admin_port", "ui_port", "mail_port", "postgres_port"))
    # whatever stands before the environment, such as a TLS proxy, does not stand before its clone
    here = {"host": "localhost", "bind": "127.0.0.1", "https": False, "expose_admin_without_authentication": False}
    return {"name": clone.name, "ui": False, "config_dir": str(directory), "config": "mount", **here, **ports}


def without_proof(name: str, after: Environment) -> str:
    """The command that goes to another release at once."""
    usual = after.kratos_image == catalog.kratos_reference(after.release, after.variant)
    image = [] if usual else ["--kratos-image", after.kratos_image]
    return shlex.join(["kratosctl", "up", name, "--release", after.release, *image, "--save"])


def _sign_up(clone: Workspace, environment: Environment, unproven: str) -> Person:
    """Somebody who signed up with the old release, on the clone.

    Raises:
        UpgradeFailed: nobody can, as where registration is off; then only the command `unproven` gets there.
    """
    target = target_of(running.find(clone.directory, clone.name), environment)
    somebody = Person(replace(target, browser=False))
    # a base_url of one's own is the environment's address, or of a proxy before that: never the clone's
    somebody.client.here = True
    what = f"nobody can sign up on Kratos {environment.release}, which would prove it"
    _must(somebody.sign_up(), what, f"without proof: {unproven}")
    return somebody


def _must(outcome: tuple[bool, str, str], what: str, fix: str = "") -> None:
    ok, said, _cause = outcome
    if not ok:
        raise UpgradeFailed(what, said, fix)

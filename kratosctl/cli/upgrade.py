"""`kratosctl upgrade`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from kratosctl.cli.options import environment_argument
from kratosctl.cli.session import Session, define
from kratosctl.cli.snapshot import subject_of

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(
    environment_argument(),
    click.option("--to", "tag", metavar="TAG", help="The release to go to [the newest of the catalogue]."),
    click.option("--kratos-image", metavar="REF", help="Its image, where it is not oryd/kratos."),
    click.option("--rehearse", is_flag=True, help="Try it on a clone of the data, and stop there."),
)
def command(session: Session, name: str | None, tag: str | None, kratos_image: str | None, rehearse: bool) -> Result:
    """Go to a newer release: tried on a clone of the data first, undone if anything fails."""
    from kratosctl import catalog, selection
    from kratosctl.upgrade import Change, upgrade

    found = subject_of(session, name).found
    chosen = selection.select(session.directory, found.name, {}, os.environ)
    newer = {"release": tag or catalog.NEWEST.tag, "kratos_image": kratos_image}
    after = selection.environment_of(selection.Selection(chosen.name, {**chosen.answers, **newer}, chosen.known))
    change = Change(selection.environment_of(chosen), after)
    return upgrade(found, change, rehearse, session.console, os.environ)

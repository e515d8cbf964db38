"""`kratosctl upgrade`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from kratosctl.cli.options import environment_argument, seconds_option
from kratosctl.cli.session import Session, define
from kratosctl.cli.subject import subject_of

if TYPE_CHECKING:
    from kratosctl.results import Result


@define(
    environment_argument(),
    click.option("--to", "tag", metavar="TAG", help="The release to go to [the newest of the catalogue]."),
    click.option("--kratos-image", metavar="REF", help="Its image [of the repository the environment has]."),
    click.option("--rehearse", is_flag=True, help="Try it on a clone of the data, and stop there."),
    seconds_option("--wait-timeout", 60, "For Kratos to be ready"),
)
def command(
    session: Session, name: str | None, tag: str | None, kratos_image: str | None, rehearse: bool, wait_timeout: float
) -> Result:
    """Go to a newer release: tried on a clone of the data first, undone if anything fails."""
    from kratosctl import catalog
    from kratosctl.answers import selection
    from kratosctl.answers.wishes import Wishes
    from kratosctl.commands.rehearsal import Change
    from kratosctl.commands.upgrade import refuse_another_asked_for, there_already, upgrade
    from kratosctl.limits import Limits
    from kratosctl.snapshots.subject import with_release_of

    with subject_of(session, name, "upgrade") as subject:
        refuse_another_asked_for(subject)
        release = tag or catalog.NEWEST.tag
        # refuses what is none, before an image is asked for it
        there = catalog.newest_matching(release).tag == subject.environment.facts.tag
        if there and kratos_image in (None, subject.environment.kratos_image):
            return there_already(subject)
        chosen = selection.select(session.directory, subject.found.name, {}, os.environ)
        if chosen.answers.get("kratos_image") and not kratos_image:
            kratos_image = with_release_of(subject, release).kratos_image
        newer = {"release": release, "kratos_image": kratos_image}
        after = selection.environment_of(selection.Selection(chosen.name, {**chosen.answers, **newer}, chosen.known))
        change = Change(subject.environment, after, Wishes(limits=Limits.of_own_database(wait_timeout)))
        return upgrade(subject.found, change, rehearse, session.console, os.environ)

"""All lessons, in the order a workshop could take them."""

from __future__ import annotations

import difflib

from kratosctl.errors import UsageError
from kratosctl.lessons import addresses, cookies, flows, running, schemas
from kratosctl.lessons.lesson import Lesson

LESSONS: tuple[Lesson, ...] = (
    schemas.REQUIRED,
    schemas.IDENTIFIER,
    flows.HOOK,
    cookies.DOMAIN,
    cookies.LIFESPAN,
    addresses.FORMS,
    flows.MAIL,
    addresses.RETURN,
    addresses.CORS,
    cookies.SECRET,
    running.LOGS,
    running.MIGRATIONS,
    flows.PASSWORDS,
)


def find(name: str) -> Lesson:
    """The lesson of a name, or of a number of the list.

    Raises:
        UsageError: there is none.
    """
    if name.isdecimal() and 1 <= int(name) <= len(LESSONS):
        return LESSONS[int(name) - 1]
    by_name = {lesson.name: lesson for lesson in LESSONS}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=1)
        fix = "kratosctl lesson list shows them"
        raise UsageError(f"no lesson {name!r}", f"did you mean {near[0]}?" if near else "", fix)
    return by_name[name]

"""Lessons about cookies and sessions."""

from __future__ import annotations

from datetime import datetime

import yaml

from kratosctl.lessons.lesson import Broken, Ground, Lesson, Unfit
from kratosctl.lessons.trial import Trial
from kratosctl.stack.files import SECRETS_FILE
from kratosctl.stack.render import kratos_secrets
from kratosctl.stack.secrets import new_secret

_SHORTEST = 600
OLD_SECRETS = SECRETS_FILE + ".old"


def replace_cookie_secret(ground: Ground) -> Broken:
    """Puts a new cookie secret in the place of the old ones, which lie in a backup beside it."""
    content = yaml.safe_load(ground.secrets) if ground.secrets else {}
    if "cookie" not in (content.get("secrets") or {}):
        raise Unfit("the cookie secrets of this environment are not kept by kratosctl")
    content["secrets"]["cookie"] = [new_secret()]
    return Broken(generated={OLD_SECRETS: ground.secrets, SECRETS_FILE: kratos_secrets(content).text})


def old_session_works(trial: Trial) -> str:
    """Whether somebody who signed in before the secret was replaced still is."""
    found = trial.before.whoami()
    if found.ok and found.body["identity"]["id"] == trial.witness.identity["id"]:
        return ""
    return f"who was signed in before the lesson is not any more: whoami answers {found.status} to their cookie"


def session_lasts(trial: Trial) -> str:
    """Whether a session lasts long enough to do something."""
    found = trial.witness.client.whoami()
    if not found.ok:
        return f"who has just signed in is not any more: whoami answers {found.status}"
    began, ends = (datetime.fromisoformat(found.body[key]) for key in ("issued_at", "expires_at"))
    seconds = (ends - began).total_seconds()
    return "" if seconds >= _SHORTEST else f"a session ends {seconds:g} s after it began"


DOMAIN = Lesson(
    name="forms-rejected",
    title="Every form is rejected",
    teaches="whom a browser gives a cookie back to, and what Kratos' CSRF protection needs one for",
    minutes=10,
    symptom="Every form, to sign up as to sign in, is rejected: the browser is told of Cross-Site Request Forgery.",
    look="open the browser's developer tools, submit a form, and follow the cookies that Kratos sets",
    hints=(
        "Kratos sets a cookie with each form and wants it back with the answer. Does the browser keep it?",
        "The cookie says that it is for another host than the one in the address bar: the browser drops it.",
        "cookies.domain in kratos.yml names the other host. Left out, a cookie is for the host that set it. Then"
        " `kratosctl restart {env} kratos`.",
    ),
    solution="cookies.domain named a host that nobody opens Kratos at, so browsers kept none of its cookies, the one"
    " against CSRF among them. Take it out, or name the host in the address bar.",
    breaks=lambda ground: ground.with_settings({"cookies.domain": "app.example.org"}),
    rules=("cookie-domain",),
    not_with=("api-only",),
)

LIFESPAN = Lesson(
    name="signed-out-at-once",
    title="Signed in, and out again at once",
    teaches="how long a session lasts, and who decides it",
    minutes=5,
    symptom="People sign in, read a page, click on, and have to sign in again.",
    look="sign in, and ask /sessions/whoami for the session's times, now and a little later",
    hints=(
        "Compare issued_at and expires_at in what /sessions/whoami says.",
        "Sessions are made to last for seconds.",
        "session.lifespan in kratos.yml is a duration such as 24h; sessions that were begun before keep the end"
        " they have.",
    ),
    solution="session.lifespan was five seconds. It is a duration as Go writes it; 24h is Kratos' own default.",
    breaks=lambda ground: ground.with_settings({"session.lifespan": "5s"}),
    probe=session_lasts,
    rules=("session-lifespan",),
)

SECRET = Lesson(
    name="everybody-signed-out",
    title="Everybody was signed out overnight",
    teaches="what the cookie secret is for, and how secrets are replaced without signing anybody out",
    minutes=15,
    symptom="People who were signed in yesterday are not today. Whoever signs in anew stays signed in.",
    look="a colleague has renewed secrets last night, by hand: look at .kratosctl/{env}/secrets/",
    hints=(
        "A session's cookie is signed. With what, and who could still verify it?",
        "The cookie secret was replaced. Cookies that the old one signed cannot be verified any more, although their"
        " sessions are still in the database.",
        "Kratos signs with the first secret of secrets.cookie and verifies with all of them. The old one is in"
        " kratos.yml.old beside kratos.yml: put it behind the new one. Then `kratosctl restart {env} kratos`.",
    ),
    solution="The cookie secret had been replaced where it should have been rotated: a new one goes in front, the old"
    " ones stay behind it for as long as sessions last. `kratosctl secrets rotate {env}` does that.",
    breaks=replace_cookie_secret,
    probe=old_session_works,
    not_with=("api-only",),
)

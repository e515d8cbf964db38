"""Lessons about addresses: where forms go, which pages may read Kratos' answers, where people are sent back to."""

from __future__ import annotations

from urllib.parse import quote

from kratosctl.lessons.lesson import Lesson
from kratosctl.lessons.trial import ELSEWHERE, Trial

_ANOTHER = "https://app.example.org"
_INSIDE = "http://kratos:4433/"


def page_may_read(trial: Trial) -> str:
    """Whether a page of the UI may read Kratos' answers with the cookies of its visitor, and no other page may."""
    answer = _preflight(trial, trial.ui)
    allowed = answer.get("access-control-allow-origin")
    if allowed == "*":
        return "Kratos answers every origin, and browsers send no cookies then"
    if allowed != trial.ui:
        return f"a page of {trial.ui} may not read Kratos' answers: the preflight request names no such origin"
    if answer.get("access-control-allow-credentials") != "true":
        return f"a page of {trial.ui} may read Kratos' answers, but not with cookies"
    if _preflight(trial, ELSEWHERE).get("access-control-allow-origin"):
        return f"any page may read Kratos' answers now, with the cookies of its visitor: {ELSEWHERE}, for one"
    return ""


def sends_back(trial: Trial) -> str:
    """Whether people are sent back to the UI after signing in, and nowhere else."""
    if trial.ask("GET", _login(f"{trial.ui}/welcome"), {"Accept": "application/json"}).status != 200:
        return f"Kratos refuses to send people back to {trial.ui}/welcome after they sign in"
    if trial.ask("GET", _login(f"{ELSEWHERE}/"), {"Accept": "application/json"}).status == 200:
        return f"Kratos now sends people wherever a link says, to {ELSEWHERE} for one: phishers like that"
    return ""


def _login(return_to: str) -> str:
    return f"/self-service/login/browser?return_to={quote(return_to, safe='')}"


def _preflight(trial: Trial, origin: str) -> dict[str, str]:
    wants = {"Origin": origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "content-type"}
    return dict(trial.ask("OPTIONS", "/sessions/whoami", wants).headers)


FORMS = Lesson(
    name="forms-go-nowhere",
    title="Forms that go nowhere",
    teaches="how Kratos knows the address that browsers reach it at, and that it is not the one it listens on",
    minutes=10,
    symptom="The pages come up. Whoever submits a form is told that the server cannot be found.",
    look="ask for a flow ({public}/self-service/login/api) and read where its form is to be sent",
    hints=(
        "Look at ui.action of a flow. Who can reach that address?",
        "The form is sent to the name that Kratos has among the containers. Browsers are not among them.",
        "serve.public.base_url in kratos.yml has to be the address `kratosctl status {env}` shows as public. Take it"
        " out and run `kratosctl up {env}`: kratosctl fills in the right one.",
    ),
    solution="serve.public.base_url was the address inside Docker's network. It has to be the one that browsers see:"
    " forms, redirects and links in mails are made from it.",
    breaks=lambda ground: ground.with_settings({"serve.public.base_url": _INSIDE}),
    rules=("base-url",),
)

CORS = Lesson(
    name="application-locked-out",
    title="An application that may not ask",
    teaches="what CORS lets a page in a browser do, and why every origin is not an answer",
    minutes=15,
    symptom="A page at {ui} that asks Kratos with fetch who is signed in gets an error. curl gets an answer.",
    look="open the UI, and in the browser's console: fetch('{public}/sessions/whoami', {credentials: 'include'})",
    hints=(
        "Before a browser hands an answer to a page it looks at Access-Control-Allow-Origin in it. Send the preflight"
        " request yourself: curl -i -X OPTIONS -H 'Origin: …' -H 'Access-Control-Request-Method: GET' …",
        "Kratos allows another origin than the UI's.",
        "serve.public.cors.allowed_origins in kratos.yml has to hold {ui}, the UI's origin, without a slash"
        " at the end. An asterisk will not do with cookies. Then `kratosctl restart {env} kratos`.",
    ),
    solution="serve.public.cors.allowed_origins named another application's origin. It has to name the UI's, exactly;"
    " with `*` browsers send no cookies.",
    breaks=lambda ground: ground.with_settings({"serve.public.cors": {"enabled": True, "allowed_origins": [_ANOTHER]}}),
    probe=page_may_read,
    rules=("cross-origin",),
    needs=("ui",),
)

RETURN = Lesson(
    name="no-way-back",
    title="No way back to the application",
    teaches="why Kratos sends people back to known addresses only, and how it knows them",
    minutes=10,
    symptom="The application's links to the sign-in page end in an error page.",
    look="open such a link: {public}/self-service/login/browser?return_to={ui}/welcome",
    hints=(
        "Kratos says which address it refuses to send people to. It knows a list of those it may.",
        "The list does not have the UI's address any more.",
        "selfservice.allowed_return_urls in kratos.yml has to hold {ui}. Do not open it to everything.",
    ),
    solution="selfservice.allowed_return_urls named another application. It has to name every one that people are sent"
    " back to, and no more: whoever writes links could send them anywhere else.",
    breaks=lambda ground: ground.with_settings({"selfservice.allowed_return_urls": [_ANOTHER]}),
    probe=sends_back,
    rules=("return-urls",),
    needs=("ui",),
)

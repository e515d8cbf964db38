"""`verify`: proves an environment by using it as a person would, from sign-up to whoami, and takes everything back."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kratosctl.commands import status
from kratosctl.console import Console
from kratosctl.environment import Environment
from kratosctl.files.workspace import authority
from kratosctl.kratos.api import Admin, Answer, Client, Json
from kratosctl.results import Result
from kratosctl.running import Found
from kratosctl.stack.inbox import Login

_MAIL_PATIENCE = 20.0
_LOOK_EVERY = 0.5
_NO_CODE = "no mail with a code arrived"
# what a form takes for a trait, by the type of its field, which Kratos takes from the identity schema
_WORD = "Verify"
_FITTING: dict[str, Any] = {
    "checkbox": True,
    "number": 1,
    # reserved for films and books
    "tel": "+493023125000",
    "date": "2000-01-01",
    "datetime-local": "2000-01-01T12:00:00Z",
    "url": "https://example.org",
}
_COOKIE = (
    "the {} cookie did not come back: cookies.domain, session.cookie.domain or serve.public.base_url names another host"
    " than {}"
)


@dataclass(frozen=True)
class Step:
    """One thing that was tried.

    Attributes:
        name: what it was.
        ok: whether it worked; None where it does not apply here.
        said: what came back, in words.
        cause: the likely cause of a failure.
        seconds: how long it took.
    """

    name: str
    ok: bool | None
    said: str
    cause: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Target:
    """What is proven.

    Attributes:
        name: the environment's.
        public: URL of the public API, as people open it.
        admin: URL of the admin API where this host reaches it; empty where it does not.
        mail: URL of the mail inbox; empty where there is none.
        authority: the certificate of who vouches for its addresses; None: whom this host trusts.
        login: what the mail inbox asks for; None: nothing.
        browser: use browser flows, with cookies and CSRF tokens; otherwise API flows.
    """

    name: str
    public: str
    admin: str
    mail: str
    browser: bool
    authority: Path | None = None
    login: Login | None = None


class Person:
    """Somebody who signs up, in, and out again."""

    def __init__(self, target: Target, clock: Callable[[], float] = time.monotonic) -> None:
        self.target, self.clock = target, clock
        self.client = Client(target.public, target.browser, authority=target.authority)
        # example.org is reserved: no mail to it ever arrives anywhere
        self.email = f"kratosctl-verify-{secrets.token_hex(6)}@example.org"
        self.password = secrets.token_urlsafe(18)
        self.method = "password"
        self.signed_up = False
        self.identity: Json = {}
        self.verification: Json | None = None

    def prove(self) -> Iterator[Step]:
        """Tries each step; stops at the first that fails. What was made is taken back in any case."""
        steps = (
            ("sign up", self.sign_up),
            ("verify the address", self._verify_address),
            ("sign out", self._sign_out),
            ("sign in", self.sign_in),
            ("whoami", self.whoami),
        )
        try:
            for name, action in steps:
                began = self.clock()
                ok, said, cause = action()
                yield Step(name, ok, said, cause, round(self.clock() - began, 3))
                if ok is False:
                    break
        finally:
            cleaned = self.delete()
        yield cleaned

    def sign_up(self) -> tuple[bool, str, str]:
        """Signs up. Returns whether it worked, what came back, and the likely cause if it did not."""
        begun = self.client.begin("registration")
        if not begun.ok:
            return False, begun.messages, _flow_cause(begun, self.target)
        traits = traits_for(begun.body, self.email)
        if not _groups(begun.body) & {"password", "code"}:
            # from v1.2.0 Kratos may ask for the traits first, and for the method on a second form
            begun = self.client.submit(begun.body, {"traits": traits, "method": "profile"})
            if not _groups(begun.body) & {"password", "code"}:
                others = _other_methods(begun.body)
                alone = f"people sign up with {others} alone; tried can be a password or a mailed code"
                return (False, alone, "") if others else (False, begun.messages, _submit_cause(begun, self.target))
        self.method = "password" if "password" in _groups(begun.body) else "code"
        values = {"traits": traits, "method": self.method}
        since = self._mails()
        self.signed_up = True
        if self.method == "password":
            done = self.client.submit(begun.body, {**values, "password": self.password})
        else:
            done = self._submit_with_code(begun, values, since)
        if not done.ok:
            return False, done.messages, self._cause(done)
        self.identity = done.body.get("identity") or {}
        self.verification = _verification_flow(done.body)
        return True, f"with a {self.method}", ""

    def _verify_address(self) -> tuple[bool | None, str, str]:
        addresses = self.identity.get("verifiable_addresses") or []
        if not addresses:
            return None, "the identity schema has no address to verify", ""
        if all(address["verified"] for address in addresses):
            return True, "verified by signing up with its code", ""
        if not self.target.mail:
            return None, "no mail inbox to read the code from", ""
        if self.verification is None:
            return None, "verification is off, or signing up has no hook show_verification_ui", ""
        url = f"{self.client.public}/self-service/verification/flows?id={self.verification['id']}"
        flow = self.client.get(url)
        if "link" in _groups(flow.body):
            return None, "it is verified by a mailed link, which is not followed", ""
        code = self._code(0)
        if not code:
            return False, _NO_CODE, self._cause(Answer(0, _NO_CODE))
        done = self.client.submit(flow.body, {"method": "code", "code": code}) if flow.ok else flow
        if done.ok and done.body.get("state") == "passed_challenge":
            return True, "by the mailed code", ""
        expired = "the code or its flow expired"
        return False, done.messages, expired if done.ok else _submit_cause(done, self.target)

    def _submit_with_code(self, begun: Answer, values: Json, since: int) -> Answer:
        """Asks for a code, and submits the form with it once it has arrived."""
        asked = self.client.submit(begun.body, values)
        if not isinstance(asked.body, dict) or asked.body.get("state") != "sent_email":
            return asked
        code = self._code(since)
        return self.client.submit(asked.body, {**values, "code": code}) if code else Answer(0, _NO_CODE)

    def _cause(self, done: Answer) -> str:
        """Why a form did not do what it is for. No mail comes from a Kratos that is gone, either."""
        if done.body == _NO_CODE and self._is_refused():
            return f"the mail inbox has another password than the secrets say: kratosctl up {self.target.name}"
        gone = self.client.whoami() if done.body == _NO_CODE else done
        return _flow_cause(gone, self.target) if gone.status == 0 and gone != done else _submit_cause(done, self.target)

    def _sign_out(self) -> tuple[bool, str, str]:
        if self.client.whoami().status == 401:
            # without the hook `session` signing up does not sign in
            return True, "signing up did not sign in", ""
        done = self.client.sign_out()
        left = self.client.whoami()
        self.client.token = ""
        if left.status == 401:
            return True, "the session is over", ""
        return False, (left if done.ok else done).messages, _submit_cause(left if done.ok else done, self.target)

    def sign_in(self) -> tuple[bool, str, str]:
        """Signs in; returns the same."""
        begun = self.client.begin("login")
        if not begun.ok:
            return False, begun.messages, _flow_cause(begun, self.target)
        values = {"identifier": self.email, "method": self.method}
        if self.method == "password":
            done = self.client.submit(begun.body, {**values, "password": self.password})
        else:
            done = self._submit_with_code(begun, values, self._mails())
        return done.ok, f"with a {self.method}" if done.ok else done.messages, self._cause(done)

    def whoami(self) -> tuple[bool, str, str]:
        """Asks who is signed in; returns the same."""
        found = self.client.whoami()
        if found.ok and found.body["identity"]["traits"] == self.identity.get("traits"):
            return True, "the session is this person's", ""
        return False, found.messages, _session_cause(found, self.target)

    def delete(self) -> Step:
        """Takes back what signing up made."""
        if not self.signed_up:
            return Step("clean up", None, "nothing was made")
        if not self.target.admin:
            return Step("clean up", None, f"the admin API is out of reach: {self.email} stays")
        public = self.client.whoami()
        if public.status == 0:
            # a container that is gone has no address: to ask it would take until the time-out
            return Step("clean up", False, f"{self.email} stays: {public.messages}", _flow_cause(public, self.target))
        admin = Admin(self.target.admin)
        # a hook that fails after Kratos has kept the identity does not tell its ID
        identity = self.identity or admin.find(self.email)
        if not identity:
            return Step("clean up", None, "nothing was made")
        done = admin.delete(identity["id"])
        if done.status == 204:
            return Step("clean up", True, "the identity is gone")
        return Step("clean up", False, f"{self.email} stays: {done.messages}", _flow_cause(done, self.target))

    def _inbox(self) -> Client:
        return Client(self.target.mail, browser=False, authority=self.target.authority, login=self.target.login)

    def _mails(self) -> int:
        return len(self._found_mails()) if self.target.mail else 0

    def _found_mails(self) -> list[Json]:
        found = self._inbox().get(f"{self.target.mail}/api/v1/messages?limit=200")
        mails = found.body.get("messages") or [] if found.ok else []
        return [mail for mail in mails if any(to["Address"] == self.email for to in mail.get("To") or [])]

    def _code(self, since: int) -> str:
        """The code of the newest mail to this person, once there are more than `since`."""
        if not self.target.mail or self._is_refused():
            return ""
        end = self.clock() + _MAIL_PATIENCE
        look = self.clock() + _LOOK_EVERY
        while self.clock() < end:
            if self.clock() >= look:
                look = self.clock() + _LOOK_EVERY
                # no mail comes from a Kratos that is gone, or has given it up
                if self.client.whoami().status == 0 or self._is_abandoned():
                    return ""
            mails = self._found_mails()
            if len(mails) > since:
                mail = self._inbox().get(f"{self.target.mail}/api/v1/message/{mails[0]['ID']}")
                # unless it was deleted meanwhile
                if mail.ok:
                    found = re.search(r"\b\d{6}\b", mail.body.get("Text", ""))
                    return found[0] if found else ""
            time.sleep(0.05)
        return ""

    def _is_refused(self) -> bool:
        """The inbox asks for a password, and for another one than ours."""
        return bool(self.target.mail) and self._inbox().get(f"{self.target.mail}/api/v1/messages?limit=1").status == 401

    def _is_abandoned(self) -> bool:
        """Kratos has given up sending the newest mail to this person."""
        found = Admin(self.target.admin).messages(self.email) if self.target.admin else None
        messages = found.body if found and found.ok and isinstance(found.body, list) else []
        return bool(messages) and messages[0]["status"] == "abandoned"


def traits_for(flow: Json, email: str) -> Json:
    """Fills in every trait that a form cannot do without, and every address.

    Args:
        flow: the form, as Kratos sends it.
        email: the address of who fills it in.
    """
    traits: Json = {}
    for node in flow["ui"]["nodes"]:
        field = node["attributes"]
        name, kind = str(field.get("name", "")), field.get("type")
        if not name.startswith("traits.") or field.get("disabled"):
            continue
        *path, last = name.removeprefix("traits.").split(".")
        address = kind == "email" or (kind == "text" and "email" in last)
        if address or field.get("required"):
            place = traits
            for key in path:
                place = place.setdefault(key, {})
            place[last] = email if address else _FITTING.get(kind, _WORD)
    return traits or {"email": email}


def target_of(found: Found, environment: Environment) -> Target:
    """What to prove of a running environment.

    Raises:
        NotRunning: Kratos does not run.
    """
    urls = status.endpoints(found)
    asked = status.mail_login(found)
    certificate = authority(found.workspace.directory)
    return Target(
        name=found.name,
        public=urls.get("public", ""),
        admin=found.admin_url(),
        mail=urls.get("mail", ""),
        browser=environment.preset != "api-only",
        authority=certificate if environment.https and certificate.is_file() else None,
        login=Login(found.name, found.workspace.secrets().inbox_password) if asked else None,
    )


def verify(found: Found, environment: Environment, console: Console) -> Result:
    """Proves a running environment.

    Returns:
        What each step got; exit code 1 where one failed.
    """
    with console.step(f"verify {found.name}"):
        steps = list(Person(target_of(found, environment)).prove())
    failed = any(step.ok is False for step in steps)
    data = {"environment": found.name, "verified": not failed, "steps": [asdict(step) for step in steps]}
    return Result("verify", data, lambda: "\n".join(map(_line, steps)), exit_code=1 if failed else 0)


def _line(step: Step) -> str:
    mark = {True: "ok", False: "FAILED", None: "-"}[step.ok]
    cause = f"\n{'':<10}likely: {step.cause}" if step.ok is False and step.cause else ""
    return f"{mark:<8}  {step.name:<20}{step.said}{cause}"


def _groups(flow: Any) -> set[str]:
    """The methods a form offers."""
    nodes = flow["ui"]["nodes"] if isinstance(flow, dict) and "ui" in flow else []
    return {node["group"] for node in nodes}


def _other_methods(flow: Any) -> str:
    """What a form asks for that takes a browser or a provider; empty where it is only that it refuses a trait."""
    groups = _groups(flow) - {"default", "profile"}
    refused = groups and any(node.get("messages") for node in flow["ui"]["nodes"])
    return "" if refused else ", ".join(sorted(groups))


def _verification_flow(body: Json) -> Json | None:
    for following in body.get("continue_with") or []:
        if following["action"] == "show_verification_ui":
            flow: Json = following["flow"]
            return flow
    return None


def _flow_cause(answer: Answer, target: Target) -> str:
    if answer.status == 0:
        return f"{target.public} does not answer: is Kratos up? kratosctl status {target.name}"
    if answer.status in (302, 303):
        return "the flow is disabled, or a redirect replaced the answer"
    return f"see kratosctl logs {target.name} kratos"


def _submit_cause(answer: Answer, target: Target) -> str:
    if answer.ok:
        return ""
    if answer.body == _NO_CODE:
        return _mail_cause(target)
    if "csrf" in answer.messages.lower():
        return f"CSRF: {_COOKIE.format('CSRF', target.public)}"
    if _failed_inside(answer):
        return f"a hook or the mail server failed: kratosctl logs {target.name} kratos"
    if answer.status == 0:
        return "Kratos does not answer at the form's address: serve.public.base_url, or Kratos is gone"
    return "the identity schema or a method refuses it: the message says what"


def _session_cause(answer: Answer, target: Target) -> str:
    if answer.status == 0:
        return _flow_cause(answer, target)
    if target.browser and answer.status == 401:
        return _COOKIE.format("session", target.public)
    return f"the session is not what signing in said: kratosctl logs {target.name} kratos"


def _failed_inside(answer: Answer) -> bool:
    """An app is told 400 of what failed inside Kratos, and in the answer that it was 500."""
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    inside = error.get("code", 0) if isinstance(error, dict) else 0
    return max(answer.status, inside) >= 500


def _mail_cause(target: Target) -> str:
    if not target.mail:
        return f"there is no mail inbox: kratosctl up {target.name} --mail"
    return f"SMTP: courier.smtp.connection_uri, or the courier does not run (kratosctl logs {target.name} kratos)"

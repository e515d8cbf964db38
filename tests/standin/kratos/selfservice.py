"""Signing up and in with a password or a mailed code, and verifying an address, for API clients and browsers."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from ..web import Request, Response, json_response, redirect
from . import hooks, mail
from .answers import error_response
from .config import Config
from .database import Database
from .flows import PASSED, SENT, Flow, Flows
from .forms import described, methods
from .identities import Conflict, Identities, Invalid, Record, public, timestamp
from .release import current
from .sessions import Sessions

_SHORTEST_PASSWORD = 8
_MAILED = (
    "An email containing a {}code has been sent to the email address you provided. If you have not received an email,"
    " check the spelling of the address and "
)
_NO_IDENTIFIER = (
    "Could not find any login identifiers. Did you forget to set them? This could also be caused by a server"
    " misconfiguration."
)
_CHOOSE_CREDENTIAL = "Please choose a credential to authenticate yourself with."
_REGISTERED = "make sure to use the address you registered with."


class Again(Exception):
    """The form is shown again: as an error, or because there is another step."""

    def __init__(self, number: int, text: str, type: str = "error", **context: Any) -> None:
        super().__init__(text)
        self.message = {"id": number, "text": text, "type": type}
        self.context = context


class SelfService:
    """One per request: it holds the configuration of that moment."""

    def __init__(self, database: Database, network: str, config: Config) -> None:
        self._database = database
        self._network = network
        self._config = config
        self._flows = Flows(database, network)
        self._identities = Identities(database, network, config)
        self._sessions = Sessions(database, network, config)

    def start(self, kind: str, type: str, request: Request) -> Response:
        """A new flow: its description for API clients, a redirect to its page for browsers."""
        return_to = request.query.get("return_to", "")
        if return_to and not self._may_return_to(return_to):
            if type == "browser" and not request.wants_json:
                return redirect(f"{self._config.ui_url('error')}?id={uuid4()}")
            reason = f'Requested return_to URL "{return_to}" is not allowed.'
            message = "The request was malformed or contained invalid parameters"
            return error_response(400, message, reason, "self_service_flow_return_to_forbidden")
        csrf_cookie, token = _csrf_cookie_name(self._config), ""
        if type == "browser":
            token = request.cookie(csrf_cookie) or secrets.token_urlsafe(32)
        flow = self._flows.new(kind, type, token, self._config.public_url(request.path), [], {})
        if type == "api":
            return json_response(200, described(flow, self._config))
        if request.wants_json:
            response = json_response(200, described(flow, self._config))
        else:
            response = redirect(f"{self._config.ui_url(kind)}?flow={flow.key}")
        attributes = f"{self._config.cookie_domain()}; Max-Age=31536000; HttpOnly{self._config.cookie_transport}"
        return response.with_cookie(f"{csrf_cookie}={token}; Path=/{attributes}; SameSite=Lax")

    def show(self, kind: str, request: Request) -> Response:
        flow = self._flows.find(kind, request.query.get("id", ""))
        if flow is None:
            return error_response(404, "Unable to locate the resource")
        if flow.type == "browser" and request.cookie(_csrf_cookie_name(self._config)) != flow.csrf_token:
            return _csrf_response()
        return json_response(200, described(flow, self._config))

    def submit(self, kind: str, request: Request) -> Response:
        flow = self._flows.find(kind, request.query.get("flow", ""))
        if flow is None:
            return error_response(404, "Unable to locate the resource")
        form = request.json() if request.has_json_body else _nested(request.form())
        if flow.type == "browser" and not self._same_browser(flow, request, form):
            return self._csrf_violation(request)
        try:
            if kind == "verification":
                return self._verified(flow, form, request)
            if kind == "login":
                identity, method = self._sign_in(flow, form)
                return self._signed_in(flow, identity, method, request, {})
            identity, method = self._sign_up(flow, form)
            return self._signed_up(flow, identity, method, request)
        except Again as again:
            return self._shown_again(flow, again, request)
        except hooks.Failed as failed:
            status = 400 if flow.type == "api" else 500
            return json_response(
                status, {"error": {"code": 500, "status": "Internal Server Error", "message": str(failed)}}
            )

    # Signing in

    def _sign_in(self, flow: Flow, form: Record) -> tuple[Record, str]:
        """The identity that signs in, and how."""
        method = self._method(form, 4010002, "log you in")
        identifier = str(form.get("identifier", ""))
        if method == "code":
            return self._sign_in_by_code(flow, form, identifier), method
        identity = self._identities.by_password(identifier, str(form.get("password", "")))
        if identity is None:
            raise Again(
                4000006,
                "The provided credentials are invalid, check for spelling mistakes in your password or username,"
                " email address, or phone number.",
            )
        return identity, method

    def _sign_in_by_code(self, flow: Flow, form: Record, identifier: str) -> Record:
        identity = self._identities.by_code(identifier)
        if identity is None:
            raise Again(4000035, "This account does not exist or has not setup sign in with code.")
        if not form.get("code"):
            code = self._mail_code(identifier, "Use code {} to log in", "Login to your account")
            text = _MAILED.format("") + "retry the login."
            raise Again(1010014, text, "info", state=SENT, code=code, identifier=identifier)
        if not _is_right(form, flow) or flow.context["identifier"] != identifier:
            raise Again(4010008, "The login code is invalid or has already been used. Please try again.")
        return identity

    # Signing up

    def _sign_up(self, flow: Flow, form: Record) -> tuple[Record, str]:
        """The identity that was made, and how it signs in."""
        traits = form.get("traits", {})
        if form.get("method") == "profile" and current().since("v1.2.0"):
            self._check(traits)
            raise Again(1040009, _CHOOSE_CREDENTIAL, "info", traits=traits)
        method = self._method(form, 4010003, "sign you up")
        if method == "code":
            return self._sign_up_by_code(flow, form, traits), method
        password = str(form.get("password", ""))
        if len(password) < _SHORTEST_PASSWORD:
            text = f"The password must be at least {_SHORTEST_PASSWORD} characters long, but got {len(password)}."
            raise Again(4000032, text)
        self._ask_about(password)
        if not self._check_marks(traits).get("password"):
            raise Again(4000015, _NO_IDENTIFIER)
        body = {"traits": traits, "credentials": {"password": {"config": {"password": password}}}}
        return self._create(body), method

    def _sign_up_by_code(self, flow: Flow, form: Record, traits: Record) -> Record:
        """The address that the code was sent to is verified with it."""
        if not form.get("code"):
            (address, *_) = self._check(traits)
            code = self._mail_code(address, "Use code {} to complete your account registration", "Complete it")
            text = _MAILED.format("") + "retry the registration."
            raise Again(1040005, text, "info", state=SENT, code=code, traits=traits, address=address)
        if not _is_right(form, flow) or flow.context["traits"] != traits:
            raise Again(4040003, "The registration code is invalid or has already been used. Please try again.")
        verified = {"value": flow.context["address"], "via": "email", "verified": True}
        return self._create({"traits": traits, "verifiable_addresses": [verified]})

    def _ask_about(self, password: str) -> None:
        """Kratos asks a service whether a password has leaked. Nobody answers here: all there is is how that fails."""
        said = self._config.get("selfservice.methods.password.config") or {}
        if said.get("haveibeenpwned_enabled") and not said.get("ignore_network_errors", True):
            url = f"https://{said.get('haveibeenpwned_host')}/range/{hashlib.sha1(password.encode()).hexdigest()[:5]}"
            raise Again(4000005, f"The password can not be used because GET {url} giving up after 5 attempt(s)")

    def _check(self, traits: Record) -> list[str]:
        """The addresses that a code can be sent to, if the traits are right."""
        return self._check_marks(traits).get("code", [])

    def _check_marks(self, traits: Record) -> dict[str, list[str]]:
        """What people would sign in with, by method, if the traits are right."""
        try:
            return self._identities.check({"traits": traits}).identifiers
        except Invalid as invalid:
            raise Again(4000001, invalid.reason or str(invalid)) from invalid

    def _create(self, body: Record) -> Record:
        try:
            return self._identities.create(body)
        except Conflict as conflict:
            text = "An account with the same identifier (email, phone, username, ...) exists already."
            raise Again(4000007, text) from conflict
        except Invalid as invalid:
            raise Again(4000001, invalid.reason or str(invalid)) from invalid

    def _signed_up(self, flow: Flow, identity: Record, method: str, request: Request) -> Response:
        named = self._config.get(f"selfservice.flows.registration.after.{method}.hooks", [])
        hooks.run_web_hooks(named)
        following = self._ask_to_verify(flow, identity)
        if current().since("v25.4.0") and not any(hook.get("hook") == "show_verification_ui" for hook in named):
            following = []
        identity = self._identities.get(identity["id"]) or identity
        answer = {"identity": public(identity), "continue_with": following}
        if any(hook.get("hook") == "session" for hook in named):
            return self._signed_in(flow, identity, method, request, answer)
        if flow.type == "browser" and not request.wants_json:
            return redirect(self._return_url())
        return json_response(200, answer)

    def _ask_to_verify(self, flow: Flow, identity: Record) -> list[Record]:
        """Mails a code to each address that is not verified; where the flows are to go on with it."""
        following: list[Record] = []
        if not self._config.get("selfservice.flows.verification.enabled"):
            return following
        for address in identity["verifiable_addresses"]:
            if address["verified"]:
                continue
            code = self._mail_code(address["value"], "Please verify your email address", "Please verify your account")
            self._identities.mark_sent(address["value"])
            message = {"id": 1080003, "text": _MAILED.format("verification ") + _REGISTERED, "type": "info"}
            context = {"state": SENT, "code": code, "address": address["value"]}
            url = flow.request_url
            made = self._flows.new("verification", flow.type, flow.csrf_token, url, [message], context)
            shown = {"id": made.key, "verifiable_address": address["value"]}
            if flow.type == "browser":
                shown["url"] = f"{self._config.ui_url('verification')}?flow={made.key}"
            following.append({"action": "show_verification_ui", "flow": shown})
        return following

    # Verifying an address

    def _verified(self, flow: Flow, form: Record, request: Request) -> Response:
        """A wrong code is no error of the request: the form comes again with 200."""
        if _is_right(form, flow):
            self._identities.verify(flow.context["address"])
            message = {"id": 1080002, "text": "You successfully verified your email address.", "type": "success"}
            flow = replace(flow, messages=[message], context={"state": PASSED})
        else:
            text = "The verification code is invalid or has already been used. Please try again."
            flow = replace(flow, messages=[{"id": 4070006, "text": text, "type": "error"}])
        self._flows.save(flow)
        if flow.type == "browser" and not request.wants_json:
            return redirect(f"{self._config.ui_url(flow.kind)}?flow={flow.key}")
        return json_response(200, described(flow, self._config))

    # What they share

    def _method(self, form: Record, number: int, what: str) -> str:
        method = str(form.get("method", ""))
        if method not in methods(self._config):
            raise Again(number, f"Could not find a strategy to {what} with. Did you fill out the form correctly?")
        return method

    def _mail_code(self, address: str, subject: str, what: str) -> str:
        code = f"{secrets.randbelow(1_000_000):06d}"
        text = f"{what} with the following code:\n\n{code}\n"
        with self._database.transaction() as transaction:
            mail.queue(transaction, self._network, address, subject.format(code), text)
        return code

    def _signed_in(self, flow: Flow, identity: Record, method: str, request: Request, answer: Record) -> Response:
        token, session = self._sessions.open(identity, method)
        following = list(answer.get("continue_with", []))
        if flow.type == "api":
            following.append({"action": "set_ory_session_token", "ory_session_token": token})
            answer = answer | {"continue_with": following} if answer else {}
            return json_response(200, {"session_token": token, "session": session} | answer)
        if not request.wants_json:
            return redirect(self._return_url()).with_cookie(self._sessions.cookie(token))
        if current().since("v1.2.0"):
            following.insert(0, {"action": "redirect_browser_to", "redirect_browser_to": self._return_url()})
        answer = {"session": session} | answer | {"continue_with": following}
        return json_response(200, answer).with_cookie(self._sessions.cookie(token))

    def _may_return_to(self, url: str) -> bool:
        wanted = urlsplit(url)
        for each in [self._config.public_url(""), *(self._config.get("selfservice.allowed_return_urls") or [])]:
            known = urlsplit(each)
            same = (known.scheme, known.netloc) == (wanted.scheme, wanted.netloc)
            if same and wanted.path.startswith(known.path):
                return True
        return False

    def _return_url(self) -> str:
        return str(self._config.get("selfservice.default_browser_return_url"))

    def _shown_again(self, flow: Flow, again: Again, request: Request) -> Response:
        flow = replace(flow, messages=[again.message], context={**flow.context, **again.context})
        self._flows.save(flow)
        if flow.type == "browser" and not request.wants_json:
            return redirect(f"{self._config.ui_url(flow.kind)}?flow={flow.key}")
        return json_response(400, described(flow, self._config))

    def _same_browser(self, flow: Flow, request: Request, form: Record) -> bool:
        sent = str(form.get("csrf_token", ""))
        cookie = request.cookie(_csrf_cookie_name(self._config)) or ""
        return bool(cookie) and sent == cookie == flow.csrf_token

    def _csrf_violation(self, request: Request) -> Response:
        if request.wants_json or request.has_json_body:
            return _csrf_response()
        return redirect(f"{self._config.ui_url('error')}?id={uuid4()}")


def recovery_code(config: Config) -> Record:
    """What an administrator hands to somebody who is locked out. Nothing here redeems it."""
    link = f"{config.ui_url('recovery')}?flow={uuid4()}"
    expires = timestamp(datetime.now(UTC) + timedelta(hours=1))
    return {"recovery_link": link, "recovery_code": f"{secrets.randbelow(1_000_000):06d}", "expires_at": expires}


def _is_right(form: Record, flow: Flow) -> bool:
    return flow.state == SENT and secrets.compare_digest(str(form.get("code", "")), flow.context["code"])


def _csrf_response() -> Response:
    reason = (
        "Please retry the flow and optionally clear your cookies. The request was rejected to protect you from"
        " Cross-Site-Request-Forgery (CSRF) which could cause account takeover, leaking personal information, and"
        " other serious security issues."
    )
    message = "the request was rejected to protect you from Cross-Site-Request-Forgery"
    return error_response(403, message, reason, "security_csrf_violation")


def _csrf_cookie_name(config: Config) -> str:
    """It carries the base URL, so that stacks beside each other on one host keep apart."""
    return "csrf_token_" + hashlib.sha256(str(config.get("serve.public.base_url")).encode()).hexdigest()


def _nested(form: dict[str, str]) -> Record:
    """`traits.email=x` means {"traits": {"email": "x"}}; a field left empty means nothing."""
    result: dict[str, Any] = {}
    for name, value in form.items():
        if not value:
            continue
        *parents, last = name.split(".")
        target = result
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value
    return result

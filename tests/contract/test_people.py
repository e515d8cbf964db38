"""What somebody goes through who signs up, verifies an address, signs out and in: the steps that `verify` takes."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest

from . import containers, http
from .conftest import MakeMigrated
from .kratos import IDENTITY_SCHEMA, KRATOS_YML, Image, Server

PASSWORD = "a-password-of-29"
WRONG_CODE = "000000"
TWO_STEPS = {"v1.3.1", "v25.4.0", "v26.2.0"}

kinds = pytest.mark.parametrize("kind", ["api", "browser"])


@dataclass
class Visitor:
    """Somebody with an app, or with a browser that asks for JSON."""

    server: Server
    kind: str
    mail_port: int = 0
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""

    def send(self, method: str, path: str, body: Any = None) -> http.Answer:
        headers = {"Accept": "application/json", **({"X-Session-Token": self.token} if self.token else {})}
        answer = self.server.public(method, path, body, headers=headers, cookies=self.cookies)
        self.cookies |= answer.cookies()
        return answer

    def begin(self, flow: str) -> dict[str, Any]:
        answer = self.send("GET", f"/self-service/{flow}/{self.kind}")
        assert answer.status == 200, answer.body
        begun: dict[str, Any] = answer.json()
        return begun

    def submit(self, kind: str, flow: dict[str, Any], **values: Any) -> http.Answer:
        fields = {node["attributes"].get("name"): node["attributes"] for node in flow["ui"]["nodes"]}
        if "csrf_token" in fields:
            values["csrf_token"] = fields["csrf_token"]["value"]
        answer = self.send("POST", f"/self-service/{kind}?flow={flow['id']}", values)
        self.token = answer.json().get("session_token", self.token)
        return answer

    def whoami(self) -> str | None:
        answer = self.send("GET", "/sessions/whoami")
        return answer.json()["identity"]["traits"]["email"] if answer.status == 200 else None

    def code_to(self, email: str, number: int = 1) -> str:
        """The code of the newest mail to somebody, once there are that many."""
        found: list[Any] = []

        def arrived() -> bool:
            mails = http.request("GET", self.mail_port, "/api/v1/messages?limit=200").json()["messages"]
            found[:] = [mail for mail in mails if mail["To"][0]["Address"] == email]
            return len(found) >= number

        containers.until(arrived, lambda: f"no mail number {number} to {email}\n{self.server.container.logs()}")
        text = http.request("GET", self.mail_port, f"/api/v1/message/{found[0]['ID']}").json()["Text"]
        match = re.search(r"\b\d{6}\b", text)
        assert match, text
        return match[0]


def groups(flow: dict[str, Any]) -> set[str]:
    return {node["group"] for node in flow["ui"]["nodes"]} - {"default"}


def message(answer: http.Answer) -> int:
    return int(answer.json()["ui"]["messages"][0]["id"])


def new_email() -> str:
    return f"{uuid4()}@example.org"


@pytest.fixture(scope="module")
def passwords(default_image: Image, make_migrated: MakeMigrated, shared_network: str) -> Iterator[Server]:
    """Kratos that mails codes to verify addresses with."""
    kratos_yml = copy.deepcopy(KRATOS_YML)
    hooks = [{"hook": "session"}, {"hook": "show_verification_ui"}]
    kratos_yml["selfservice"]["flows"]["registration"] = {"after": {"password": {"hooks": hooks}}}
    yield from _serving(default_image, make_migrated, shared_network, kratos_yml, IDENTITY_SCHEMA)


@pytest.fixture(scope="module")
def codes(default_image: Image, make_migrated: MakeMigrated, shared_network: str) -> Iterator[Server]:
    """Kratos that people sign up and in to with mailed codes."""
    kratos_yml, schema = copy.deepcopy(KRATOS_YML), copy.deepcopy(IDENTITY_SCHEMA)
    kratos_yml["selfservice"]["methods"] = {
        "password": {"enabled": False},
        "code": {"enabled": True, "passwordless_enabled": True},
    }
    kratos_yml["selfservice"]["flows"]["registration"] = {"after": {"code": {"hooks": [{"hook": "session"}]}}}
    email = schema["properties"]["traits"]["properties"]["email"]["ory.sh/kratos"]
    email["credentials"] = {"code": {"identifier": True, "via": "email"}}
    yield from _serving(default_image, make_migrated, shared_network, kratos_yml, schema)


def _serving(
    image: Image, make_migrated: MakeMigrated, network: str, kratos_yml: dict[str, Any], schema: dict[str, Any]
) -> Iterator[Server]:
    made = make_migrated(image, "sqlite")
    made.directory.write("kratos.yml", kratos_yml)
    made.directory.write("person.schema.json", schema)
    database = replace_network(made.database, network)
    with replace(made, database=database).serve("--watch-courier") as server:
        yield server


def replace_network(database: Any, network: str) -> Any:
    """The same database, for a container that reaches the mail server."""
    reached = copy.copy(database)
    object.__setattr__(reached, "options", [*database.options, f"--network={network}"])
    return reached


@kinds
def test_registration_asks_for_all_at_once_up_to_v1_1_and_in_two_steps_later(passwords: Server, kind: str) -> None:
    visitor, email = Visitor(passwords, kind), new_email()
    flow = visitor.begin("registration")
    if passwords.image.release not in TWO_STEPS:
        assert groups(flow) == {"password"}
        return
    assert groups(flow) == {"profile"}
    asked = visitor.submit("registration", flow, method="profile", traits={"email": email})
    assert (asked.status, message(asked)) == (400, 1040009)
    assert groups(asked.json()) == {"password", "profile"} or groups(asked.json()) == {"password"}
    done = visitor.submit("registration", asked.json(), method="password", password=PASSWORD, traits={"email": email})
    assert done.status == 200, done.body
    assert visitor.whoami() == email


@kinds
def test_somebody_verifies_an_address_with_the_mailed_code(passwords: Server, kind: str, mail_port: int) -> None:
    visitor, email = Visitor(passwords, kind, mail_port), new_email()
    flow = visitor.begin("registration")
    done = visitor.submit("registration", flow, method="password", password=PASSWORD, traits={"email": email}).json()
    (address,) = done["identity"]["verifiable_addresses"]
    assert (address["value"], address["verified"], address["status"]) == (email, False, "sent")
    (following,) = [each for each in done["continue_with"] if each["action"] == "show_verification_ui"]
    assert following["flow"]["verifiable_address"] == email
    assert ("url" in following["flow"]) == (kind == "browser")

    verification = visitor.send("GET", f"/self-service/verification/flows?id={following['flow']['id']}").json()
    assert verification["state"] == "sent_email"
    wrong = visitor.submit("verification", verification, method="code", code=WRONG_CODE)
    assert (wrong.status, wrong.json()["state"], message(wrong)) == (200, "sent_email", 4070006)
    right = visitor.submit("verification", verification, method="code", code=visitor.code_to(email))
    assert (right.status, right.json()["state"], message(right)) == (200, "passed_challenge", 1080002)
    me = visitor.send("GET", "/sessions/whoami").json()["identity"]
    assert [address["verified"] for address in me["verifiable_addresses"]] == [True]


@kinds
def test_the_verification_is_named_without_a_hook_up_to_v1_3_and_not_later(
    default_image: Image, make_migrated: MakeMigrated, kind: str
) -> None:
    with make_migrated(default_image, "sqlite").serve() as server:
        visitor = Visitor(server, kind)
        flow = visitor.begin("registration")
        done = visitor.submit("registration", flow, method="password", password=PASSWORD, traits={"email": new_email()})
        named = [each["action"] for each in done.json()["continue_with"]]
    assert ("show_verification_ui" in named) == (not default_image.modern)


def test_another_browser_does_not_see_a_verification(passwords: Server) -> None:
    visitor = Visitor(passwords, "browser")
    flow = visitor.begin("registration")
    done = visitor.submit("registration", flow, method="password", password=PASSWORD, traits={"email": new_email()})
    (following,) = [each for each in done.json()["continue_with"] if each["action"] == "show_verification_ui"]
    path = f"/self-service/verification/flows?id={following['flow']['id']}"
    assert Visitor(passwords, "browser").send("GET", path).status == 403


def test_an_app_signs_out_by_its_session_token(passwords: Server) -> None:
    visitor, email = Visitor(passwords, "api"), new_email()
    flow = visitor.begin("registration")
    visitor.submit("registration", flow, method="password", password=PASSWORD, traits={"email": email})
    assert visitor.whoami() == email
    for _ in range(2):
        done = visitor.send("DELETE", "/self-service/logout/api", {"session_token": visitor.token})
        assert done.status == 204
    assert visitor.whoami() is None
    assert visitor.send("DELETE", "/self-service/logout/api", {"session_token": "nobody's"}).status == 403


def test_a_browser_signs_out_by_a_token_of_its_own(passwords: Server) -> None:
    visitor, email = Visitor(passwords, "browser"), new_email()
    assert visitor.send("GET", "/self-service/logout/browser").status == 401
    flow = visitor.begin("registration")
    visitor.submit("registration", flow, method="password", password=PASSWORD, traits={"email": email})
    before = dict(visitor.cookies)
    begun = visitor.send("GET", "/self-service/logout/browser").json()
    assert begun["logout_url"].endswith(f"/self-service/logout?token={begun['logout_token']}")
    assert visitor.send("GET", "/self-service/logout?token=nobody's").status == 403
    assert visitor.whoami() == email
    assert visitor.send("GET", f"/self-service/logout?token={begun['logout_token']}").status == 204
    assert visitor.whoami() is None
    visitor.cookies = before
    assert visitor.whoami() is None


@kinds
def test_somebody_signs_up_and_in_with_mailed_codes(codes: Server, kind: str, mail_port: int) -> None:
    visitor, email = Visitor(codes, kind, mail_port), new_email()
    values = {"method": "code", "traits": {"email": email}}
    flow = visitor.begin("registration")
    if codes.image.release in TWO_STEPS:
        flow = visitor.submit("registration", flow, method="profile", traits={"email": email}).json()
    assert "code" in groups(flow)
    asked = visitor.submit("registration", flow, **values)
    assert (asked.status, asked.json()["state"], message(asked)) == (400, "sent_email", 1040005)
    wrong = visitor.submit("registration", asked.json(), **values, code=WRONG_CODE)
    assert (wrong.status, message(wrong)) == (400, 4040003)
    done = visitor.submit("registration", asked.json(), **values, code=visitor.code_to(email))
    assert done.status == 200, done.body
    assert [address["verified"] for address in done.json()["identity"]["verifiable_addresses"]] == [True]
    me = visitor.send("GET", "/sessions/whoami").json()
    assert [used["method"] for used in me["authentication_methods"]] == ["code"]

    visitor = Visitor(codes, kind, mail_port)
    flow = visitor.begin("login")
    asked = visitor.submit("login", flow, method="code", identifier=email)
    assert (asked.status, asked.json()["state"], message(asked)) == (400, "sent_email", 1010014)
    wrong = visitor.submit("login", asked.json(), method="code", identifier=email, code=WRONG_CODE)
    assert (wrong.status, message(wrong)) == (400, 4010008)
    code = visitor.code_to(email, 2)
    done = visitor.submit("login", asked.json(), method="code", identifier=email, code=code)
    assert done.status == 200, done.body
    assert visitor.whoami() == email


@kinds
def test_a_code_is_sent_to_nobody_who_is_unknown(codes: Server, kind: str) -> None:
    visitor = Visitor(codes, kind)
    asked = visitor.submit("login", visitor.begin("login"), method="code", identifier=new_email())
    assert (asked.status, message(asked)) == (400, 4000035)


@kinds
def test_a_hook_that_fails_fails_the_sign_up_and_leaves_the_identity(
    default_image: Image, make_migrated: MakeMigrated, kind: str
) -> None:
    web_hook = {"hook": "web_hook", "config": {"url": "http://127.0.0.1:9/", "method": "POST", "body": "base64://e30="}}
    server_yml = copy.deepcopy(KRATOS_YML)
    hooks = [web_hook, {"hook": "session"}]
    server_yml["selfservice"]["flows"]["registration"] = {"after": {"password": {"hooks": hooks}}}
    made = make_migrated(default_image, "sqlite")
    made.directory.write("kratos.yml", server_yml)
    with made.serve() as server:
        visitor, email = Visitor(server, kind), new_email()
        flow = visitor.begin("registration")
        done = visitor.submit("registration", flow, method="password", password=PASSWORD, traits={"email": email})
        assert done.status == (400 if kind == "api" else 500)
        assert done.json()["error"]["code"] == 500
        assert "http://127.0.0.1:9/" in done.json()["error"]["message"]
        assert len(server.admin("GET", f"/admin/identities?credentials_identifier={email}").json()) == 1


@pytest.mark.parametrize("section", ["cookies", "session"])
def test_cookies_are_for_the_host_that_is_configured(
    default_image: Image, make_migrated: MakeMigrated, section: str
) -> None:
    server_yml = copy.deepcopy(KRATOS_YML)
    if section == "cookies":
        server_yml["cookies"] = {"domain": "example.org"}
    else:
        server_yml["session"]["cookie"]["domain"] = "example.org"
    made = make_migrated(default_image, "sqlite")
    made.directory.write("kratos.yml", server_yml)
    with made.serve() as server:
        visitor = Visitor(server, "browser")
        started = visitor.send("GET", "/self-service/registration/browser")
        assert ("Domain=example.org" in started.headers["Set-Cookie"]) == (section == "cookies")
        traits = {"email": new_email()}
        done = visitor.submit("registration", started.json(), method="password", password=PASSWORD, traits=traits)
        sent = {cookie.partition("=")[0]: cookie for cookie in done.headers.get_all("Set-Cookie", [])}
        assert "Domain=example.org" in sent["a_session"]

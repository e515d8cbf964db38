"""The APIs and commands of a Kratos that serves."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import pytest

from .kratos import Server

NOBODY = "11111111-1111-4111-8111-111111111111"


def new_email() -> str:
    return f"{uuid4()}@example.org"


def test_both_apis_answer_health_checks(served: Server) -> None:
    for path in ("/health/alive", "/health/ready"):
        assert served.public("GET", path).json() == {"status": "ok"}
        assert served.admin("GET", f"/admin{path}").json() == {"status": "ok"}


def test_the_admin_api_names_the_release(served: Server) -> None:
    assert served.admin("GET", "/admin/version").json() == {"version": served.image.release}


def test_admin_paths_without_the_prefix_are_redirected_up_to_v25_4_and_answered_later(served: Server) -> None:
    answer = served.admin("GET", "/health/ready")
    if served.image.release == "v26.2.0":
        assert answer.status == 200
    else:
        assert (answer.status, answer.headers["Location"]) == (307, "/admin/health/ready")


def test_the_public_api_sends_admin_paths_to_the_address_of_the_admin_api(served: Server) -> None:
    answer = served.public("GET", "/admin/identities")
    assert (answer.status, answer.headers["Location"]) == (307, "http://127.0.0.1:4434/admin/identities")


def test_an_identity_is_created_found_listed_and_deleted(served: Server) -> None:
    email = new_email()
    created = served.create(email)
    path = f"/admin/identities/{created['id']}"
    found = served.admin("GET", path).json()
    assert (found["traits"], found["schema_id"], found["state"]) == ({"email": email}, "person", "active")
    assert [address["value"] for address in found["verifiable_addresses"]] == [email]
    assert [address["value"] for address in found["recovery_addresses"]] == [email]
    listed = served.admin("GET", f"/admin/identities?credentials_identifier={email}").json()
    assert [identity["id"] for identity in listed] == [created["id"]]
    assert served.admin("DELETE", path).status == 204
    assert served.admin("GET", path).status == 404
    assert served.admin("DELETE", path).status == 404


def test_a_taken_identifier_is_a_conflict(served: Server) -> None:
    email = new_email()
    served.create(email)
    answer = served.admin("POST", "/admin/identities", {"schema_id": "person", "traits": {"email": email}})
    assert answer.status == 409
    assert answer.json()["error"]["code"] == 409


@pytest.mark.parametrize(
    "body",
    [
        {"schema_id": "person", "traits": {}},
        {"schema_id": "person", "traits": {"email": "not an address"}},
        {"schema_id": "person", "traits": {"email": "x@example.org", "surplus": 1}},
        {"schema_id": "nowhere", "traits": {"email": "x@example.org"}},
        {"schema_id": "person", "traits": {"email": "x@example.org"}, "surplus": 1},
    ],
    ids=["missing-trait", "wrong-format", "unknown-trait", "unknown-schema", "unknown-field"],
)
def test_a_wrong_identity_is_refused_with_a_reason(served: Server, body: dict[str, object]) -> None:
    answer = served.admin("POST", "/admin/identities", body)
    assert answer.status == 400
    error = answer.json()["error"]
    assert error["code"] == 400
    assert error.get("reason") or error["message"]


def test_identities_come_in_pages(served: Server) -> None:
    served.create(new_email())
    served.create(new_email())
    page = served.admin("GET", "/admin/identities?page_size=1")
    assert len(page.json()) == 1
    assert 'rel="next"' in page.headers["Link"]
    assert len(served.admin("GET", "/admin/identities?per_page=1").json()) == 1


def test_many_are_created_in_one_request(served: Server) -> None:
    emails = [new_email(), new_email()]
    answer = served.admin("PATCH", "/admin/identities", {"identities": [item(email) for email in emails]})
    assert answer.status == 200
    assert [made["action"] for made in answer.json()["identities"]] == ["create", "create"]
    assert answer.json()["identities"][0]["patch_id"] == NOBODY


def test_one_that_fails_of_many_fails_the_request_up_to_v1_2_and_itself_alone_later(served: Server) -> None:
    taken, free = new_email(), new_email()
    served.create(taken)
    answer = served.admin("PATCH", "/admin/identities", {"identities": [item(taken), item(free)]})
    if served.image.release == "v1.1.0":
        assert answer.status == 409
        assert served.admin("GET", f"/admin/identities?credentials_identifier={free}").json() == []
    else:
        assert answer.status == 200
        assert [made["action"] for made in answer.json()["identities"]] == ["error", "create"]


def item(email: str) -> dict[str, object]:
    return {"create": {"schema_id": "person", "traits": {"email": email}}, "patch_id": NOBODY}


def test_an_administrator_is_given_a_recovery_code_for_an_identity(served: Server) -> None:
    created = served.create(new_email())
    answer = served.admin("POST", "/admin/recovery/code", {"identity_id": created["id"]})
    assert answer.status == 201
    assert set(answer.json()) >= {"recovery_code", "recovery_link"}


def test_somebody_signs_up_in_and_is_recognised_by_the_session_token(served: Server) -> None:
    email = new_email()
    signed_up = served.sign_up(email, "a-password-of-29")
    assert signed_up.status == 200, signed_up.body
    assert signed_up.json()["session_token"]
    signed_in = served.sign_in(email, "a-password-of-29").json()
    whoami = served.public("GET", "/sessions/whoami", headers={"X-Session-Token": signed_in["session_token"]})
    assert whoami.status == 200
    assert whoami.json()["identity"]["traits"]["email"] == email


def test_a_password_given_by_an_administrator_signs_in(served: Server) -> None:
    email = new_email()
    served.create(email, "given-by-an-administrator")
    assert served.sign_in(email, "given-by-an-administrator").status == 200
    wrong = served.sign_in(email, "something-else-entirely")
    assert wrong.status == 400
    assert wrong.json()["ui"]["messages"][0]["type"] == "error"


def test_signing_up_twice_or_with_a_short_password_is_refused(served: Server) -> None:
    email = new_email()
    assert served.sign_up(email, "a-password-of-29").status == 200
    assert served.sign_up(email, "a-password-of-29").status == 400
    assert served.sign_up(new_email(), "short").status == 400


def test_a_browser_is_recognised_by_the_cookie_whose_name_is_configured(served: Server) -> None:
    email = new_email()
    served.create(email, "given-by-an-administrator")
    answer = served.browser_sign_in(email, "given-by-an-administrator")
    assert (answer.status, answer.headers["Location"]) == (303, "http://127.0.0.1:4455/")
    cookie = answer.cookies()["a_session"]
    assert served.whoami({"a_session": cookie}).json()["identity"]["traits"]["email"] == email
    assert served.whoami({"another_session": cookie}).status == 401
    assert served.whoami({"a_session": cookie[:-8] + "AAAAAAAA"}).status == 401
    assert served.whoami({}).status == 401


def test_a_form_without_its_csrf_token_does_not_sign_in(served: Server) -> None:
    email = new_email()
    served.create(email, "given-by-an-administrator")
    answer = served.browser_sign_in(email, "given-by-an-administrator", csrf=False)
    assert answer.status == 303
    assert "a_session" not in answer.cookies()


def test_the_identity_schemas_are_public(served: Server) -> None:
    assert [schema["id"] for schema in served.public("GET", "/schemas").json()] == ["person"]


def test_remote_status_tells_health_by_its_exit_code(served: Server) -> None:
    done = served.command("remote", "status", "--format", "json")
    assert (done.code, json.loads(done.out)) == (0, {"alive": True, "ready": True})


def test_the_command_line_imports_lists_gets_and_deletes_identities(served: Server) -> None:
    email = new_email()
    imported = served.command(
        "import",
        "identities",
        "--format",
        "json",
        stdin=json.dumps({"schema_id": "person", "traits": {"email": email}}),
    )
    assert imported.code == 0, imported.text
    key = json.loads(imported.out)["id"]
    listed = json.loads(served.command("list", "identities", "--format", "json").out)
    assert key in [identity["id"] for identity in listed["identities"]]
    got = served.command("get", "identity", key, "--format", "json")
    assert json.loads(got.out)["traits"] == {"email": email}
    assert served.command("delete", "identity", key).code == 0
    gone = served.command("get", "identity", key)
    assert gone.code == 1
    assert "Unable to locate the resource" in gone.err


def test_what_is_queued_for_an_address_is_listed_with_its_text_newest_first(served: Server) -> None:
    email, other = new_email(), new_email()
    for whom in (email, other):
        assert served.sign_up(whom, "correct-horse-3-battery").status == 200
    (message,) = served.admin("GET", f"/admin/courier/messages?recipient={email}").json()
    assert message["recipient"] == email
    assert message["status"] in {"queued", "processing", "sent"}
    assert re.search(r"\b\d{6}\b", message["body"])
    both = served.admin("GET", "/admin/courier/messages").json()
    assert [each["recipient"] for each in both[:2]] == [other, email]
    assert both[0]["created_at"] > both[1]["created_at"]

"""`kratosctl.testing`: Kratos for a block, as new after each reset, and nothing left of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kratosctl.errors import (
    ChoiceImpossible,
    CodeMissing,
    ImageMissing,
    KratosRefused,
    KratosRefusedConfiguration,
    SeedFailed,
    ServiceFailed,
    UnknownKey,
)
from kratosctl.kratos.api import Client
from kratosctl.testing import Kratos, kratos
from tests.e2e import engine, ephemeral, people
from tests.e2e.program import program

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", autouse=True)
def alone(cache: Path) -> Iterator[None]:
    """Nothing of whoever runs the tests reaches Kratos."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("KRATOSCTL_", "SECRETS_", "DSN")) and not name.startswith("KRATOSCTL_TEST_"):
                patch.delenv(name)
        patch.setenv("KRATOSCTL_CACHE_DIR", str(cache))
        yield


@pytest.fixture(
    scope="module",
    # each release and each database; test_pytest_plugin.py has them the other way round
    params=[("v1.1.0", "sqlite"), ("v26.2.0", "postgres")],
    ids="-".join,
)
def running(request: pytest.FixtureRequest) -> Iterator[Kratos]:
    """One that the tests of a module share."""
    with kratos(**ephemeral.asked(*request.param)) as k:
        yield k
    assert ephemeral.is_gone(k.directory)


@pytest.fixture
def k(running: Kratos) -> Kratos:
    running.reset()
    return running


def whoami(k: Kratos, token: str) -> str | None:
    return people.whoami(k.public_url, token)


def inbox(k: Kratos) -> list[str]:
    """The addresses mail came for."""
    found = Client(str(k.mail_url), browser=False).get(f"{k.mail_url}/api/v1/messages")
    assert found.ok, found
    return [mail["To"][0]["Address"] for mail in found.body["messages"]]


def test_somebody_is_made_and_signs_in(k: Kratos) -> None:
    ada = k.create_identity("ada@example.org", password="correct-horse-3-battery")
    assert whoami(k, k.session_token(ada)) == "ada@example.org"
    assert whoami(k, k.session_token("ada@example.org", "correct-horse-3-battery")) == "ada@example.org"


def test_a_password_and_an_address_are_made_up_where_none_is_given(k: Kratos) -> None:
    one, other = k.create_identity(), k.create_identity()
    assert one.email != other.email
    assert whoami(k, k.session_token(one)) == one.email


def test_what_kratos_refuses_is_said_with_its_reason(k: Kratos) -> None:
    ada = k.create_identity("ada@example.org")
    with pytest.raises(KratosRefused, match="conflict"):
        k.create_identity("ada@example.org")
    with pytest.raises(KratosRefused, match="credentials are invalid"):
        k.session_token(ada, "not the password")


def test_further_fields_of_the_admin_api_are_passed_on(k: Kratos) -> None:
    ada = k.create_identity("ada@example.org", verified=True, metadata_public={"plan": "free"})
    assert ada.body["metadata_public"] == {"plan": "free"}
    assert [address["verified"] for address in ada.body["verifiable_addresses"]] == [True]


def test_the_last_code_is_that_of_the_last_message_to_this_address(k: Kratos) -> None:
    for email in ("ada@example.org", "bob@example.org"):
        people.sign_up(k.public_url, email)
    ada = k.last_code("ada@example.org")
    assert len(ada) == 6
    assert (k.last_code("Ada@example.org"), k.last_code("bob@example.org")) != (ada, ada)
    engine.until(lambda: len(inbox(k)) == 2, why="both mails arrive")
    assert ada in k.logs(service="kratos") or k.last_code("ada@example.org") == ada


def test_without_a_message_there_is_no_code(k: Kratos) -> None:
    with pytest.raises(CodeMissing, match="wrote nothing to this address"):
        k.last_code("nobody@example.org", timeout=0.1)


def test_the_log_holds_what_kratos_has_just_answered_and_nothing_of_its_reader(k: Kratos) -> None:
    began = time.time()
    for number in range(20):
        people.request("GET", f"{k.public_url}/nowhere-{number}-{began}")
        assert f"/nowhere-{number}-{began}" in k.logs(since=began)
    assert "kratosctl" not in k.logs(since=began)


def test_after_a_reset_nobody_is_known_and_no_session_is_valid(k: Kratos) -> None:
    token = people.sign_up_and_ask(k.public_url, "ada@example.org")
    k.reset()
    assert whoami(k, token) is None
    with pytest.raises(KratosRefused):
        k.session_token("ada@example.org", people.PASSWORD)
    # the same address is free again, and Kratos serves on
    assert whoami(k, people.sign_up(k.public_url, "ada@example.org")) == "ada@example.org"


def test_after_a_reset_no_mail_of_before_is_there_or_arrives(k: Kratos) -> None:
    before = set()
    for number in range(20):
        email = f"before-{number}@example.org"
        people.sign_up(k.public_url, email)
        before.add(email)
        if number % 5 == 4:
            # the courier looks once a second: this meets it waiting, sending and done
            time.sleep(0.3)
            k.reset()
            assert inbox(k) == []
            with pytest.raises(CodeMissing):
                k.last_code(email, timeout=0)
    people.sign_up(k.public_url, "after@example.org")
    engine.until(lambda: "after@example.org" in inbox(k), why="the courier goes on")
    assert set(inbox(k)) == {"after@example.org"}


def test_after_a_restore_no_mail_of_before_is_there_or_arrives(k: Kratos) -> None:
    """Nor is that of the snapshot sent again."""
    people.sign_up(k.public_url, "kept@example.org")
    kept = k.snapshot()
    for number in range(20):
        people.sign_up(k.public_url, f"before-{number}@example.org")
        if number % 5 == 4:
            time.sleep(0.3)
            k.restore(kept)
            assert inbox(k) == []
    assert k.last_code("kept@example.org", timeout=0)
    people.sign_up(k.public_url, "after@example.org")
    engine.until(lambda: "after@example.org" in inbox(k), why="the courier goes on")
    assert set(inbox(k)) == {"after@example.org"}


def test_resets_in_a_row_lose_and_mix_nothing(k: Kratos) -> None:
    tokens: list[str] = []
    for number in range(30):
        k.reset()
        assert not any(whoami(k, token) for token in tokens[-3:])
        email = f"person-{number}@example.org"
        ada = k.create_identity(email)
        tokens.append(k.session_token(ada))
        assert whoami(k, tokens[-1]) == email


def test_while_clients_ask_a_reset_is_whole_and_what_it_took_stays_away(k: Kratos) -> None:
    before: list[str] = []
    wrong: list[str] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            # read before the question: these were reset then, and stay so
            gone = before[:]
            for token in gone[-3:]:
                found = people.request("GET", f"{k.public_url}/sessions/whoami", headers={"X-Session-Token": token})
                if found.status != 401:
                    wrong.append(found.text)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(20):
            somebody = k.create_identity()
            token = k.session_token(somebody)
            assert whoami(k, token) == somebody.email
            k.reset()
            before.append(token)
    finally:
        ended.set()
        for asker in askers:
            asker.join()
    assert wrong == []


def test_a_snapshot_brings_back_people_and_their_sessions(k: Kratos) -> None:
    token = k.session_token(k.create_identity("ada@example.org"))
    saved = k.snapshot()
    k.reset()
    k.create_identity("eve@example.org")
    k.restore(saved)
    assert whoami(k, token) == "ada@example.org"
    assert (
        Client(k.admin_url, browser=False)
        .get(f"{k.admin_url}/admin/identities?credentials_identifier=eve@example.org")
        .body
        == []
    )


def test_a_name_that_an_earlier_test_gave_to_a_snapshot_is_free(k: Kratos) -> None:
    for email in ("ada@example.org", "bob@example.org"):
        k.reset()
        token = k.session_token(k.create_identity(email))
        assert k.snapshot("signed-in") == "signed-in"
        k.reset()
        k.restore("signed-in")
        assert whoami(k, token) == email


def test_logs_begin_where_they_are_asked_to(k: Kratos) -> None:
    people.request("GET", f"{k.public_url}/self-service/registration/api")
    engine.until(lambda: "/self-service/registration/api" in k.logs(), why="Docker has the line")
    since = time.time()
    people.request("GET", f"{k.public_url}/self-service/login/api")
    said = engine.until(lambda: k.logs(since), why="a line")
    assert "/self-service/login/api" in said
    assert "/self-service/registration/api" not in said


def test_it_has_a_directory_ports_and_names_of_its_own(k: Kratos) -> None:
    with kratos(**ephemeral.asked(), mail=False) as other:
        assert {other.public_url, other.admin_url}.isdisjoint({k.public_url, k.admin_url})
        other.create_identity("ada@example.org")
        k.reset()
        assert other.session_token(other.create_identity("bob@example.org"))
        assert other.project != k.project
    assert ephemeral.is_gone(other.directory)
    assert people.request("GET", f"{k.public_url}/health/ready").status == 200


def test_the_admin_api_listens_on_this_host_alone(k: Kratos) -> None:
    ports = engine.container(k.project, "kratos")["NetworkSettings"]["Ports"]
    assert {bound["HostIp"] for bound in ports["4434/tcp"]} == {"127.0.0.1"}


def test_postgres_that_was_started_again_is_reset_again() -> None:
    with kratos(**ephemeral.asked(database="postgres"), mail=False) as k:
        k.create_identity("ada@example.org")
        k.reset()
        k.create_identity("ada@example.org")
        engine.docker("restart", engine.container(k.project, "postgres")["Id"])
        engine.until(lambda: people.request("GET", f"{k.public_url}/health/ready").status == 200)
        k.reset()
        k.create_identity("ada@example.org")


def test_a_kratos_that_died_is_said_to_be_dead_by_the_next_reset_and_leaves_nothing_behind() -> None:
    """On SQLite the database is there without it, and each test after that would fail with a refused connection."""
    died = pytest.raises(ServiceFailed, match="service kratos did not stay up \\(exit code 137\\)")
    with died, kratos(**ephemeral.asked(), mail=False) as k:
        engine.docker("kill", engine.container(k.project, "kratos")["Id"])
        k.reset()
    assert ephemeral.is_gone(k.directory)


def test_one_that_cannot_be_made_leaves_nothing_behind() -> None:
    before = ephemeral.directories(os.getpid())
    with pytest.raises(ImageMissing, match="--kratos-image"), kratos(kratos_image="kratosctl/no-such:v26.2.0"):
        pass
    assert ephemeral.directories(os.getpid()) <= before


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    """A configuration that Kratos refuses."""
    made = tmp_path / "kratos"
    shutil.copytree(Path(__file__).parents[2] / "configs" / "email-password", made)
    with (made / "kratos.yml").open("a") as file:
        file.write("no_such_key: true\n")
    return made


def test_one_that_fails_says_why_and_to_do_nothing_with_what_is_gone(refused: Path) -> None:
    before = ephemeral.directories(os.getpid())
    fails = kratos(**ephemeral.asked(), mail=False, config_dir=refused)
    with pytest.raises(KratosRefusedConfiguration, match="no_such_key") as caught, fails:
        pass
    assert "kratosctl up" not in caught.value.fix
    assert "--keep (with pytest --kratos-keep)" in caught.value.fix
    assert ephemeral.directories(os.getpid()) <= before


def test_one_that_fails_is_kept_where_it_is_to_be(refused: Path) -> None:
    fails = kratos(**ephemeral.asked(), mail=False, config_dir=refused, keep=True)
    with pytest.raises(KratosRefusedConfiguration, match="no_such_key") as caught, fails:
        pass
    (where,) = re.findall(r"kratosctl -C (\S+) logs", caught.value.fix)
    try:
        done = subprocess.run([*program(), "-C", where, "logs"], capture_output=True, text=True, check=True)
        assert "no_such_key" in done.stdout
    finally:
        engine.remove_all_of(Path(where))
        shutil.rmtree(where)


def test_a_forked_process_that_ends_leaves_it_running() -> None:
    with kratos(**ephemeral.asked(), mail=False) as k:
        child = os.fork()
        if child == 0:
            # ends as a process does that leaves the block
            try:
                raise SystemExit
            finally:
                k_gone = ephemeral.is_gone(k.directory)
                os._exit(int(k_gone))
        assert os.waitpid(child, 0)[1] == 0
        assert k.session_token(k.create_identity())


def test_a_database_that_is_not_kratosctls_is_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSN", "postgres://them:secret@db.example.org/theirs")
    with pytest.raises(ChoiceImpossible, match="would be deleted"), kratos(database="external"):  # type: ignore[arg-type]
        pass
    with kratos(**{**ephemeral.asked(), "mail": False, "database": None}) as k:
        assert "sqlite" in (k.directory / ".kratosctl" / "test" / "compose.yaml").read_text()


def test_a_question_that_does_not_exist_is_named_with_the_one_meant() -> None:
    with pytest.raises(UnknownKey, match="did you mean 'database'"), kratos(databse="sqlite"):  # type: ignore[call-arg]
        pass


def test_a_database_in_memory_serves_and_says_why_it_cannot_be_reset() -> None:
    with kratos(**ephemeral.asked(database="memory"), mail=False) as k:
        assert k.session_token(k.create_identity())
        with pytest.raises(ChoiceImpossible, match="use --database sqlite or postgres"):
            k.reset()


@pytest.mark.parametrize("release", ["v1.1.0", "v26.2.0"])
def test_somebody_without_a_password_signs_in_by_the_mailed_code(release: str) -> None:
    with kratos(**ephemeral.asked(release), preset="passwordless-code") as k:
        assert whoami(k, k.session_token(k.create_identity("ada@example.org"))) == "ada@example.org"


@pytest.fixture(scope="module", params=["v1.1.0", "v26.2.0"])
def user_names(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kratos]:
    """One whose people sign in with a user name, and have an address all the same."""
    made = tmp_path_factory.mktemp("user-names") / "kratos"
    shutil.copytree(Path(__file__).parents[2] / "configs" / "email-password", made)
    traits = {
        "username": {"type": "string", "ory.sh/kratos": {"credentials": {"password": {"identifier": True}}}},
        "contact": {
            "type": "object",
            "properties": {
                "mail": {"type": "string", "format": "email", "ory.sh/kratos": {"verification": {"via": "email"}}}
            },
        },
    }
    schema = {"type": "object", "properties": {"traits": {"type": "object", "properties": traits}}}
    (made / "identity.schema.json").write_text(json.dumps(schema))
    with kratos(**ephemeral.asked(request.param), mail=False, config_dir=made) as k:
        yield k


def test_somebody_signs_in_with_a_user_name(user_names: Kratos) -> None:
    k = user_names
    assert k.session_token(k.create_identity(traits={"username": "ada"}))
    with pytest.raises(KratosRefused, match="identity schema"):
        k.session_token(k.create_identity(traits={"contact": {"mail": "bob@example.org"}}))


def test_an_address_is_verified_where_the_identity_schema_has_it(user_names: Kratos) -> None:
    traits = {"username": "eve@work.example", "contact": {"mail": "eve@example.org"}}
    eve = user_names.create_identity(traits=traits, verified=True)
    found = [(address["value"], address["verified"]) for address in eve.body["verifiable_addresses"]]
    assert found == [("eve@example.org", True)]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_seed_is_there_at_the_start_and_after_each_reset(tmp_path: Path, database: str) -> None:
    seed = tmp_path / "people.yaml"
    seed.write_text(f"- {{email: ada@example.org, password: {people.PASSWORD}}}\n")

    with kratos(**ephemeral.asked("v26.2.0", database), mail=False, seed=seed) as k:
        k.create_identity("eve@example.org")
        k.reset()

        assert whoami(k, k.session_token("ada@example.org", people.PASSWORD)) == "ada@example.org"
        assert not people.sign_in(k.public_url, "eve@example.org")


def test_a_seed_with_a_row_that_makes_no_identity_is_an_error_and_nothing_stays(tmp_path: Path) -> None:
    seed = tmp_path / "people.yaml"
    seed.write_text("- {name: nobody}\n")

    with pytest.raises(SeedFailed, match="not whole"), kratos(**ephemeral.asked(), mail=False, seed=seed):
        pytest.fail("it was given to the test")


def test_the_inbox_of_one_that_listens_beyond_this_host_is_emptied_too() -> None:
    with kratos(**{**ephemeral.asked("v26.2.0", "sqlite"), "mail": True, "bind": "0.0.0.0"}) as k:
        k.create_identity("ada@example.org")
        assert Client(str(k.mail_url), browser=False).get(f"{k.mail_url}/api/v1/messages").status == 401
        k.reset()

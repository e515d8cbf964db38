"""Lessons: each breaks what worked, takes any mend that works, and no other; what was there comes back."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from kratosctl import running
from kratosctl.answers import selection
from kratosctl.console import Console
from kratosctl.kratos import readiness
from kratosctl.kratos.api import Admin
from kratosctl.lessons.catalogue import LESSONS
from kratosctl.lessons.check import check
from tests.e2e import engine
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

Change = Callable[[Directory], object]
REGISTRATION = ("selfservice", "flows", "registration", "after", "password")


def setting(path: str, value: Any) -> Change:
    """Sets a key of kratos/kratos.yml, or with None takes it out, as a person would, and restarts Kratos."""

    def change(directory: Directory) -> None:
        edit(directory, path, value)
        restart(directory)

    return change


def schema(change: Callable[[dict[str, Any]], Any]) -> Change:
    """Changes the traits of the identity schema, and restarts Kratos."""

    def write(directory: Directory) -> None:
        path = directory.path / "kratos" / "identity.schema.json"
        said = json.loads(path.read_text())
        change(said["properties"]["traits"])
        path.write_text(json.dumps(said))
        restart(directory)

    return write


def taken_out(path: str) -> Change:
    """Takes a key of kratos/kratos.yml out, and lets kratosctl fill in its own."""

    def change(directory: Directory) -> None:
        edit(directory, path, None)
        directory.run("up", "--yes", "--quiet")

    return change


def edit(directory: Directory, path: str, value: Any) -> None:
    file = directory.path / "kratos" / "kratos.yml"
    said = place = yaml.safe_load(file.read_text())
    *keys, last = path.split(".")
    for key in keys:
        place = place.setdefault(key, {})
    place[last] = value
    if value is None:
        del place[last]
    file.write_text(yaml.safe_dump(said))


def restart(directory: Directory, name: str = "dev", path: str = "/health/ready") -> None:
    """As `kratosctl restart kratos`, without its half a second."""
    found = running.find(directory.path, name)
    engine.docker("restart", "--time", "0", found.running("kratos").name)
    address = running.find(directory.path, name).public_address()
    assert address
    end = time.monotonic() + 30
    while not readiness.is_ready(*address, path):
        assert time.monotonic() < end
        time.sleep(0.02)


def restarted_alone(directory: Directory) -> None:
    """What people try first."""
    restart(directory, path="/health/alive")


def old_secret_behind_the_new(directory: Directory) -> None:
    secrets = directory.home() / "secrets"
    now, old = (yaml.safe_load((secrets / name).read_text()) for name in ("kratos.yml", "kratos.yml.old"))
    now["secrets"]["cookie"] += old["secrets"]["cookie"]
    (secrets / "kratos.yml").write_text(yaml.safe_dump(now))
    restart(directory)


def ui(directory: Directory) -> str:
    return str(directory.status()["endpoints"]["ui"])


def origins(*more: str) -> Change:
    return lambda directory: setting("serve.public.cors.allowed_origins", [ui(directory), *more])(directory)


def returns(*more: str) -> Change:
    return lambda directory: setting("selfservice.allowed_return_urls", [ui(directory), *more])(directory)


def identifier_of(name: str) -> Callable[[dict[str, Any]], Any]:
    said = {"credentials": {"password": {"identifier": True}}}
    return lambda traits: traits["properties"][name].setdefault("ory.sh/kratos", {}).update(said)


@dataclass(frozen=True)
class Case:
    """A mend that works, others that do not, each with what `check` then says, and what it says at first."""

    at_first: str
    mend: Change
    others: tuple[tuple[Change, str], ...] = ()


CASES = {
    "sign-up-refused": Case(
        "sign up: ",
        schema(lambda traits: traits["properties"].update(tenant={"type": "string"})),
        ((schema(lambda traits: traits.update(additionalProperties=True)), "tenant"),),
    ),
    "nothing-to-sign-in-with": Case(
        "Could not find any login identifiers",
        schema(identifier_of("email")),
        ((schema(identifier_of("name")), "Could not find any login identifiers"),),
    ),
    "signed-up-not-in": Case(
        "signing up did not sign in",
        setting(".".join(REGISTRATION) + ".hooks", [{"hook": "session"}, {"hook": "show_verification_ui"}]),
        ((restart, "signing up did not sign in"),),
    ),
    "forms-rejected": Case(
        "sign up: ",
        taken_out("cookies.domain"),
        ((setting("cookies.domain", "www.app.example.org"), "sign up: "),),
    ),
    "signed-out-at-once": Case(
        "",
        setting("session.lifespan", "1h30m"),
        ((setting("session.lifespan", "60s"), "a session ends 60 s after it began"),),
    ),
    "forms-go-nowhere": Case(
        "sign up: ",
        taken_out("serve.public.base_url"),
        ((setting("serve.public.base_url", "http://127.0.0.1:9/"), "sign up: "),),
    ),
    "no-way-back": Case(
        "Kratos refuses to send people back",
        returns(),
        ((returns("https://elsewhere.example.org"), "wherever a link says"),),
    ),
    "application-locked-out": Case(
        "names no such origin",
        origins(),
        (
            (setting("serve.public.cors.allowed_origins", ["*"]), "browsers send no cookies"),
            (origins("https://*.example.org"), "any page may read"),
        ),
    ),
    "everybody-signed-out": Case(
        "who was signed in before the lesson is not any more",
        old_secret_behind_the_new,
        ((lambda directory: directory.run("secrets", "rotate", "--quiet"), "is not any more"),),
    ),
    "talkative-log": Case(
        "shows the cookies",
        setting("log.leak_sensitive_values", False),
        ((setting("log.level", "error"), "it is still there"),),
    ),
    "never-ready": Case(
        "HTTP 503",
        lambda directory: directory.run("migrate", "--quiet"),
        ((restarted_alone, "not ready"),),
    ),
    "sign-up-takes-forever": Case(
        "password",
        setting("selfservice.methods.password.config.haveibeenpwned_enabled", False),
    ),
}


@pytest.fixture(scope="module")
def classroom(shared_directory: Directory) -> Directory:
    """An environment with pages and a configuration of its own, without mail: nobody waits for a code then."""
    shared_directory.choose()
    shared_directory.run("init", "--config-dir", "./kratos", "--ui", "--no-mail", "--yes", "--quiet")
    shared_directory.run("up", "--yes", "--quiet")
    shared_directory.run("up", "post", "--no-ui", "--mail", "--yes", "--quiet")
    return shared_directory


@pytest.fixture
def broken(classroom: Directory, request: pytest.FixtureRequest) -> Iterator[Callable[[str], dict[str, bytes]]]:
    """Starts a lesson, and returns the files as they were; whatever comes of it, the next one finds them so."""
    before: dict[str, bytes] = {}

    def start(lesson: str) -> dict[str, bytes]:
        before.update(files(classroom))
        classroom.run("lesson", "start", lesson, "dev", "--quiet")
        return before

    yield start
    if (classroom.home() / "secrets" / "lesson.json").exists():
        classroom.run("lesson", "fix", "dev", "--yes", "--quiet")
    for name, content in before.items():
        if (classroom.path / name).read_bytes() != content:
            (classroom.path / name).write_bytes(content)
            classroom.run("up", "dev", "--yes", "--quiet")


def files(directory: Directory, config_dir: str = "kratos") -> dict[str, bytes]:
    """What a lesson may break: people's own files, kratosctl.yaml and the secrets, but for the lesson's own."""
    own = [directory.path / "kratosctl.yaml", *(directory.path / config_dir).glob("*")]
    kept = [path for path in (directory.home() / "secrets").iterdir() if path.name != "lesson.json"]
    return {str(path.relative_to(directory.path)): path.read_bytes() for path in (*own, *kept)}


def wrong(directory: Directory, name: str = "dev") -> str:
    """What `check` says is still wrong."""
    environment = selection.environment_of(selection.select(directory.path, name, {}, directory.variables))
    found = check(running.find(directory.path, name), environment, Console(quiet=True))
    assert (found.exit_code, found.data["solved"]) == (1, False)
    return str(found.data["wrong"])


def test_every_lesson_has_its_case() -> None:
    assert {*CASES, "no-mail"} == {lesson.name for lesson in LESSONS}


def test_a_lesson_from_start_to_fix_keeps_what_was_there_and_who_came_meanwhile(directory: Directory) -> None:
    directory.run("up", "--ui", "--no-mail", "--yes", "--quiet")
    done = directory.run("lesson", "start", "forms-rejected", "dev")
    assert "wrote kratos/: the configuration of dev is yours to edit now" in done.err
    assert "Forgery" in done.out
    assert "cookie" not in done.out.partition("look")[0]
    assert "config_dir: ./kratos" in (directory.path / "kratosctl.yaml").read_text()
    refused = directory.run("lesson", "start", "no-way-back", "dev", code=67)
    assert "lesson forms-rejected is running" in refused.said
    assert "lesson fix" in refused.said
    rows = directory.run("lesson", "list", "dev", "--json").data["lessons"]
    assert [row["lesson"] for row in rows if row["running"]] == ["forms-rejected"]
    assert "cookies.domain" in str(directory.run("doctor", "--json", code=1).envelope["data"]["findings"])
    checked = directory.run("lesson", "check", "dev", code=1).out
    assert checked.startswith("not yet\n\nstill    sign up: ")
    assert "doctor   dev: cookies.domain is app.example.org" in checked
    url = running.find(directory.path, "dev").admin_url()
    ada = Admin(url).create({"schema_id": "default", "traits": {"email": "ada@example.org"}})
    assert directory.run("lesson", "hint", "dev").out.startswith("hint 1   Kratos sets a cookie with each form")
    assert "say --yes" in directory.run("lesson", "fix", "dev", code=38).said
    fixed = directory.run("lesson", "fix", "dev", "--yes")
    assert "-cookies: {domain: app.example.org}" in fixed.out
    assert "cookies.domain named a host" in fixed.out
    assert identities(directory) == ["ada@example.org"]
    assert Admin(url).delete(ada.body["id"]).status == 204
    assert "nothing to put back" in directory.run("lesson", "fix", "dev", "--yes", code=68).said


def test_on_a_slow_machine_fix_waits_as_long_as_it_is_told(directory: Directory) -> None:
    slowly = ["sh", "-c", 'sleep 2; exec kratos "$$@"', "kratos"]
    override = directory.path / "compose.override.yaml"
    override.write_text(json.dumps({"services": {"kratos": {"entrypoint": slowly}}}))
    directory.run("up", "--no-ui", "--no-mail", "--yes", "--quiet")
    directory.run("lesson", "start", "never-ready", "dev", "--wait-timeout", "300")

    hasty = directory.run("lesson", "fix", "dev", "--yes", "--wait-timeout", "0.01", code=55)

    assert "within 0.01 s" in hasty.said
    directory.run("lesson", "fix", "dev", "--yes", "--wait-timeout", "300")
    assert directory.status()["state"] == "ready"


@pytest.mark.parametrize("name", CASES)
def test_any_mend_that_works_solves_it_and_no_other(
    classroom: Directory, broken: Callable[[str], dict[str, bytes]], name: str
) -> None:
    case = CASES[name]
    before = broken(name)
    assert files(classroom) != before or name == "never-ready"
    note = classroom.home() / "secrets" / "lesson.json"
    assert note.stat().st_mode & 0o777 == 0o600
    kept = note.read_text()
    assert case.at_first in wrong(classroom)
    for other, said in case.others:
        other(classroom)
        assert said in wrong(classroom)
    case.mend(classroom)
    assert classroom.run("lesson", "check", "dev", "--json").data["solved"]
    assert name in (classroom.home() / "lessons.json").read_text()
    assert identities(classroom) == []

    # as if it had not been checked yet
    note.write_text(kept)
    classroom.run("lesson", "fix", "dev", "--yes", "--quiet")
    assert files(classroom) == before


def identities(directory: Directory, name: str = "dev") -> list[str]:
    url = running.find(directory.path, name).admin_url()
    with Admin(url) as admin:
        found = admin._client.get(f"{url}/admin/identities").body
    return [identity["traits"]["email"] for identity in found]


def test_mail_that_does_not_come_is_not_mended_by_asking_for_no_code(classroom: Directory) -> None:
    classroom.run("lesson", "start", "no-mail", "post", "--quiet")
    config_dir = "kratos-post" if (classroom.path / "kratos-post").exists() else "kratos"
    file = classroom.path / config_dir / "kratos.yml"
    broken = file.read_text()
    assert "no mail with a code arrived" in wrong(classroom, "post")
    file.write_text(broken.replace("    verification:\n      enabled: true", "    verification:\n      enabled: false"))
    restart(classroom, "post")
    assert "before the lesson it was: by the mailed code" in wrong(classroom, "post")
    file.write_text(broken.replace("mail:1026", "mail:1025"))
    restart(classroom, "post")
    assert "solved: " in classroom.run("lesson", "check", "post").out


def test_a_mend_that_costs_the_data_is_none(classroom: Directory, broken: Callable[[str], dict[str, bytes]]) -> None:
    broken("signed-up-not-in")
    CASES["signed-up-not-in"].mend(classroom)
    classroom.run("reset", "dev", "--quiet")
    assert "is their account still there?" in wrong(classroom)


def test_tables_of_postgresql_come_back_with_who_is_in_them(directory: Directory) -> None:
    directory.up(database="postgres")
    url = running.find(directory.path, "dev").admin_url()
    assert Admin(url).create({"schema_id": "default", "traits": {"email": "ada@example.org"}}).status == 201
    directory.run("lesson", "start", "never-ready", "--quiet")
    assert "HTTP 503" in wrong(directory)
    fixed = directory.run("lesson", "fix", "--yes", "--json").data
    assert fixed["safety"].startswith("before-lesson-")
    assert directory.status()["state"] == "ready"
    assert identities(directory) == ["ada@example.org"]


@pytest.mark.parametrize(
    ("lesson", "after"),
    [("forms-go-nowhere", 0.2), ("forms-go-nowhere", 1.0), ("never-ready", 1.2)],
)
def test_a_start_that_is_killed_can_be_undone(classroom: Directory, lesson: str, after: float) -> None:
    classroom.run("init", "dev", "--yes", "--quiet")
    classroom.run("up", "dev", "--yes", "--quiet")
    before = files(classroom)
    note = classroom.home() / "secrets" / "lesson.json"
    process = classroom.start("lesson", "start", lesson, "dev", heard=False)
    while not note.exists() and process.poll() is None:
        time.sleep(0.001)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if note.exists() and '"running"' not in note.read_text():
        assert "was interrupted" in classroom.run("lesson", "check", "dev", code=68).said
    classroom.run("lesson", "fix", "dev", "--yes", "--quiet", code=None)
    assert files(classroom) == before
    assert identities(classroom) == []
    assert classroom.status()["state"] == "ready"


def test_what_cannot_work_is_refused_and_nothing_is_broken(classroom: Directory) -> None:
    before = files(classroom)
    refusals = {
        ("no-mail", "dev"): "it needs the mail inbox",
        ("no-way-back", "post"): "it needs the self-service UI",
    }
    for (lesson, name), why in refusals.items():
        assert why in classroom.run("lesson", "start", lesson, name, code=33).said
    assert "did you mean no-mail?" in classroom.run("lesson", "start", "nomail", code=2).said
    (classroom.home() / "restore.json").write_text('{"snapshot": "x"}')
    assert "was interrupted" in classroom.run("lesson", "start", "no-way-back", "dev", code=33).said
    (classroom.home() / "restore.json").unlink()
    assert files(classroom) == before
    assert not (classroom.home() / "secrets" / "lesson.json").exists()


def test_the_list_needs_neither_environment_nor_engine(directory: Directory) -> None:
    done = directory.run("lesson", "list", "--json", variables={"DOCKER_HOST": "unix:///nowhere.sock"}).data
    assert done["environment"] is None
    assert [row["lesson"] for row in done["lessons"]] == [lesson.name for lesson in LESSONS]

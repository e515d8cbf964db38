"""`verify` proves an environment as a person would use it; what fails is named, with the likely cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from kratosctl import running
from kratosctl.answers import selection
from kratosctl.commands.verify import Person, target_of
from kratosctl.kratos.api import Client
from tests.e2e import engine, images
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

STEPS = ["sign up", "verify the address", "sign out", "sign in", "whoami", "clean up"]
MAIL = {"email-password": True, "passwordless-code": True, "api-only": False}
NOT_THERE = "http://127.0.0.1:9/"


@pytest.fixture
def owned(directory: Directory) -> Directory:
    """A directory with Kratos' configuration of its own, e-mail and password, and a mail inbox."""
    directory.choose()
    directory.run("init", "--preset", "email-password", "--no-ui", "--mail", "--yes")
    return directory


def edit(directory: Directory, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes kratos/kratos.yml as a person would."""
    path = directory.path / "kratos" / "kratos.yml"
    configuration = yaml.safe_load(path.read_text())
    change(configuration)
    path.write_text(yaml.safe_dump(configuration))


def identities(directory: Directory) -> list[Any]:
    url = running.find(directory.path, "dev").admin_url()
    found: list[Any] = Client(url, browser=False).get(f"{url}/admin/identities").body
    return found


def steps(data: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in data}


def failed(directory: Directory) -> dict[str, Any]:
    """The one step that `verify` says has failed."""
    done = directory.run("verify", "--json", code=1)
    assert not done.envelope["data"]["verified"]
    (step,) = [step for step in done.envelope["data"]["steps"] if step["ok"] is False]
    said = directory.run("verify", code=1).out
    assert f"FAILED    {step['name']}" in said
    assert step["cause"]
    assert f"likely: {step['cause']}" in said
    return dict(step)


@pytest.mark.parametrize("release", ["v1.1.0", images.NEWEST])
@pytest.mark.parametrize("preset", MAIL)
def test_every_step_is_proven_and_nobody_is_left(directory: Directory, preset: str, release: str) -> None:
    directory.choose(release)
    flags = ["--preset", preset, "--no-ui", "--mail" if MAIL[preset] else "--no-mail", "--release", release]
    done = directory.run("up", "--verify", "--yes", "--json", *flags).data
    assert done["verified"] is True
    for proof in (done["verification"], directory.run("verify", "--json").data["steps"]):
        assert [step["name"] for step in proof] == STEPS
        said = steps(proof)
        with_mail = {
            "email-password": "by the mailed code",
            "passwordless-code": "verified by signing up with its code",
        }
        assert said["verify the address"]["ok"] is (True if MAIL[preset] else None)
        assert said["verify the address"]["said"] == with_mail.get(
            preset, "the identity schema has no address to verify"
        )
        method = "code" if preset == "passwordless-code" else "password"
        assert said["sign up"]["said"] == said["sign in"]["said"] == f"with a {method}"
        assert said["sign out"]["said"] == "the session is over"
        assert all(step["ok"] for name, step in said.items() if name != "verify the address")
    assert identities(directory) == []


def test_people_see_each_step(owned: Directory) -> None:
    done = owned.run("up", "--verify")
    assert [line.split("  ")[0] for line in done.out.splitlines()[-6:]] == ["ok"] * 6
    assert "by the mailed code" in done.out


def test_a_csrf_cookie_for_another_host_is_named(owned: Directory) -> None:
    edit(owned, lambda kratos: kratos.update(cookies={"domain": "example.org"}))
    owned.run("up")
    step = failed(owned)
    assert step["name"] == "sign up"
    assert "CSRF" in step["said"]
    assert "cookies.domain" in step["cause"]


def test_a_session_cookie_for_another_host_is_named(owned: Directory) -> None:
    edit(owned, lambda kratos: kratos["session"].update(cookie={"domain": "example.org"}))
    owned.run("up")
    step = failed(owned)
    assert step["name"] == "whoami"
    assert "session.cookie.domain" in step["cause"]
    assert identities(owned) == []


def test_a_hook_that_fails_is_named_and_who_signed_up_is_deleted(owned: Directory) -> None:
    hook = {"hook": "web_hook", "config": {"url": NOT_THERE, "method": "POST", "body": "base64://e30="}}
    hooks: Callable[[dict[str, Any]], Any] = lambda kratos: kratos["selfservice"]["flows"]["registration"]["after"]  # noqa: E731
    edit(owned, lambda kratos: hooks(kratos)["password"]["hooks"].insert(0, hook))
    owned.run("up")
    step = failed(owned)
    assert step["name"] == "sign up"
    assert NOT_THERE in step["said"]
    assert "a hook" in step["cause"]
    assert identities(owned) == []


def test_mail_that_is_not_delivered_is_named(owned: Directory) -> None:
    smtp = "smtp://127.0.0.1:9/?disable_starttls=true"
    edit(owned, lambda kratos: kratos["courier"]["smtp"].update(connection_uri=smtp))
    done = owned.run("up", "--verify", "--json", code=1).envelope["data"]
    (step,) = [step for step in done["verification"] if step["ok"] is False]
    assert step["name"] == "verify the address"
    assert "courier.smtp.connection_uri" in step["cause"]
    assert identities(owned) == []


def test_a_kratos_that_dies_on_the_way_or_does_not_run_is_named(owned: Directory) -> None:
    environment = selection.environment_of(selection.select(owned.path, "dev", {}, {}))
    for gone_after in ("sign up", "sign out", "sign in"):
        owned.run("up")
        found = running.find(owned.path, "dev")
        proof: Iterator[Any] = Person(target_of(found, environment)).prove()
        for step in proof:
            assert step.ok
            if step.name == gone_after:
                break
        engine.docker("kill", found.running("kratos").name)
        after = list(proof)
        assert [step.ok for step in after] == [False, False]
        assert after[0].name == STEPS[STEPS.index(gone_after) + 1]
        assert "Kratos" in after[0].cause
        assert "stays" in after[1].said
    assert "kratos of environment dev does not run" in owned.run("verify", code=39).said


def test_without_an_admin_api_in_reach_it_says_who_stays(owned: Directory, tmp_path: Path) -> None:
    owned.run("up")
    found = running.find(owned.path, "dev")
    environment = selection.environment_of(selection.select(owned.path, "dev", {}, {}))
    target = target_of(found, environment)
    person = Person(replace(target, admin=""))
    last = list(person.prove())[-1]
    assert (last.name, last.ok) == ("clean up", None)
    assert f"{person.email} stays" in last.said
    assert [identity["traits"]["email"] for identity in identities(owned)] == [person.email]

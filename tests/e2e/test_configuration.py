"""Where an environment's settings come from, and that Kratos runs with the user's own configuration."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import engine, people
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

YAML = """\
# ours
environments:
  # the usual one
  dev: {ui: false, mail: false, public_port: %d}

  ci: {ui: false, mail: false, database: memory}  # for pipelines
"""


@pytest.mark.parametrize("given", ["nothing", "variable", "flag and variable"])
def test_a_flag_goes_before_a_variable_and_a_variable_before_kratosctl_yaml(directory: Directory, given: str) -> None:
    in_file, in_variable, in_flag = engine.free_ports(3)
    (directory.path / "kratosctl.yaml").write_text(YAML % in_file)
    variables = {"KRATOSCTL_PUBLIC_PORT": str(in_variable)} if "variable" in given else {}
    flags = ["--public-port", str(in_flag)] if "flag" in given else []

    told = directory.run("up", *flags, "--json", variables=variables).data

    port = {"nothing": in_file, "variable": in_variable, "flag and variable": in_flag}[given]
    assert told["endpoints"]["public"] == f"http://localhost:{port}"
    people.sign_up_and_ask(told["endpoints"]["public"])


def test_flags_for_a_known_environment_are_for_this_run_only_unless_saved(directory: Directory) -> None:
    written, other = engine.free_ports(2)
    file = directory.path / "kratosctl.yaml"
    file.write_text(YAML % written)

    would = directory.run("up", "--public-port", str(other), "--dry-run").out
    told = directory.run("up", "ci", "--public-port", str(other), variables={"KRATOSCTL_HOST": "127.0.0.1"}).err
    for said in (would, told):
        assert f"not kept in kratosctl.yaml: --public-port {other}; --save keeps it" in said
    assert file.read_text() == YAML % written

    assert "not kept" not in directory.run("up", "ci", "--public-port", str(other), "--save").err
    saved = file.read_text()
    assert f"public_port: {other}" in next(line for line in saved.splitlines() if line.startswith("  ci:"))
    assert [line for line in saved.splitlines() if not line.startswith("  ci:")] == [
        line for line in (YAML % written).splitlines() if not line.startswith("  ci:")
    ]


def test_a_database_that_is_left_for_another_kind_is_named_with_who_is_in_it(directory: Directory) -> None:
    told = directory.up()
    people.sign_up_and_ask(told["endpoints"]["public"])
    to_postgres = ("up", "--database", "postgres", "--json")

    would = directory.run(*to_postgres, "--dry-run").data["notes"]
    (warning,) = directory.run(*to_postgres).envelope["warnings"]

    assert "not kept in kratosctl.yaml: --database postgres; --save keeps it" in would
    assert warning in would
    assert warning.startswith("the SQLite database with 1 identity (")
    assert "kratosctl up dev --database sqlite" in warning
    # nobody is in the one that is left now
    assert directory.run("up", "--json").envelope["warnings"] == []
    directory.down()
    (again,) = directory.run(*to_postgres).envelope["warnings"]
    assert again == warning


def test_a_first_up_writes_down_what_a_colleague_needs_for_the_same(directory: Directory) -> None:
    told = directory.up(release="v1.3.1", database="memory")
    written = (directory.path / "kratosctl.yaml").read_text()
    assert "release: v1.3.1, variant: default, database: memory" in written

    # the same file, and no flag
    again = directory.run("up", "--json").data
    assert (again["release"], again["database"], again["changed"]) == ("v1.3.1", "memory", False)
    assert again["project"] == told["project"]


@pytest.fixture(scope="module")
def initialised(shared_directory: Directory) -> dict[str, Any]:
    """An environment that runs with a kratos/ of its own, made by `init`; what `up` told."""
    shared_directory.run("init", "--preset", "email-password", "--no-ui", "--no-mail", "--yes")
    assert engine.of_directory(shared_directory.path) == {}
    return shared_directory.run("up", "--yes", "--json").data


def test_what_init_wrote_is_what_kratos_runs_with(shared_directory: Directory, initialised: dict[str, Any]) -> None:
    mounts = engine.container(initialised["project"], "kratos")["Mounts"]

    (mounted,) = [mount for mount in mounts if mount["Destination"] == "/etc/config/kratos"]
    assert mounted["Source"] == str(shared_directory.path / "kratos")
    assert mounted["RW"] is False
    assert not (shared_directory.home() / "kratos").exists()
    people.sign_up_and_ask(initialised["endpoints"]["public"])


def test_kratos_sees_an_edit_as_it_is_saved(shared_directory: Directory, initialised: dict[str, Any]) -> None:
    public = initialised["endpoints"]["public"]
    before = engine.containers(initialised["project"])
    schema = json.loads((shared_directory.path / "kratos/identity.schema.json").read_text())
    url = "base64://" + b64encode(json.dumps({**schema, "$id": "https://example.org/staff.json"}).encode()).decode()
    file = shared_directory.path / "kratos/kratos.yml"

    # as editors do: a new file in the place of the old one
    _replace(file, file.read_text().replace("  schemas:\n", f"  schemas:\n    - id: staff\n      url: {url}\n"))

    engine.until(lambda: _schemas(public) == {"default", "staff"}, why="Kratos knows the new schema")
    assert shared_directory.run("up", "--json").data["changed"] is False
    assert engine.containers(initialised["project"]) == before


def test_up_serves_a_configuration_that_was_removed_and_came_back(directory: Directory) -> None:
    """As by `git switch` to a branch without it: the container goes on with the directory that is gone."""
    directory.run("init", "--no-ui", "--no-mail", "--yes")
    directory.run("up", "--yes")
    there = directory.path / "kratos"
    shutil.copytree(there, directory.path / "kept")
    shutil.rmtree(there)
    shutil.copytree(directory.path / "kept", there)

    public = directory.run("up", "--json").data["endpoints"]["public"]

    file = there / "kratos.yml"
    _replace(file, file.read_text().replace("    - id: default\n", "    - id: staff\n").replace(": default", ": staff"))
    engine.until(lambda: _schemas(public) == {"staff"}, why="Kratos sees the edit")


def test_up_says_what_people_trip_over_in_a_configuration_that_was_made_for_another_place(directory: Directory) -> None:
    directory.run("init", "--no-ui", "--yes")
    before = _texts(directory.path / "kratos")
    assert directory.run("up", "--json").envelope["warnings"] == []
    assert _texts(directory.path / "kratos") == before, "what is theirs is not written to"
    file = directory.path / "kratos/kratos.yml"
    elsewhere = "  smtp:\n    connection_uri: smtps://me:hidden@smtp.example.org:465\n"
    file.write_text(
        file.read_text().replace("  smtp:\n", elsewhere) + "serve: {public: {base_url: http://127.0.0.1}}\n"
    )

    said = directory.run("up", "--json").envelope["warnings"]

    assert [word for word in ("serve.public.base_url", "smtp.example.org") if word not in str(said)] == []
    assert "hidden" not in str(said)


def test_an_edit_of_a_generated_file_is_noticed_and_kept(directory: Directory) -> None:
    directory.up()
    file = directory.home() / "kratos/kratos.yml"
    edited = file.read_text().replace("lifespan: 24h", "lifespan: 48h")
    file.write_text(edited)

    refused = directory.run("up", "--mail", code=37)

    assert ".kratosctl/dev/kratos/kratos.yml" in refused.said
    assert "config_dir" in refused.said
    assert file.read_text() == edited
    directory.run("up", "--mail", "--overwrite")
    assert "lifespan: 24h" in file.read_text()


OVERRIDE = """\
services:
  kratos:
    volumes:
      - ./seed:/seed:ro
    environment:
      LOG_LEVEL: {level}
"""


def test_a_compose_override_is_merged_and_a_change_in_it_makes_kratos_anew(directory: Directory) -> None:
    (directory.path / "seed").mkdir()
    override = directory.path / "compose.override.yaml"
    override.write_text(OVERRIDE.format(level="warning"))

    told = directory.up()

    first = engine.container(told["project"], "kratos")
    (mounted,) = [mount for mount in first["Mounts"] if mount["Destination"] == "/seed"]
    assert mounted["Source"] == str(directory.path / "seed")
    assert "LOG_LEVEL=warning" in first["Config"]["Env"]
    token = people.sign_up_and_ask(told["endpoints"]["public"])

    assert directory.run("up", "--json").data["changed"] is False
    override.write_text(OVERRIDE.format(level="error"))
    again = directory.run("up", "--json").data

    second = engine.container(told["project"], "kratos")
    assert [step["do"] for step in again["steps"] if step["subject"] == "kratos"] == ["replace"]
    assert second["Id"] != first["Id"]
    assert "LOG_LEVEL=error" in second["Config"]["Env"]
    assert people.whoami(told["endpoints"]["public"], token) == "someone@example.org"


def _schemas(public: str) -> set[str]:
    return {row["id"] for row in people.request("GET", f"{public}/schemas").json()}


def _replace(file: Path, text: str) -> None:
    new = file.with_name("new")
    new.write_text(text)
    new.replace(file)


def _texts(directory: Path) -> dict[str, tuple[str, int]]:
    return {path.name: (path.read_text(), path.stat().st_mtime_ns) for path in directory.iterdir()}


def test_an_application_shows_the_pages_where_there_is_no_ui_and_may_ask_kratos(directory: Directory) -> None:
    app = "http://localhost:3000"
    public = directory.run("up", "--app-url", app, "--no-ui", "--no-mail", "--json").data["endpoints"]["public"]

    browser = {"Accept": "text/html"}
    sent = people.request("GET", f"{public}/self-service/login/browser?return_to={app}/cart", headers=browser)
    assert sent.status == 303
    assert sent.headers["Location"].startswith(f"{app}/login?flow=")
    asked = people.request("GET", f"{public}/sessions/whoami", headers={"Origin": app})
    assert asked.headers["Access-Control-Allow-Origin"] == app
    assert asked.headers["Access-Control-Allow-Credentials"] == "true"

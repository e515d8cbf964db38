"""What commands refuse before they ask the engine anything: there is none here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kratosctl.cli import up
from kratosctl.cli.session import Session
from kratosctl.console import Console
from kratosctl.environment import from_answers
from kratosctl.main import main
from kratosctl.questions import BY_KEY
from kratosctl.results import Result

DSN = "postgres://ada:hunter2@db.example/shop"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command in a directory of its own, without docker, and returns the error it must end with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    for name in ("DSN", "KRATOSCTL_DATABASE"):
        monkeypatch.delenv(name, raising=False)

    def call(*words: str, code: int) -> str:
        found = main(words)
        said = capsys.readouterr().err
        assert found == code, said
        return said

    return call


@pytest.mark.parametrize("words", [("up", "--yes"), ("up", "--dry-run"), ("render",), ("migrate",)])
def test_a_dsn_beside_another_database_of_the_file_is_asked_about(
    run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    (tmp_path / "kratosctl.yaml").write_text("environments: {dev: {database: sqlite}}\n")
    monkeypatch.setenv("DSN", DSN)
    said = run(*words, code=30)
    assert "--database external, or --database sqlite" in said
    assert "hunter2" not in said
    # whoever says which one gets as far as docker
    monkeypatch.setenv("KRATOSCTL_DATABASE", "sqlite")
    assert "hunter2" not in run("up", "--yes", code=10)


@pytest.mark.parametrize(
    "words",
    [
        ("up",),
        ("restart",),
        ("run",),
        ("upgrade",),
        ("lesson", "start"),
        ("lesson", "fix"),
        ("workshop", "up"),
        ("workshop", "restart"),
    ],
)
@pytest.mark.parametrize("seconds", ["-3", "0", "nan", "inf"])
def test_a_wait_that_is_none_is_refused(run: Callable[..., str], words: tuple[str, ...], seconds: str) -> None:
    said = run(*words, "--wait-timeout", seconds, *(["no-mail"] if words[-1] in ("run", "start") else []), code=2)
    assert "--wait-timeout" in said
    assert "more than 0" in said


@pytest.mark.parametrize("command", ["logs", "restart"])
def test_an_environment_that_is_misspelt_is_said_to_be(run: Callable[..., str], tmp_path: Path, command: str) -> None:
    (tmp_path / "kratosctl.yaml").write_text("environments: {prod: {}, test: {}}\n")
    said = run(command, "prdo", code=2)
    assert "neither a service nor an environment: prdo" in said
    assert "there are prod, test" in said


def test_an_environment_that_a_variable_names_and_is_not_here_is_told_with_the_variable(
    run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kratosctl.yaml").write_text("environments: {prod: {}, test: {}}\n")
    monkeypatch.setenv("KRATOSCTL_ENVIRONMENT", "shop")
    for words in (("status",), ("logs", "kratos"), ("snapshot", "list")):
        assert "KRATOSCTL_ENVIRONMENT names it; there are prod, test" in run(*words, code=2)
    assert "KRATOSCTL_ENVIRONMENT" not in run("status", "prdo", code=2)


def test_a_misspelt_environment_is_not_migrated_into_being(run: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "kratosctl.yaml").write_text("environments: {ci: {}}\n")
    for flags in ((), ("--status",)):
        assert "no environment 'ic'" in run("migrate", "ic", *flags, code=2)


def test_a_seat_and_all_of_them_are_not_meant_at_once(run: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "workshop.yaml").write_text("seats: {seat-01: ada}\n")
    for command in ("reset", "restart"):
        assert "--all takes no seat" in run("workshop", command, "seat-01", "--all", code=2)


def test_seats_with_a_database_that_only_one_could_have_are_refused(run: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "workshop.yaml").write_text("environment: {database: external}\nseats: {seat-01: ada}\n")
    for words in (("up",), ("render", "--for", "swarm")):
        assert "seats cannot share an external database" in run("workshop", *words, code=33)


@pytest.mark.parametrize("command", ["up", "init", "run"])
def test_help_says_what_each_flag_is_where_nobody_says_it(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split()).replace("[email- password]", "[email-password]")
    asked = from_answers("dev", {})
    for key in ("preset", "database", "release", "variant", "postgres_image", "mail_image", "host", "bind"):
        told = shown.partition(f" {BY_KEY[key].flag} ")[2].partition(" --")[0]
        assert f"[{getattr(asked, key)}]." in told, key
    for key, port in (("public_port", 4433), ("ui_port", 4455), ("mail_port", 8025)):
        assert f"[{port}, or a free one]." in shown.partition(f" {BY_KEY[key].flag} ")[2].partition(" --")[0]


@pytest.mark.parametrize("words", [("up", "--yes"), ("run",)])
def test_a_seed_that_is_missing_is_said_to_be(run: Callable[..., str], tmp_path: Path, words: tuple[str, ...]) -> None:
    command = [sys.executable] if words == ("run",) else []
    said = run(*words, "--seed", "nofile", *command, code=30)
    assert "nofile cannot be read" in said
    assert "No such file" in said
    (tmp_path / "nofile").write_text("")
    assert "its format cannot be told" in run(*words, "--seed", "nofile", *command, code=2)


def test_an_environment_among_the_files_of_seed(run: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "kratosctl.yaml").write_text("environments: {dev: {}, ci: {}}\n")
    (tmp_path / "people.yaml").write_text("[]\n")
    said = run("seed", "people.yaml", "ci", code=2)
    assert "ci is an environment, and no file" in said
    assert "kratosctl seed people.yaml --env ci" in said


@pytest.mark.parametrize(("words", "said"), [(("one", "--undo"), "takes no snapshot"), ((), "name a snapshot")])
def test_what_a_restore_puts_back_is_said_once(run: Callable[..., str], words: tuple[str, ...], said: str) -> None:
    assert said in run("snapshot", "restore", *words, code=2)


@pytest.mark.parametrize("command", ["up", "init", "render", "run"])
def test_a_switch_that_is_wrong_in_its_variable_names_the_variable(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("KRATOSCTL_UI", "yess")
    said = run(command, *(["true"] if command == "run" else []), code=30)
    assert "--ui (or KRATOSCTL_UI): expected true or false, found 'yess'" in said


def test_ports_and_addresses_in_variables_are_none_of_run(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRATOSCTL_BIND", "not read")
    monkeypatch.setenv("KRATOSCTL_PUBLIC_PORT", "not read")
    run("run", sys.executable, code=10)


def test_one_envelope_and_logs_that_go_on_are_not_asked_for_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert main(("up", "--attach", "--json")) == 2
    assert "--attach" in json.loads(capsys.readouterr().out)["error"]["what"]
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("flag", ["--https", "--config=image", "--proxy-image=caddy:2"])
def test_run_offers_nothing_that_it_cannot_do(run: Callable[..., str], flag: str) -> None:
    said = run("run", flag, sys.executable, code=2)
    assert "No such option" in said
    assert flag.partition("=")[0] in said


def test_a_workshop_that_is_over_already_is_not_written(run: Callable[..., str], tmp_path: Path) -> None:
    said = run("workshop", "init", "--seats", "2", "--yes", "--ends", "2020-01-01 17:00", code=30)
    assert "is over already" in said
    assert list(tmp_path.iterdir()) == []


def test_a_roster_that_is_missing_is_said_to_be(run: Callable[..., str]) -> None:
    said = run("workshop", "init", "--roster", "missing.csv", "--yes", code=30)
    assert "missing.csv" in said
    assert "permissions" not in said


def test_a_directory_that_is_a_link_to_itself_is_said(run: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert "directory loop cannot be used" in run("up", "--directory", "loop", "--yes", code=30)


def test_a_configuration_directory_with_a_name_too_long_for_any_is_said(run: Callable[..., str]) -> None:
    assert "cannot be used" in run("render", "--config-dir", "x" * 300, code=35)


def test_a_command_that_is_told_to_type_acts_on_the_directory_that_was_given(
    run: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my shop").mkdir()

    assert "make one: kratosctl -C 'my shop' up\n" in run("-C", "my shop", "status", code=2)
    assert "make it: kratosctl -C 'my shop' up qa\n" in run("down", "-C", "my shop", "qa", code=2)
    assert main(("-C", "my shop", "status", "--json")) == 2
    assert json.loads(capsys.readouterr().out)["error"]["fix"] == "make one: kratosctl -C 'my shop' up"
    assert main(("-C", "my shop", "init", "--yes")) == 0
    assert capsys.readouterr().out.endswith("next: kratosctl -C 'my shop' up\n")


def test_the_schema_is_the_same_whatever_directory_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("schema",)) == 0
    schema = capsys.readouterr().out
    assert main(("-C", "shop", "schema")) == 0
    assert capsys.readouterr().out == schema


def test_what_is_data_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Result("snapshot list", {"note": "before kratosctl up"}, warnings=["kratosctl up dev finishes it"])

    Console(json=True, directory="shop", commands=("up",)).result(found)

    said = json.loads(capsys.readouterr().out)
    assert said["data"] == {"note": "before kratosctl up"}
    assert said["warnings"] == ["kratosctl -C shop up dev finishes it"]


def test_a_command_that_scripts_are_given_acts_on_the_directory_that_was_given(
    run: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Typed as it is, `next` would make another environment where the script happens to be."""
    (tmp_path / "shop").mkdir()

    def data(*words: str, code: int = 0) -> Any:
        assert main(("-C", "shop", *words, "--json")) == code
        return json.loads(capsys.readouterr().out)["data"]

    assert data("init", "--yes")["next"] == "kratosctl -C shop up"
    assert data("render", "--output", "mine")["next"][0] == "kratosctl -C shop down dev"
    assert data("workshop", "init", "--seats", "2", "--yes")["next"] == "kratosctl -C shop workshop up"
    (tmp_path / "shop" / "kratosctl.yaml").write_text("environments: {prod: {config_dir: missing}}\n")
    fixes = [found["fix"] for found in data("doctor", code=1)["findings"]]
    assert any("`kratosctl -C shop init`" in fix for fix in fixes), fixes


def test_a_directory_of_any_name_is_told_in_whole_json(
    run: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'a "b\\c').mkdir()

    assert main(("-C", 'a "b\\c', "status", "--json")) == 2
    assert json.loads(capsys.readouterr().out)["error"]["fix"] == "make one: kratosctl -C 'a \"b\\c' up"


def test_a_command_that_is_told_stays_short_where_no_directory_was_given(run: Callable[..., str]) -> None:
    assert "make one: kratosctl up\n" in run("status", code=2)


@pytest.mark.parametrize("asked", [True, False])
def test_who_asks_for_a_seed_is_told_that_a_database_that_was_there_is_not_filled(tmp_path: Path, asked: bool) -> None:
    session = Session()
    session.directory_given = str(tmp_path)
    environment = from_answers("dev", {"seed": "our people.yaml"})

    told = up._seeded(session, environment, Result("up", {}), asked)

    fill = "kratosctl seed 'our people.yaml' --env dev"
    assert list(told.warnings) == (
        [f"the database was there already, and is not filled with the seed: {fill} does that"] if asked else []
    )

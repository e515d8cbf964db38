"""`init` writes whole things or nothing, and never over what is there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from kratosctl.answers import configuration_file, selection
from kratosctl.commands import init
from kratosctl.errors import KratosctlError
from kratosctl.kratos import config_dir
from kratosctl.main import main
from kratosctl.questions import PRESETS
from tests.prompts.terminal import tree

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture(autouse=True)
def _nothing_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in list(os.environ):
        if key.startswith(("KRATOSCTL_", "DSN")):
            monkeypatch.delenv(key)


def run(directory: Path, *words: str, code: int = 0) -> None:
    assert main(["--directory", str(directory), "init", "--yes", *words]) == code


def environments(directory: Path) -> dict[str, dict[str, Any]]:
    return configuration_file.load(directory)


@pytest.mark.parametrize("preset", PRESETS)
def test_kratos_holds_the_files_of_the_preset(tmp_path: Path, preset: str) -> None:
    run(tmp_path, "--preset", preset)
    assert tree(tmp_path / "kratos") == tree(CONFIGS / preset)
    assert environments(tmp_path)["dev"]["preset"] == preset
    assert environments(tmp_path)["dev"]["config_dir"] == "./kratos"


def test_only_kratosctl_yaml_and_kratos_are_written(tmp_path: Path) -> None:
    run(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kratos", "kratosctl.yaml"]


def test_the_second_time_changes_nothing_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path)
    before = tree(tmp_path)
    capsys.readouterr()
    run(tmp_path)
    assert tree(tmp_path) == before
    assert capsys.readouterr().out.startswith("nothing to write\nkept kratos/ and kratosctl.yaml as found\n")


def test_an_edited_configuration_is_kept_and_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "--preset", "oidc")
    edited = tmp_path / "kratos" / "kratos.yml"
    edited.write_text(edited.read_text() + "# mine\n")
    capsys.readouterr()
    run(tmp_path, "ci")
    assert edited.read_text().endswith("# mine\n")
    assert "kept kratos/ as found" in capsys.readouterr().out
    assert environments(tmp_path)["ci"]["preset"] == "oidc", "the preset of the directory, not the default one"


def test_a_configuration_of_the_users_own_is_taken_without_a_preset(tmp_path: Path) -> None:
    (tmp_path / "kratos").mkdir()
    (tmp_path / "kratos" / "kratos.yml").write_text("identity: {}\n")
    run(tmp_path)
    assert tree(tmp_path / "kratos") == {"kratos.yml": "identity: {}\n"}
    assert "preset" not in environments(tmp_path)["dev"]


def test_two_presets_are_not_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "--preset", "oidc")
    before = tree(tmp_path)
    run(tmp_path, "ci", "--preset", "passkey", code=33)
    assert tree(tmp_path) == before
    said = capsys.readouterr().err
    assert "kratos/ holds preset oidc, and you asked for passkey" in said
    assert "--config-dir ./kratos-passkey" in said


def test_the_way_out_that_is_named_works(tmp_path: Path) -> None:
    run(tmp_path, "--preset", "oidc")
    run(tmp_path, "ci", "--preset", "passkey", "--config-dir", "./kratos-passkey")
    assert tree(tmp_path / "kratos-passkey") == tree(CONFIGS / "passkey")
    assert environments(tmp_path)["ci"]["config_dir"] == "./kratos-passkey"


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "kratos").mkdir()
    run(tmp_path)
    assert tree(tmp_path / "kratos") == tree(CONFIGS / "email-password")


@pytest.mark.parametrize("there", ["directory", "file"])
def test_nothing_is_written_among_other_peoples_files(tmp_path: Path, there: str) -> None:
    if there == "file":
        (tmp_path / "kratos").write_text("a file\n")
    else:
        (tmp_path / "kratos").mkdir()
        (tmp_path / "kratos" / "main.go").write_text("package main\n")
    before = tree(tmp_path)
    run(tmp_path, code=30)
    assert tree(tmp_path) == before


def test_an_environment_that_up_made_gets_a_directory_and_keeps_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "kratosctl.yaml"
    path.write_text("# ours\nenvironments:\n  dev:  # mine\n    preset: oidc # why\n    ui: false\n\n# end\n")
    run(tmp_path)
    assert tree(tmp_path / "kratos") == tree(CONFIGS / "oidc")
    assert environments(tmp_path)["dev"] == {"preset": "oidc", "ui": False, "config_dir": "./kratos"}
    for comment in ("# ours", "# mine", "# why", "# end"):
        assert comment in path.read_text()


def test_a_directory_that_kratosctl_yaml_names_and_is_missing_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "kratosctl.yaml").write_text("environments:\n  dev: {preset: passkey, config_dir: ./conf}\n")
    run(tmp_path)
    assert tree(tmp_path / "conf") == tree(CONFIGS / "passkey")


def test_a_flag_does_not_change_an_environment_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path)
    before = tree(tmp_path)
    run(tmp_path, "--database", "postgres", code=30)
    assert tree(tmp_path) == before
    assert "environment dev is in kratosctl.yaml already, with database sqlite" in capsys.readouterr().err


def test_whoever_wants_another_preset_for_their_own_configuration_is_not_sent_to_where_it_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path)
    run(tmp_path, "--preset", "passkey", code=30)
    said = capsys.readouterr().err
    assert "edit ./kratos" in said
    assert f"kratosctl -C {tmp_path} init NAME --preset passkey --config-dir ./kratos-passkey" in said
    run(tmp_path, "other", "--preset", "passkey", "--config-dir", "./kratos-passkey")


def test_up_is_known_to_change_no_sign_in_method_of_their_own_configuration(tmp_path: Path) -> None:
    def note(**flags: str) -> str:
        return " ".join(init.unused_preset(selection.select(tmp_path, "dev", flags, {})))

    assert note(preset="passkey") == ""
    run(tmp_path)
    assert "./kratos says how people sign in" in note(preset="passkey")
    assert note() == note(preset="email-password") == note(database="postgres") == ""


@pytest.mark.parametrize("broken", ["empty main file", "no main file", "no directory", "empty directory", "a file"])
def test_init_is_named_as_the_way_out_only_where_it_is_one(tmp_path: Path, broken: str) -> None:
    run(tmp_path)
    kratos = tmp_path / "kratos"
    if broken in ("no directory", "empty directory", "a file"):
        shutil.rmtree(kratos)
    if broken == "empty directory":
        kratos.mkdir()
    if broken == "a file":
        kratos.write_text("")
    if broken == "empty main file":
        (kratos / "kratos.yml").write_text("")
    if broken == "no main file":
        (kratos / "kratos.yml").unlink()
    with pytest.raises(KratosctlError) as said:
        config_dir.read(tmp_path, "./kratos")
    assert said.value.fix
    if "kratosctl init" in said.value.fix:
        run(tmp_path)
        assert config_dir.read(tmp_path, "./kratos")[0] == "kratos.yml"


def test_what_cannot_work_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    run(tmp_path, "--variant", "distroless", code=33)
    assert tree(tmp_path) == {}


def test_json_tells_what_was_written_and_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "seat-07", "--json")
    said = json.loads(capsys.readouterr().out)
    assert (said["command"], said["ok"]) == ("init", True)
    assert said["data"] == {
        "environment": "seat-07",
        "config_dir": "./kratos",
        "preset": "email-password",
        "written": ["kratos/", "kratosctl.yaml"],
        "kept": [],
        "next": f"kratosctl -C {tmp_path} up",
    }


def test_interrupted_anywhere_nothing_is_half_written_and_running_it_again_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tree(CONFIGS / "email-password")
    sync = os.fsync
    for number in range(100):
        directory = tmp_path / str(number)
        directory.mkdir()
        calls = 0

        def interrupt(descriptor: int, number: int = number) -> None:
            nonlocal calls
            calls += 1
            if calls > number:
                raise KeyboardInterrupt
            sync(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", interrupt)
            code = main(["--directory", str(directory), "init", "--yes"])
        if code == 0:
            break
        assert code == 130
        left = tree(directory)
        assert set(left) <= {"kratosctl.yaml", "kratos", *(f"kratos/{name}" for name in whole)}
        if "kratos" in left:
            assert tree(directory / "kratos") == whole
        if "kratosctl.yaml" in left:
            assert "dev" in yaml.safe_load(left["kratosctl.yaml"])["environments"]
        run(directory)
        assert tree(directory / "kratos") == whole
        assert environments(directory)["dev"]["config_dir"] == "./kratos"
    else:
        pytest.fail("it never ended")
    assert number >= len(whole) + 1, "every file is synced before it takes its place"


def test_what_a_killed_run_left_is_cleared_away_and_what_a_running_one_writes_is_not(tmp_path: Path) -> None:
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitpid(dead, 0)
    for process in (dead, os.getppid()):
        (tmp_path / f".kratos.{process}.tmp").mkdir()
        (tmp_path / f".kratos.{process}.tmp" / "kratos.yml").write_text("half")
    run(tmp_path)
    assert not (tmp_path / f".kratos.{dead}.tmp").exists()
    assert (tmp_path / f".kratos.{os.getppid()}.tmp").exists()


def test_a_directory_filled_meanwhile_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unseen = init.Target("./kratos", tmp_path / "kratos", in_use=False)
    (tmp_path / "kratos").mkdir()
    (tmp_path / "kratos" / "kratos.yml").write_text("theirs\n")
    monkeypatch.setattr(init, "target", lambda *_: unseen)
    run(tmp_path, code=23)
    assert tree(tmp_path) == {"kratos": "directory", "kratos/kratos.yml": "theirs\n"}

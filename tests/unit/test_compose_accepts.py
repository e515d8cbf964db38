"""Docker Compose itself reads what is generated and what people are told to run by hand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kratosctl import fragments
from kratosctl.engine.client import Project
from kratosctl.errors import ComposeFileInvalid
from kratosctl.stack.render import dump
from tests.unit import golden, stacks
from tests.unit.test_rendered_yaml import DATE_LIKE, NUMBER_LIKE, TEXT

pytestmark = pytest.mark.engine

FRAGMENTS = fragments.data_directory("compose")
# control characters cannot stand in a path that kratosctl takes
ANY_TEXT = (NUMBER_LIKE | DATE_LIKE | TEXT | stacks.NAMES_OF_FILES).filter(
    lambda text: not re.search("[\x00-\x1f\x7f-\x9f]", text)
)
HOSTILE = Path("/home/a'd\"a/$HOME ${X:-y} $$ $/:b# é🙂\\")


@pytest.fixture(scope="module", autouse=True)
def needs_compose() -> None:
    """No engine is asked anything; the Compose plugin has to be there."""
    if shutil.which("docker") is None or run("version").returncode != 0:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no Docker Compose plugin")


def run(*words: str, directory: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    usual = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    command = ["docker", "compose", *words]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env=usual | variables,
        stdin=subprocess.DEVNULL,
    )


def test_an_applications_env_file_is_read_only_for_an_override_file(tmp_path: Path) -> None:
    """Beside an application lies its own .env, for other programs; `up` failed at a line that Compose does not take."""
    (tmp_path / "compose.yaml").write_text("services: {kratos: {image: x}}\n")
    (tmp_path / ".env").write_text("the name of it=1\n")
    project = Project("app-dev-1", [tmp_path / "compose.yaml"], tmp_path)
    project.check()

    (tmp_path / "compose.override.yaml").write_text("services: {kratos: {labels: {a: b}}}\n")
    project.files.append(tmp_path / "compose.override.yaml")
    with pytest.raises(ComposeFileInvalid) as caught:
        project.check()
    assert ".env: line 1" in caught.value.why
    assert ".env" in caught.value.fix


def complaints(calls: Mapping[str, Iterable[str]], directory: Path | None = None) -> dict[str, str]:
    """What Compose says of several calls, where it says anything."""
    with ThreadPoolExecutor(4) as pool:
        done = dict(zip(calls, pool.map(lambda words: run(*words, directory=directory), calls.values()), strict=True))
    return {name: found.stderr for name, found in done.items() if found.returncode or found.stderr}


def as_json(path: Path) -> dict[str, Any]:
    done = run("-f", str(path), "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    model: dict[str, Any] = json.loads(done.stdout)
    return model


def test_every_golden_file_is_accepted_without_a_word() -> None:
    files = sorted((golden.DIRECTORY / "compose").glob("*.yaml"))
    assert files
    assert complaints({file.name: ("-f", str(file), "config", "--quiet") for file in files}) == {}


def commands_in_comments() -> dict[str, list[str]]:
    """Which files the commands in the fragments' comments name."""
    found: dict[str, list[str]] = {}
    for path in sorted(FRAGMENTS.glob("*.yaml")):
        comments = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#"))
        for match in re.finditer(r"docker compose((?: -f [\w-]+\.yaml)+)", re.sub(r"\\\n#\s*", "", comments)):
            found[match[1].strip()] = match[1].split()
    return found


COMMANDS = commands_in_comments()


def test_the_comments_name_a_way_with_sqlite_and_one_with_postgresql() -> None:
    assert any("sqlite.yaml" in name for name in COMMANDS)
    assert any("postgres.yaml" in name for name in COMMANDS)


def test_what_the_comments_tell_people_to_run_is_accepted() -> None:
    calls = {name: (*words, "config", "--quiet") for name, words in COMMANDS.items()}
    assert complaints(calls, FRAGMENTS) == {}


def test_every_fragment_fits_the_stack_it_is_made_for() -> None:
    calls = {}
    for path in sorted(FRAGMENTS.glob("*.yaml")):
        base = ["kratos.yaml", "migrate.yaml"]
        base += [f"{name}.yaml" for name in ("postgres", "mail") if path.name.startswith(f"{name}-")]
        names = [*base, *([path.name] if path.name not in base else [])]
        calls[path.name] = (*(word for name in names for word in ("-f", name)), "config", "--quiet")
    assert complaints(calls, FRAGMENTS) == {}


def test_files_that_people_run_by_hand_are_there() -> None:
    for name in COMMANDS.values():
        done = run(*name, "config", "--format", "json", directory=FRAGMENTS)
        model = json.loads(done.stdout)
        sources = [m["source"] for s in model["services"].values() for m in s.get("volumes", []) if m["type"] == "bind"]
        sources += [part["file"] for kind in ("configs", "secrets") for part in model.get(kind, {}).values()]
        assert [source for source in sources if not Path(source).exists()] == []


def test_dollar_signs_reach_the_engine_as_they_were_written(tmp_path: Path) -> None:
    asked = stacks.environment(database="postgres", config_dir="./my $config", admin_port=4434)
    place = stacks.place(asked, directory=HOSTILE)
    path = tmp_path / "compose.yaml"
    path.write_text(stacks.files(asked, place)["compose.yaml"].text, encoding="utf-8")
    model = as_json(path)
    # `config` prints a file that Compose can read again: dollar signs are doubled in it
    said = json.loads(json.dumps(model).replace("$$", "$"))
    home = HOSTILE / ".kratosctl/dev"
    assert said["configs"]["environment"]["file"] == str(home / "environment.yml")
    assert said["secrets"]["postgres-password"]["file"] == str(home / "secrets/postgres-password")
    kratos = said["services"]["kratos"]
    assert kratos["labels"]["dev.kratosctl.directory"] == str(HOSTILE)
    assert kratos["volumes"][0]["source"] == str(HOSTILE / "my $config")
    assert said["volumes"]["postgres"]["labels"]["dev.kratosctl.directory"] == str(HOSTILE)


# without shrinking: every step of it would ask Compose
@settings(max_examples=5, phases=(Phase.generate,))
@given(st.lists(ANY_TEXT, min_size=50, max_size=100))
def test_any_text_reaches_compose_as_it_is(values: list[str]) -> None:
    """Numbers of every notation, dates, dollar signs, and all of Unicode: a hundred labels to a file."""
    labels = {f"label-{number}": value for number, value in enumerate(values)}
    service = {"image": "x:1", "labels": {name: value.replace("$", "$$") for name, value in labels.items()}}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "compose.yaml")
        path.write_text(dump({"name": "x", "services": {"a": service}}), encoding="utf-8")
        found = as_json(path)["services"]["a"]["labels"]
    assert {name: value.replace("$$", "$") for name, value in found.items()} == labels

"""The pytest plugin, in projects of its users: fixtures, options, parallel runs, failures."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kratosctl import pytest_plugin
from kratosctl.questions import BY_KEY
from tests.e2e import engine, ephemeral, images
from tests.e2e.program import Directory

PYPROJECT = """
[tool.pytest.ini_options]
filterwarnings = ["error"]
kratos_database = "{database}"
kratos_release = "{release}"
"""
TESTS = """
import pytest

@pytest.mark.parametrize("number", range(6))
def test_the_same_address_is_free_in_each_test(kratos, number):
    ada = kratos.create_identity("ada@example.org")
    assert kratos.session_token(ada)
    print(f"served by {kratos.public_url} in {kratos.directory}")
"""
FAILING = """
import urllib.request

def test_passes(kratos):
    kratos.create_identity("passing@example.org")

def test_fails(kratos):
    urllib.request.urlopen(f"{kratos.public_url}/self-service/login/api").read()
    assert False

def test_fails_that_asks_as_it_runs(request):
    kratos = request.getfixturevalue("kratos")
    urllib.request.urlopen(f"{kratos.public_url}/self-service/login/api").read()
    assert False

def test_fails_without_kratos():
    assert False
"""
OTHER = """
import pytest
from kratosctl import testing

@pytest.fixture(scope="module")
def kratos_environment():
    with testing.kratos(release="{release}", preset="api-only") as k:
        yield k

def test_sign_in(kratos):
    assert kratos.mail_url is None
    ada = kratos.create_identity("ada@example.org")
    assert kratos.session_token(ada)
    assert False
"""
NEVER_NEW = """
import pytest
from kratosctl.errors import DatabaseUnreachable

class Stopped:
    def reset(self):
        raise DatabaseUnreachable("PostgreSQL was not emptied", "it stopped", "nothing was changed; try again")

@pytest.fixture(scope="module")
def kratos_environment():
    return Stopped()

def test_one(kratos):
    pass

def test_other(kratos):
    pass
"""
TWICE = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, nextitem=nextitem, log=False)
    item._initrequest()
    runtestprotocol(item, nextitem=nextitem)
    return True
"""
ASKING = """
def test_it(kratos_environment):
    print(kratos_environment.logs(service="postgres"), kratos_environment.mail_url)
"""


def pytest_of(directory: Directory, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs pytest as its user does, with the images of these tests."""
    variables = {name: value for name, value in directory.environ().items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
        cwd=directory.path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )


def plain_pytest(directory: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs pytest where no test gets as far as Kratos."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "KRATOSCTL_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
        cwd=directory,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def write(directory: Directory, tests: str, database: str = "sqlite", release: str = images.NEWEST) -> None:
    (directory.path / "pyproject.toml").write_text(PYPROJECT.format(database=database, release=release))
    (directory.path / "test_app.py").write_text(tests)
    directory.choose(release)


def places(output: str) -> set[tuple[str, Path]]:
    """The addresses and directories that the tests printed."""
    return {(url, Path(where)) for url, where in re.findall(r"served by (\S+) in (\S+)", output)}


@pytest.mark.engine
@pytest.mark.parametrize(("release", "database"), [("v1.1.0", "postgres"), ("v26.2.0", "sqlite")])
def test_each_test_finds_kratos_as_new(directory: Directory, release: str, database: str) -> None:
    write(directory, TESTS, database, release)
    done = pytest_of(directory, "-rP")
    assert "6 passed" in done.stdout, done.stdout + done.stderr
    ((_, where),) = places(done.stdout)
    assert ephemeral.is_gone(where)


@pytest.mark.engine
def test_parallel_workers_have_one_kratos_each(directory: Directory) -> None:
    write(directory, TESTS, "postgres")
    done = pytest_of(directory, "-rP", "-n", "2")
    assert "6 passed" in done.stdout, done.stdout + done.stderr
    found = places(done.stdout)
    assert len({url for url, _ in found}) == 2
    assert all(ephemeral.is_gone(where) for _, where in found)


@pytest.mark.engine
def test_the_command_line_goes_before_the_file(directory: Directory) -> None:
    write(directory, ASKING, "sqlite")
    done = pytest_of(directory, "-rP", "--kratos-database", "postgres", "--kratos-mail", "false")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert "database system is ready" in done.stdout
    assert "None" in done.stdout


@pytest.mark.engine
def test_a_failure_shows_what_kratos_logged_during_that_test(directory: Directory) -> None:
    write(directory, FAILING)
    done = pytest_of(directory)
    assert "3 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    _, *sections = done.stdout.split("Kratos' log during call")
    assert len(sections) == 2
    assert all("/self-service/login/api" in section for section in sections)


def test_what_a_failed_test_logged_begins_when_it_did_though_the_clock_was_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with freezegun, for a whole class of tests: Kratos' log would be empty, or that of all tests."""
    item: Any = SimpleNamespace(stash={})
    now = time.time()
    monkeypatch.setattr("time.time", lambda: 0.0)
    pytest_plugin.pytest_runtest_setup(item)
    assert item.stash[pytest_plugin._began] >= now - 1


@pytest.mark.engine
def test_a_module_with_a_fixture_of_that_name_has_another_kratos(directory: Directory) -> None:
    write(directory, TESTS)
    (directory.path / "test_other.py").write_text(OTHER.format(release=images.NEWEST))
    done = pytest_of(directory, "-rA")
    assert "1 failed, 6 passed" in done.stdout, done.stdout + done.stderr
    assert "/self-service/login" in done.stdout.partition("Kratos' log during call")[2]


@pytest.mark.engine
def test_what_stands_in_the_way_is_said_plainly(directory: Directory) -> None:
    write(directory, TESTS)
    done = pytest_of(directory, "-k", "0", "--kratos-image", "kratosctl/no-such:v26.2.0")
    assert "is neither here nor to be had" in done.stdout, done.stdout + done.stderr
    assert "--kratos-image" in done.stdout
    assert "Traceback" not in done.stdout
    assert "kratosctl/engine" not in done.stdout


@pytest.mark.engine
def test_kept_environments_are_told_with_how_to_reach_and_remove_them(directory: Directory) -> None:
    write(directory, TESTS)
    done = pytest_of(directory, "-n", "2", "--kratos-keep", "--kratos-mail", "false")
    assert "6 passed" in done.stdout, done.stdout + done.stderr
    kept = [Path(where) for where in re.findall(r"kratosctl -C (\S+) status", done.stdout)]
    try:
        assert len(kept) == 2
        for where in kept:
            assert Directory(where, directory.cache).run("status", "--json").data["state"] == "ready"
        assert "kratosctl prune --kept" in done.stdout
    finally:
        for where in kept:
            engine.remove_all_of(where)
            shutil.rmtree(where, ignore_errors=True)


def test_every_question_that_suits_tests_is_an_option_and_a_key_of_the_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    options = set(re.findall(r"^  --(kratos-[a-z-]+)", done.stdout, re.MULTILINE))
    keys = set(re.findall(r"^  (kratos_[a-z_]+) \((?:string|bool|float)\)", done.stdout, re.MULTILINE))
    assert {"kratos-database", "kratos-preset", "kratos-release", "kratos-image", "kratos-postgres-image"} <= options
    assert {name.replace("-", "_") for name in options - {"kratos-keep"}} == keys
    assert not any("port" in name for name in keys)
    assert keys.isdisjoint({"kratos_config", "kratos_https", "kratos_proxy_image", "kratos_bind"})


def test_projects_without_these_fixtures_pay_for_a_table_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "test_app.py").write_text("def test_it():\n    pass\n")
    probe = (
        "import sys, pytest\n"
        "code = pytest.main(['-q', '-W', 'error', '-p', 'no:cacheprovider'])\n"
        "print('loaded', *sorted(name for name in sys.modules if name.split('.')[0] in\n"
        "      ('kratosctl', 'python_on_whales', 'questionary', 'yaml', 'click', 'filelock')))\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ours = {"kratosctl", "kratosctl.catalog", "kratosctl.errors", "kratosctl.pytest_plugin", "kratosctl.questions"}
    (loaded,) = re.findall(r"^loaded (.*)$", done.stdout, re.MULTILINE)
    assert set(loaded.split()) == ours


def test_the_plugin_asks_pluggy_for_nothing_that_pytest_7_does_without() -> None:
    hooks = [vars(hook)["pytest_impl"] for hook in vars(pytest_plugin).values() if "pytest_impl" in dir(hook)]
    known = {"hookwrapper", "optionalhook", "tryfirst", "trylast", "specname"}
    assert hooks
    assert {name for options in hooks for name, value in options.items() if value} <= known


def test_what_the_file_leaves_out_is_nothing_to_pytest_7_too() -> None:
    defaults: set[object] = set()
    group = SimpleNamespace(addoption=lambda *_, **options: None)
    parser: Any = SimpleNamespace(
        getgroup=lambda *_: group, addini=lambda *_, **options: defaults.add(options["default"])
    )
    pytest_plugin.pytest_addoption(parser)
    assert defaults == {""}


@pytest.mark.parametrize(
    ("words", "file", "said"),
    [
        (("--kratos-database", "memory"), "", "--kratos-database: expected one of sqlite, postgres, found 'memory'"),
        (("--kratos-ui", "yess"), "", "--kratos-ui: expected true or false, found 'yess'"),
        ((), 'kratos_database = "memory"', "kratos_database of"),
        ((), 'kratos_ui = "yess"', "pyproject.toml: expected true or false"),
        (("--kratos-wait-timeout", "long"), "", "--kratos-wait-timeout: expected seconds"),
        (("--kratos-wait-timeout", "nan"), "", "--kratos-wait-timeout: expected seconds, more than 0, found nan"),
        ((), 'kratos_wait_timeout = "long"', "pyproject.toml: expected seconds"),
        ((), "kratos_wait_timeout = 0", "pyproject.toml: expected seconds, more than 0, found 0"),
    ],
)
def test_a_value_that_cannot_work_is_refused_once_and_before_any_test(
    tmp_path: Path, words: tuple[str, ...], file: str, said: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\n{file}\n")
    (tmp_path / "test_app.py").write_text(TESTS)
    done = plain_pytest(tmp_path, *words)
    assert done.returncode == 4
    assert (done.stdout + done.stderr).count(said) == 1
    assert "Traceback" not in done.stdout + done.stderr


TABLES = pytest.mark.parametrize(
    "table",
    [
        "tool.pytest.ini_options",
        pytest.param("tool.pytest", marks=pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest 9 reads it")),
    ],
)


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest 9 reads it")
@pytest.mark.parametrize(
    ("file", "said"), [("kratos_database = 5", "kratos_database of"), ("kratos_ui = 5", "kratos_ui")]
)
def test_a_value_of_another_kind_in_the_table_of_pytest_9_is_said(tmp_path: Path, file: str, said: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest]\n{file}\n")
    done = plain_pytest(tmp_path)
    assert done.returncode == 4
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@TABLES
@pytest.mark.parametrize("seconds", ["120", "0.5"])
def test_a_switch_and_a_number_of_seconds_are_what_the_file_says(tmp_path: Path, table: str, seconds: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[{table}]\nkratos_ui = true\nkratos_wait_timeout = {seconds}\n")
    (tmp_path / "test_app.py").write_text(
        "from kratosctl import pytest_plugin\n"
        "def test_it(pytestconfig):\n    assert pytestconfig.getini('kratos_ui')\n"
        f"    assert pytest_plugin._patience(pytestconfig) == {seconds}"
    )
    done = plain_pytest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.engine
def test_whoever_waited_in_vain_is_told_how_to_wait_longer(directory: Directory) -> None:
    write(directory, TESTS)
    done = pytest_of(directory, "-k", "0", "--kratos-mail", "false", "--kratos-wait-timeout", "0.01")
    assert "was not ready within 0.01 s" in done.stdout, done.stdout + done.stderr
    assert "with pytest --kratos-wait-timeout" in done.stdout


@pytest.mark.parametrize(("words", "value"), [((), "memory"), ((), "external"), (("-n", "2"), "nope")])
def test_a_variable_that_cannot_work_fails_the_tests_that_want_kratos_alone(
    tmp_path: Path, words: tuple[str, ...], value: str
) -> None:
    (tmp_path / "test_app.py").write_text("def test_it(kratos):\n    pass\n\ndef test_other():\n    pass\n")
    done = plain_pytest(tmp_path, *words, KRATOSCTL_DATABASE=value)
    assert "1 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert f"KRATOSCTL_DATABASE: expected one of sqlite, postgres, found '{value}'" in done.stdout
    assert "INTERNALERROR" not in done.stdout


@pytest.mark.parametrize("words", [(), ("-q",), ("-s",), ("-n", "2")], ids=["alone", "quiet", "uncaptured", "workers"])
def test_what_the_first_test_waits_for_is_said_once_where_it_takes_long(tmp_path: Path, words: tuple[str, ...]) -> None:
    """On a new machine images are pulled for minutes."""
    (tmp_path / "test_app.py").write_text(TESTS)
    (tmp_path / "docker").write_text("#!/bin/sh\nmkdir slow-$PPID 2> /dev/null && sleep 4\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    done = plain_pytest(tmp_path, *words, PATH=f"{tmp_path}:{os.environ['PATH']}")
    before, said, _ = (done.stdout + done.stderr).partition("waiting for Kratos to start")
    assert said, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count(said) == 1
    assert not before or before.endswith("\n")


def test_of_what_is_there_at_once_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "test_app.py").write_text(TESTS)
    done = plain_pytest(tmp_path, "-v", PATH=str(tmp_path))
    assert "docker is not installed" in done.stdout, done.stdout + done.stderr
    assert "waiting for Kratos" not in done.stdout + done.stderr


def test_nothing_is_waited_for_where_no_test_wants_kratos(tmp_path: Path) -> None:
    (tmp_path / "test_app.py").write_text("def test_it():\n    pass\n")
    done = plain_pytest(tmp_path, PATH=str(tmp_path))
    assert "Kratos" not in done.stdout + done.stderr


def test_what_keeps_kratos_from_being_as_new_is_said_without_a_traceback(tmp_path: Path) -> None:
    """As where PostgreSQL has stopped, or the database of a fixture of one's own is in memory."""
    (tmp_path / "test_app.py").write_text(NEVER_NEW)
    done = plain_pytest(tmp_path)
    assert "2 errors" in done.stdout, done.stdout + done.stderr
    shown = done.stdout.partition("short test summary")[0]
    assert "PostgreSQL was not emptied (as above)" in shown
    assert shown.count("nothing was changed; try again") == 1
    assert "raise " not in shown
    assert "pytest_plugin.py" not in shown


def test_what_keeps_kratos_from_starting_is_said_in_full_once(tmp_path: Path) -> None:
    (tmp_path / "test_app.py").write_text(TESTS)
    done = plain_pytest(tmp_path, PATH=str(tmp_path))
    assert "6 errors" in done.stdout, done.stdout + done.stderr
    _, *shown = done.stdout.partition("short test summary")[0].split("ERROR at setup")
    assert ["docker is not installed" in one for one in shown] == [True] * 6
    assert ["install Docker" in one for one in shown] == [True] + [False] * 5
    assert ["(as above)" in one for one in shown] == [False] + [True] * 5


def test_what_keeps_kratos_from_starting_is_said_in_full_where_failed_tests_are_tried_again(tmp_path: Path) -> None:
    """As with pytest-rerunfailures, which shows a test's last try alone."""
    (tmp_path / "conftest.py").write_text(TWICE)
    (tmp_path / "test_app.py").write_text(TESTS)
    done = plain_pytest(tmp_path, PATH=str(tmp_path))
    _, *shown = done.stdout.partition("short test summary")[0].split("ERROR at setup")
    assert ["install Docker" in one for one in shown] == [True] + [False] * 5, done.stdout + done.stderr
    assert ["(as above)" in one for one in shown] == [False] + [True] * 5


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (("--kratos-variant", "distroless"), {"--kratos-variant", "--kratos-database"}),
        (("--kratos-preset", "passkey", "--kratos-release", "v1.1.0"), {"--kratos-release", "--kratos-preset"}),
        (("--kratos-image", "kratos"), {"--kratos-image", "--kratos-release", "--kratos-allow-floating-tag"}),
    ],
)
def test_what_to_do_next_is_said_in_flags_that_pytest_knows(
    tmp_path: Path, words: tuple[str, ...], flags: set[str]
) -> None:
    (tmp_path / "test_app.py").write_text("def test_it(kratos):\n    pass\n")
    done = plain_pytest(tmp_path, *words, PATH=str(tmp_path))
    said = done.stdout.partition("ERROR at setup")[2].partition("short test summary")[0]
    found = set(re.findall(r"--[a-z-]+[a-z]", said))
    assert found, done.stdout + done.stderr
    assert found <= flags, said


def test_what_the_file_names_lies_beside_it_wherever_pytest_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KRATOSCTL_SEED", "KRATOSCTL_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    config: Any = SimpleNamespace(
        inipath=tmp_path / "pyproject.toml", getoption=lambda name: None, getini=lambda name: f"their-{name}"
    )
    for key in ("seed", "config_dir"):
        assert pytest_plugin._said(config, BY_KEY[key]) == str(tmp_path / f"their-kratos_{key}")

"""The pytest plugin: fixtures `kratos_environment` and `kratos`, and their options.

pytest loads this in every project of whoever has kratosctl installed, so it imports nothing but the table of
questions until a test wants Kratos.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kratosctl.errors import KratosctlError
from kratosctl.questions import OF_ALL_TESTS, Question, check_value, expected

if TYPE_CHECKING:
    from kratosctl.testing import Kratos

# what each test finds as new: a database in memory dies with Kratos alone, and one of somebody else's is not emptied
_DATABASES = ("sqlite", "postgres")
_OFFERED = tuple(replace(q, choices=_DATABASES) if q.key == "database" else q for q in OF_ALL_TESTS)

_running = pytest.StashKey["Kratos"]()
_began = pytest.StashKey[float]()
_kept = pytest.StashKey[list[str]]()
_WORKER_OUTPUT = "kratosctl_kept"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kratosctl", "Kratos as a fixture")
    for question in _OFFERED:
        name, text = _name(question), f"{question.help} Expects {expected(question)}."
        # argparse reads % as its own
        said = text.replace("%", "%%")
        group.addoption("--" + name.replace("_", "-"), dest=name, default=None, metavar="VALUE", help=said)
        parser.addini(name, text, type="string", default=None)
    group.addoption(
        "--kratos-keep", action="store_true", default=False, help="Leave Kratos running at the end, to look at."
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_kept] = []
    for question in _OFFERED:
        _check(config, question)


def _check(config: pytest.Config, question: Question) -> None:
    """Refuses a wrong value once, and not at each test."""
    name = _name(question)
    given = config.getoption(name)
    where = f"--{name.replace('_', '-')}" if given is not None else f"{name} of {config.inipath}"
    said = given if given is not None else config.getini(name)
    if said:
        try:
            check_value(question, said)
        except KratosctlError as error:
            what, *rest = error.lines()
            raise pytest.UsageError("\n".join([what.replace(question.key, where, 1), *rest])) from None


@pytest.fixture(scope="session")
def kratos_environment(pytestconfig: pytest.Config) -> Iterator[Kratos]:
    """An ephemeral Kratos for the whole run; with pytest-xdist one for each worker."""
    from kratosctl.testing import kratos

    keep, asked = pytestconfig.getoption("--kratos-keep"), _asked(pytestconfig)
    if asked["database"] is None and os.environ.get("KRATOSCTL_DATABASE") == "memory":
        pytest.exit("KRATOSCTL_DATABASE: a database in memory is not as new for each test: use sqlite or postgres", 4)
    with ExitStack() as stack:
        fault = None
        try:
            made = stack.enter_context(kratos(keep=keep, **asked))
        except KratosctlError as error:
            fault = error
        if fault:
            pytest.fail("\n".join(fault.lines()), pytrace=False)
        pytestconfig.stash[_running] = made
        if keep:
            pytestconfig.stash[_kept].append(_said_of_kept(made))
        yield made
        del pytestconfig.stash[_running]


@pytest.fixture
def kratos(kratos_environment: Kratos) -> Kratos:
    """The Kratos of this run, as new: nobody is known, no session is valid, the inbox is empty."""
    kratos_environment.reset()
    return kratos_environment


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_began] = time.time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    made = item.config.stash.get(_running, None)
    if report.failed and made and "kratos_environment" in getattr(item, "funcargs", {}):
        report.sections.append((f"Kratos' log during {report.when}", _log(made, item.stash.get(_began, 0.0))))
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_WORKER_OUTPUT] = session.config.stash[_kept]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of pytest-xdist has ended: what it kept is told by the main process."""
    node.config.stash[_kept] += getattr(node, "workeroutput", {}).get(_WORKER_OUTPUT, [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for said in config.stash[_kept]:
        terminalreporter.section("Kratos is still there")
        terminalreporter.write_line(said)


def _name(question: Question) -> str:
    return question.key if question.key.startswith("kratos_") else f"kratos_{question.key}"


def _asked(config: pytest.Config) -> dict[str, Any]:
    """What the command line says, then KRATOSCTL_ variables, then the user's pyproject.toml."""
    asked: dict[str, Any] = {}
    for question in _OFFERED:
        name = _name(question)
        said = config.getoption(name)
        if said is None and not os.environ.get(question.variable):
            said = config.getini(name)
            if said and question.kind in ("path", "file"):
                said = str((config.inipath.parent if config.inipath else config.rootpath) / said)
        asked[question.key] = said or None
    return asked


def _log(made: Kratos, since: float) -> str:
    try:
        return made.logs(since)
    except KratosctlError as error:
        return "\n".join(error.lines())


def _said_of_kept(made: Kratos) -> str:
    from kratosctl.commands.command_run import said_of_kept

    urls = {"public": made.public_url, "admin": made.admin_url, "ui": made.ui_url, "mail": made.mail_url}
    return said_of_kept(Path(made.directory), {name: url for name, url in urls.items() if url})

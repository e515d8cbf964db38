"""The pytest plugin: fixtures `kratos_environment` and `kratos`, and their options.

pytest loads this in every project of whoever has kratosctl installed, so it imports nothing but the table of
questions until a test wants Kratos.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from kratosctl.errors import ConfigurationInvalid, KratosctlError
from kratosctl.questions import OF_ALL_TESTS, Question, check_value, expected

if TYPE_CHECKING:
    from kratosctl.testing import Kratos

# what each test finds as new: a database in memory dies with Kratos alone, and one of somebody else's is not emptied
_DATABASES = ("sqlite", "postgres")
_OFFERED = tuple(replace(q, choices=_DATABASES) if q.key == "database" else q for q in OF_ALL_TESTS)

# as an error names them: those of `kratosctl`
_FLAG = re.compile(rf"--(?!kratos-)(?=({'|'.join(q.key.replace('_', '-') for q in _OFFERED)})\b(?!-))")

_began = pytest.StashKey[float]()
_kept = pytest.StashKey[list[str]]()
_fault = pytest.StashKey[str]()
_told = pytest.StashKey[tuple[str, str]]()
_given = pytest.StashKey["Kratos"]()
_PATIENCE = 60.0  # seconds
_WONDERS = 3.0  # seconds
_WAIT = "kratos_wait_timeout"
_WORKER_OUTPUT = "kratosctl_kept"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kratosctl", "Kratos as a fixture")
    for question in _OFFERED:
        name, text = _name(question), f"{question.help} Expects {expected(question)}."
        # argparse reads % as its own
        said = text.replace("%", "%%")
        group.addoption("--" + name.replace("_", "-"), dest=name, default=None, metavar="VALUE", help=said)
        # in pytest's own TOML table a switch is true or false, without quotation marks
        kind: Literal["bool", "string"] = "bool" if question.kind == "switch" else "string"
        # not None: where that is the default, pytest 7 answers with a list
        parser.addini(name, text, type=kind, default="")
    group.addoption(
        "--kratos-keep", action="store_true", default=False, help="Leave Kratos running at the end, to look at."
    )
    text = f"How long Kratos may take to be ready. Expects seconds [{_PATIENCE:g}]."
    group.addoption("--kratos-wait-timeout", dest=_WAIT, default=None, metavar="SECONDS", help=text)
    number: Literal["float", "string"] = "float" if pytest.version_tuple >= (8, 4) else "string"
    parser.addini(_WAIT, text, type=number, default="")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_kept] = []
    _patience(config)
    for question in _OFFERED:
        # a wrong value is refused once; a variable is not pytest's alone, and right where no test wants Kratos
        if not _is_variable(config, question):
            try:
                _said(config, question)
            except KratosctlError as error:
                raise pytest.UsageError(str(error)) from None


@pytest.fixture(scope="session")
def kratos_environment(pytestconfig: pytest.Config) -> Iterator[Kratos]:
    """An ephemeral Kratos for the whole run; with pytest-xdist one for each worker."""
    from kratosctl.testing import kratos

    keep = pytestconfig.getoption("--kratos-keep")
    with ExitStack() as stack:
        with _plainly(pytestconfig):
            asked: Any = {question.key: _said(pytestconfig, question) for question in _OFFERED}
            with _told_where_slow(
                pytestconfig, "waiting for Kratos to start; images that are not here are pulled first"
            ):
                made = stack.enter_context(kratos(keep=keep, wait_timeout=_patience(pytestconfig), **asked))
        if keep:
            pytestconfig.stash[_kept].append(_said_of_kept(made))
        yield made


@pytest.fixture
def kratos(kratos_environment: Kratos, request: pytest.FixtureRequest) -> Kratos:
    """The Kratos of this run, as new: nobody is known, no session is valid, the inbox is empty."""
    # pytest itself does not tell what a test asks for as it runs, as each step of pytest-bdd does
    request.node.stash[_given] = kratos_environment
    with _plainly(request.config):
        kratos_environment.reset()
    return kratos_environment


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # when it is here, also where a class of tests has stopped the clock, as with freezegun
    item.stash[_began] = time.clock_gettime(time.CLOCK_REALTIME)


# not `wrapper`: the pluggy that pytest 7 is content with does not know it
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    report: pytest.TestReport = (yield).get_result()
    stash = item.config.stash
    made, fault = _running(item), stash.get(_fault, "")
    if fault and call.excinfo and str(call.excinfo.value) == fault:
        # it is the same at each test that wants Kratos; of one that is tried again only the last time may be shown
        told, teller = stash.setdefault(_told, ("", ""))
        if told != fault:
            stash[_told] = (fault, item.nodeid)
        elif teller != item.nodeid:
            report.longrepr = f"{fault.splitlines()[0]} (as above)"
    if report.failed and made:
        report.sections.append((f"Kratos' log during {report.when}", _log(made, item.stash.get(_began, 0.0))))


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


@contextmanager
def _plainly(config: pytest.Config) -> Iterator[None]:
    """Lets an error of ours fail a fixture with what it says, in flags of pytest's, and without a traceback."""
    try:
        yield
    except KratosctlError as error:
        said = config.stash[_fault] = _FLAG.sub("--kratos-", str(error))
        raise pytest.fail.Exception(said, pytrace=False) from None


@contextmanager
def _told_where_slow(config: pytest.Config, line: str) -> Iterator[None]:
    """Says what is waited for once that takes so long that somebody wonders."""
    timer = threading.Timer(_WONDERS, _tell, (config, line))
    timer.start()
    try:
        yield
    finally:
        # nobody captures output while it is still saying it
        timer.cancel()
        timer.join()


def _tell(config: pytest.Config, line: str) -> None:
    """Says something while the tests run, past what captures their output."""
    plugins = config.pluginmanager
    reporter, capture = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        if worker == "gw0":
            # what a worker's own reporter writes nobody sees, and one of them is enough
            print(line, file=sys.stderr, flush=True)
        elif reporter and not worker:
            reporter.write_line(line)


def _patience(config: pytest.Config) -> float:
    """Seconds that Kratos may take to be ready, as the command line says, or the user's pyproject.toml."""
    flag = config.getoption(_WAIT)
    where = f"{_WAIT} of {config.inipath}" if flag is None else "--kratos-wait-timeout"
    try:
        said = config.getini(_WAIT) if flag is None else flag
        seconds = _PATIENCE if said == "" else float(said)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"{where}: expected seconds: {error}") from None
    # no number at all is less than that, too
    if not 0 < seconds < 1e9:
        raise pytest.UsageError(f"{where}: expected seconds, more than 0, found {seconds:g}")
    return seconds


def _name(question: Question) -> str:
    return question.key if question.key.startswith("kratos_") else f"kratos_{question.key}"


def _is_variable(config: pytest.Config, question: Question) -> bool:
    return config.getoption(_name(question)) is None and bool(os.environ.get(question.variable))


def _said(config: pytest.Config, question: Question) -> Any:
    """What the command line says, then a KRATOSCTL_ variable, then the user's pyproject.toml; None where none does.

    Raises:
        ConfigurationInvalid: a value that does not fit, with where it stands.
    """
    name = _name(question)
    said = config.getoption(name)
    where = f"--{name.replace('_', '-')}"
    if _is_variable(config, question):
        said, where = os.environ[question.variable], question.variable
    elif said is None:
        where = f"{name} of {config.inipath}"
        try:
            said = config.getini(name)
        except (TypeError, ValueError, pytest.UsageError) as error:
            # of a switch: pytest does not always say which
            raise ConfigurationInvalid(f"{where}: expected {expected(question)}", str(error)) from None
        if said and question.kind in ("path", "file"):
            said = str((config.inipath.parent if config.inipath else config.rootpath) / said)
    if said in (None, ""):
        return None
    try:
        return check_value(question, said)
    except KratosctlError as error:
        error.what = error.what.replace(question.key, where, 1)
        raise


def _running(item: pytest.Item) -> Kratos | None:
    """The Kratos that a test has got: that of the run, or of a fixture of the same name that goes before it."""
    made = item.stash.get(_given, None) or (getattr(item, "funcargs", None) or {}).get("kratos_environment")
    if made is None:
        return None
    from kratosctl.testing import Kratos

    # at the end of its last test it is gone
    return made if isinstance(made, Kratos) and made.directory.exists() else None


def _log(made: Kratos, since: float) -> str:
    try:
        return made.logs(since)
    except KratosctlError as error:
        return "\n".join(error.lines())


def _said_of_kept(made: Kratos) -> str:
    from kratosctl.commands.command_run import said_of_kept

    urls = {"public": made.public_url, "admin": made.admin_url, "ui": made.ui_url, "mail": made.mail_url}
    return said_of_kept(Path(made.directory), {name: url for name, url in urls.items() if url})

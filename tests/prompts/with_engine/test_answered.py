"""`up` answered at its prompts, and the menu, on a real engine."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from kratosctl.catalog import RELEASES, VARIANTS
from kratosctl.questions import DATABASES
from tests import conftest
from tests.e2e import images
from tests.e2e.program import Directory
from tests.prompts.terminal import CTRL_C, DOWN, ENTER, UP, Terminal, environ

pytestmark = pytest.mark.engine


def terminal(directory: Directory, *words: str) -> Terminal:
    """kratosctl in a terminal, on the images of the tests; release and variant are asked unless they decide it."""
    variables = {"KRATOSCTL_CACHE_DIR": str(directory.cache), **directory.variables}
    return Terminal(directory.path, *words, variables=environ(variables, engine=True), rows=40)


ENVIRONMENTS = [
    ("v1.1.0", "default", "sqlite"),
    ("v1.3.1", "distroless", "postgres"),
    ("v25.4.0", "default", "memory"),
    ("v26.2.0", "default", "sqlite"),
    ("v26.2.0", "distroless", "postgres"),
]
if os.environ.get("KRATOSCTL_TEST_RELEASES") == "all":
    POSSIBLE = [("default", "sqlite"), ("default", "postgres"), ("default", "memory"), ("distroless", "postgres")]
    ENVIRONMENTS = [(release, *rest) for release in images.RELEASES for rest in POSSIBLE]


@pytest.mark.parametrize(("release", "variant", "database"), ENVIRONMENTS)
def test_up_answered_at_its_prompts_ends_with_a_ready_kratos(
    directory: Directory, release: str, variant: str, database: str
) -> None:
    directory.choose(release, variant)
    if not images.are_standins():
        # a real image is what the answers name; a stand-in is named by a variable, whose tag then answers
        del directory.variables["KRATOSCTL_KRATOS_IMAGE"]
    # an address that nobody else listens on and claims of its own: nobody takes the port between question and start
    directory.cache = directory.path.parent / "cache"
    with terminal(directory, "up", "--bind", f"127.83.71.{63 + conftest.NUMBER}") as shown:
        shown.answer("How do people sign in?")
        shown.answer("Which database?", DOWN * DATABASES.index(database) + ENTER)
        if not images.are_standins():
            tags = [known.tag for known in reversed(RELEASES)]
            shown.answer("Which Kratos release?", DOWN * tags.index(release) + ENTER)
        if not images.are_standins() or variant == "default":
            shown.answer("Which image variant?", DOWN * VARIANTS.index(variant) + ENTER)
        shown.answer("Run the self-service UI?", "n" + ENTER)
        shown.answer("Run a mail inbox (Mailpit)?", "n" + ENTER)
        shown.answer("Port of the public API?")
        shown.see("Bring it up?")
        promised = next(word for word in shown.flowing.split() if word.startswith("http://"))
        assert not directory.path.joinpath("kratosctl.yaml").exists()
        shown.press(ENTER)
        shown.see("dev is ready")
        # what the summary said of the preset is not said again
        assert shown.flowing.count("haveibeenpwned.com") <= 1
        assert shown.end() == 0
    found = directory.status()
    assert (found["state"], found["release"], found["variant"]) == ("ready", release, variant)
    assert found["database"] == database
    assert found["endpoints"] == {"public": promised}, "on the port that was shown"


def test_ctrl_c_at_the_last_question_leaves_nothing_on_disk_or_engine(directory: Directory) -> None:
    with terminal(directory, "up", "--preset", "api-only", "--variant", "default") as shown:
        shown.answer("Which database?", DOWN + ENTER)
        shown.answer("Run the self-service UI?")
        shown.answer("Run a mail inbox (Mailpit)?")
        shown.answer("Port of the public API?")
        shown.see("Bring it up?")
        shown.press(CTRL_C)
        assert shown.end() == 130
    assert list(directory.path.iterdir()) == []
    assert directory.run("list", "--json").envelope["ok"]


def test_the_menu_brings_up_shows_stops_and_deletes(directory: Directory) -> None:
    directory.choose(images.NEWEST)
    directory.run("init", "--no-ui", "--no-mail", "--yes")
    with terminal(directory) as shown:
        shown.answer("quit")
        shown.see("dev: absent")
        shown.answer("it has no data", ENTER)
        shown.see("$ kratosctl up dev")
        shown.see("dev: ready")
        shown.answer("» open", UP + DOWN * 5 + ENTER)
        shown.see("Its data stays. (y/N)")
        shown.press("n" + ENTER)
        assert directory.status()["state"] == "ready", "a no stops nothing"
        shown.press(DOWN * 5 + ENTER)
        shown.see("identities")
        shown.press("y" + ENTER)
        shown.see("dev is down, its data deleted")
        shown.answer("it has no data", UP + ENTER)
        assert shown.end() == 0
    assert directory.status()["state"] == "absent"
    assert not (directory.home() / "database").exists()


def test_an_environment_of_another_directory_is_acted_on_where_it_is(
    make_directory: Callable[[str], Directory],
) -> None:
    # of a long path the end is shown: it must tell this directory from those of other runs on this engine
    directory, elsewhere = make_directory(f"app-{os.getpid()}"), make_directory("elsewhere")
    directory.up()
    with terminal(elsewhere, "menu") as shown:
        shown.see("quit")
        number = _position(shown.screen, directory.path.name)
        shown.press(DOWN * number + ENTER)
        shown.see(f"in {directory.path}")
        shown.answer("» open", UP + DOWN * 3 + ENTER)
        shown.see(f"$ kratosctl -C {directory.path} status dev")
        shown.answer("» open", CTRL_C)
        assert shown.end() == 130
    assert list(elsewhere.path.iterdir()) == []


def _position(screen: str, text: str) -> int:
    """How many choices below the pointer one is; those that cannot be picked do not count."""
    choices: list[str] = []
    for line in screen.partition("Enter)\n")[2].splitlines():
        if line.startswith(("   ", " »")):
            choices.append(line)
        else:
            choices[-1] += line  # a long line that wrapped
    return next(n for n, line in enumerate(c for c in choices if not c.startswith("   - ")) if text in line)

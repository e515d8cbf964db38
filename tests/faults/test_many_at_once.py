"""Many at once: one lock per environment."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from tests.e2e import engine
from tests.e2e.program import Directory
from tests.faults.soundness import assert_sound

pytestmark = pytest.mark.engine

HOW_MANY = int(os.environ.get("KRATOSCTL_TEST_AT_ONCE", "100"))


@pytest.mark.timeout(600)
def test_a_hundred_ups_at_once_leave_one_correct_stack_and_say_who_they_wait_for(directory: Directory) -> None:
    words = ("up", "--yes", "--no-ui", "--no-mail", "--json")
    directory.choose()
    started = [directory.start(*words) for _ in range(HOW_MANY)]
    ended = [process.communicate(timeout=500) for process in started]

    assert [process.returncode for process in started] == [0] * HOW_MANY, [error for _, error in ended if error]
    told = [json.loads(out)["data"] for out, _ in ended]
    assert len({json.dumps(row["endpoints"]) for row in told}) == 1
    assert len({row["project"] for row in told}) == 1
    assert sum(row["changed"] for row in told) == 1
    waited = [error for _, error in ended if "waiting for `kratosctl up dev` (process " in error]
    assert len(waited) > HOW_MANY / 2
    assert_sound(directory, told[0])


def test_environments_that_start_at_once_each_get_ports_of_their_own(
    make_directory: Callable[[str], Directory],
) -> None:
    directories = [make_directory(f"number-{number}") for number in range(6)]
    words = ("up", "--yes", "--no-ui", "--no-mail", "--json")
    started = [directory.start(*words) for directory in directories]
    ended = [process.communicate(timeout=170) for process in started]

    assert [process.returncode for process in started] == [0] * 6, ended
    told = [json.loads(out)["data"] for out, _ in ended]
    assert len({row["endpoints"]["public"] for row in told}) == 6
    for directory, row in zip(directories, told, strict=True):
        assert_sound(directory, row)


def test_down_waits_for_an_up_that_is_under_way_and_then_leaves_its_data_alone(directory: Directory) -> None:
    directory.choose()
    # which takes longer than another command does to start, however busy the machine is
    up = directory.start("up", "--database", "postgres", "--yes", "--no-ui", "--no-mail")
    engine.until((directory.home() / "lock-holder").exists, why="up holds the lock")
    engine.until(lambda: (directory.path / "kratosctl.yaml").exists(), why="the environment is known")

    down = directory.run("down")
    up.communicate(timeout=100)

    assert "waiting for `kratosctl up dev`" in down.err
    assert up.returncode == 0
    assert engine.of_directory(directory.path).keys() == {"volume"}

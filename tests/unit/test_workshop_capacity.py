"""How many seats fit: what runs out first is named, and nothing is started beyond it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kratosctl.engine import program
from kratosctl.errors import HostTooSmall
from kratosctl.workshop import capacity
from kratosctl.workshop.capacity import MIB, Host
from tests.unit import stacks

ROOMY = {"memory": 10**12, "cores": 8, "disk": 10**12, "ports": 600, "networks": 4000}
SMALL = stacks.environment(ui=False, mail=False)


def host(**scarce: int) -> Host:
    return Host(**{**ROOMY, **scarce})


@pytest.mark.parametrize(
    ("scarce", "most"),
    [
        ({"memory": 512 * MIB + 40 * 64 * MIB}, 40),
        ({"memory": 0}, 0),
        ({"disk": 1024 * MIB + 30 * 8 * MIB}, 30),
        ({"ports": 7}, 7),
        ({"networks": 3}, 3),
        ({"watchers": 128 - 8}, 40),
    ],
)
def test_what_runs_out_first_is_named_with_how_many_fit(scarce: dict[str, int], most: int) -> None:
    data = capacity.plan(SMALL, 100, host(**scarce)).data

    assert (data["most"], data["runs_out_first"], data["fits"]) == (most, next(iter(scarce)), False)


def test_a_hundred_seats_on_a_host_for_forty_are_refused_before_anything_starts() -> None:
    with pytest.raises(HostTooSmall) as caught:
        capacity.refuse(SMALL, 100, host(memory=512 * MIB + 40 * 64 * MIB))

    assert caught.value.lines() == [
        "100 further seats do not fit this host",
        "its free memory is enough for 40: 100 need 6.2 GiB of 2.5 GiB",
        "take fewer seats, or leave the UI out (ui: false); or try it all the same: --force",
    ]


def test_as_many_as_fit_are_not_refused() -> None:
    capacity.refuse(SMALL, 40, host(memory=512 * MIB + 40 * 64 * MIB))


@pytest.mark.parametrize("more", [{"ui": True}, {"mail": True}, {"database": "postgres"}])
def test_each_further_service_takes_its_memory(more: dict[str, Any]) -> None:
    asked = stacks.environment(**{"ui": False, "mail": False, **more})

    assert capacity.need(asked)["memory"] > capacity.need(SMALL)["memory"]


def test_linux_lets_one_user_watch_for_about_forty_and_says_how_to_raise_it() -> None:
    with pytest.raises(HostTooSmall) as caught:
        capacity.refuse(SMALL, 100, host(watchers=128))

    assert caught.value.why == "its free file watchers are enough for 42: 100 need 300"
    assert "sudo sysctl fs.inotify.max_user_instances=1024" in caught.value.fix


def test_a_hundred_seats_fit_in_24_gib_by_the_measured_figures() -> None:
    assert capacity.plan(SMALL, 100, host(memory=22 * 1024 * MIB)).data["fits"]


def test_the_table_says_it_for_people() -> None:
    said = capacity.plan(SMALL, 10, host()).text()

    assert said.startswith("10 seats of kratos fit this host")
    assert "at most 600 seats: what runs out first is ports" in said


def test_where_the_engine_keeps_its_data_need_not_be_for_this_user_to_see(monkeypatch: pytest.MonkeyPatch) -> None:
    # refused by the operating system whoever asks, root too
    unseen = "/" + "x" * 5000
    monkeypatch.setattr(program, "docker", lambda *_, **__: SimpleNamespace(stdout=unseen))

    assert capacity.look(SMALL, []).disk > 0

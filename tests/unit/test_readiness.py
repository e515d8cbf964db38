"""Waiting for what is started: whoever ended is not waited for. Without an engine."""

from __future__ import annotations

import itertools

import pytest

from kratosctl.engine import reading
from kratosctl.errors import DiskFull, NotReady, ServiceFailed
from kratosctl.kratos import readiness

NOBODY = 1  # nothing listens there


@pytest.mark.parametrize("service", ["mail", "ui"])
def test_a_page_that_ended_is_not_waited_for_and_its_last_line_is_told(
    monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    monkeypatch.setattr(reading, "state", lambda container: ("exited", 3))
    monkeypatch.setattr(reading, "logs", lambda container, lines: f"starts\n{container}: no such flag\n")

    with pytest.raises(ServiceFailed) as caught:
        readiness.wait_for_pages("127.0.0.1", {service: NOBODY}, {service: "app-1"}, 60, itertools.count().__next__)

    assert caught.value.what == f"service {service} did not stay up (exit code 3)"
    assert caught.value.why == "app-1: no such flag"
    assert f"kratosctl logs {service}" in caught.value.fix


def test_a_page_that_runs_is_waited_for_and_its_last_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "state", lambda container: ("running", 0))
    monkeypatch.setattr(reading, "logs", lambda container, lines: f"{container} waits for its own reasons\n\n")

    with pytest.raises(NotReady, match="did not answer within 60 s\napp-1 waits for its own reasons"):
        readiness.wait_for_pages("127.0.0.1", {"ui": NOBODY}, {"ui": "app-1"}, 60, itertools.count().__next__)


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False), (0, False)])
def test_only_who_says_so_is_ready(monkeypatch: pytest.MonkeyPatch, status: int, ready: bool) -> None:
    monkeypatch.setattr(readiness, "http_status", lambda *_: status)

    assert readiness.is_ready("127.0.0.1", NOBODY) is ready


FULL = "time={} level=warning msg=Unable to determine network, retrying. error=map[message:database or disk is full]"


def test_a_disk_that_is_full_is_told_as_soon_as_kratos_has_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = (FULL.format(second // 4) for second in itertools.count())
    monkeypatch.setattr(reading, "state", lambda container: ("running", 0))
    monkeypatch.setattr(reading, "logs_since_start", lambda container: next(tries))
    clock = itertools.count()

    with pytest.raises(DiskFull, match="the database's disk is full\ndatabase or disk is full"):
        readiness.wait("127.0.0.1", NOBODY, "kratos-1", 600, clock.__next__)

    assert next(clock) < 60


def test_a_disk_that_was_full_before_keeps_nobody_from_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kratos found no room a while ago, and there is some now: it is ready at its next try."""
    monkeypatch.setattr(reading, "state", lambda container: ("running", 0))
    monkeypatch.setattr(reading, "logs_since_start", lambda container: FULL.format("09:00"))
    answers = iter([0] * 9 + [200])
    monkeypatch.setattr(readiness, "http_status", lambda *_: next(answers))

    readiness.wait("127.0.0.1", NOBODY, "kratos-1", 600, itertools.count().__next__)

    assert not list(answers)


def test_a_kratos_that_serves_and_is_not_reached_is_not_to_be_waited_for_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a CI job that has the engine's socket, but a network of its own: 127.0.0.1 is another host there."""
    monkeypatch.setattr(reading, "state", lambda container: ("running", 0))
    said = ["time=x level=info msg=Starting the admin httpd on: 0.0.0.0:4434"]
    monkeypatch.setattr(reading, "logs", lambda container: "\n".join(said))
    monkeypatch.setattr(reading, "logs_since_start", lambda container, lines=20: "\n".join(said))

    def why_not() -> str:
        with pytest.raises(NotReady) as caught:
            readiness.wait("127.0.0.1", NOBODY, "app-1", 60, itertools.count().__next__)
        return str(caught.value)

    assert "longer" in why_not()
    said.append("time=x level=info msg=Starting the public httpd on: 0.0.0.0:4433")
    assert "nothing answers from here at 127.0.0.1:1" in why_not()
    assert "--network host" in why_not()
    assert "longer" not in why_not()

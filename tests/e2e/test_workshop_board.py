"""The board of a workshop: who may look at it, what it tells, and what it does to a seat."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.engine import reading, window
from kratosctl.engine.window import Docker
from tests.e2e import boards, engine, people
from tests.e2e.boards import Board
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

SEAT = {
    "seat", "attendee", "state", "release", "database", "identities", "error", "error_at", "address", "mail", "since",
    "lesson",
}  # fmt: skip


@pytest.fixture(scope="module")
def classroom(shared_directory: Directory) -> Directory:
    """A workshop of two seats that are ready."""
    boards.workshop(shared_directory, {"seat-01": "Ada Lovelace", "seat-02": ""})
    shared_directory.run("workshop", "up")
    return shared_directory


@pytest.fixture(scope="module")
def board(classroom: Directory) -> Iterator[Board]:
    with boards.served(classroom) as found:
        yield found


def kratos(directory: Directory, seat: str) -> str:
    """The container of a seat's Kratos."""
    return running.find(directory.path, seat).running("kratos").name


def test_scripts_read_every_seat_from_status(classroom: Directory) -> None:
    data = classroom.run("workshop", "status", "--json").data

    assert set(data) == {"workshop", "ends", "count", "seats"}
    assert data["workshop"] == "the class"
    assert data["count"] == {"broken": 0, "starting": 0, "stopped": 0, "absent": 0, "ready": 2}
    assert [set(seat) for seat in data["seats"]] == [SEAT, SEAT]
    ada, free = data["seats"]
    assert (ada["seat"], ada["attendee"], ada["state"], ada["identities"]) == ("seat-01", "Ada Lovelace", "ready", 0)
    assert people.request("GET", f"{ada['address']}/health/ready").status == 200
    assert free["attendee"] is None


def test_people_read_it_as_a_table_again_and_again_until_ctrl_c(classroom: Directory) -> None:
    watching = classroom.start("workshop", "status", "--watch")
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "the class: 2 of 2 seats ready\n"
    finally:
        watching.send_signal(signal.SIGINT)
        _, said = watching.communicate(timeout=20)
    assert watching.returncode == 130
    assert "error" not in said
    assert classroom.run("workshop", "status", "--watch", "--json", code=2).error["code"] == "usage-error"


def test_socket_and_docker_tell_the_same_of_the_containers(classroom: Directory) -> None:
    project = running.find(classroom.path, "seat-01").state.project
    through = window.opened(reading.engine()), Docker()
    assert not isinstance(through[0], Docker)

    found = [[one for one in view.containers() if one.project == project] for view in through]
    name = next(one.id for one in found[0] if one.service == "kratos")

    assert [(c.id, c.service, c.state, c.published) for c in found[0]] == [
        (c.id, c.service, c.state, c.published) for c in found[1]
    ]
    assert through[0].moments([name]) == through[1].moments([name])
    assert "level=" in through[0].logs(name, 1)
    assert [view.run(name, ["echo", "hello"]) for view in through] == ["hello\n", "hello\n"]


class TestWhoMayLook:
    @pytest.mark.parametrize("path", ["/", "/board.js", "/board.css", "/api/seats", "/api/seats/seat-01/log"])
    def test_nothing_is_shown_without_the_key(self, board: Board, path: str) -> None:
        for headers in ({}, {"Cookie": f"kratosctl-board-{board.port}=guessed"}):
            answer = people.request("GET", board.root + path, headers=headers)

            assert answer.status == 401
            assert "seat-01" not in answer.text

    def test_another_key_opens_nothing(self, board: Board) -> None:
        answer = people.request("GET", f"{board.root}/?key=guessed")

        assert answer.status == 401
        assert answer.headers["Set-Cookie"] is None

    def test_the_key_is_exchanged_for_a_cookie_that_no_script_reads(self, board: Board) -> None:
        cookie = str(people.request("GET", board.url).headers["Set-Cookie"])

        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
        assert board.url.partition("key=")[2] not in cookie

    def test_who_has_the_cookie_alone_is_not_told_what_changes_seats(self, board: Board) -> None:
        for path in ("/", "/board.js", "/enter.js", "/api/seats", "/?key=guessed"):
            answer = board.get(path)

            assert answer.status == 200
            assert board.token not in answer.text + str(answer.headers)

    def test_a_name_of_somebody_elses_that_leads_here_is_refused(self, board: Board) -> None:
        assert board.get("/api/seats", Host=f"evil.example:{board.port}").status == 421
        assert board.get("/api/seats", Host=f"localhost:{board.port}").status == 200

    def test_nobody_else_reaches_it(self, board: Board) -> None:
        with socket.socket() as knocking, pytest.raises(ConnectionRefusedError):
            knocking.connect(("127.0.0.2", board.port))

    @pytest.mark.parametrize(
        ("changed", "status"),
        [
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "http://127.0.0.1:1"}, 403),
            ({"Origin": ""}, 403),
            ({"X-Kratosctl-Token": ""}, 403),
            ({"X-Kratosctl-Token": "guessed"}, 403),
            ({"Cookie": ""}, 401),
            ({"Host": "evil.example"}, 421),
        ],
    )
    def test_a_page_of_somebody_elses_changes_nothing(self, board: Board, changed: dict[str, str], status: int) -> None:
        assert board.act("seat-01", "reset", **changed).status == status
        assert board.seat("seat-01")["act"] is None

    def test_no_answer_is_kept_framed_or_taken_for_another_kind(self, board: Board) -> None:
        for path in ("/", "/api/seats", "/board.js", "/nothing"):
            headers = board.get(path).headers
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]

    def test_a_seat_or_an_act_that_is_none_is_not_found(self, board: Board) -> None:
        assert board.act("seat-99", "reset").status == 404
        assert board.act("seat-01", "delete").status == 404
        assert board.get("/../board.py").status == 404
        assert board.get("/api/seats/seat-99/log").status == 404


def test_a_seat_that_is_killed_is_told_within_seconds_and_heals(classroom: Directory, board: Board) -> None:
    board.until("seat-02", state="ready")
    killed = time.monotonic()
    engine.docker("kill", kratos(classroom, "seat-02"))

    broken = board.until("seat-02", state="broken")

    assert time.monotonic() - killed < 10
    assert broken["error"] == "kratos was killed"
    assert board.seat("seat-01")["state"] == "ready"
    assert board.act("seat-02", "restart").status == 202
    assert board.done("seat-02")["error"] is None
    board.until("seat-02", state="ready", error="")


def test_a_seat_that_runs_is_restarted(classroom: Directory, board: Board) -> None:
    before = board.until("seat-01", state="ready")["since"]
    # it is told to the second
    time.sleep(1.1)

    assert board.act("seat-01", "restart").status == 202

    assert board.done("seat-01")["command"] == "kratosctl workshop restart seat-01"
    engine.until(lambda: str(board.seat("seat-01")["since"]) > before)
    board.until("seat-01", state="ready")


def test_reset_empties_a_seat_and_leaves_the_other_alone(board: Board) -> None:
    for seat in ("seat-01", "seat-02"):
        people.sign_up(str(board.until(seat, state="ready")["address"]), f"{seat}@example.org")
        board.until(seat, identities=1)

    assert board.act("seat-01", "reset").status == 202
    second = board.act("seat-01", "reset")

    assert (second.status, second.json()["error"]["code"]) == (409, "environment-busy")
    assert board.done("seat-01")["error"] is None
    assert board.until("seat-01", identities=0)["state"] == "ready"
    assert board.seat("seat-02")["identities"] == 1


def test_what_stands_in_the_way_of_an_act_is_told_at_the_seat(classroom: Directory, board: Board) -> None:
    override = classroom.path / "compose.override.yaml"
    engine.docker("kill", kratos(classroom, "seat-02"))
    board.until("seat-02", state="broken")
    try:
        override.write_text("services: [")
        board.act("seat-02", "restart")
        error = board.done("seat-02")["error"]
    finally:
        override.unlink()
    assert error["what"]
    assert error["fix"]
    board.act("seat-02", "restart")
    board.until("seat-02", state="ready")


def test_the_log_of_a_seat_is_shown(board: Board) -> None:
    lines = board.get("/api/seats/seat-01/log").json()["lines"]

    assert 0 < len(lines) <= 200
    assert any("level=info" in line for line in lines)


def test_who_knows_everything_waits_for_something_new(board: Board) -> None:
    board.until("seat-01", state="ready")
    known = str(board.get("/api/seats").headers["ETag"])

    assert board.get("/api/seats", **{"If-None-Match": known}).status == 304
    began = time.monotonic()
    board.act("seat-01", "restart")
    told = board.get("/api/seats", **{"If-None-Match": known, "Prefer": "wait=20"})

    assert (told.status, time.monotonic() - began < 10) == (200, True)
    board.done("seat-01")


def test_a_port_that_is_taken_is_named(classroom: Directory, board: Board) -> None:
    error = classroom.run("workshop", "board", "--no-open", "--port", str(board.port), "--json", code=21).error

    assert error["code"] == "port-taken"
    assert str(board.port) in error["what"]


def test_ctrl_c_and_a_kill_leave_the_seats_and_nothing_else(classroom: Directory) -> None:
    before = sorted(path for path in classroom.path.rglob("*") if "database" not in path.parts)
    for how, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        process = classroom.start("workshop", "board", "--no-open")
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert people.request("GET", url).status == 200
        process.send_signal(how)
        ended = time.monotonic()
        _, said = process.communicate(timeout=20)
        assert "error" not in said
        assert (process.returncode, time.monotonic() - ended < 5) == (code, True)
    assert sorted(path for path in classroom.path.rglob("*") if "database" not in path.parts) == before
    assert classroom.run("workshop", "status", "--json").data["count"]["ready"] == 2


def test_an_engine_that_goes_away_is_told_and_seen_again_when_it_is_back(classroom: Directory) -> None:
    with tempfile.TemporaryDirectory() as short:
        way = Path(short) / "docker.sock"
        way.symlink_to("/var/run/docker.sock")
        classroom.variables["DOCKER_HOST"] = f"unix://{way}"
        try:
            with boards.served(classroom) as board:
                engine.until(lambda: len(board.data()["seats"]) == 2)
                way.unlink()
                problem = engine.until(lambda: board.data()["problem"], 15)
                assert problem["code"] == "daemon-down"
                assert len(board.data()["seats"]) == 2
                way.symlink_to("/var/run/docker.sock")
                engine.until(lambda: board.data()["problem"] is None, 15)
        finally:
            del classroom.variables["DOCKER_HOST"]


def test_nobody_who_looks_costs_nothing(classroom: Directory) -> None:
    """Without a page that follows it, a board does not look at the seats."""
    process = classroom.start("workshop", "board", "--no-open", "--port", "0")
    try:
        assert process.stdout is not None
        process.stdout.readline()
        before = _spent(process)
        time.sleep(2.5)
        assert _spent(process) - before <= 0.05
    finally:
        process.kill()
        process.communicate()


def _spent(process: subprocess.Popen[str]) -> float:
    """Seconds of processor time."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

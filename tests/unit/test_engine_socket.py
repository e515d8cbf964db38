"""What the engine's own API says, read as docker's command reads it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.engine import window
from kratosctl.engine.socket import Socket, container, unframed
from kratosctl.errors import DaemonDown, EngineFailed, SocketForbidden

ROW = {
    "Id": "4736c13f",
    "Names": ["/class-seat-01-b529d5c6-kratos-1"],
    "Image": "oryd/kratos:v26.2.0",
    "Ports": [
        {"IP": "127.0.0.1", "PrivatePort": 4433, "PublicPort": 4533, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 4433, "PublicPort": 4533, "Type": "tcp"},
        {"PrivatePort": 4434, "Type": "tcp"},
        {"IP": "127.0.0.1", "PrivatePort": 53, "PublicPort": 53, "Type": "udp"},
    ],
    "Labels": {
        "com.docker.compose.project": "class-seat-01-b529d5c6",
        "com.docker.compose.service": "kratos",
        "com.docker.compose.oneoff": "False",
        "dev.kratosctl.environment": "seat-01",
        "dev.kratosctl.release": "v26.2.0",
    },
    "State": "running",
    "Status": "Up 2 minutes (unhealthy)",
}


def _head(request: BinaryIO) -> Iterator[bytes]:
    """The lines of a request before its body."""
    while (line := request.readline()).strip():
        yield line


def frame(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


class TestContainers:
    def test_one_is_read_from_the_engines_list(self) -> None:
        found = container(ROW)

        assert found is not None
        assert (found.name, found.service, found.project) == (
            "class-seat-01-b529d5c6-kratos-1",
            "kratos",
            "class-seat-01-b529d5c6",
        )
        assert (found.state, found.health, found.exit_code) == ("running", "unhealthy", None)
        assert found.published == {"127.0.0.1:4533": 4433, "[::]:4533": 4433}
        assert found.labels == {"environment": "seat-01", "release": "v26.2.0"}

    def test_one_that_ended_has_an_exit_code(self) -> None:
        found = container({**ROW, "State": "exited", "Status": "Exited (137) 3 seconds ago", "Ports": None})

        assert found is not None
        assert (found.exit_code, found.health, found.published) == (137, "", {})

    def test_one_of_compose_run_is_left_out(self) -> None:
        assert container({**ROW, "Labels": {**ROW["Labels"], "com.docker.compose.oneoff": "True"}}) is None  # type: ignore[dict-item]


class TestFrames:
    @given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=300)), min_size=1, max_size=8))
    def test_heads_go_and_the_text_of_both_streams_stays(self, said: list[tuple[int, bytes]]) -> None:
        assert unframed(b"".join(frame(*one) for one in said)) == b"".join(text for _, text in said)

    def test_one_that_was_cut_short_ends_where_it_was_cut(self) -> None:
        assert unframed(frame(1, b"whole\n") + frame(2, b"cut short")[:-6]) == b"whole\ncut"
        assert unframed(frame(1, b"whole\n") + b"\1\0\0\0\0") == b"whole\n"

    def test_the_plain_text_of_a_terminal_is_taken_as_it_is(self) -> None:
        assert unframed(b"time=2026 level=info") == b"time=2026 level=info"
        assert unframed(b"") == b""


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("local", "/var/run/docker.sock"),
        ("unix:///run/user/1000/docker.sock", "/run/user/1000/docker.sock"),
        ("npipe:////./pipe/docker_engine", ""),
        ("ssh://somebody@host", ""),
        ("tcp://10.0.0.1:2375", ""),
    ],
)
def test_the_socket_is_where_the_context_says(endpoint: str, path: str) -> None:
    assert window.socket_of(endpoint) == path


class TestFaults:
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Iterator[Any]:
        """Answers each connection with the next of what it is given."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        answers: list[bytes] = []

        def serve() -> None:
            while answers:
                with listener.accept()[0] as connection, connection.makefile("rb") as request:
                    # all of it: whoever is hung up on while they send learns of no answer
                    lengths = [0, *(int(line.split(b":")[1]) for line in _head(request) if b"ength:" in line)]
                    request.read(lengths[-1])
                    connection.sendall(answers.pop(0))

        def answer(*said: bytes) -> Socket:
            answers.extend(said)
            threading.Thread(target=serve, daemon=True).start()
            return Socket(str(tmp_path / "socket"), patience=2.0)

        yield answer
        listener.close()

    @staticmethod
    def said(status: str, body: object) -> bytes:
        text = json.dumps(body)
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()

    def test_a_container_that_is_gone_has_no_log_and_no_moments(self, engine: Any) -> None:
        gone = self.said("404 Not Found", {"message": "No such container: x"})
        asked = engine(gone, gone, gone)

        assert (asked.logs("x", 5), asked.moments(["x"]), asked.run("x", ["true"])) == ("", {}, "")

    def test_what_the_engine_says_of_an_error_is_told(self, engine: Any) -> None:
        asked = engine(self.said("500 Internal Server Error", {"message": "no space left on device"}))

        with pytest.raises(Exception, match="disk is full"):
            asked.containers()

    @pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n<p>"])
    def test_one_that_answers_nonsense_is_named(self, engine: Any, answer: bytes) -> None:
        asked = engine(answer)

        with pytest.raises((EngineFailed, DaemonDown)):
            asked.containers()

    def test_none_at_all_is_down(self, tmp_path: Path) -> None:
        with pytest.raises(DaemonDown):
            Socket(str(tmp_path / "none")).containers()

    def test_one_that_may_not_be_asked_says_so(self) -> None:
        fault = Socket("/s")._fault(PermissionError(13, "Permission denied"))

        assert isinstance(fault, SocketForbidden)

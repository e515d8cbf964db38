"""The engine's own API over its unix socket: what is asked every two seconds is not worth a process each time."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from kratosctl.engine import faults, reading
from kratosctl.engine.objects import Container
from kratosctl.errors import EngineFailed, KratosctlError
from kratosctl.stack.labels import LABEL

DEFAULT_PATH = "/var/run/docker.sock"
_COMPOSE = "com.docker.compose."
_HEAD = 8  # bytes before each frame of a log: stream, three zeros, length


class Socket:
    """An engine, asked through its socket. Threads may share one: each request has a connection of its own."""

    def __init__(self, path: str = DEFAULT_PATH, patience: float = 5.0) -> None:
        """
        Args:
            path: the socket's.
            patience: seconds an answer may take.
        """
        self._path, self._patience = path, patience

    def containers(self) -> tuple[Container, ...]:
        """Every container of a Compose project on this engine, whether it runs or not."""
        filters = json.dumps({"label": [_COMPOSE + "project"]})
        rows = self._json("GET", "/containers/json?" + urlencode({"all": "1", "filters": filters}))
        found = [container(row) for row in rows]
        return tuple(one for one in found if one is not None)

    def moments(self, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """When containers were started and when they ended; those that are gone are left out."""
        found = {}
        for one in ids:
            said = self._json("GET", f"/containers/{quote(one)}/json", absent={})
            if said:
                found[one] = (said["State"]["StartedAt"], said["State"]["FinishedAt"])
        return found

    def logs(self, container: str, lines: int, since: float = 0) -> str:
        """The last lines a container printed, both streams together; empty where it is gone.

        Args:
            container: its ID or name.
            lines: how many at most.
            since: only what was printed from that time on, in seconds since 1970.
        """
        wanted = {"stdout": "1", "stderr": "1", "tail": str(lines), "since": f"{since:.6f}"}
        status, body = self._ask("GET", f"/containers/{quote(container)}/logs?{urlencode(wanted)}")
        if status == 404:
            return ""
        self._refuse(status, body)
        return unframed(body).decode("utf-8", "replace")

    def run(self, container: str, words: Sequence[str]) -> str:
        """What a command prints inside a container; empty where it cannot be run there."""
        wanted = {"AttachStdout": True, "Cmd": list(words)}
        made = self._json("POST", f"/containers/{quote(container)}/exec", wanted, absent={})
        if not made:
            return ""
        status, body = self._ask("POST", f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False})
        return unframed(body).decode("utf-8", "replace") if status == 200 else ""

    def _json(self, method: str, path: str, sent: Mapping[str, Any] | None = None, absent: Any = None) -> Any:
        status, body = self._ask(method, path, sent)
        # 409: it does not run, or no longer
        if status in (404, 409) and absent is not None:
            return absent
        self._refuse(status, body)
        try:
            return json.loads(body)
        except ValueError as error:
            raise EngineFailed("the Docker engine does not answer as one does", str(error)[:200]) from None

    def _ask(self, method: str, path: str, sent: Mapping[str, Any] | None = None) -> tuple[int, bytes]:
        """One request. Raises DaemonDown, SocketForbidden, EngineFailed."""
        connection = _Connection(self._path, self._patience)
        try:
            body = None if sent is None else json.dumps(sent)
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except TimeoutError:
            raise faults.too_slow(self._patience) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._fault(error) from None
        finally:
            connection.close()

    def _fault(self, error: Exception) -> KratosctlError:
        why = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
        said = f"Cannot connect to the Docker daemon at {self._path}: dial unix {self._path}: {why}"
        return faults.from_output(said, "asking the engine")

    @staticmethod
    def _refuse(status: int, body: bytes) -> None:
        if status >= 400:
            try:
                said = str(json.loads(body)["message"])
            except (ValueError, KeyError, TypeError):
                said = f"HTTP status {status}"
            raise faults.from_output(said, "asking the engine")


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, patience: float) -> None:
        super().__init__("localhost", timeout=patience)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def container(row: Mapping[str, Any]) -> Container | None:
    """A container of the engine's list; None for one of `docker compose run`."""
    labels = row.get("Labels") or {}
    if labels.get(_COMPOSE + "oneoff") == "True":
        return None
    health, exit_code = reading.of_status(row["Status"])
    names = row.get("Names") or [row["Id"]]
    return Container(
        id=row["Id"],
        name=names[0].removeprefix("/"),
        service=labels.get(_COMPOSE + "service", ""),
        project=labels.get(_COMPOSE + "project", ""),
        state=row["State"],
        status=row["Status"],
        health=health,
        exit_code=exit_code,
        image=row["Image"],
        published=_published(row.get("Ports") or ()),
        labels={name.removeprefix(LABEL): value for name, value in labels.items() if name.startswith(LABEL) and value},
    )


def _published(ports: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    found = {}
    for port in ports:
        if port.get("PublicPort") and port.get("Type") == "tcp":
            address = str(port.get("IP") or "0.0.0.0")
            found[f"[{address}]:{port['PublicPort']}" if ":" in address else f"{address}:{port['PublicPort']}"] = int(
                port["PrivatePort"]
            )
    return found


def unframed(data: bytes) -> bytes:
    """A log without the heads of its frames; one that was cut short ends where it was cut.

    Args:
        data: frames of eight bytes of head each, or, of a container with a terminal, the plain text.
    """
    if not re.match(rb"[\0-\2]\0\0\0", data):
        return data
    parts, at = [], 0
    while at + _HEAD <= len(data):
        length = int.from_bytes(data[at + 4 : at + _HEAD], "big")
        parts.append(data[at + _HEAD : at + _HEAD + length])
        at += _HEAD + length
    return b"".join(parts)

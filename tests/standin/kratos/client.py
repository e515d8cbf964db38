"""The commands that talk to a running Kratos: `remote status`, `list identities` and their like."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Record = dict[str, Any]

_TIMEOUT = 10.0
_HEADINGS = ["ID", "VERIFIED ADDRESSES", "RECOVERY ADDRESSES", "SCHEMA ID", "SCHEMA URL"]


class Failed(Exception):
    """The command failed; the message is what it prints. `usage` is whether it also explains itself."""

    def __init__(self, message: str, *, usage: bool = False) -> None:
        super().__init__(message)
        self.usage = usage


class Client:
    def __init__(self, endpoint: str | None) -> None:
        endpoint = endpoint or os.environ.get("KRATOS_ADMIN_URL")
        if not endpoint:
            raise Failed("you have to set the remote endpoint, try --help for details", usage=True)
        self._endpoint = endpoint.rstrip("/")

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and decoded body; refused connections are tried again, ten seconds in all."""
        url = self._endpoint + path
        deadline, pause = time.monotonic() + _TIMEOUT, 1.0
        while True:
            _trace("DEBUG", f"{method} {url}")
            try:
                return self._once(method, url, body)
            except OSError as error:
                _trace("ERR", f"{method} {url} request failed: {error}")
                if time.monotonic() + pause > deadline:
                    time.sleep(max(0.0, deadline - time.monotonic()))
                    message = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
                    raise Failed(f'{method.capitalize()} "{url}": {message}', usage=True) from error
            time.sleep(pause)
            pause *= 2

    def _once(self, method: str, url: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        raw = answer.read()
        location = answer.getheader("Location")
        if answer.status == 307 and location:
            return self._once(method, f"{parts.scheme}://{parts.netloc}{location}", body)
        return answer.status, json.loads(raw) if raw else None


def remote_status(client: Client, form: str) -> None:
    state = {"alive": False, "ready": False}
    try:
        for name in state:
            status, body = client.call("GET", f"/health/{name}")
            if status != 200:
                raise Failed(f"{status} {http.client.responses[status]}", usage=True)
            state[name] = body["status"] == "ok"
    finally:
        _print(state, form, [[name.upper(), str(value).lower()] for name, value in state.items()])


def remote_version(client: Client, form: str) -> None:
    _, body = client.call("GET", "/version")
    _print(body, form, [["VERSION", body["version"]]])


def list_identities(client: Client, form: str) -> None:
    _, found = client.call("GET", "/admin/identities?page_size=100")
    _print_many(found, form, token=True)


def get_identities(client: Client, form: str, keys: list[str]) -> None:
    found, failures = [], []
    for key in keys:
        status, body = client.call("GET", f"/admin/identities/{key}")
        if status == 200:
            found.append(body)
        else:
            failures.append((key, body))
    if found:
        _print_some(found, form)
    _fail_with(failures)


def import_identities(client: Client, form: str, files: list[str]) -> None:
    created, failures = [], []
    for source, text in [(name, Path(name).read_text()) for name in files] or [("STD_IN", sys.stdin.read())]:
        content = json.loads(text)
        for index, item in enumerate(content if isinstance(content, list) else [content]):
            status, body = client.call("POST", "/admin/identities", item)
            if status == 201:
                created.append(body)
            else:
                failures.append((f"{source}[{index}]", body))
    _print_some(created, form)
    _fail_with(failures)


def delete_identities(client: Client, form: str, keys: list[str]) -> None:
    deleted, failures = [], []
    for key in keys:
        status, body = client.call("DELETE", f"/admin/identities/{key}")
        if status == 204:
            deleted.append(key)
        else:
            failures.append((key, body))
    if deleted:
        _print(deleted[0] if len(deleted) == 1 else deleted, form, [["ID", *deleted]])
    _fail_with(failures)


def _fail_with(failures: list[tuple[str, Record]]) -> None:
    for _, body in failures:
        for text in (body["error"]["message"], body["error"].get("reason")):
            if text:
                sys.stderr.write(text + "\n")
    if failures:
        raise Failed("\n".join(f"{name}: this error should never be printed" for name, _ in failures))


def _print_some(records: list[Record], form: str) -> None:
    if len(records) == 1:
        rows = [[heading, value] for heading, value in zip(_HEADINGS, _columns(records[0]), strict=True)]
        _print(records[0], form, rows)
    else:
        _print_many(records, form, token=False)


def _print_many(records: list[Record], form: str, *, token: bool) -> None:
    rows = [_HEADINGS, *map(_columns, records), [""], ["NEXT PAGE TOKEN", ""]]
    _print({"identities": records, "next_page_token": ""} if token else records, form, rows)


def _columns(record: Record) -> list[str]:
    addresses = (
        ", ".join(address["value"] for address in record.get(kind) or [])
        for kind in ("verifiable_addresses", "recovery_addresses")
    )
    return [record["id"], *addresses, record["schema_id"], record["schema_url"]]


def _print(value: Any, form: str, rows: list[list[str]]) -> None:
    if form == "json":
        print(json.dumps(value, sort_keys=True, separators=(",", ":")))
    elif form == "json-pretty":
        print(json.dumps(value, sort_keys=True, indent=2))
    elif form == "yaml":
        import yaml

        print(yaml.safe_dump(value), end="")
    else:
        for row in rows:
            print("\t".join(row) + "\t")


def _trace(level: str, text: str) -> None:
    sys.stderr.write(f"{datetime.now():%Y/%m/%d %H:%M:%S} [{level}] {text}\n")

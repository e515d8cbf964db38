"""What Kratos says when it fails, of four releases, word for word in kratos_said/: told in one to three lines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.engine import reading
from kratosctl.engine.objects import Container
from kratosctl.errors import (
    DatabasePasswordWrong,
    DatabaseUnreachable,
    KratosctlError,
    KratosRefusedConfiguration,
    ServiceFailed,
)
from kratosctl.kratos import log_lines
from kratosctl.stages import taken


def read(path: Path) -> dict[str, str]:
    """The sections of a file: what was wrong, and all that Kratos printed."""
    parts = re.split(r"^### (.*)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


SAID = {path.stem: read(path) for path in sorted((Path(__file__).parent / "kratos_said").glob("*.txt"))}
# what is wrong -> (the error, what Kratos found)
REFUSED = {
    "wrong type": r"selfservice\.flows\.login\.lifespan: expected string, but got number",
    "unknown key": r'selfservice: additionalProperties "defualt_thing" not allowed',
    "missing schema file": r"^open /etc/config/kratos/identity\.schema\.json: no such file or directory$",
    "schema is no JSON": r"^unexpected EOF$",
    "schema is no schema": r'type: value must be one of "array", "boolean", "integer", "null", "number", "object"',
    "short secret": r"^secrets\.cookie\.0: length must be >= 16, but got 12$",
    "short cipher": r"^secrets\.cipher\.0: length must be >= 32, but got 31$",
    "malformed YAML": r"^yaml: line 39: did not find expected node content$",
    "missing key": r"^selfservice\.default_browser_return_url: one or more required properties are missing$",
    "unknown value": r'^log\.level: value must be one of "trace", "debug", "info"',
    "no DSN": r"^dsn must be set$",
    "removed key": r'^courier: additionalProperties "sms" not allowed$',
    "missing courier": r"^courier\.smtp\.connection_uri: one or more required properties are missing$",
}
DATABASE = {
    "wrong password": ("the database refuses Kratos' password", "password authentication failed for user"),
    "wrong password in migrate": ("the database refuses Kratos' password", "password authentication failed for user"),
    "unknown database": ("the database does not exist", 'database "nodb" does not exist'),
    "unreachable": ("the database did not answer", "connection refused"),
    "unknown host": ("the database did not answer", "hostname resolving error"),
    "unreachable MySQL": ("the database did not answer", "connection refused"),
    "unreachable CockroachDB": ("the database did not answer", "connection refused"),
    "no directory for SQLite": ("Kratos cannot open its SQLite database", "unable to open database file"),
    "SQLite in distroless": ("this Kratos image cannot use SQLite", "sqlite3 support was not compiled"),
    "malformed DSN": ("DSN is not a valid address", "invalid URL escape"),
}
PIECES = (
    "The configuration contains values or keys which are invalid:",
    "^-- reason",
    "a: b",
    "",
    "{",
    "{}",
    '{"a":',
    "level=error msg=Unable to instantiate configuration. error=map[message:x] service_name=y",
    "error=map[message:",
    "Unable to ping database",
    "(root)",
    '{"error": {"message": 5}}',
    '{"error": [], "msg": null}',
)
CASES = [(release, case) for release, said in SAID.items() for case in said]


def explained(release: str, case: str) -> KratosctlError:
    return log_lines.explain(SAID[release][case])


def test_four_releases_are_listened_to() -> None:
    assert set(SAID) == {"v1.1.0", "v1.3.1", "v25.4.0", "v26.2.0"}
    assert {case for _, case in CASES} == {*REFUSED, *DATABASE, "no tables"}


@pytest.mark.parametrize(("release", "case"), [c for c in CASES if c[1] in REFUSED])
def test_a_configuration_kratos_refuses_is_told_by_its_key(release: str, case: str) -> None:
    error = explained(release, case)
    assert isinstance(error, KratosRefusedConfiguration)
    assert re.search(REFUSED[case], error.why)
    # people know their files by another directory than Kratos does
    assert ("/etc/config/kratos" in error.fix) == ("file" in case)


@pytest.mark.parametrize(("release", "case"), [c for c in CASES if c[1] in DATABASE])
def test_a_database_that_cannot_be_used_is_told_by_what_is_wrong_with_it(release: str, case: str) -> None:
    error = explained(release, case)
    what, why = DATABASE[case]
    assert isinstance(error, DatabasePasswordWrong if "password" in case else DatabaseUnreachable)
    assert error.what == what
    assert why in error.why


@pytest.mark.parametrize(("release", "case"), CASES)
def test_it_is_three_short_lines_without_what_nobody_needs(release: str, case: str) -> None:
    lines = explained(release, case).lines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= 320
    for noise in ("time=", "level=", "audience=", "service_name=", "I[#", "anyOf failed", "Usage:", "map["):
        assert noise not in "\n".join(lines)


@pytest.mark.parametrize("release", SAID)
def test_no_value_of_the_configuration_and_no_password_is_repeated(release: str) -> None:
    for case in SAID[release]:
        lines = "\n".join(explained(release, case).lines())
        assert "short-secret" not in lines
        assert "ri%zz" not in lines


@pytest.mark.parametrize("release", SAID)
def test_missing_tables_are_no_silent_database(release: str) -> None:
    error = explained(release, "no tables")
    assert isinstance(error, ServiceFailed)
    assert error.why == "Unable to locate the table"


@pytest.mark.parametrize(("release", "case"), CASES)
def test_only_lines_of_the_database_count_as_its_fault(release: str, case: str) -> None:
    lines = SAID[release][case].splitlines()
    faults = [line for line in lines if log_lines.is_database_fault(line)]
    assert bool(faults) == (case in DATABASE)
    assert all(log_lines.is_wrong_password(line) == ("password" in case) for line in faults)


class TestSeveralStarts:
    """Docker keeps the log of a container over its restarts."""

    def after(self, *cases: str) -> KratosctlError:
        return log_lines.explain("".join(SAID["v26.2.0"][case] for case in cases))

    def test_the_last_start_counts(self) -> None:
        assert isinstance(self.after("wrong type", "unreachable"), DatabaseUnreachable)
        assert isinstance(self.after("unreachable", "wrong type"), KratosRefusedConfiguration)
        assert self.after("short secret", "missing key").why.startswith("selfservice.default_browser_return_url: ")
        assert self.after("short secret", "malformed YAML").why == "yaml: line 39: did not find expected node content"

    def test_one_reason_is_told_once(self) -> None:
        assert self.after("short secret", "short secret").why == "secrets.cookie.0: length must be >= 16, but got 12"


class TestOtherLines:
    def test_a_mail_server_that_refuses_connections_is_no_database(self) -> None:
        line = (
            "time=2026-01-01T00:00:00Z level=error msg=Unable to send email using SMTP connection. audience=application"
            " error=map[message:dial tcp 127.0.0.1:1025: connect: connection refused] service_name=Ory Kratos"
        )
        assert not log_lines.is_database_fault(line)
        assert log_lines.message(line) == "dial tcp 127.0.0.1:1025: connect: connection refused"

    def test_an_error_at_run_time_is_no_refused_configuration(self) -> None:
        line = "time=2026-01-01T00:00:00Z level=error msg=The identity schema could not be read. audience=application"
        error = log_lines.explain(line)
        assert isinstance(error, ServiceFailed)
        assert error.why == "The identity schema could not be read."

    def test_json_lines_say_the_same(self) -> None:
        said = {"level": "warning", "msg": "Unable to ping database, retrying.", "error": {"message": "a:\n\tb"}}
        error = log_lines.explain(json.dumps(said))
        assert isinstance(error, DatabaseUnreachable)
        assert error.why == "a: b"
        assert log_lines.message('{"msg": "hello"}') == "hello"

    def test_an_address_in_brackets_does_not_end_the_message(self) -> None:
        line = "x error=map[message:failed: [::1]:5432 (db): dial error: refused] service_name=Ory Kratos"
        assert log_lines.message(line) == "failed: [::1]:5432 (db): dial error: refused"

    def test_a_secret_over_several_lines_is_not_taken_for_a_key(self) -> None:
        said = (
            "The configuration contains values or keys which are invalid:\n"
            "secrets.default.0: first-line\nhunter2\n  ^-- length must be >= 16, but got 10\n"
        )
        assert log_lines.refused_configuration(said) == "secrets.default.0: length must be >= 16, but got 10"

    @pytest.mark.parametrize("password", ["hunter2", "hun@ter2", "hun:ter2/x", "hun%40ter2"])
    def test_a_password_in_an_address_is_hidden(self, password: str) -> None:
        said = log_lines.message(f'parse "postgres://ada:{password}@db:5432/shop": invalid port')
        assert said == 'parse "postgres://ada:***@db:5432/shop": invalid port'

    def test_a_long_wait_is_told(self) -> None:
        line = SAID["v26.2.0"]["unreachable"].splitlines()[-1]
        assert log_lines.database_error(line, 30).what == "the database did not answer within 30 s"

    def test_nothing_printed_is_said(self) -> None:
        assert log_lines.explain("").lines()[:2] == ["Kratos did not stay up", "it printed nothing"]
        assert log_lines.refused_configuration("all is well\n") == ""

    def test_the_last_telling_line_is_told_not_the_last(self) -> None:
        lines = ["time=x level=error msg=disk is gone audience=application", "time=x level=info msg=bye"]
        assert log_lines.last_telling(lines) == "disk is gone"
        assert log_lines.last_telling(["one", "two", ""]) == "two"

    @given(st.text() | st.lists(st.sampled_from(PIECES), max_size=12).map("\n".join))
    def test_any_log_is_explained(self, logs: str) -> None:
        lines = log_lines.explain(logs).lines()
        assert 1 <= len(lines) <= 3
        assert max(map(len, lines)) <= 320


_HEAD = "The configuration contains values or keys which are invalid:\n"
_WRONG = _HEAD + "session.lifespan: hunter2\n                  ^-- expected string, but got number\n\n"
_WHY = "session.lifespan: expected string, but got number"
_SEEN = "time=2026-11-24T06:13:58Z level=info msg=A change to a configuration file was detected. file=/x\n"
_REJECTED = (
    "time=2026-11-24T06:13:58Z level=error msg=The changed configuration is invalid and could not be loaded. Rolling"
    " back to the last working configuration revision. Please address the validation errors before restarting the"
    " process. audience=application event=&jsonschema.ValidationError{} service_name=Ory Kratos\n"
)
_TAKEN = "time=2026-11-24T06:13:59Z level=info msg=Configuration change processed successfully. file=/x\n"
_YAML = (
    "time=2026-11-24T06:13:58Z level=error msg=An error occurred while watching config file. audience=application"
    " error=map[message:yaml: line 3: mapping values are not allowed] file=/x\n"
)
_TWICE = (
    "time=2026-11-24T06:13:58Z level=error msg={} audience=application error=map[message:yaml: unmarshal errors:\n"
    '  line 71: mapping key "courier" already defined at line 63\n'
    '  line 73: mapping key "courier" already defined at line 63] service_name=Ory Kratos service_version=v26.2.0\n'
)
_WHY_TWICE = 'yaml: unmarshal errors: line 71: mapping key "courier" already defined at line 63'
_IMMUTABLE = (
    "time=2026-11-24T06:13:58Z level=error msg=A configuration value marked as immutable has changed. Rolling back to"
    " the last working configuration revision. audience=application error=map[message:hunter2] key=serve.port\n"
)


@pytest.mark.parametrize(
    ("logs", "why"),
    [
        ("", ""),
        ("time=2026-11-24T06:13:58Z level=info msg=started\n", ""),
        (_WRONG + _SEEN + _REJECTED, _WHY),
        (_SEEN + _WRONG + _REJECTED + "time=2026 level=info msg=served\n", _WHY),
        (_WRONG + _SEEN + _REJECTED + _SEEN + _TAKEN, ""),
        (_SEEN + _TAKEN + _WRONG + _SEEN + _REJECTED, _WHY),
        (_WRONG + _SEEN + _REJECTED + _SEEN + _YAML, "yaml: line 3: mapping values are not allowed"),
        (_SEEN + _TWICE.format("An error occurred while watching config file."), _WHY_TWICE),
        (_SEEN + _IMMUTABLE, "serve.port cannot change while it runs: kratosctl restart {env} kratos takes it in"),
    ],
    ids=[
        "nothing",
        "no edit",
        "wrong",
        "wrong, another order",
        "mended",
        "right, then wrong",
        "no YAML",
        "a key twice",
        "immutable",
    ],
)
def test_an_edit_that_a_running_kratos_did_not_take(logs: str, why: str) -> None:
    assert log_lines.rejected_change(logs) == why


def test_a_key_that_is_there_twice_is_named() -> None:
    said = _TWICE.format("Unable to instantiate configuration.") + "Error: yaml: unmarshal errors:\n"
    assert log_lines.explain(said).why == _WHY_TWICE


def test_an_edit_that_waits_for_a_restart_is_told_with_the_command_for_this_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kratos").mkdir()
    (tmp_path / "kratos" / "kratos.yml").write_text("serve: {public: {port: 1}}")
    kratos = Container(
        "1", "x-kratos-1", "kratos", "x", "running", "Up 2 hours", "", None, "i", labels={"environment": "two"}
    )
    monkeypatch.setattr(reading, "logs_since", lambda *_: _SEEN + _IMMUTABLE)
    why = taken.rejected(tmp_path, "kratos", None, kratos)
    assert why == "serve.port cannot change while it runs: kratosctl restart two kratos takes it in"

"""What is printed, and where: results on standard output, all else on standard error, one JSON envelope for scripts."""

from __future__ import annotations

from typing import Any

import pytest

from kratosctl import __version__
from tests.e2e import engine, images
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

STEP = {"do": str, "subject": str, "reason": str}
UP = {
    "environment": str,
    "project": str,
    "release": str,
    "variant": str,
    "database": str,
    "endpoints": {"ui": str, "public": str, "mail": str},
    "mail_login": None,
    "changed": bool,
    "steps": [STEP],
}
DRY_RUN = {"environment": str, "changes": bool, "steps": [STEP], "notes": [str], "diff": str}
SERVICE = {
    "service": str,
    "state": str,
    "health": (str, None),
    "exit_code": (int, None),
    "image": str,
    "ports": {},
    "container": str,
}
STATUS = {
    "environment": str,
    "directory": str,
    "project": str,
    "state": str,
    "release": str,
    "variant": str,
    "database": str,
    "migrated_by": str,
    "endpoints": {"ui": str, "public": str, "mail": str},
    "lesson": None,
    "mail_login": None,
    "services": [SERVICE],
}
LISTED = {
    "environment": str,
    "directory": str,
    "directory_gone": bool,
    "project": str,
    "release": str,
    "database": str,
    "public": (int, None),
    "volume": bool,
    "ephemeral": None,
    "services": {},
    "state": str,
}
DOWN = {"environment": str, "project": str, "removed": {"containers": int, "data": bool}}
ERROR = {"code": str, "exit_code": int, "what": str, "why": str, "fix": str}


@pytest.fixture(scope="module")
def directory_up(shared_directory: Directory) -> Directory:
    """A directory with a running environment, UI and mail included."""
    shared_directory.up(pages=True)
    return shared_directory


def test_scripts_read_one_envelope_from_up(directory_up: Directory) -> None:
    assert _data(directory_up, "up", "--yes", "--json") == _Like(UP)


def test_scripts_read_one_envelope_from_a_dry_run(directory_up: Directory) -> None:
    assert _data(directory_up, "up", "--yes", "--json", "--dry-run", command="up") == _Like(DRY_RUN)


def test_scripts_read_one_envelope_from_status(directory_up: Directory) -> None:
    data = _data(directory_up, "status", "--json")

    assert data == _Like(STATUS)
    assert data["state"] == "ready"
    assert {"kratos", "mail", "ui"} <= {service["service"] for service in data["services"]}


def test_scripts_read_one_envelope_from_list(directory_up: Directory) -> None:
    data = _data(directory_up, "list", "--json")

    assert set(data) == {"environments"}
    (ours,) = [row for row in data["environments"] if row["directory"] == str(directory_up.path)]
    assert ours == _Like(LISTED)
    assert ours["state"] == "running"


def test_scripts_read_one_envelope_from_down(directory: Directory) -> None:
    directory.up()

    data = _data(directory, "down", "--json")

    assert data == _Like(DOWN)
    assert data["removed"]["data"] is False


def test_scripts_read_the_same_envelope_from_an_error(directory: Directory) -> None:
    done = directory.run("up", "--release", "v0.1", "--yes", "--json", code=30)

    assert done.envelope == {
        "envelope": 1,
        "kratosctl": __version__,
        "command": "up",
        "ok": False,
        "data": {},
        "warnings": [],
        "error": _Like(ERROR),
    }
    assert done.error["code"] == "configuration-invalid"
    assert done.error["exit_code"] == done.code
    assert done.err == ""


def test_a_wrong_flag_is_an_envelope_too(directory: Directory) -> None:
    done = directory.run("up", "--json", "--relase", "v26.2.0", code=2)

    assert done.error["code"] == "usage-error"
    assert "--release" in done.error["what"]


def test_results_go_to_standard_output_and_steps_to_standard_error(directory: Directory) -> None:
    directory.choose()

    done = directory.run("up", "--yes", "--no-ui", "--no-mail")

    assert done.out.splitlines()[0] == f"dev is ready: Kratos {images.NEWEST} on sqlite"
    assert "http://localhost:" in done.out
    assert "start Kratos" in done.err
    assert "start Kratos" not in done.out
    assert "\x1b" not in done.out + done.err


def test_quiet_prints_the_result_and_nothing_else(directory: Directory) -> None:
    directory.choose()

    done = directory.run("up", "--yes", "--no-ui", "--no-mail", "--quiet")

    assert done.out.splitlines()[0] == f"dev is ready: Kratos {images.NEWEST} on sqlite"
    assert done.err == ""
    assert directory.run("down", "--quiet").err == ""


def test_a_dry_run_prints_plan_and_difference_and_changes_nothing(directory: Directory) -> None:
    directory.choose()
    first = directory.run("up", "--yes", "--dry-run", "--no-mail")

    assert "create   kratos " in first.out
    assert "migrate  kratos-migrate" in first.out
    assert "+++ then/compose.yaml" in first.out
    assert "+++ then/secrets" not in first.out
    assert list(directory.path.iterdir()) == []
    assert engine.of_directory(directory.path) == {}


def test_a_dry_run_of_a_change_shows_what_would_be_made_anew(directory: Directory) -> None:
    told = directory.up()
    before = engine.containers(told["project"])

    would = directory.run("up", "--mail", "--yes", "--dry-run", "--json").data

    steps = {step["subject"]: step["do"] for step in would["steps"]}
    assert steps["mail"] == "create"
    assert steps["kratos"] == "replace"
    assert "+  mail:" in would["diff"].splitlines()
    assert engine.containers(told["project"]) == before
    assert "mail:" not in (directory.home() / "compose.yaml").read_text().replace("smtp://", "")


def _data(directory: Directory, *words: str, command: str = "") -> dict[str, Any]:
    done = directory.run(*words)
    envelope = done.envelope
    data = dict(envelope.pop("data"))
    assert envelope == {
        "envelope": 1,
        "kratosctl": __version__,
        "command": command or words[0],
        "ok": True,
        "warnings": [],
        "error": None,
    }
    return data


class _Like:
    """Equal to JSON data of this shape: the same keys, and values of these types."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape

    def __eq__(self, other: object) -> bool:
        return self._fits(self.shape, other)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"like {self.shape}"

    def _fits(self, shape: Any, value: Any) -> bool:
        if isinstance(shape, dict):
            # an empty shape takes any keys
            same = isinstance(value, dict) and (not shape or shape.keys() == value.keys())
            return same and all(self._fits(below, value[key]) for key, below in shape.items())
        if isinstance(shape, list):
            return isinstance(value, list) and all(self._fits(shape[0], item) for item in value)
        if isinstance(shape, tuple):
            return any(self._fits(one, value) for one in shape)
        return value is None if shape is None else type(value) is shape

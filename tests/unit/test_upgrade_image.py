"""Which image has another release, where people run one of their own, and what is written down of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kratosctl.answers import configuration_file, workshop_file
from kratosctl.answers.workshop_file import Workshop
from kratosctl.environment import from_answers
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.running import Found
from kratosctl.snapshots.subject import Subject, image_of, save_release


@pytest.mark.parametrize(
    ("image", "then"),
    [
        ("oryd/kratos:v1.3.1", "oryd/kratos:v26.2.0"),
        ("oryd/kratos:v1.3.1-distroless", "oryd/kratos:v26.2.0-distroless"),
        ("registry.local:5000/kratos:v1.3.1-ours", "registry.local:5000/kratos:v26.2.0-ours"),
        # nothing says what these are
        ("registry.local/kratos:prod", None),
        ("registry.local/kratos:v1.3", None),
        ("registry.local/kratos:v1.3.10", None),
        (f"oryd/kratos@sha256:{'a' * 64}", None),
    ],
)
def test_the_tag_names_the_release_or_nothing_is_guessed(image: str, then: str | None) -> None:
    environment = from_answers("dev", {"release": "v1.3.1", "kratos_image": image, "database": "postgres"})
    assert image_of(environment, "v26.2.0") == then


def classroom(mail: bool) -> Workshop:
    return Workshop("class", {"release": "v1.1.0", "mail": mail}, {"seat-01": "", "seat-02": ""})


def test_of_a_seat_only_its_release_is_written_down_and_the_class_still_decides_the_rest(tmp_path: Path) -> None:
    workshop_file.write(tmp_path, classroom(mail=True))
    seat = from_answers("seat-01", configuration_file.load(tmp_path)["seat-01"])

    save_release(Subject(Found(Workspace(tmp_path, "seat-01"), State(), ()), seat), "v26.2.0")
    workshop_file.write(tmp_path, classroom(mail=False))

    found = configuration_file.load(tmp_path)
    assert (found["seat-01"]["release"], found["seat-01"]["mail"]) == ("v26.2.0", False)
    assert found["seat-02"]["release"] == "v1.1.0"

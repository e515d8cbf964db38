"""The secrets: kept and used; that nobody else sees them is in test_safe.py."""

from __future__ import annotations

import pytest
import yaml

from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

GIVEN = "given-by-the-user-0123456789"


def test_a_secret_of_the_environment_is_used_kept_and_put_before_the_old_ones(directory: Directory) -> None:
    directory.up()
    (old,) = _kratos(directory)["default"]

    again = directory.run("up", "--json", variables={"SECRETS_DEFAULT": GIVEN})

    assert _kratos(directory)["default"] == [GIVEN, old]
    assert again.data["changed"] is True
    assert GIVEN not in again.out + again.err
    assert directory.run("up", "--json").data["changed"] is False
    assert _kratos(directory)["default"] == [GIVEN, old]


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("SECRETS_DEFAULT", "tooshort-1234", "16 characters or more"),
        ("SECRETS_COOKIE", "tooshort-1234", "16 characters or more"),
        ("SECRETS_CIPHER", "not-of-exactly-thirty-two-bytes-1", "exactly 32 characters"),
    ],
)
def test_a_secret_of_the_wrong_length_is_refused_with_the_rule_and_not_shown(
    directory: Directory, variable: str, value: str, rule: str
) -> None:
    refused = directory.run("up", "--yes", "--no-ui", "--no-mail", code=36, variables={variable: value})

    assert variable in refused.said
    assert rule in refused.said
    assert value not in refused.out + refused.err
    assert not (directory.home() / "secrets").exists()


def test_a_damaged_secrets_file_is_never_replaced(directory: Directory) -> None:
    directory.up()
    file = directory.home() / "secrets/kratos.yml"
    file.write_text(damaged := file.read_text().replace("secrets:", '"secrets:'))

    refused = directory.run("up", code=30)

    assert "secrets/kratos.yml" in refused.said
    assert "backup" in refused.said
    assert file.read_text() == damaged


def _kratos(directory: Directory) -> dict[str, list[str]]:
    data = yaml.safe_load((directory.home() / "secrets/kratos.yml").read_text())
    return dict(data["secrets"])

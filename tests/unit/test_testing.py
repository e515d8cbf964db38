"""`kratosctl.testing`, as far as no Kratos is needed to tell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from kratosctl.kratos.api import Answer
from kratosctl.testing import Kratos


def kratos(**parts: Any) -> Kratos:
    made = Kratos.__new__(Kratos)
    for name, part in parts.items():
        setattr(made, name, part)
    return made


def test_mail_that_is_being_sent_is_waited_for_where_there_is_a_seed_too() -> None:
    happened: list[str] = []
    emptied = iter([False, False, True])

    def empty(unless_sending: bool) -> bool:
        happened.append("looked")
        return next(emptied)

    k = kratos(_seeded="seeded", _opened=SimpleNamespace(empty=empty), restore=happened.append)

    k.reset()

    assert happened == ["looked", "looked", "looked", "seeded"]


def test_an_address_is_kept_where_there_are_other_traits() -> None:
    sent: list[dict[str, Any]] = []

    def create(body: dict[str, Any]) -> Answer:
        sent.append(body["traits"])
        return Answer(201, {"id": "1"})

    k = kratos(_admin=SimpleNamespace(create=create))

    ada = k.create_identity("ada@example.org", traits={"name": "Ada"})
    bob = k.create_identity(traits={"email": "bob@example.org"})
    robot = k.create_identity(traits={"name": "robot"})

    assert sent == [{"email": "ada@example.org", "name": "Ada"}, {"email": "bob@example.org"}, {"name": "robot"}]
    assert [one.email for one in (ada, bob, robot)] == ["ada@example.org", "bob@example.org", ""]


def test_somebody_has_the_schema_that_kratos_gives_by_default() -> None:
    sent: list[dict[str, Any]] = []

    def create(body: dict[str, Any]) -> Answer:
        sent.append(body)
        return Answer(201, {"id": "1"})

    k = kratos(_admin=SimpleNamespace(create=create))

    k.create_identity("ada@example.org")
    k.create_identity("bob@example.org", schema_id="robot")

    assert [body.get("schema_id") for body in sent] == [None, "robot"]

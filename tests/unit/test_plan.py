"""What `up` does and why: from what is there and what should be, without an engine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.engine.objects import Container
from kratosctl.stages import plan
from kratosctl.stages.plan import Observed, Plan

SERVICES = ("postgres", "mail", "kratos", "ui")
REVISIONS = {name: f"rev-{name}" for name in (*SERVICES, "kratos-migrate")}


def container(service: str, **changes: Any) -> Container:
    values: dict[str, Any] = {
        "id": service, "name": f"x-{service}-1", "service": service, "project": "x", "state": "running",
        "status": "Up", "health": "healthy", "exit_code": None, "image": "x",
        "labels": {"revision": REVISIONS.get(service, "rev")},
    }  # fmt: skip
    return Container(**(values | changes))


def make(
    *containers: Container,
    services: tuple[str, ...] = SERVICES,
    migrates: bool = True,
    beside: tuple[str, ...] = (),
    **observed: Any,
) -> Plan:
    seen = Observed(containers=containers, **({"database_exists": True, "migrated": True} | observed))
    revisions = {name: REVISIONS[name] for name in (*services, *(["kratos-migrate"] if migrates else []))}
    return plan.make(services, revisions, migrates, seen, beside=beside)


def said(found: Plan) -> list[str]:
    return [f"{step.kind} {step.subject}" for step in found.steps if step.kind != "keep"]


ALL = tuple(container(name) for name in SERVICES)


def test_where_everything_runs_there_is_nothing_to_do() -> None:
    found = make(*ALL)
    assert not found.changes
    assert [(step.kind, step.subject) for step in found.steps] == [("keep", name) for name in SERVICES]


def test_a_new_environment_is_pulled_written_created_and_migrated_in_this_order() -> None:
    found = make(
        missing_images=["oryd/kratos:v1"], changed_files=["compose.yaml"], database_exists=False, migrated=False
    )
    assert said(found) == [
        "pull oryd/kratos:v1",
        "write compose.yaml",
        "create postgres",
        "create mail",
        "migrate kratos-migrate",
        "create kratos",
        "create ui",
    ]
    assert found.subjects("migrate", "pull") == ["oryd/kratos:v1", "kratos-migrate"]


def test_migrations_run_after_the_database_and_before_kratos() -> None:
    subjects = [step.subject for step in make(migrated=False).steps]
    assert subjects.index("postgres") < subjects.index("kratos-migrate") < subjects.index("kratos")


def test_a_memory_database_is_never_migrated() -> None:
    assert "kratos-migrate" not in [s.subject for s in make(services=("kratos",), migrates=False, migrated=False).steps]


def test_a_database_that_has_the_migrations_is_not_migrated_again() -> None:
    found = make(database_exists=True, migrated=True)
    assert found.subjects("migrate") == []
    assert "kratos-migrate" in found.subjects("keep")


@pytest.mark.parametrize(("exists", "why"), [(True, "other migrations"), (False, "new database")])
def test_a_migration_says_why(exists: bool, why: str) -> None:
    (step,) = [step for step in make(database_exists=exists, migrated=False).steps if step.kind == "migrate"]
    assert why in step.reason


def test_a_kratos_that_runs_does_not_go_on_with_a_database_that_is_gone() -> None:
    """It would serve from the file that was removed, and snapshots would be of the new one."""
    assert said(make(*ALL, database_exists=False, migrated=False)) == ["migrate kratos-migrate", "restart kratos"]


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"labels": {"revision": "other", "database": "memory"}}, True),
        # to memory: the data of before stays
        ({"labels": {"revision": "other", "database": "sqlite"}}, False),
        ({"health": "unhealthy"}, True),
        ({}, False),
        # they are gone already
        ({"state": "exited", "exit_code": 0}, False),
    ],
)
def test_whoever_is_in_a_memory_database_is_not_lost_without_a_word(changes: dict[str, Any], lost: bool) -> None:
    """Any edit of compose.override.yaml makes Kratos anew."""
    memory = {"labels": {"revision": REVISIONS["kratos"], "database": "memory"}}
    kratos = container("kratos", **(memory | changes))
    found = make(kratos, services=("kratos",), migrates=False, migrated=False, database_exists=False)
    assert bool(found.notes) is lost


def test_a_database_that_lacks_migrations_is_migrated_also_under_a_running_kratos() -> None:
    assert said(make(*ALL, migrated=False)) == ["migrate kratos-migrate"]


@pytest.mark.parametrize(
    ("changes", "step", "reason"),
    [
        ({"labels": {"revision": "other"}}, "replace", "its settings changed"),
        ({"labels": {}}, "replace", "its settings changed"),
        ({"state": "exited", "exit_code": 137}, "start", "exited, exit code 137"),
        ({"state": "exited", "exit_code": 0}, "start", "exited"),
        ({"state": "created"}, "start", "created"),
        ({"state": "paused"}, "restart", "paused"),
        ({"health": "unhealthy"}, "restart", "unhealthy"),
        ({"health": "starting"}, "keep", "runs and is up to date"),
        ({"health": ""}, "keep", "runs and is up to date"),
    ],
)
def test_a_container_is_touched_only_where_it_has_to_be(changes: dict[str, Any], step: str, reason: str) -> None:
    found = make(*(container(name, **(changes if name == "mail" else {})) for name in SERVICES))
    (mail,) = [s for s in found.steps if s.subject == "mail"]
    assert (mail.kind, mail.reason) == (step, reason)
    assert said(found) == ([] if step == "keep" else [f"{step} mail"])


def test_a_service_that_is_off_now_is_removed() -> None:
    assert said(make(*ALL, services=("postgres", "kratos", "ui"))) == ["remove mail"]


def test_a_service_of_the_users_own_compose_file_is_left_alone() -> None:
    assert not make(*ALL, container("redis", labels={})).changes


@pytest.mark.parametrize(
    ("there", "step"),
    [
        ([], ["create redis"]),
        ([{"state": "running"}], []),
        ([{"state": "exited", "exit_code": 1}], ["start redis"]),
        # it came to the end that it was made for
        ([{"state": "exited", "exit_code": 0}], []),
    ],
)
def test_a_service_that_the_users_own_compose_file_adds_is_brought_up_last(
    there: list[dict[str, Any]], step: list[str]
) -> None:
    own = [container("redis", labels={}, **changes) for changes in there]
    assert said(make(*ALL, *own, beside=("redis",))) == step
    assert said(make(*own, beside=("redis",)))[len(SERVICES) :] == step


def test_the_container_of_a_finished_migration_is_left_alone() -> None:
    assert not make(*ALL, container("kratos-migrate", state="exited", exit_code=0)).changes


def test_a_changed_file_alone_is_written_and_nothing_restarted() -> None:
    assert said(make(*ALL, changed_files=["kratos/kratos.yml"])) == ["write kratos/kratos.yml"]


def test_steps_are_printed_in_columns() -> None:
    lines = [str(step) for step in make().steps]
    assert len({line.index(line.split(maxsplit=2)[2]) for line in lines}) == 1
    assert not any(line.endswith(" ") for line in lines)


CONTAINERS = st.builds(
    container,
    st.sampled_from([*SERVICES, "kratos-migrate", "redis"]),
    state=st.sampled_from(["running", "created", "exited", "paused", "restarting", "dead", "removing"]),
    health=st.sampled_from(["", "healthy", "unhealthy", "starting"]),
    exit_code=st.none() | st.integers(0, 255),
    labels=st.sampled_from([{}, {"revision": "other"}, {"revision": "rev-kratos"}]),
)


@given(st.lists(CONTAINERS), st.booleans(), st.booleans(), st.booleans())
def test_every_service_has_exactly_one_step(
    containers: list[Container], migrates: bool, migrated: bool, exists: bool
) -> None:
    found = make(*containers, migrates=migrates, migrated=migrated, database_exists=exists)
    for service in SERVICES:
        assert [step.kind for step in found.steps].count("pull") == 0
        assert [step.subject for step in found.steps].count(service) == 1
    assert found.changes == bool(said(found))

"""Which images are tested, and what runs for the whole session."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kratosctl import catalog

from . import containers, http
from .containers import Container, docker, image_exists
from .kratos import MODERN, RELEASES, Database, Directory, Image, Kratos, Postgres, Server, Sqlite

POSTGRES_IMAGE = os.environ.get("KRATOSCTL_TEST_POSTGRES", "postgres:15")
STANDIN = "kratosctl-standin/kratos"

# Every database that a variant can use.
STACKS = [("default", "sqlite"), ("default", "postgres"), ("distroless", "postgres")]

MakeKratos = Callable[[Image, Database], Kratos]
MakeDatabase = Callable[[str], Sqlite | Postgres]
MakeMigrated = Callable[[Image, str], Kratos]


def engine_problem() -> str | None:
    try:
        done = docker("version", check=False)
    except FileNotFoundError:
        return "there is no docker command"
    return None if done.code == 0 else done.err


def repository() -> str:
    chosen = os.environ.get("KRATOSCTL_TEST_KRATOS")
    if chosen:
        return chosen
    return "oryd/kratos" if image_exists(f"oryd/kratos:{RELEASES[-1]}") else STANDIN


def releases() -> list[str]:
    """The oldest and the newest, unless told otherwise."""
    chosen = os.environ.get("KRATOSCTL_TEST_RELEASES", f"{RELEASES[0]} {RELEASES[-1]}")
    names = RELEASES if chosen == "all" else chosen.split()
    return [name for name in names if image_exists(f"{REPOSITORY}:{name}")]


PROBLEM = engine_problem()
REPOSITORY = STANDIN if PROBLEM else repository()
TESTED = [] if PROBLEM else releases()


def companion(image: str) -> str:
    """The image to run beside Kratos: real beside real Kratos where it is present, else its stand-in."""
    if REPOSITORY != STANDIN and image_exists(image):
        return image
    return f"kratosctl-standin/{image.partition('/')[2]}"


MAIL_IMAGE = "" if PROBLEM else companion(catalog.MAIL_IMAGE)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `image` runs on every one, `stack` on every one with every database it can use.

    `default_image` is every release in the default variant, `modern_image` those of them from v25.4.0 on.
    """
    names = TESTED or ["no image"]
    if "stack" in metafunc.fixturenames:
        stacks = [(name, *stack) for name, stack in itertools.product(names, STACKS)]
        metafunc.parametrize("stack", stacks, ids="-".join, scope="session")
    if "image" in metafunc.fixturenames:
        images = [Image(REPOSITORY, name, variant) for name in names for variant in ("default", "distroless")]
        metafunc.parametrize("image", images, ids=lambda image: f"{image.release}-{image.variant}", scope="session")
    for fixture, chosen in (("default_image", names), ("modern_image", [name for name in names if name in MODERN])):
        if fixture in metafunc.fixturenames:
            images = [Image(REPOSITORY, name, "default") for name in chosen]
            metafunc.parametrize(fixture, images, ids=lambda image: image.release, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session", autouse=True)
def _engine() -> None:
    """Without an engine or images there is nothing to test. In CI that is a failure, not a reason to skip."""
    problem = PROBLEM or (None if TESTED else f"no image {REPOSITORY}:{RELEASES[-1]}: run tests/images/build")
    if problem and os.environ.get("CI"):
        pytest.fail(problem)
    if problem:
        pytest.skip(problem)


@pytest.fixture(scope="session")
def shared_network() -> Iterator[str]:
    with containers.network(f"kratosctl-contract-{secrets.token_hex(4)}") as name:
        yield name


@pytest.fixture(scope="session")
def postgres_server(shared_network: str) -> Iterator[Container]:
    options = [
        f"--network={shared_network}",
        "--network-alias=postgres",
        "--env=POSTGRES_USER=tests",
        "--env=POSTGRES_PASSWORD=a-password",
    ]
    # Durability is not what these tests are about.
    with containers.container(POSTGRES_IMAGE, "postgres", "-c", "fsync=off", options=options) as server:
        containers.until(
            lambda: server.execute("pg_isready", "--host=127.0.0.1", "--username=tests").code == 0, server.logs
        )
        yield server


@pytest.fixture(scope="session")
def make_database(
    tmp_path_factory: pytest.TempPathFactory, shared_network: str, request: pytest.FixtureRequest
) -> MakeDatabase:
    """An empty database of the kind named."""

    def make(kind: str) -> Sqlite | Postgres:
        if kind == "sqlite":
            return Sqlite(tmp_path_factory.mktemp("sqlite"))
        server = request.getfixturevalue("postgres_server")
        return Postgres(server, shared_network, f"test_{secrets.token_hex(4)}")

    return make


@pytest.fixture(scope="session")
def make_kratos(tmp_path_factory: pytest.TempPathFactory) -> MakeKratos:
    """Kratos with a configuration directory of its own."""

    def make(image: Image, database: Database) -> Kratos:
        return Kratos(image, Directory(tmp_path_factory.mktemp("kratos")), database)

    return make


@pytest.fixture(scope="session")
def make_migrated(
    tmp_path_factory: pytest.TempPathFactory,
    shared_network: str,
    make_database: MakeDatabase,
    make_kratos: MakeKratos,
    request: pytest.FixtureRequest,
) -> MakeMigrated:
    """Kratos on a migrated database of its own: a copy, for migrating takes longer than most tests."""
    templates: dict[tuple[str, str], Sqlite | Postgres] = {}

    def template(image: Image, kind: str) -> Sqlite | Postgres:
        key = (image.release, kind)
        if key not in templates:
            templates[key] = make_database(kind)
            migrated = make_kratos(image, templates[key]).migrate()
            assert migrated.code == 0, migrated.text
        return templates[key]

    def make(image: Image, kind: str) -> Kratos:
        original = template(image, kind)
        if isinstance(original, Sqlite):
            file = Sqlite(tmp_path_factory.mktemp("sqlite"))
            shutil.copy2(original.file, file.file)
            return make_kratos(image, file)
        server = request.getfixturevalue("postgres_server")
        clone = Postgres(server, shared_network, f"test_{secrets.token_hex(4)}", original.name)
        return make_kratos(image, clone)

    return make


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


@pytest.fixture(scope="session")
def stack_image(stack: tuple[str, str, str]) -> Image:
    release, variant, _ = stack
    return Image(REPOSITORY, release, variant)


@pytest.fixture(scope="session")
def served(stack_image: Image, stack: tuple[str, str, str], make_migrated: MakeMigrated) -> Iterator[Server]:
    """Kratos, migrated and ready, shared by the tests that leave it as usable as they found it."""
    with make_migrated(stack_image, stack[2]).serve() as server:
        yield server


@pytest.fixture(scope="session")
def mail_port(shared_network: str) -> Iterator[int]:
    """An SMTP server at mail:1025; the port of its web API."""
    options = [f"--network={shared_network}", "--network-alias=mail", "--publish=127.0.0.1::8025"]
    with containers.container(MAIL_IMAGE, options=options) as server:
        port = server.port(8025)
        containers.until(lambda: http.answers(port, "/readyz") == 200, server.logs)
        yield port

"""What holds for every environment, wherever it lies and whatever was asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from hypothesis import assume, given
from hypothesis import strategies as st

from kratosctl import ownership
from kratosctl.catalog import CONTAINER_PORTS
from kratosctl.environment import Environment
from kratosctl.stack import secrets
from kratosctl.stack.place import Place
from tests.unit import stacks

LOOPBACK = ("127.0.0.1", "::1")
SERVICE_OF = {"public": "kratos", "admin": "kratos", "ui": "ui", "mail": "mail", "postgres": "postgres"}
# VOLUME in the images' Dockerfiles: what is not mounted there becomes an anonymous volume for each container
VOLUMES = {"kratos": ["/home/ory", "/var/lib/sqlite"], "kratos-migrate": ["/home/ory", "/var/lib/sqlite"]}
Stack = tuple[Environment, Place]


def targets(service: dict[str, Any]) -> list[str]:
    mounts = [m["target"] if isinstance(m, dict) else m.split(":")[1] for m in service.get("volumes", [])]
    return mounts + list(service.get("tmpfs", []))


def strings(data: Any) -> list[str]:
    if isinstance(data, dict):
        return [text for pair in data.items() for part in pair for text in strings(part)]
    if isinstance(data, list):
        return [text for part in data for text in strings(part)]
    return [data] if isinstance(data, str) else []


def as_compose_reads(text: str) -> str:
    """Compose's interpolation where no variable is left: it knows `$$`, and refuses or replaces any other `$`."""
    assert "$" not in text.replace("$$", ""), f"Compose would interpolate {text!r}"
    return text.replace("$$", "$")


@given(stacks.stacks())
def test_every_port_listens_where_bind_says_and_nowhere_else(stack: Stack) -> None:
    asked, place = stack
    found = {
        (service, container): address
        for service, said in stacks.compose(asked, place)["services"].items()
        for address, _, container in stacks.published(said)
    }
    for (service, container), address in found.items():
        admin, database = (service, container) == ("kratos", 4434), service == "postgres"
        wanted = asked.admin_bind if admin else "127.0.0.1" if database or asked.https else asked.bind
        assert address == wanted


@given(stacks.stacks())
def test_exactly_the_allotted_ports_are_published(stack: Stack) -> None:
    asked, place = stack
    found = sorted(
        (service, host, container)
        for service, said in stacks.compose(asked, place)["services"].items()
        for _, host, container in stacks.published(said)
    )
    allotted = sorted((SERVICE_OF[name], port, CONTAINER_PORTS[name]) for name, port in place.ports.items())
    assert found == allotted


@given(stacks.stacks())
def test_the_admin_api_is_published_only_when_asked_and_leaves_loopback_only_with_its_flag(stack: Stack) -> None:
    asked, place = stack
    kratos = stacks.compose(asked, place)["services"]["kratos"]
    admin = [address for address, _, container in stacks.published(kratos) if container == 4434]
    assert len(admin) == (1 if asked.admin_port else 0)
    if not asked.expose_admin_without_authentication:
        assert set(admin) <= set(LOOPBACK)


@given(stacks.stacks())
def test_no_secret_stands_in_a_file_that_is_not_secret(stack: Stack) -> None:
    asked, place = stack
    for path, file in stacks.files(asked, place).items():
        assert file.secret == path.startswith("secrets/")
        if not file.secret:
            assert [secret for secret in stacks.EVERY_SECRET if secret in file.text] == []


def test_the_secrets_that_are_searched_for_do_stand_in_the_secret_files() -> None:
    found = ""
    for database in ("postgres", "external"):
        asked = stacks.environment(database=database, bind="0.0.0.0")
        found += "".join(f.text for f in stacks.files(asked, stacks.place(asked)).values() if f.secret)
    assert [secret for secret in stacks.EVERY_SECRET if secret not in found] == []


@given(stacks.stacks())
def test_what_is_off_leaves_no_trace(stack: Stack) -> None:
    asked, place = stack
    model = stacks.compose(asked, place)
    on = {
        "kratos": True,
        "kratos-migrate": asked.database != "memory",
        "postgres": asked.database == "postgres",
        "mail": asked.mail,
        "ui": asked.ui,
    }
    services = {name for name, is_on in on.items() if is_on}
    assert set(model["services"]) == services
    for service in model["services"].values():
        assert set(service.get("depends_on", {})) <= services
    given = {"ui": asked.ui, "postgres-password": asked.database == "postgres", "mail": asked.guards_inbox}
    assert set(model["secrets"]) == {"kratos", *(name for name, there in given.items() if there)}
    volume = "postgres" if asked.database == "postgres" else "sqlite"
    named = asked.database == "postgres" or (asked.database == "sqlite" and not place.bind_database)
    assert set(model.get("volumes", {})) == ({volume} if named else set())
    paths = set(stacks.files(asked, place))
    assert ("secrets/ui.env" in paths) == asked.ui
    assert ("secrets/postgres-password" in paths) == (asked.database == "postgres")
    assert ("secrets/mail-password" in paths) == ("secrets/mail.htpasswd" in paths) == asked.guards_inbox


@given(stacks.stacks())
def test_an_inbox_that_others_could_come_to_asks_for_a_password_and_no_other_does(stack: Stack) -> None:
    asked, place = stack
    assume(asked.mail)
    mail = stacks.compose(asked, place)["services"]["mail"]
    reached = asked.https or any(address not in LOOPBACK for address, _, _ in stacks.published(mail))
    assert ("MP_UI_AUTH_FILE" in mail["environment"]) == reached
    assert mail.get("secrets", []) == ([{"source": "mail", "target": "mail.htpasswd"}] if reached else [])


@given(stacks.stacks())
def test_another_password_of_the_inbox_makes_its_container_anew_and_no_other(stack: Stack) -> None:
    asked, place = stack
    after = Place(**(vars(place) | {"inbox": "another"}))
    before, now = (stacks.compose(asked, where)["services"] for where in (place, after))
    changed = {name for name in before if before[name]["labels"] != now[name]["labels"]}
    assert changed == ({"mail"} if asked.guards_inbox else set())


@given(stacks.stacks())
def test_every_service_is_hardened(stack: Stack) -> None:
    for name, service in stacks.compose(*stack)["services"].items():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service.get("privileged")
        assert service.get("network_mode", "") != "host"
        # PostgreSQL becomes its own user and owns its data directory; nobody else needs anything
        assert ("cap_add" in service) == (name == "postgres")
        if name != "postgres":
            assert service["read_only"] is True
            assert service.get("user", "") == (stack[1].user or "")


@given(stacks.stacks())
def test_no_anonymous_volume_is_left_behind(stack: Stack) -> None:
    asked, place = stack
    data = "/var/lib/postgresql" + ("/data" if place.postgres_major < 18 else "")
    for name, service in stacks.compose(asked, place)["services"].items():
        expected = [data] if name == "postgres" else VOLUMES.get(name, [])
        mounted = targets(service)
        assert [path for path in expected if path not in mounted] == []
        assert len(mounted) == len(set(mounted)), "two mounts on one target"


@given(stacks.stacks())
def test_no_container_has_a_name_of_its_own(stack: Stack) -> None:
    """Names are the project's: with `container_name` two environments could not run side by side."""
    for service in stacks.compose(*stack)["services"].values():
        assert "container_name" not in service
        assert "hostname" not in service


@given(stacks.stacks())
def test_kratos_waits_for_its_migrations_where_there_are_any(stack: Stack) -> None:
    asked, place = stack
    services = stacks.compose(asked, place)["services"]
    waits = services["kratos"].get("depends_on", {})
    migrates = asked.database != "memory"
    assert ("kratos-migrate" in services) == ("kratos-migrate" in waits) == migrates
    if migrates:
        assert waits["kratos-migrate"] == {"condition": "service_completed_successfully"}
        assert services["kratos-migrate"]["restart"] == "no"
        needs = {"postgres": {"condition": "service_started"}} if asked.database == "postgres" else {}
        assert services["kratos-migrate"].get("depends_on", {}) == needs


@given(stacks.stacks())
def test_serve_and_migrate_read_the_same_configuration_and_never_a_secret_from_a_flag(stack: Stack) -> None:
    asked, place = stack
    services = stacks.compose(asked, place)["services"]

    def files_of(name: str) -> list[str]:
        words = services[name]["command"]
        return [words[i + 1] for i, word in enumerate(words) if word == "-c"]

    expected = [
        f"/etc/config/kratos/{place.config_file}",
        "/etc/config/environment.yml",
        "/run/secrets/kratos.yml",
    ]
    assert files_of("kratos") == expected
    if asked.migrates:
        assert files_of("kratos-migrate") == expected
        for key in ("image", "user", "volumes", "configs", "secrets", "platform", "extra_hosts"):
            assert services["kratos-migrate"].get(key) == services["kratos"].get(key)
    # a variable would be shown by `docker inspect`: the one there is says how PostgreSQL is to commit
    told = {"PGOPTIONS": "-c synchronous_commit=off"} if asked.database == "postgres" else {}
    assert services.get("kratos-migrate", {}).get("environment", {}) == told
    assert "environment" not in services["kratos"]


@given(stacks.stacks())
def test_web_hooks_find_an_application_of_this_host_under_one_name_on_every_system(stack: Stack) -> None:
    asked, place = stack
    assert stacks.compose(asked, place)["services"]["kratos"]["extra_hosts"] == ["host.docker.internal:host-gateway"]


@given(stacks.stacks())
def test_a_dollar_sign_survives_what_compose_makes_of_it(stack: Stack) -> None:
    asked, place = stack
    model = stacks.compose(asked, place)
    for text in strings(model):
        as_compose_reads(text)
    home = place.directory / ".kratosctl" / asked.name
    assert as_compose_reads(model["configs"]["environment"]["file"]) == str(home / "environment.yml")
    assert as_compose_reads(model["secrets"]["kratos"]["file"]) == str(home / "secrets/kratos.yml")
    kratos = model["services"]["kratos"]
    assert as_compose_reads(kratos["labels"]["dev.kratosctl.directory"]) == str(place.directory)
    if asked.config == "mount":
        source = place.directory / asked.config_dir if asked.config_dir else home / "kratos"
        mount = next(m for m in kratos["volumes"] if m["target"] == "/etc/config/kratos")
        assert as_compose_reads(mount["source"]) == str(source)
        assert mount["read_only"] is True
        assert mount["bind"] == {"create_host_path": False}


@given(stacks.stacks())
def test_a_configuration_in_the_image_is_not_mounted_over(stack: Stack) -> None:
    asked, place = stack
    for name, service in stacks.compose(asked, place)["services"].items():
        if name.startswith("kratos"):
            assert ("/etc/config/kratos" in targets(service)) == (asked.config == "mount")


@given(stacks.stacks())
def test_sqlite_lies_where_it_was_asked_to_and_nothing_else_does(stack: Stack) -> None:
    asked, place = stack
    services = stacks.compose(asked, place)["services"]
    for name in {"kratos", "kratos-migrate"} & set(services):
        (mount,) = [
            m if isinstance(m, dict) else {"type": "volume"}
            for m in services[name]["volumes"]
            if (m["target"] if isinstance(m, dict) else m.split(":")[1]) == "/var/lib/sqlite"
        ]
        kind = "tmpfs" if asked.database != "sqlite" else "bind" if place.bind_database else "volume"
        assert mount["type"] == kind


@given(stacks.stacks())
def test_the_custom_platform_is_kratos_alone(stack: Stack) -> None:
    asked, place = stack
    for name, service in stacks.compose(asked, place)["services"].items():
        assert service.get("platform") == (asked.platform if name.startswith("kratos") else None)


@given(stacks.stacks())
def test_distroless_is_asked_for_its_health_without_a_shell(stack: Stack) -> None:
    asked, place = stack
    test = stacks.compose(asked, place)["services"]["kratos"]["healthcheck"]["test"]
    assert test[0] == "CMD"
    assert ("wget" in test) == (asked.variant == "default")


@given(stacks.stacks())
def test_a_proxy_in_dockers_own_configuration_stands_between_no_two_services(stack: Stack) -> None:
    """Compose gives each container the proxy of ~/.docker/config.json, which knows neither kratos nor 127.0.0.1."""
    asked, place = stack
    services = stacks.compose(asked, place)["services"]
    if "ui" in services:
        assert {services["ui"]["environment"][key] for key in ("NO_PROXY", "no_proxy")} == {"*"}
    for service in services.values():
        test = service.get("healthcheck", {}).get("test", [])
        if "wget" in test:
            # the images' own wget, BusyBox', knows no NO_PROXY
            assert test[test.index("-Y") + 1] == "off"


@given(stacks.stacks(), st.booleans())
def test_health_is_asked_often_only_while_a_service_starts_and_only_of_engines_that_know_how(
    stack: Stack, knows: bool
) -> None:
    asked, place = stack
    model = stacks.compose(asked, Place(**(vars(place) | {"start_interval": knows})))
    checks = [service["healthcheck"] for service in model["services"].values() if "healthcheck" in service]
    assert checks
    for check in checks:
        assert check["interval"] == "30s"
        assert check["start_period"]
        assert check.get("start_interval") == ("1s" if knows else None)


@given(stacks.DIRECTORIES, stacks.DIRECTORIES, stacks.NAMES, stacks.NAMES)
def test_two_environments_have_cookies_of_their_own(one: Path, other: Path, first: str, second: str) -> None:
    """Browsers send cookies to every port of a host: one name for both would log the other out."""
    assume((one, first) != (other, second))

    def cookies(directory: Path, name: str) -> tuple[str, str]:
        asked = stacks.environment(name)
        where = stacks.place(asked, project=ownership.project_name(directory, name), directory=directory)
        files = stacks.files(asked, where)
        session = stacks.load(files["environment.yml"].text)["session"]["cookie"]["name"]
        ui = stacks.load(files["compose.yaml"].text)["services"]["ui"]["environment"]["CSRF_COOKIE_NAME"]
        return session, ui

    here, there = cookies(one, first), cookies(other, second)
    assert here[0] != there[0]
    assert here[1] != there[1]
    for name in (*here, *there):
        assert re.fullmatch(r"[a-z0-9_-]{1,100}", name), "not a name every browser takes"


@given(stacks.stacks(), st.sampled_from(["secrets_generation", "override", "content", "mounted"]))
def test_a_change_of_secrets_override_image_content_or_mounts_makes_kratos_anew(stack: Stack, what: str) -> None:
    asked, place = stack
    changed = {"secrets_generation": 7, "override": "another", "content": "another", "mounted": "another"}[what]
    after = Place(**(vars(place) | {what: changed}))

    def revision(place: Place) -> str:
        return str(stacks.compose(asked, place)["services"]["kratos"]["labels"]["dev.kratosctl.revision"])

    assert revision(place) == revision(Place(**vars(place)))
    assert revision(place) != revision(after)


def test_secrets_have_the_lengths_kratos_wants() -> None:
    made = secrets.complete(secrets.Secrets(), {})
    for kind in secrets.KINDS:
        (secret,) = made.of(kind)
        assert len(secret) == 32
        assert re.fullmatch("[A-Za-z0-9_-]+", secret), "not safe in a URL, in YAML or in a shell"
    others = {made.postgres_password, made.ui_cookie, made.ui_csrf, made.inbox_password}
    assert len({*made.default, *made.cookie, *made.cipher, *others}) == 7


@given(st.text(min_size=1))
def test_any_password_can_be_read_back_from_the_dsn(password: str) -> None:
    assume(password.isascii() or all(not 0xD800 <= ord(c) <= 0xDFFF for c in password))
    parts = urlsplit(secrets.postgres_dsn(password))
    assert unquote(parts.password or "") == password
    assert (parts.hostname, parts.port, parts.path) == ("postgres", 5432, "/kratos")

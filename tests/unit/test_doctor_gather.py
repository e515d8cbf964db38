"""What doctor observes, also where there is little to observe: it reports, and never fails."""

from __future__ import annotations

import json
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from kratosctl.doctor import gather_kratos
from kratosctl.doctor.gather import gather
from kratosctl.doctor.report import report
from kratosctl.doctor.rules import diagnose
from kratosctl.engine import reading
from kratosctl.engine.objects import Container
from kratosctl.environment import from_answers
from kratosctl.errors import EngineFailed
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.host import watchers
from kratosctl.kratos import readiness
from kratosctl.running import Found

YAML = "environments:\n  dev: {ui: false, mail: false}\n"
DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
FORBIDDEN = "permission denied while trying to connect to the Docker daemon socket: dial unix: permission denied"
VERSION = '{"Client":{"Version":"28","Context":"default"},"Server":{"Version":"27.0","Os":"linux","Arch":"amd64"}}'


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory of PATH, with nothing but a shell in it."""
    found = tmp_path / "bin"
    found.mkdir()
    (found / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    monkeypatch.setenv("PATH", str(found))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    return found


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    found = tmp_path / "app"
    found.mkdir()
    (found / "kratosctl.yaml").write_text(YAML)
    return found


def docker(programs: Path, script: str) -> None:
    """Puts a docker in place that answers as the script says."""
    (programs / "docker").write_text("#!/bin/sh\n" + script)
    (programs / "docker").chmod(0o755)


def problems(directory: Path) -> dict[str, str]:
    """The problems by rule; and the report can be printed."""
    found = diagnose(gather(directory, {}))
    assert report(found).text()
    assert report(found).json()
    return {finding.rule: finding.what for finding in found if finding.level == "problem"}


def test_no_docker(programs: Path, directory: Path) -> None:
    assert problems(directory) == {"engine": "docker is not installed"}


def test_a_docker_that_is_no_program(programs: Path, directory: Path) -> None:
    (programs / "docker").write_text("nothing to run")
    (programs / "docker").chmod(0o755)
    assert "engine" in problems(directory)


@pytest.mark.parametrize(("said", "what"), [(DOWN, "does not answer"), (FORBIDDEN, "no permission")])
def test_an_engine_that_does_not_answer(programs: Path, directory: Path, said: str, what: str) -> None:
    script = f"""case "$1" in
        --version) echo "Docker version 28.2.2, build 1";;
        compose) echo 2.40.0;;
        *) echo "{said}" >&2; exit 1;;
    esac"""
    docker(programs, script)
    found = problems(directory)

    assert list(found) == ["engine"]
    assert what in found["engine"]


def test_no_compose_plugin(programs: Path, directory: Path) -> None:
    script = f"""case "$1" in
        --version) echo "Docker version 28.2.2, build 1";;
        compose) echo "docker: 'compose' is not a docker command." >&2; exit 1;;
        version) echo '{VERSION}';;
        info) echo '{{"OperatingSystem":"Docker Desktop","SecurityOptions":["name=userns"],"DockerRootDir":"/x"}}';;
    esac"""
    docker(programs, script)
    facts = gather(directory, {})

    assert facts.engine.desktop
    assert facts.engine.security == ("userns",)
    assert "docker has no Compose plugin" in problems(directory)["compose"]


@pytest.mark.parametrize("server", ["", ', "Server": null'])
def test_podman_in_dockers_place_is_said(programs: Path, directory: Path, server: str) -> None:
    version = f'{{"Client":{{"APIVersion":"4.9.3","Version":"4.9.3"}}{server}}}'
    docker(programs, f"""case "$1" in --version) echo podman version 4.9.3;; *) echo '{version}';; esac""")

    assert "docker here is Podman" in problems(directory)["engine"]
    with pytest.raises(EngineFailed, match="docker here is Podman"):
        reading.engine()


@pytest.mark.parametrize("answer", ["", "[]", "not JSON", "{}", '{"Client": null, "Server": 7}'])
def test_answers_nobody_expects(programs: Path, directory: Path, answer: str) -> None:
    docker(programs, f"echo '{answer}'")
    assert "engine" in problems(directory)


def test_an_engine_that_does_not_answer_in_time(
    programs: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kratosctl.doctor import gather_engine

    monkeypatch.setattr(gather_engine, "_LONGEST_LOOK", 0.2)
    docker(programs, 'case "$1" in --version) echo Docker version 28.2.2, build 1;; *) read forever < /dev/zero;; esac')
    assert "did not answer within" in problems(directory)["engine"]


def test_a_kratosctl_yaml_that_is_wrong(programs: Path, directory: Path) -> None:
    (directory / "kratosctl.yaml").write_text("environments:\n  dev: {relase: v26.2.0}\n")
    assert "unknown key 'relase'" in problems(directory)["configuration"]


@pytest.mark.parametrize(
    ("answers", "what"),
    [
        ("variant: distroless", "distroless image cannot use SQLite"),
        ("config_dir: nowhere", "configuration directory nowhere is not there"),
    ],
)
def test_environments_that_cannot_be_made(programs: Path, directory: Path, answers: str, what: str) -> None:
    (directory / "kratosctl.yaml").write_text(f"environments:\n  dev: {{{answers}}}\n")
    assert what in problems(directory)["configuration"]


def test_damaged_secrets_and_state(programs: Path, directory: Path) -> None:
    home = directory / ".kratosctl" / "dev"
    (home / "secrets").mkdir(parents=True, mode=0o700)
    (home / "state.json").write_text("{")
    (home / "secrets" / "kratos.yml").write_text("hunter2: [")
    (home / "secrets" / "kratos.yml").chmod(0o600)
    found = diagnose(gather(directory, {}))

    said = [finding.what for finding in found if finding.rule == "configuration"]
    assert len(said) == 2
    assert "hunter2" not in report(found).text()


def test_secrets_that_others_can_read(programs: Path, directory: Path) -> None:
    secrets = directory / ".kratosctl" / "dev" / "secrets"
    secrets.mkdir(parents=True)
    for path in (secrets.parent, secrets):
        path.chmod(0o700)
    (secrets / "kratos.yml").write_text("dsn: memory\n")
    (secrets / "kratos.yml").chmod(0o640)
    assert "kratos.yml has mode 0640" in problems(directory)["files"]
    secrets.chmod(0o755)
    # the directory comes first: closing it closes the file
    assert "secrets has mode 0755" in problems(directory)["files"]
    secrets.parent.chmod(0o755)
    assert ".kratosctl/dev has mode 0755" in problems(directory)["files"]


def test_a_generated_directory_that_git_would_take(programs: Path, directory: Path) -> None:
    (directory / ".kratosctl").mkdir()
    assert not gather(directory, {}).ignored
    (directory / ".kratosctl" / ".gitignore").write_text("*\n")
    assert gather(directory, {}).ignored


def test_a_generated_file_that_was_edited(programs: Path, directory: Path) -> None:
    workspace = Workspace(directory, "dev")
    workspace.save_state(State("app-dev-1", str(directory), generated={"compose.yaml": ["0" * 64]}))
    workspace.write("compose.yaml", "services: {}\n")
    (environment,) = gather(directory, {}).environments
    assert environment.edited == ("compose.yaml",)


def test_ports_asked_for_and_kept(programs: Path, directory: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (directory / "kratosctl.yaml").write_text(f"environments:\n  dev: {{ui: false, public_port: {port}}}\n")
        Workspace(directory, "dev").save_state(State("app-dev-1", str(directory), ports={"mail": 1, "ui": 2}))
        found = {fact.name: fact for fact in gather(directory, {}).ports}

    assert set(found) == {"public", "mail"}
    assert found["public"].asked
    assert "process" in found["public"].holder
    assert (found["mail"].asked, found["mail"].holder) == (False, "")
    assert "public" in problems_of_ports(found["public"].holder)


def problems_of_ports(holder: str) -> str:
    from kratosctl.doctor.facts import Facts, Port
    from kratosctl.doctor.rules import ports_free

    (finding,) = ports_free(Facts(Path(), ports=(Port("dev", "public", 1, asked=True, holder=holder),)))
    return finding.what


def test_disks_are_looked_at(programs: Path, directory: Path) -> None:
    (disk,) = gather(directory, {}).disks
    assert disk.path == str(directory)
    assert 0 <= disk.free <= disk.total


def test_a_port_is_looked_for_where_the_engine_opens_it(programs: Path, directory: Path) -> None:
    """Behind a TLS proxy that is loopback; the proxy itself listens at `bind`, at the same number."""
    with socket.socket() as proxy:
        proxy.bind(("127.0.0.2", 0))
        proxy.listen()
        number = proxy.getsockname()[1]
        Workspace(directory, "dev").save_state(State("app-dev-1", str(directory), ports={"public": number}))
        held = {}
        for https in ("true", "false"):
            answers = f"{{ui: false, mail: false, bind: 127.0.0.2, https: {https}}}"
            (directory / "kratosctl.yaml").write_text(f"environments:\n  dev: {answers}\n")
            held[https] = bool(gather(directory, {}).ports[0].holder)

    assert held == {"true": False, "false": True}


def test_an_address_that_this_host_has_not_is_no_reason_to_fail(programs: Path, directory: Path) -> None:
    Workspace(directory, "dev").save_state(State("app-dev-1", str(directory), ports={"public": 4433}))
    (directory / "kratosctl.yaml").write_text("environments:\n  dev: {ui: false, mail: false, bind: 192.0.2.1}\n")

    assert gather(directory, {}).ports[0].holder == ""


@pytest.mark.parametrize(("kernel", "counted"), [(os.uname().release, 7), ("of another machine", None)])
def test_watchers_of_files_are_counted_where_containers_run_on_this_host(
    programs: Path, directory: Path, monkeypatch: pytest.MonkeyPatch, kernel: str, counted: int | None
) -> None:
    monkeypatch.setattr(watchers, "free", lambda: 7)
    version = VERSION.replace('"Server":{', f'"Server":{{"KernelVersion":"{kernel}",')
    docker(
        programs,
        f"""case "$1" in
        --version) echo "Docker version 28.2.2, build 1";;
        compose) echo 2.40.0;;
        version) echo '{version}';;
        info) echo '{{"DockerRootDir":"/x"}}';;
    esac""",
    )

    assert gather(directory, {}).watchers == counted


def container(service: str, state: str, code: int | None = None, ours: bool = True) -> Container:
    labels = {"revision": "1"} if ours else {}
    return Container("1", f"app-{service}-1", service, "app-dev-1", state, "", "", code, "", {}, labels)


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([container("kratos", "exited", 1)], ["kratos"]),
        # stopped by hand, or with the host: nothing runs
        ([container("kratos", "exited", 0), container("postgres", "exited", 137)], []),
        ([container("kratos", "running"), container("mail", "exited", 0)], ["mail"]),
        ([container("kratos", "running"), container("kratos-migrate", "exited", 1)], []),
        ([container("kratos", "running"), container("theirs", "exited", 1, ours=False)], []),
        ([container("kratos", "created")], []),
    ],
)
def test_services_that_ended_by_themselves(
    monkeypatch: pytest.MonkeyPatch, containers: list[Container], expected: list[str]
) -> None:
    monkeypatch.setattr(reading, "logs_since_start", lambda *_: "it printed this last")
    assert [one.service for one in gather_kratos.ended(containers)] == expected


def test_a_service_that_ended_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "level=fatal msg=dsn must be set\nUnable to ping database of postgres://u:hunter2@h/d"
    monkeypatch.setattr(reading, "logs_since_start", lambda *_: said)
    (kratos,) = gather_kratos.ended([container("kratos", "exited", 1)])
    (mail,) = gather_kratos.ended([container("mail", "dead", 2)])
    (killed,) = gather_kratos.ended([container("ui", "exited", 137), container("kratos", "running")])

    assert (kratos.how, kratos.why.partition(":")[0]) == ("exited with exit code 1", "the database did not answer")
    assert "hunter2" not in str(kratos) + str(mail)
    assert "lack of memory" in killed.why


def test_the_ports_of_what_kratosctl_yaml_no_longer_names_are_nobodys(programs: Path, directory: Path) -> None:
    Workspace(directory, "gone").save_state(State("app-gone-1", str(directory), ports={"public": 7}))
    assert 7 not in [fact.number for fact in gather(directory, {}).ports]
    (directory / "kratosctl.yaml").write_text("environments: {gone: {}}\n")
    assert 7 in [fact.number for fact in gather(directory, {}).ports]


def test_a_kratos_is_asked_where_it_listens_whatever_is_asked_for_by_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def http_status(address: str, port: int) -> int:
        asked.append((address, port))
        return 200

    monkeypatch.setattr(readiness, "http_status", http_status)
    published = {"0.0.0.0:4433": 4433}
    kratos = Container("1", "1", "kratos", "p", "running", "Up", "", None, "i", published)

    found = Found(Workspace(tmp_path, "dev"), State(), (kratos,))

    assert gather_kratos.ready(found) == 200
    assert gather_kratos.ready(replace(found, containers=(replace(kratos, state="exited"),))) is None
    assert asked == [("127.0.0.1", 4433)]


def test_the_files_that_a_configuration_names_are_looked_for(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    (conf / "mails").mkdir(parents=True)
    (conf / "mails/code one.gotmpl").touch()
    there, absent = "file:///etc/config/kratos/mails/code%20one.gotmpl", "file:///etc/config/kratos/hook.jsonnet"
    elsewhere, inline = "file://identity.schema.json", "base64://e30="
    hooks = [{"config": {"body": absent}}, {"config": {"body": inline}}]
    (conf / "kratos.yml").write_text(
        json.dumps({"courier": {"templates": there}, "hooks": hooks, "identity": {"schemas": [{"url": elsewhere}]}})
    )

    facts = gather_kratos.kratos_facts(tmp_path, from_answers("dev", {"config_dir": "./conf"}), State())

    assert facts
    assert facts.absent == {"hooks.0.config.body": absent, "identity.schemas.0.url": elsewhere}

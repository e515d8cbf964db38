"""Each rule of doctor, over facts made up for it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from kratosctl.doctor import rules
from kratosctl.doctor.facts import Disk, EngineFacts, EnvironmentFacts, Facts, FileFact, KratosFacts, Port
from kratosctl.doctor.finding import Finding
from kratosctl.doctor.report import report
from kratosctl.doctor.rules import MIB, Rule, diagnose
from kratosctl.engine import faults
from kratosctl.engine.objects import Engine, Labelled
from kratosctl.ephemeral.remains import Remains
from kratosctl.errors import ComposeMissing, ConfigurationInvalid, DaemonDown, DockerMissing

HERE = Path("/home/me/my app")
ENGINE = Engine("27.1.0", "linux/amd64", local=True, rootless=False, endpoint="local")


def facts(**some: object) -> Facts:
    return Facts(HERE, **some)  # type: ignore[arg-type]


def one(rule: Rule, **some: object) -> Finding:
    (finding,) = rule(facts(**some))
    return finding


def test_a_machine_where_all_is_well_has_no_problem() -> None:
    well = facts(
        engine=EngineFacts("28.2.2", ENGINE, compose="5.6.1", security=("seccomp",), data_root="/d", networks=3),
        disks=(Disk("this directory", "/", 50 * 1024 * MIB, 100 * 1024 * MIB),),
        ports=(Port("dev", "public", 4433, asked=False),),
        files=(FileFact(HERE / "secrets", 0o700, 0o700, owned=True, writable=True),),
        environments=(EnvironmentFacts("dev", images={"oryd/kratos:v26.2.0": True}),),
    )
    found = diagnose(well)

    assert {finding.level for finding in found} == {"ok"}
    assert report(found).exit_code == 0
    assert "0 problems, 0 warnings" in report(found).text()


@pytest.mark.parametrize("fault", [DockerMissing("no docker", "", "install it"), DaemonDown("down", "why", "start it")])
def test_an_engine_that_does_not_answer(fault: DockerMissing | DaemonDown) -> None:
    finding = one(rules.engine_answers, engine=EngineFacts(fault=fault))
    assert (finding.level, finding.what, finding.fix) == ("problem", fault.what, fault.fix)


def test_a_fix_does_not_point_back_to_doctor() -> None:
    fault = DaemonDown("down", "", "start it; `kratosctl doctor` looks closer")
    assert one(rules.engine_answers, engine=EngineFacts(fault=fault)).fix == "start it"


@pytest.mark.parametrize("endpoint", ["ssh://me@host", "tcp://10.0.0.1:2375"])
def test_an_engine_on_another_machine(endpoint: str) -> None:
    engine = Engine("27.1.0", "linux/amd64", local=False, rootless=False, endpoint=endpoint)
    finding = one(rules.engine_here, engine=EngineFacts("28", engine))
    assert finding.level == "problem"
    assert finding.fix == "docker context use default"


def test_windows_containers() -> None:
    engine = Engine("27.1.0", "windows/amd64", local=False, rootless=False, endpoint="local")
    assert one(rules.engine_here, engine=EngineFacts("28", engine)).level == "problem"


@pytest.mark.parametrize(("option", "level"), [("userns", "problem"), ("selinux", "warning")])
def test_security_options_that_keep_kratos_from_its_files(option: str, level: str) -> None:
    finding = one(rules.engine_security, engine=EngineFacts("28", ENGINE, security=("seccomp", option)))
    assert finding.level == level
    assert finding.fix


def test_selinux_lets_kratos_read_a_configuration_of_their_own_too() -> None:
    theirs = EnvironmentFacts("dev", kratos=KratosFacts("my kratos/kratos.yml", {}))
    engine = EngineFacts("28", ENGINE, security=("selinux",))
    fix = one(rules.engine_security, engine=engine, environments=(theirs, EnvironmentFacts("ci"))).fix
    assert shlex.split(fix)[3:] == ["container_file_t", str(HERE / ".kratosctl"), str(HERE / "my kratos")]


def test_no_compose_plugin_is_said_once_docker_is_there() -> None:
    fault = ComposeMissing("docker has no Compose plugin", "", "install docker-compose-plugin")
    assert one(rules.compose_plugin, engine=EngineFacts("28", compose_fault=fault)).level == "problem"
    assert list(rules.compose_plugin(facts(engine=EngineFacts("", compose_fault=fault)))) == []


@pytest.mark.parametrize(("networks", "levels"), [(3, []), (28, ["warning"])])
def test_many_networks(networks: int, levels: list[str]) -> None:
    found = rules.networks_left(facts(engine=EngineFacts("28", ENGINE, networks=networks)))
    assert [finding.level for finding in found] == levels


def test_who_needs_room_for_a_network_is_not_told_to_remove_what_others_made() -> None:
    """`docker network prune` takes the network of everything that is only stopped, which then does not start."""
    (found,) = rules.networks_left(facts(engine=EngineFacts("28", ENGINE, networks=30)))
    fault = faults.from_output("all predefined address pools have been fully subnetted", "starting")
    for fix in (found.fix, fault.fix):
        assert "docker network" not in fix
        assert "take down what you do not use (kratosctl list)" in fix


@pytest.mark.parametrize(("free", "level"), [(100 * MIB, "problem"), (1000 * MIB, "warning"), (9000 * MIB, "ok")])
def test_disk_space(free: int, level: str) -> None:
    finding = one(rules.disk_space, disks=(Disk("this directory", "/home", free, 10**12),))
    assert finding.level == level
    assert bool(finding.fix) == (level != "ok")


def test_a_directory_nobody_can_write_to() -> None:
    assert one(rules.directory_writable, writable=False).level == "problem"


@pytest.mark.parametrize(
    ("fact", "fix"),
    [
        (FileFact(HERE / "secrets" / "kratos.yml", 0o644, 0o600, True, True), "chmod 600"),
        (FileFact(HERE / "secrets", 0o755, 0o700, True, True), "chmod 700"),
        (FileFact(HERE / "database" / "db.sqlite", 0o444, 0o666, True, False), "chmod u+w"),
        (FileFact(HERE / "state.json", 0o600, 0o666, False, True), "sudo chown"),
    ],
)
def test_files_with_a_wrong_mode_or_owner(fact: FileFact, fix: str) -> None:
    finding = one(rules.file_modes, files=(fact,))
    assert finding.level == "problem"
    assert finding.fix.startswith(fix)
    assert shlex.split(finding.fix)[-1] == str(fact.path)


def test_what_a_directory_explains_is_not_said_of_its_files() -> None:
    theirs = (
        FileFact(HERE / "dev", 0o755, 0o777, False, False),
        FileFact(HERE / "dev" / "state.json", 0o644, 0o666, False, False),
    )
    assert len(list(rules.file_modes(facts(files=theirs)))) == 1


def test_secrets_that_git_would_take() -> None:
    assert one(rules.kept_from_git, ignored=False).level == "warning"
    assert list(rules.kept_from_git(facts())) == []


def test_what_is_wrong_with_the_configuration() -> None:
    fault = ConfigurationInvalid("kratosctl.yaml:1:2: not valid YAML")
    assert one(rules.configuration, configuration_fault=fault).level == "problem"
    wrong = EnvironmentFacts("ci", faults=(ConfigurationInvalid("config_dir is not there", "", "kratosctl init"),))
    finding = one(rules.configuration, environments=(wrong,))
    assert (finding.what, finding.fix) == ("ci: config_dir is not there", "kratosctl init")
    edited = EnvironmentFacts("dev", edited=("compose.yaml",))
    assert one(rules.configuration, environments=(edited,)).level == "warning"


def test_an_image_that_is_not_here_is_no_problem_and_named_once() -> None:
    both = tuple(EnvironmentFacts(name, images={"oryd/kratos:v1.1.0": False}) for name in ("dev", "ci"))
    finding = one(rules.images_here, environments=both)
    assert (finding.level, finding.fix) == ("ok", "docker pull oryd/kratos:v1.1.0")


@pytest.mark.parametrize(
    ("port", "level"),
    [
        (Port("dev", "public", 4433, asked=True), "ok"),
        (Port("dev", "public", 4433, asked=True, own=True), "ok"),
        (Port("dev", "public", 4433, asked=True, holder="nginx (process 7)"), "problem"),
        (Port("dev", "public", 4433, asked=False, holder="nginx (process 7)"), "warning"),
    ],
)
def test_ports(port: Port, level: str) -> None:
    finding = one(rules.ports_free, ports=(port,))
    assert finding.level == level
    assert "4433" in finding.what
    assert ("nginx (process 7)" in finding.what) == bool(port.holder)


def left(*kinds: str) -> Remains:
    parts = [Labelled(kind, f"{kind}-{number}", "p-dev-1", "dev", "/gone", "") for number, kind in enumerate(kinds)]
    return Remains("p-dev-1", "dev", "/gone", parts=tuple(parts))


@pytest.mark.parametrize(
    ("remains", "fix"),
    [
        (
            left("container", "volume", "network"),
            "docker compose -p p-dev-1 down --remove-orphans --volumes",
        ),
        (left("container"), "docker compose -p p-dev-1 down --remove-orphans"),
        (left("volume", "volume"), "docker volume rm volume-0 volume-1"),
    ],
)
def test_remains_of_a_directory_that_is_gone(remains: Remains, fix: str) -> None:
    finding = one(rules.nothing_left_behind, remains=(remains,))
    assert (finding.level, finding.fix) == ("warning", fix)
    assert "/gone" in finding.what


def test_the_report_counts_and_says_how_to_mend() -> None:
    found = diagnose(facts(writable=False, ignored=False))
    result = report(found)

    assert result.exit_code == 1
    envelope = json.loads(result.json())
    assert envelope["ok"] is False
    assert (envelope["data"]["problems"], envelope["data"]["warnings"]) == (1, 1)
    assert {"rule", "level", "what", "why", "fix"} == set(envelope["data"]["findings"][0])
    assert "-> use another one: --directory DIR" in result.text()
    assert result.text().endswith("1 problem, 1 warning")


@pytest.mark.parametrize(("left", "warned"), [(None, False), (3, False), (2, True), (0, True)])
def test_watchers_of_files_that_are_too_few_for_one_more_kratos_are_said(left: int | None, warned: bool) -> None:
    found = list(rules.watchers_left(facts(watchers=left)))

    assert [finding.level for finding in found] == ["warning"] * warned
    assert all(finding.fix == "sudo sysctl fs.inotify.max_user_instances=1024" for finding in found)
    assert found == [finding for finding in diagnose(facts(watchers=left)) if finding.rule == "watchers"]

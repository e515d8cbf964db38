"""Rules: small pure functions from facts to findings. Each looks at one thing, and says how to mend it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kratosctl.doctor.facts import Facts, FileFact
from kratosctl.doctor.finding import Finding, Level
from kratosctl.doctor.kratos_rules import KRATOS_RULES
from kratosctl.engine.objects import is_remote
from kratosctl.ephemeral.remains import Remains
from kratosctl.errors import KratosctlError
from kratosctl.host import watchers

MIB = 1024 * 1024
DISK_PROBLEM = 256 * MIB
DISK_WARNING = 2048 * MIB
MANY_NETWORKS = 25


Rule = Callable[[Facts], Iterable[Finding]]


def docker_command(facts: Facts) -> Iterator[Finding]:
    if facts.engine.client:
        yield Finding("docker-command", "ok", f"docker command {facts.engine.client}")


def engine_answers(facts: Facts) -> Iterator[Finding]:
    engine, fault = facts.engine.engine, facts.engine.fault
    if fault:
        yield _fault("engine", fault)
    elif engine:
        where = "in Docker Desktop" if facts.engine.desktop else "on this machine" if engine.local else engine.endpoint
        kind = ", rootless" if engine.rootless else ""
        yield Finding("engine", "ok", f"Docker engine {engine.version} for {engine.platform}, {where}{kind}")


def engine_here(facts: Facts) -> Iterator[Finding]:
    engine = facts.engine.engine
    if engine and is_remote(engine):
        yield Finding(
            "engine-here",
            "problem",
            f"the Docker engine is on another machine ({engine.endpoint})",
            "configuration and secrets are mounted from this machine's files, which it cannot see",
            "docker context use default",
        )
    elif engine and not engine.platform.startswith("linux/"):
        yield Finding(
            "engine-here",
            "problem",
            f"the engine runs {engine.platform} containers",
            "Kratos is a Linux image",
            "switch Docker Desktop to Linux containers",
        )


def engine_security(facts: Facts) -> Iterator[Finding]:
    if "userns" in facts.engine.security:
        yield Finding(
            "engine-security",
            "problem",
            "the engine runs containers as other users (userns-remap)",
            "Kratos could not read its secrets, which only you may read",
            "take userns-remap out of /etc/docker/daemon.json, or use a rootless engine",
        )
    if "selinux" in facts.engine.security:
        theirs = [facts.directory / Path(e.kratos.file).parent for e in facts.environments if e.kratos]
        mounted = [str(path) for path in dict.fromkeys((facts.directory / ".kratosctl", *theirs))]
        yield Finding(
            "engine-security",
            "warning",
            "the engine separates containers with SELinux",
            "Kratos may be kept from reading mounted files",
            f"sudo chcon -Rt container_file_t {shlex.join(mounted)}",
        )


def compose_plugin(facts: Facts) -> Iterator[Finding]:
    if facts.engine.compose_fault and facts.engine.client:
        yield _fault("compose", facts.engine.compose_fault)
    elif facts.engine.compose:
        yield Finding("compose", "ok", f"Docker Compose {facts.engine.compose}")


def networks_left(facts: Facts) -> Iterator[Finding]:
    if facts.engine.networks >= MANY_NETWORKS:
        yield Finding(
            "networks",
            "warning",
            f"the engine has {facts.engine.networks} bridge networks",
            "each environment needs one; about 30 exhaust the engine's address pools",
            "take down what you do not use (kratosctl list), or take one from another range: --subnets 10.213.0.0/16",
        )


def watchers_left(facts: Facts) -> Iterator[Finding]:
    """What runs has its watchers already: the question is whether one more Kratos fits."""
    if facts.watchers is not None and facts.watchers < watchers.OF_ONE_KRATOS:
        yield Finding(
            "watchers",
            "warning",
            f"{facts.watchers} inotify instances are left for your programs on this host",
            f"each Kratos needs {watchers.OF_ONE_KRATOS} to watch its configuration, and ends without them",
            watchers.MORE,
        )


def disk_space(facts: Facts) -> Iterator[Finding]:
    for disk in facts.disks:
        free = f"{disk.free / MIB / 1024:.1f} GiB free for {disk.what} ({disk.path})"
        level: Level = "problem" if disk.free < DISK_PROBLEM else "warning" if disk.free < DISK_WARNING else "ok"
        why = "" if level == "ok" else "images, databases and logs need room"
        yield Finding("disk", level, free, why, "" if level == "ok" else "docker system df shows what takes it")


def directory_writable(facts: Facts) -> Iterator[Finding]:
    if facts.writable:
        yield Finding("directory", "ok", f"directory {facts.directory} is writable")
    else:
        yield Finding(
            "directory",
            "problem",
            f"directory {facts.directory} is not writable",
            "kratosctl keeps its files in it",
            "use another one: --directory DIR",
        )


def file_modes(facts: Facts) -> Iterator[Finding]:
    """Secrets are for the owner alone; what Kratos writes to must be writable."""
    wrong: list[Path] = []
    for file in facts.files:
        what, fix, why = _file_fault(file)
        # what is said of a directory mends what is in it
        if what and not any(path in file.path.parents for path in wrong):
            wrong.append(file.path)
            yield Finding("files", "problem", f"{file.path} {what}", why, f"{fix} {shlex.quote(str(file.path))}")
    if facts.files and not wrong:
        yield Finding("files", "ok", "generated files are yours, secrets for you alone")


def _file_fault(file: FileFact) -> tuple[str, str, str]:
    """What is wrong with a file, the command that mends it, and why it matters; empty where nothing is."""
    if not file.owned:
        return "belongs to another user", 'sudo chown -R "$(id -u):$(id -g)"', "Kratos runs as you"
    if file.mode & ~file.allowed:
        return f"has mode {file.mode:04o}", f"chmod {file.allowed:o}", "others here can read secrets and data"
    if not file.writable:
        return (
            "is not writable",
            "chmod u+w",
            "Kratos would wait five minutes in silence for a database it cannot write",
        )
    return "", "", ""


def kept_from_git(facts: Facts) -> Iterator[Finding]:
    if not facts.ignored:
        path = shlex.quote(str(facts.directory / ".kratosctl" / ".gitignore"))
        why = "the secrets in it could be committed"
        yield Finding("git", "warning", "git does not ignore .kratosctl/", why, f"echo '*' > {path}")


def configuration(facts: Facts) -> Iterator[Finding]:
    if facts.configuration_fault:
        yield _fault("configuration", facts.configuration_fault)
    for environment in facts.environments:
        for fault in environment.faults:
            yield _fault("configuration", fault, f"{environment.name}: ")
        for path in environment.edited:
            yield Finding(
                "configuration",
                "warning",
                f"{environment.name}: generated file {path} was changed by hand",
                "`up` stops before it writes over it",
                f"kratosctl up {environment.name} --overwrite",
            )
    well = [e.name for e in facts.environments if not e.faults and not e.edited]
    if well:
        yield Finding("configuration", "ok", f"environment {', '.join(well)}: what is asked for can be made")


def images_here(facts: Facts) -> Iterator[Finding]:
    missing = {name: None for e in facts.environments for name, here in e.images.items() if not here}
    for reference in missing:
        yield Finding(
            "images",
            "ok",
            f"image {reference} is not on this engine yet: `up` pulls it",
            "",
            f"docker pull {reference}",
        )


def ports_free(facts: Facts) -> Iterator[Finding]:
    for port in facts.ports:
        who = f"{port.environment}: port {port.number} ({port.name})"
        if port.own:
            yield Finding("ports", "ok", f"{who} is its own")
        elif not port.holder:
            yield Finding("ports", "ok", f"{who} is free")
        elif port.asked:
            fix = f"stop it, or kratosctl up {port.environment} --{port.name}-port N"
            yield Finding("ports", "problem", f"{who} is taken by {port.holder}", "it was asked for by number", fix)
        else:
            why = "`up` takes another one"
            yield Finding("ports", "warning", f"{who} is taken by {port.holder}", why, "stop it to keep the port")


def nothing_left_behind(facts: Facts) -> Iterator[Finding]:
    for remains in facts.remains:
        counted = [(kind, remains.names(kind)) for kind in ("container", "volume", "network")]
        parts = [f"{len(names)} {kind}{'s' * (len(names) > 1)}" for kind, names in counted if names]
        yield Finding(
            "remains",
            "warning",
            f"{' and '.join(parts)} of environment {remains.environment}, which is gone from {remains.directory}",
            "a volume holds its data; if the directory was only moved, run `up` there instead"
            if remains.names("volume")
            else "if the directory was only moved, run `up` there instead",
            _removal(remains),
        )


def _removal(remains: Remains) -> str:
    volumes_left = remains.names("volume")
    if len(volumes_left) == len(remains.parts):
        return shlex.join(["docker", "volume", "rm", *volumes_left])
    volumes = " --volumes" if volumes_left else ""
    return f"docker compose -p {shlex.quote(remains.project)} down --remove-orphans{volumes}"


def _fault(rule: str, fault: KratosctlError, prefix: str = "") -> Finding:
    # errors elsewhere end by pointing here
    return Finding(rule, "problem", prefix + fault.what, fault.why, fault.fix.split("; `kratosctl doctor`")[0])


RULES: tuple[Rule, ...] = (
    docker_command,
    engine_answers,
    engine_here,
    engine_security,
    compose_plugin,
    networks_left,
    watchers_left,
    disk_space,
    directory_writable,
    file_modes,
    kept_from_git,
    configuration,
    images_here,
    ports_free,
    nothing_left_behind,
)


def diagnose(facts: Facts) -> list[Finding]:
    """What the rules find, in their order; last those over each environment."""
    found = [finding for rule in RULES for finding in rule(facts)]
    for rule in KRATOS_RULES:
        found += [finding for environment in facts.environments for finding in rule(environment)]
    return found

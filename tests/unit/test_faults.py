"""What docker and Compose print when they fail, word for word, and the error each becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl import errors
from kratosctl.engine import faults
from kratosctl.errors import KratosctlError

SOCKET = (
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get"
    ' "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/containers/json": dial unix /var/run/docker.sock: connect: permission'
    " denied"
)
PORT = (
    "Error response from daemon: driver failed programming external connectivity on endpoint x-kratos-1 (c3c86e9b07cc):"
    " Bind for 127.0.0.1:4433 failed: port is already allocated\nError: failed to start containers: x-kratos-1\n"
)
PROXY = (
    "Error response from daemon: driver failed programming external connectivity on endpoint x-kratos-1 (549f127657d8):"
    " Error starting userland proxy: listen tcp4 {}\nError: failed to start containers: x-kratos-1\n"
)
DNS = (
    'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on'
    " 192.0.2.53:53: no such host\n"
)
ABSENT = (
    " Container x-kratos-1 Creating \n service:kratos:1 Error response from daemon: No such image: oryd/kratos:v9 \n"
)
NO_PLUGIN = (
    "unknown shorthand flag: 'f' in -f\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\nRun 'docker --help' for more\n"
)
INTERPOLATION = (
    "invalid interpolation format for services.kratos.environment.X.\n"
    "You may need to escape any $ with another $.\n${\n"
)
REFERENCE = (
    "Error response from daemon: no such image: UPPER/x:1: invalid reference format: repository name must be lowercase"
)
SYNTAX = (
    "failed to parse /a/compose.override.yaml: go-yaml load error in parser at L2.C1: did not find expected content"
)
NETWORK = (
    ' Volume x_postgres Error error during connect: Post "http://%2Fvar%2Frun%2Fdocker.sock/v1.41/volumes/create":'
    " context canceled\nfailed to create network x_default: Error response from daemon: Pool overlaps with other one on"
    " this address space\n"
)
NO_PATH = 'invalid mount config for type "bind": bind source path does not exist: /tmp/app/.kratosctl/dev/kratos'
SQUASHED = 'invalid mount config for type "bind": stat /nfs/ada/app/.kratosctl/dev/kratos: permission denied'
SHARED = "mounts denied: \nThe path /Volumes/app is not shared from the host and is not known to Docker.\n"
SAID: list[tuple[str, type[KratosctlError], str]] = [
    (SOCKET, errors.SocketForbidden, "dial unix"),
    (NETWORK, errors.NetworkTaken, "Pool overlaps"),
    ("Error response from daemon: network 0c2f5e not found", errors.NetworkGone, "0c2f5e"),
    (
        "Cannot connect to the Docker daemon at unix:///nope.sock. Is the docker daemon running?",
        errors.DaemonDown,
        "nope",
    ),
    (
        "Cannot connect to the Docker daemon at tcp://127.0.0.1:1. Is the docker daemon running?",
        errors.DaemonDown,
        "tcp",
    ),
    ("docker: 'compose' is not a docker command.\nSee 'docker --help'\n", errors.ComposeMissing, "'compose' is not"),
    (NO_PLUGIN, errors.ComposeMissing, "unknown shorthand flag"),
    ("unknown flag: --file\nSee 'docker --help'.", errors.ComposeMissing, "--file"),
    ("Error response from daemon: " + NO_PATH, errors.EngineFailed, NO_PATH),
    ("Error response from daemon: " + SQUASHED, errors.EngineFailed, SQUASHED),
    ("Error response from daemon: " + SHARED, errors.EngineFailed, "/Volumes/app is not shared"),
    (PORT, errors.PortTaken, "Bind for 127.0.0.1:4433 failed: port is already allocated"),
    (PROXY.format("127.0.0.1:80: bind: address already in use"), errors.PortTaken, "address already in use"),
    (PROXY.format("192.0.2.1:80: bind: cannot assign requested address"), errors.ConfigurationInvalid, "192.0.2.1"),
    ("failed to register layer: write /x: no space left on device", errors.DiskFull, "no space left"),
    ("could not find an available, non-overlapping IPv4 address pool among the defaults", errors.EngineFailed, "pool"),
    ("all predefined address pools have been fully subnetted", errors.EngineFailed, "subnetted"),
    (DNS, errors.ImageMissing, "no such host"),
    (ABSENT, errors.ImageMissing, "No such image: oryd/kratos:v9"),
    ("Error response from daemon: manifest for oryd/kratos:v9 not found: manifest unknown", errors.ImageMissing, "v9"),
    ("no matching manifest for linux/arm/v7 in the manifest list entries", errors.ImageMissing, "linux/arm/v7"),
    (REFERENCE, errors.ConfigurationInvalid, "UPPER/x:1"),
    (SYNTAX, errors.ComposeFileInvalid, "L2.C1"),
    ("validating /a/compose.override.yaml: services.a.imag false schema", errors.ComposeFileInvalid, "services.a.imag"),
    ('service "a" refers to undefined volume nope: invalid compose project', errors.ComposeFileInvalid, "volume nope"),
    (INTERPOLATION, errors.ComposeFileInvalid, "services.kratos.environment.X"),
    ("dependency cycle detected: a -> b -> a", errors.ComposeFileInvalid, "a -> b -> a"),
    (
        "env file /a/nope.env not found: stat /a/nope.env: no such file or directory",
        errors.ComposeFileInvalid,
        "nope.env",
    ),
    ("network nope declared as external, but could not be found", errors.ComposeFileInvalid, "network nope"),
    (
        'time="2026-11-24T06:47:29Z" level=warning msg="secret file x does not exist"\n service:a:1 Error response from'
        ' daemon: invalid mount config for type "bind": bind source path does not exist: /a/nope\n',
        errors.EngineFailed,
        "bind source path does not exist: /a/nope",
    ),
    (
        "Error response from daemon: OCI runtime create failed\nError: failed to start containers: x-kratos-1\n",
        errors.EngineFailed,
        "OCI runtime create failed",
    ),
    ("write /x: no space left on device\nERROR: failed to build: exit 1\n", errors.DiskFull, "write /x"),
    ("Error response from daemon: No such container: x", errors.EngineFailed, "No such container: x"),
    ("unknown flag: --format", errors.EngineFailed, "--format"),
    ("", errors.EngineFailed, ""),
]


@pytest.mark.parametrize(("output", "kind", "why"), SAID, ids=[text[:40] for text, _, _ in SAID])
def test_it_becomes_the_error_with_the_line_that_says_why(output: str, kind: type[KratosctlError], why: str) -> None:
    error = faults.from_output(output, "creating containers")
    assert type(error) is kind
    assert why in error.why
    assert not error.why.startswith(("Error response from daemon", "Error: failed to start containers", "Run '"))
    assert len(error.lines()) == (3 if output else 2)


def test_what_nobody_knows_says_what_was_under_way() -> None:
    assert faults.from_output("boom", "pulling x").lines() == [
        "pulling x failed",
        "boom",
        "`kratosctl doctor` looks for the cause",
    ]


def test_a_missing_docker_says_where_to_get_it() -> None:
    assert "docs.docker.com" in faults.docker_missing().fix


@given(st.text(max_size=2000))
def test_anything_printed_becomes_three_short_lines(output: str) -> None:
    lines = faults.from_output(output, "starting").lines()
    assert 1 <= len(lines) <= 3
    assert max(map(len, lines)) <= 320
    assert not any("\n" in line for line in lines)


@pytest.mark.parametrize("said", [NO_PATH, SQUASHED, SHARED])
def test_whose_directory_the_engine_does_not_see_is_told_where_it_would(said: str) -> None:
    """Doctor looks at files as their owner, to whom nothing is wrong with them."""
    error = faults.from_output(said, "creating containers")
    assert "does not see" in error.what
    assert "Docker Desktop" in error.fix
    assert "inside a container" in error.fix
    assert "doctor" not in error.fix

"""What docker says of containers, read from its own words."""

from __future__ import annotations

import pytest

from kratosctl.engine import reading


@pytest.mark.parametrize(
    ("said", "published"),
    [
        ("", {}),
        ("4433/tcp, 4434/tcp", {}),
        ("127.0.0.1:4533->4433/tcp, 4434/tcp", {"127.0.0.1:4533": 4433}),
        ("127.0.0.1:4433-4434->4433-4434/tcp", {"127.0.0.1:4433": 4433, "127.0.0.1:4434": 4434}),
        (
            "0.0.0.0:4433->4433/tcp, [::]:4433->4433/tcp, 127.0.0.1:4434->4434/tcp",
            {"0.0.0.0:4433": 4433, "[::]:4433": 4433, "127.0.0.1:4434": 4434},
        ),
        (
            "0.0.0.0:4433-4435->4433-4435/tcp, :::4433-4435->4433-4435/tcp",
            {f"{address}:{port}": port for address in ("0.0.0.0", "::") for port in (4433, 4434, 4435)},
        ),
        ("0.0.0.0:53->53/udp", {}),
    ],
)
def test_every_published_port_is_seen_also_those_docker_joins(said: str, published: dict[str, int]) -> None:
    """Docker joins 4433 and 4434 of one container, which `--admin-port 4434` publishes."""
    assert reading._published(said) == published


@pytest.mark.parametrize(
    ("version", "parts"),
    [
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("28.2.2", (28, 2, 2)),
        ("5.6.1", (5, 6, 1)),
        ("2.21.0-desktop.1", (2, 21, 0)),
        ("", ()),
    ],
)
def test_versions_are_compared_as_numbers(version: str, parts: tuple[int, ...]) -> None:
    assert reading.version_tuple(version) == parts


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        ("Up Less than a second", 2),
        ("Up 40 seconds (healthy)", 41),
        ("Up About a minute", 120),
        ("Up About an hour (unhealthy)", 7200),
        ("Up 2 weeks", 3 * 604_800),
        ("Exited (1) 2 minutes ago", float("inf")),
    ],
)
def test_how_long_a_container_is_up_at_most(status: str, seconds: float) -> None:
    assert reading.longest_up(status) == seconds

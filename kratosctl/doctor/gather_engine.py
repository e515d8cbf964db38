"""Observing: the engine, and what is left on it of environments whose directory is gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

from kratosctl.doctor.facts import EngineFacts
from kratosctl.engine import program, reading
from kratosctl.engine.objects import Container
from kratosctl.ephemeral import remains
from kratosctl.ephemeral.remains import Remains
from kratosctl.errors import EngineFailed, KratosctlError

_LONGEST_LOOK = 10.0

T = TypeVar("T")


def engine_facts() -> tuple[EngineFacts, tuple[Container, ...]]:
    """The engine, and all containers of kratosctl on it. Never raises: a fault is a fact."""
    try:
        client = program.docker("--version", timeout=_LONGEST_LOOK, check=False).stdout
    except KratosctlError as error:
        return EngineFacts(fault=error), ()
    version = client.removeprefix("Docker version ").split(",")[0].strip() or "of unknown version"
    (engine, fault), (compose, compose_fault) = reading.together(
        lambda: or_fault(lambda: reading.engine(_LONGEST_LOOK)),
        lambda: or_fault(lambda: reading.check_compose(_LONGEST_LOOK)),
    )
    found = EngineFacts(client=version, fault=fault, compose=compose or "", compose_fault=compose_fault)
    if engine is None:
        return found, ()
    (info, _), (networks, _), (containers, _) = reading.together(
        lambda: or_fault(_info), lambda: or_fault(_networks), lambda: or_fault(reading.containers)
    )
    options = [part.split(",")[0].removeprefix("name=") for part in (info or {}).get("SecurityOptions") or []]
    found = replace(
        found,
        engine=engine,
        desktop="docker desktop" in str((info or {}).get("OperatingSystem")).lower(),
        security=tuple(options),
        data_root=str((info or {}).get("DockerRootDir") or ""),
        networks=len(networks or []),
    )
    return found, containers or ()


def or_fault(look: Callable[[], T]) -> tuple[T | None, KratosctlError | None]:
    """What a look at the engine finds, or why it finds nothing."""
    try:
        return look(), None
    except KratosctlError as error:
        return None, error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return None, EngineFailed("docker answers in a way kratosctl does not understand", f"{type(error).__name__}")


def _info() -> dict[str, object]:
    said: dict[str, object] = json.loads(program.docker("info", "--format", "{{json .}}", timeout=_LONGEST_LOOK).stdout)
    return said


def _networks() -> list[str]:
    return program.docker("network", "ls", "--filter", "driver=bridge", "--quiet").stdout.split()


def left_behind(ours: Collection[str]) -> tuple[Remains, ...]:
    """What the engine has of environments whose directory is gone.

    Args:
        ours: projects of the environments here, which may have been moved here.
    """
    found, _ = or_fault(remains.everything)
    return tuple(one for one in found or () if one.project and one.gone and one.project not in ours)

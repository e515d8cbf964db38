"""`status` and `list`: what is there, for a person or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kratosctl import catalog, ownership, running, states, urls
from kratosctl.answers import configuration_file
from kratosctl.catalog import CONTAINER_PORTS, LISTENERS
from kratosctl.engine import reading
from kratosctl.engine.objects import Container
from kratosctl.ephemeral import owner, remains
from kratosctl.errors import KratosctlError
from kratosctl.files.workspace import GENERATED, UPGRADE_CLONE, Workspace
from kratosctl.kratos import readiness
from kratosctl.results import Result, table
from kratosctl.stack import inbox
from kratosctl.stages import images, taken

_FATES: dict[owner.Fate, str] = {
    "alive": "of a test that runs",
    "dead": "left by a test that ended",
    "kept": "kept by a test",
    "unseen": "of another host, container or user",
}


def status(directory: Path, name: str | None) -> Result:
    """One environment's services, health, ports, version, database and migration state."""
    found = running.find(directory, name)
    asked = configuration_file.load(directory).get(found.name, {})
    kratos = found.container("kratos")
    labels = kratos.labels if kratos else {}
    release = labels.get("release") or asked.get("release") or catalog.NEWEST.tag
    database = labels.get("database") or asked.get("database") or "sqlite"
    data: dict[str, Any] = {
        "environment": found.name,
        "directory": str(directory),
        "project": found.state.project,
        "state": states.state_of(found.containers, _answers(found)),
        "release": release,
        "variant": labels.get("variant") or asked.get("variant") or "default",
        "database": database,
        "migrated_by": found.state.releases.get(database) if found.state.migrated else None,
        "endpoints": endpoints(found),
        "lesson": found.workspace.lesson or None,
        "mail_login": mail_login(found),
        # Compose creates kratos-migrate beside Kratos; it never ran where there was nothing to migrate
        "services": [_service(c) for c in found.containers if (c.service, c.state) != ("kratos-migrate", "created")],
    }
    why = taken.rejected(directory, asked.get("config_dir"), asked.get("config"), kratos)
    rejected = [taken.warning(asked["config_dir"], why)] if why else []
    return Result("status", data, lambda: _status_text(data), [*_warnings(found, release), *rejected])


def endpoints(found: running.Found) -> dict[str, str]:
    """The addresses that are open now, by name."""
    host, https = found.state.host, found.state.https
    bound: dict[str, tuple[str, int]] = {}
    for port in ("ui", "public", "admin", "mail", "postgres"):
        container = found.container(LISTENERS[port])
        places = container.places(CONTAINER_PORTS[port]) if container else []
        if places:
            bound[port] = places[0]
    beyond = any(urls.beyond_host(where, https) for port, (where, _) in bound.items() if port in urls.PROXIED)
    open_now = {}
    for port, (where, number) in bound.items():
        name = urls.host_of(port, host, where, beyond)
        open_now[port] = f"{name}:{number}" if port == "postgres" else urls.of_port(port, number, name, https)
    return open_now


def _answers(found: running.Found) -> bool | None:
    """Whether Kratos says that it is ready; None where it cannot be asked."""
    kratos, public = found.container("kratos"), found.public_address()
    if not public or kratos is None or kratos.state != "running":
        return None
    return readiness.is_ready(*public)


def mail_login(found: running.Found) -> dict[str, str] | None:
    """Who may open the mail inbox that runs: the name and the file with the password; None where it asks nobody."""
    mail = found.container("mail")
    places = mail.places(CONTAINER_PORTS["mail"]) if mail else []
    guarded = any(urls.beyond_host(address, found.state.https) for address, _ in places)
    return inbox.where(found.name, found.workspace.home) if guarded else None


def _service(container: Container) -> dict[str, Any]:
    return {
        "service": container.service,
        "state": container.state,
        "health": container.health or None,
        "exit_code": container.exit_code,
        "image": container.image,
        "ports": container.published,
        "container": container.name,
    }


def _warnings(found: running.Found, release: str) -> list[str]:
    warnings = [
        f"{reference} is a floating tag, locked to {images.short(lock['id'])}"
        for reference, lock in found.state.images.items()
    ]
    if release == "latest":
        warnings.append("release latest changes without notice: pin it with --release " + catalog.NEWEST.tag)
    # whoever holds the lock may be at it
    if found.workspace.has_unfinished and not found.workspace.is_held:
        warnings.append(f"what changes its data was interrupted: kratosctl up {found.name} finishes or undoes it")
    return warnings


def _status_text(data: dict[str, Any]) -> str:
    migrated = f", migrated by {data['migrated_by']}" if data["migrated_by"] else ""
    image = data["release"] + (" distroless" if data["variant"] == "distroless" else "")
    lines = [f"{data['environment']}: {data['state']} (Kratos {image} on {data['database']}{migrated})"]
    if data["lesson"]:
        lines.append(f"lesson {data['lesson']} runs: kratosctl lesson check {data['environment']}")
    if data["services"]:
        rows = [[s["service"], _service_state(s), _ports(s["ports"]), s["image"]] for s in data["services"]]
        lines += ["", table(("SERVICE", "STATE", "PORTS", "IMAGE"), rows)]
    if data["endpoints"]:
        after = {"mail": inbox.said(data["mail_login"])}
        lines += ["", *(f"{name:<10}{url}{after.get(name, '')}" for name, url in data["endpoints"].items())]
    return "\n".join(lines)


def _service_state(service: dict[str, Any]) -> str:
    if service["state"] == "exited":
        return f"exited {service['exit_code']}"
    # "starting" is only that Docker has not asked yet: `up` and the first line have
    health = service["health"] if service["health"] != "starting" else None
    return f"{service['state']} ({health})" if health else str(service["state"])


def _ports(published: dict[str, int]) -> str:
    return ", ".join(f"{address}->{inside}" for address, inside in published.items())


def listing(directory: Path) -> Result:
    """Every environment of this host: by label, wherever its directory is; and those of this directory."""
    rows: dict[str, dict[str, Any]] = {}
    of_project: dict[str, list[Container]] = {}
    containers, volumes = reading.together(reading.containers, lambda: reading.labelled_as("volume"))
    for container in containers:
        where, name = (container.labels.get(label, "") for label in ("directory", "environment"))
        if not (where and name) or name.startswith(".") or _is_clone(where):
            continue  # not made by us; or what stands before others, which is none
        row = _row(rows, container.project, where, name)
        row["services"][container.service] = container.state
        of_project.setdefault(container.project, []).append(container)
        if "owner" in container.labels:
            row["ephemeral"] = owner.fate(container.labels["owner"])
        if container.service == "kratos":
            row.update({key: container.labels.get(key) for key in ("release", "database")})
            row["public"] = next((port for _, port in container.places(CONTAINER_PORTS["public"])), None)
    asked_for, faults = _asked_for(directory)
    for name in running.names_of(directory, asked_for):
        project = _project(directory, name, of_project, faults)
        if project not in rows:
            asked = asked_for.get(name, {})
            row = _row(rows, project, str(directory), name)
            row.update({key: asked.get(key) for key in ("release", "database")})
        # labels name the directory it was made in, which may have moved since
        rows[project].update(directory=str(directory), directory_gone=False)
    for one in volumes:
        if one.project in rows or not _is_clone(one.directory):
            _row(rows, one.project, one.directory, one.environment)["volume"] = True
    found = [{**row, "state": _list_state(of_project.get(row["project"], []))} for row in rows.values()]
    found.sort(key=lambda row: (row["directory"] != str(directory), row["directory"], row["environment"]))
    return Result("list", {"environments": found}, lambda: _list_text(found, directory), faults)


def _is_clone(directory: str) -> bool:
    """Whether that is where an upgrade is tried: no environment of its own, and gone when it was tried."""
    path = Path(directory)
    return path.name == UPGRADE_CLONE and path.parent.parent.name == GENERATED


def _asked_for(directory: Path) -> tuple[Mapping[str, Mapping[str, Any]], list[str]]:
    """What kratosctl.yaml asks for here; what is wrong in it hides no other directory's environments."""
    try:
        return configuration_file.load(directory), []
    except KratosctlError as error:
        return {}, ["; ".join(error.lines())]


def _project(directory: Path, name: str, containers: Mapping[str, list[Container]], faults: list[str]) -> str:
    """An environment's project. That its state cannot be read is no reason to hide it, or the others; nor that it is on
    another engine."""
    project = ""
    try:
        state = ownership.settled_state(Workspace(directory, name))
        project = state.project
        running.check_engine(state, containers.get(project, ()))
    except KratosctlError as error:
        faults.append("; ".join([f"{name}: {error.what}", *error.lines()[1:]]))
    return project or ownership.project_name(directory, name, ownership.inode(directory))


def _row(rows: dict[str, dict[str, Any]], project: str, where: str, name: str) -> dict[str, Any]:
    empty = {
        "environment": name,
        "directory": where,
        "directory_gone": not remains.holds(where, name, project),
        "project": project,
        "release": None,
        "database": None,
        "public": None,
        "volume": False,
        "ephemeral": None,
        "services": {},
    }
    return rows.setdefault(project, empty)


def _list_state(containers: list[Container]) -> str:
    """As `status` tells it, but that Kratos is not asked whether it is ready."""
    state = states.state_of(containers, True)
    return {"ready": "running", "absent": "down"}.get(state, state)


def _list_text(found: list[dict[str, Any]], here: Path) -> str:
    if not found:
        return "no environments; make one: kratosctl up"
    rows = []
    for row in found:
        where = "." if row["directory"] == str(here) and not row["directory_gone"] else row["directory"]
        gone = " (gone)" if row["directory_gone"] else ""
        if row["ephemeral"]:
            gone += f" (ephemeral: {_FATES[row['ephemeral']]})"
        port = row["public"] or "-"
        rows.append(
            [row["environment"], row["state"], row["release"] or "-", row["database"] or "-", port, where + gone]
        )
    return table(("NAME", "STATE", "RELEASE", "DATABASE", "PORT", "DIRECTORY"), rows)

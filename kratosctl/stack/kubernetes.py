"""What a seat needs in Kubernetes beside Ory's chart: a namespace, PostgreSQL, mail inbox and pages.

Sources: the reference of the Kubernetes API, and Ory's chart 0.62.1 for the names it gives its services.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from kratosctl.catalog import CONTAINER_PORTS
from kratosctl.stack import helm, inbox
from kratosctl.stack.compose import IMAGE_KEYS
from kratosctl.stack.files import File
from kratosctl.stack.portable import Portable
from kratosctl.stack.render import dump

VALUES, BESIDE = "values.yaml", "beside.yaml"
SECRET_VALUES, SECRET_BESIDE = f"secrets/{VALUES}", f"secrets/{BESIDE}"
_SIZE = "1Gi"
_UI_USER = 10000
_NOBODY = 65534
_HTPASSWD = "htpasswd"


def render(seat: Portable) -> list[File]:
    """The files of one seat."""
    secrets = list(_secrets(seat))
    named = f"Seat {seat.environment.name}"
    about = f"{named}: values of Ory's Helm chart kratos, version {helm.CHART}"
    files = [
        File(VALUES, dump(helm.values(seat), f"{about}.")),
        File(SECRET_VALUES, dump(helm.secret_values(seat), f"{about}, those that are secret."), secret=True),
        File(BESIDE, _documents(list(_beside(seat)), f"{named}: what it needs beside Ory's chart.")),
    ]
    if secrets:
        files.append(File(SECRET_BESIDE, _documents(secrets, f"{named}: secrets of what is beside it."), secret=True))
    return files


def commands(seat: Portable, folder: str) -> tuple[list[str], list[str]]:
    """What brings a seat up, and what removes it with its data, by hand.

    Args:
        seat: the seat.
        folder: where its files lie.
    """
    where = shlex.quote(folder)
    beside = [BESIDE, SECRET_BESIDE] if any(_secrets(seat)) else [BESIDE]
    chart = f"helm upgrade --install {helm.RELEASE} ory/kratos --version {helm.CHART} --namespace {seat.name}"
    return [
        "kubectl apply" + "".join(f" --filename {where}/{name}" for name in beside),
        f"{chart} --values {where}/{VALUES} --values {where}/{SECRET_VALUES} --wait",
    ], [f"kubectl delete namespace {seat.name}"]


def forwarding(seat: Portable) -> list[str]:
    """What makes a seat that has no address of its own reachable from this machine, at the addresses it believes in."""
    if helm.service_type(seat.environment.bind) != "ClusterIP":
        return []
    names = {"public": f"{helm.RELEASE}-public", "ui": "ui", "mail": "mail-web"}
    return [
        f"kubectl --namespace {seat.name} port-forward service/{names[name]} {seat.place.ports[name]}"
        for name in seat.addresses
    ]


def _documents(data: list[dict[str, Any]], comment: str) -> str:
    head, *rest = data
    return dump(head, comment) + "".join("---\n" + dump(one).partition("\n")[2] for one in rest)


def _secrets(seat: Portable) -> Iterator[dict[str, Any]]:
    if seat.environment.database == "postgres":
        yield _secret(seat, "postgres", {"password": seat.secrets.postgres_password})
    if seat.environment.ui:
        named = {"COOKIE_SECRET": seat.secrets.ui_cookie, "CSRF_COOKIE_SECRET": seat.secrets.ui_csrf}
        yield _secret(seat, "ui", named)
    if seat.environment.guards_inbox:
        access = next(file.text for file in seat.secret_files if file.path == inbox.ACCESS_FILE)
        yield _secret(seat, "mail", {_HTPASSWD: access})


def _beside(seat: Portable) -> Iterator[dict[str, Any]]:
    environment = seat.environment
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": seat.name}}
    yield _policy(seat)
    if environment.database == "sqlite":
        yield _claim(seat, helm.VOLUME)
    if environment.database == "postgres":
        yield from _postgres(seat)
    if environment.mail:
        yield from _mail(seat)
    if environment.ui:
        yield from _ui(seat)


def _policy(seat: Portable) -> dict[str, Any]:
    """From other namespaces, and so from other seats, only what people use is reached: not the admin API.

    Nor an inbox that asks nobody for a password: its owner comes by `kubectl port-forward`, which needs no rule.
    """
    pages = {"ui": seat.environment.ui, "mail": seat.environment.guards_inbox}
    visited = ["public", *(name for name, there in pages.items() if there)]
    rules = [
        {"from": [{"podSelector": {}}]},
        {"ports": [{"port": CONTAINER_PORTS[name], "protocol": "TCP"} for name in visited]},
    ]
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": rules}
    return _object(seat, "networking.k8s.io/v1", "NetworkPolicy", "only-what-people-use", spec=spec)


def _postgres(seat: Portable) -> Iterator[dict[str, Any]]:
    container = {
        "env": [
            {"name": "POSTGRES_USER", "value": "kratos"},
            {"name": "POSTGRES_DB", "value": "kratos"},
            {"name": "POSTGRES_PASSWORD_FILE", "value": "/run/secrets/postgres/password"},
        ],
        "ports": [{"containerPort": 5432}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            # to own the data directory and become the user postgres
            "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]},
        },
        # over TCP: while it initialises, the server listens on its socket only
        "readinessProbe": _probe(
            "exec", command=["pg_isready", "-q", "-h", "127.0.0.1", "-U", "kratos", "-d", "kratos"]
        ),
        "volumeMounts": [
            # a folder of the volume: its top may hold lost+found, and PostgreSQL wants an empty one
            {"name": "data", "mountPath": seat.place.postgres_target, "subPath": "postgres"},
            {"name": "secret", "mountPath": "/run/secrets/postgres", "readOnly": True},
        ],
    }
    volumes = [{"name": "secret", "secret": {"secretName": "postgres"}}]
    claim = {"metadata": {"name": "data"}, "spec": _claimed()}
    stateful = {"serviceName": "postgres", "volumeClaimTemplates": [claim]}
    yield _runs(seat, "StatefulSet", "postgres", container, volumes, **stateful)
    yield _service(seat, "postgres", "postgres", [{"port": 5432}])


def _mail(seat: Portable) -> Iterator[dict[str, Any]]:
    container: dict[str, Any] = {
        "env": [{"name": "MP_DISABLE_VERSION_CHECK", "value": "true"}],
        "ports": [{"containerPort": 1025}, {"containerPort": 8025}],
        "securityContext": _confined(_NOBODY) | {"readOnlyRootFilesystem": True},
        "readinessProbe": _probe("exec", command=["/mailpit", "readyz"]),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {}}]
    if seat.environment.guards_inbox:
        container["env"].append({"name": "MP_UI_AUTH_FILE", "value": f"/run/secrets/mail/{_HTPASSWD}"})
        container["volumeMounts"].append({"name": "secret", "mountPath": "/run/secrets/mail", "readOnly": True})
        volumes.append({"name": "secret", "secret": {"secretName": "mail"}})
    yield _runs(seat, "Deployment", "mail", container, volumes)
    yield _service(seat, "mail", "mail", [{"port": 1025}])
    yield _page(seat, "mail-web", "mail")


def _ui(seat: Portable) -> Iterator[dict[str, Any]]:
    port = seat.place.ports["public"]
    variables = {
        "PORT": "3000",
        "KRATOS_PUBLIC_URL": f"http://{helm.RELEASE}-public:{port}",
        "KRATOS_BROWSER_URL": seat.addresses["public"],
        "CSRF_COOKIE_NAME": f"ory_csrf_ui_{seat.place.project}",
    }
    if not seat.environment.https:
        variables["DANGEROUSLY_DISABLE_SECURE_CSRF_COOKIES"] = "true"
    container = {
        # what `npm run serve` does, without npm's half second
        "command": ["node", "lib/index.js"],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "envFrom": [{"secretRef": {"name": "ui"}}],
        "ports": [{"containerPort": 3000}],
        "securityContext": _confined(_UI_USER) | {"readOnlyRootFilesystem": True},
        "readinessProbe": _probe("httpGet", path="/health/alive", port=3000),
    }
    yield _runs(seat, "Deployment", "ui", container, [])
    yield _page(seat, "ui", "ui")


def _runs(
    seat: Portable, kind: str, name: str, container: dict[str, Any], volumes: list[Any], **more: Any
) -> dict[str, Any]:
    """One pod that is kept running."""
    image = seat.place.images.get(name, getattr(seat.environment, IMAGE_KEYS[name]))
    pod: dict[str, Any] = {
        # each service would become variables, and MAIL_PORT or UI_PORT mean something to programs
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "containers": [{"name": name, "image": image} | container],
    }
    if volumes:
        pod["volumes"] = volumes
    if seat.environment.platform:
        pod["nodeSelector"] = helm.node_selector(seat.environment.platform)
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}}
    spec |= {"template": {"metadata": {"labels": {"app": name}}, "spec": pod}} | more
    return _object(seat, "apps/v1", kind, name, spec=spec)


def _page(seat: Portable, name: str, port: str) -> dict[str, Any]:
    """The service that attendees come to."""
    ports = [{"port": seat.place.ports[port], "targetPort": CONTAINER_PORTS[port]}]
    return _service(seat, name, port, ports, helm.service_type(seat.environment.bind))


def _service(seat: Portable, name: str, app: str, ports: list[Any], kind: str = "ClusterIP") -> dict[str, Any]:
    return _object(seat, "v1", "Service", name, spec={"type": kind, "selector": {"app": app}, "ports": ports})


def _claim(seat: Portable, name: str) -> dict[str, Any]:
    return _object(seat, "v1", "PersistentVolumeClaim", name, spec=_claimed())


def _claimed() -> dict[str, Any]:
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": _SIZE}}}


def _secret(seat: Portable, name: str, texts: dict[str, str]) -> dict[str, Any]:
    return _object(seat, "v1", "Secret", name, stringData=texts)


def _object(seat: Portable, version: str, kind: str, name: str, **content: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": seat.name}} | content


def _probe(way: str, **how: Any) -> dict[str, Any]:
    return {way: how, "periodSeconds": 5, "timeoutSeconds": 5}


def _confined(user: int) -> dict[str, Any]:
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }

"""A seat as values of Ory's Helm chart for Kratos.

Source: values.yaml and the templates of helm/charts/kratos in github.com/ory/k8s, chart 0.62.1.
The containers that it makes of these values were run with Kratos v1.0.0 to v26.2.0 by hand, without a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kratosctl import fragments
from kratosctl.errors import ChoiceImpossible
from kratosctl.stack import kratos_configuration
from kratosctl.stack.portable import Portable
from kratosctl.stack.secrets import KINDS, as_kratos
from kratosctl.urls import LOOPBACK

CHART = "0.62.1"
REPOSITORY = "https://k8s.ory.com/helm/charts"
RELEASE = "kratos"
VOLUME = "sqlite"
_HERE, _THERE = "file:///etc/config/kratos/", "file:///etc/config/"
# the chart puts each file into one ConfigMap, whose keys are these
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def values(seat: Portable) -> dict[str, Any]:
    """The values that are no secret.

    Raises:
        ChoiceImpossible: the configuration has what the chart cannot take along.
    """
    environment = seat.environment
    found: dict[str, Any] = {
        "fullnameOverride": RELEASE,
        "image": image(seat.place.images.get("kratos", environment.kratos_image)),
        "service": {"public": {"type": service_type(environment.bind), "port": seat.place.ports["public"]}},
        "kratos": {
            # plain HTTP: without it browsers drop the session cookie, which is marked secure
            "development": not environment.https,
            # in Kratos' own pod, before Kratos: on the same volume, after the database, at each new release
            "automigration": {"enabled": environment.migrates, "type": "initContainer"},
            "identitySchemas": {name: _literal(text) for name, text in _files(seat).items()},
            "config": _literal(_configuration(seat)),
        },
        "deployment": {
            "extraArgs": ["--sqa-opt-out", *(["--watch-courier"] if seat.place.sends_mail else [])],
            # the chart's own five seconds are short where thirty seats start at once
            "startupProbe": {"failureThreshold": 60},
            "extraVolumes": [{"name": "tmp", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        },
        # Kratos sends its mail itself: one pod less a seat, and none that would want the same SQLite file
        "courier": {"enabled": False},
    }
    if environment.database == "sqlite":
        _on_a_volume(found)
    if environment.platform:
        found["deployment"]["nodeSelector"] = node_selector(environment.platform)
    return found


def secret_values(seat: Portable) -> dict[str, Any]:
    """The values that are secret: the chart puts them into a Secret."""
    dsn = kratos_configuration.dsn(seat.environment, seat.secrets)
    ours = as_kratos(seat.secrets, dsn, seat.theirs)
    theirs = seat.theirs.get("secrets")
    named = {**(theirs if isinstance(theirs, Mapping) else {}), **ours.get("secrets", {})}
    secrets = {kind: _as_variable(named[kind]) for kind in KINDS if named.get(kind)}
    return {"kratos": {"config": {"dsn": ours["dsn"], "secrets": secrets}}}


def unheard(seat: Portable) -> list[str]:
    """Secrets of the user's own configuration that the chart has no place for."""
    theirs = seat.theirs.get("secrets")
    return [f"secrets.{kind}" for kind in theirs if kind not in KINDS] if isinstance(theirs, Mapping) else []


def image(reference: str) -> dict[str, str]:
    """An image reference in the chart's three parts, which it puts together again as registry/repository:tag."""
    head, _, tail = reference.rpartition("/")
    name, _, tag = tail.partition(":")
    registry, _, path = head.partition("/")
    if not re.search(r"[.:]|^localhost$", registry):
        registry, path = "docker.io", head
    return {"registry": registry, "repository": f"{path}/{name}" if path else name, "tag": tag}


def service_type(bind: str) -> str:
    """Whether attendees come from elsewhere: then the cluster gives the service an address of its own."""
    return "ClusterIP" if bind in LOOPBACK else "LoadBalancer"


def node_selector(platform: str) -> dict[str, str]:
    """The nodes of a platform, by the labels that Kubernetes gives them."""
    system, architecture, *_ = platform.split("/")
    return {"kubernetes.io/os": system, "kubernetes.io/arch": architecture}


def _on_a_volume(found: dict[str, Any]) -> None:
    """SQLite has one writer: the old pod ends before the new one starts."""
    # the chart's own rolling update would be merged into it, which Kubernetes refuses
    found["strategy"] = {"type": "Recreate", "rollingUpdate": None}
    deployment = found["deployment"]
    deployment["extraVolumes"].append({"name": VOLUME, "persistentVolumeClaim": {"claimName": VOLUME}})
    deployment["extraVolumeMounts"].append({"name": VOLUME, "mountPath": "/var/lib/sqlite"})


def _configuration(seat: Portable) -> Any:
    """What Kratos reads from several files under Compose, as the one that the chart writes."""
    ours = kratos_configuration.environment_configuration(seat.environment, seat.place, seat.theirs)
    merged = fragments.merge(dict(seat.theirs), ours)
    return _moved({key: value for key, value in merged.items() if key not in ("dsn", "secrets")})


def _files(seat: Portable) -> dict[str, str]:
    """The files beside the main one. The chart calls them identity schemas, and lays down any."""
    beside = {name: text for name, text in seat.texts.items() if name not in kratos_configuration.MAIN_FILES}
    for name in beside:
        if not _KEY.fullmatch(name):
            raise ChoiceImpossible(
                f"{name} of Kratos' configuration cannot go to Kubernetes",
                "the chart lays files down side by side, under names of letters, digits, -, . and _",
                "put it beside kratos.yml under such a name, or render for swarm",
            )
    return {name: _moved(text) for name, text in beside.items()}


def _moved(data: Any) -> Any:
    """The chart lays the files down in /etc/config itself."""
    if isinstance(data, str):
        return data.replace(_HERE, _THERE)
    if isinstance(data, Mapping):
        return {key: _moved(value) for key, value in data.items()}
    return [_moved(value) for value in data] if isinstance(data, list) else data


def _literal(data: Any) -> Any:
    """The chart reads configuration and schemas as templates: two braces have to stay two braces."""
    if isinstance(data, str):
        return data.replace("{{", "{{`{{`}}")
    if isinstance(data, Mapping):
        return {key: _literal(value) for key, value in data.items()}
    return [_literal(value) for value in data] if isinstance(data, list) else data


def _as_variable(secrets: Any) -> list[str]:
    """Secrets as the chart wants them: Kratos gets them as comma-separated values, quoted by the chart if several."""
    texts = [str(secret).replace('"', '""') for secret in secrets]
    alone = len(texts) == 1 and re.search(r'[",\s]|^\[', texts[0])
    return [f'"{texts[0]}"'] if alone else texts

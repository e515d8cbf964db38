"""A seat's values for Ory's Helm chart: keys the chart has, what Kratos is given, and what the chart cannot take."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kratosctl.errors import ChoiceImpossible
from kratosctl.stack import helm, kubernetes
from kratosctl.stack.portable import Portable
from tests.unit import portables, stacks

EVERY_KIND = pytest.mark.parametrize("kind", portables.KINDS)


def only(**keys: Any) -> dict[str, Any]:
    """A mapping with these keys and no other."""
    return {"type": "object", "properties": keys, "additionalProperties": False}


_TEXT, _FLAG, _NUMBER, _MAP = {"type": "string"}, {"type": "boolean"}, {"type": "integer"}, {"type": "object"}
_LIST = {"type": "array", "items": {"type": "object"}}
_TEXTS = {"type": "array", "items": {"type": "string"}}
KEYS = only(
    fullnameOverride=_TEXT,
    image=only(registry=_TEXT, repository=_TEXT, tag=_TEXT),
    strategy=only(type={"enum": ["RollingUpdate", "Recreate"]}, rollingUpdate={"type": ["object", "null"]}),
    service=only(public=only(type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}, port=_NUMBER)),
    kratos=only(
        development=_FLAG,
        automigration=only(enabled=_FLAG, type={"enum": ["job", "initContainer"]}),
        identitySchemas={"type": "object", "additionalProperties": _TEXT},
        config=_MAP,
    ),
    deployment=only(
        extraArgs=_TEXTS,
        startupProbe=only(failureThreshold=_NUMBER),
        extraVolumes=_LIST,
        extraVolumeMounts=_LIST,
        nodeSelector=_MAP,
    ),
    courier=only(enabled=_FLAG),
)
SECRET_KEYS = only(
    kratos=only(config=only(dsn=_TEXT, secrets=only(default=_TEXTS, cookie=_TEXTS, cipher=_TEXTS))),
)


def own(configuration: Mapping[str, Any], texts: Mapping[str, str]) -> Portable:
    """A seat with a configuration of the user's own, and files beside it."""
    return replace(portables.of_kind("sqlite"), texts={"kratos.yml": "", **texts}, theirs=configuration)


@EVERY_KIND
def test_every_key_is_one_that_the_chart_has(kind: str) -> None:
    """The chart has no values.schema.json. These are the keys of its values.yaml that kratosctl uses, with what its
    templates take there: helm/charts/kratos of github.com/ory/k8s, chart 0.62.1, commit 4de8d629."""
    seat = portables.of_kind(kind)

    jsonschema.validate(helm.values(seat), KEYS)
    jsonschema.validate(helm.secret_values(seat), SECRET_KEYS)


@EVERY_KIND
def test_secrets_are_in_files_for_secrets_and_nowhere_else(kind: str) -> None:
    files = kubernetes.render(portables.of_kind(kind))

    shown = "".join(file.text for file in files if not file.secret)
    assert not [secret for secret in stacks.EVERY_SECRET if secret in shown]
    hidden = next(file for file in files if file.path == "secrets/values.yaml")
    assert hidden.secret
    assert stacks.load(hidden.text)["kratos"]["config"]["secrets"]["default"] == list(stacks.SECRETS.default)


def test_kratos_reads_one_file_with_the_presets_settings_and_the_seats_addresses() -> None:
    found = helm.values(portables.of_kind("sqlite"))["kratos"]["config"]

    assert found["selfservice"]["methods"]["password"]["enabled"]
    assert found["serve"]["public"]["base_url"] == "http://localhost:4433"
    assert found["session"]["cookie"]["name"] == f"ory_kratos_session_{stacks.PROJECT}"
    assert found["identity"]["schemas"][0]["url"] == "file:///etc/config/identity.schema.json"


def test_sqlite_has_a_volume_and_never_two_pods() -> None:
    found, beside = helm.values(portables.of_kind("sqlite")), objects(portables.of_kind("sqlite"))

    assert found["strategy"] == {"type": "Recreate", "rollingUpdate": None}
    claims = [
        v["persistentVolumeClaim"]["claimName"] for v in found["deployment"]["extraVolumes"] if "emptyDir" not in v
    ]
    assert claims == [name for kind, name in beside if kind == "PersistentVolumeClaim"] == ["sqlite"]
    assert found["courier"] == {"enabled": False}
    assert "--watch-courier" in found["deployment"]["extraArgs"]


def test_a_memory_database_is_not_migrated() -> None:
    assert not helm.values(portables.of_kind("memory"))["kratos"]["automigration"]["enabled"]


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("oryd/kratos:v26.2.0", ("docker.io", "oryd/kratos", "v26.2.0")),
        ("localhost:5000/team/kratos:v1", ("localhost:5000", "team/kratos", "v1")),
        ("mirror.example/kratos:v1", ("mirror.example", "kratos", "v1")),
        ("oryd/kratos@sha256:abc", ("docker.io", "oryd/kratos@sha256", "abc")),
        ("oryd/kratos:v1@sha256:abc", ("docker.io", "oryd/kratos", "v1@sha256:abc")),
    ],
)
def test_the_chart_puts_an_image_together_again(reference: str, parts: tuple[str, str, str]) -> None:
    found = helm.image(reference)

    assert tuple(found.values()) == parts
    assert f"{found['registry']}/{found['repository']}:{found['tag']}".removeprefix("docker.io/") == reference


def test_braces_reach_kratos_as_they_are_though_the_chart_reads_templates() -> None:
    configuration = {"courier": {"smtp": {"from_name": "{{ .Name }}"}}}
    found = helm.values(own(configuration, {"mapper.jsonnet": "{{ x }}"}))["kratos"]

    assert found["config"]["courier"]["smtp"]["from_name"] == "{{`{{`}} .Name }}"
    assert found["identitySchemas"]["mapper.jsonnet"] == "{{`{{`}} x }}"


def test_a_file_in_a_folder_is_refused_with_the_ways_out() -> None:
    seat = own({}, {"mails/code.gotmpl": "Hello"})

    with pytest.raises(ChoiceImpossible, match=r"mails/code\.gotmpl .* cannot go to Kubernetes") as caught:
        helm.values(seat)
    assert "render for swarm" in caught.value.fix


def test_a_secret_with_a_comma_stays_one_secret() -> None:
    def given(*secrets: str) -> list[str]:
        changed = replace(stacks.SECRETS, default=secrets)
        values = helm.secret_values(replace(portables.of_kind("sqlite"), secrets=changed))
        found: list[str] = values["kratos"]["config"]["secrets"]["default"]
        return found

    assert given('one,"secret" of many characters') == ['"one,""secret"" of many characters"']
    # of several the chart quotes each by itself
    assert given('one,"secret" of many', "another-secret-of-many") == [
        'one,""secret"" of many',
        "another-secret-of-many",
    ]


def test_secrets_of_the_users_own_go_before_ours_and_into_the_secret() -> None:
    seat = own({"secrets": {"cookie": ["mine-mine-mine-mine"], "pagination": ["x" * 16]}}, {})

    assert helm.secret_values(seat)["kratos"]["config"]["secrets"]["cookie"] == ["mine-mine-mine-mine"]
    assert "mine-mine" not in str(helm.values(seat))
    assert helm.unheard(seat) == ["secrets.pagination"]


def objects(seat: Portable, path: str = kubernetes.BESIDE) -> dict[tuple[str, str], dict[str, Any]]:
    """What is beside the chart, by kind and name."""
    text = next(file.text for file in kubernetes.render(seat) if file.path == path)
    found = [stacks.load(document) for document in text.split("\n---\n")]
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


@EVERY_KIND
def test_everything_is_in_the_seats_own_namespace(kind: str) -> None:
    seat = portables.of_kind(kind)
    found = objects(seat)

    assert ("Namespace", seat.name) in found
    # no alias of YAML: people read it
    assert "&id" not in "".join(file.text for file in kubernetes.render(seat))
    assert {each["metadata"]["namespace"] for (kind, _), each in found.items() if kind != "Namespace"} == {seat.name}


def test_other_seats_reach_no_admin_api() -> None:
    policy = objects(portables.of_kind("postgres"))["NetworkPolicy", "only-what-people-use"]["spec"]

    inside, everywhere = policy["ingress"]
    assert inside == {"from": [{"podSelector": {}}]}
    assert [port["port"] for port in everywhere["ports"]] == [4433, 3000]


def test_an_inbox_that_others_can_come_to_asks_for_a_password() -> None:
    seat = portables.of_kind("over the network")
    lan, secrets = objects(seat), objects(seat, kubernetes.SECRET_BESIDE)

    policy = lan["NetworkPolicy", "only-what-people-use"]["spec"]["ingress"][1]
    assert 8025 in [port["port"] for port in policy["ports"]]
    pod = lan["Deployment", "mail"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (variable,) = [each for each in container["env"] if each["name"] == "MP_UI_AUTH_FILE"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (volume,) = [each for each in pod["volumes"] if "secret" in each]
    keys = [
        f"{mounts[volume['name']]}/{key}" for key in secrets["Secret", volume["secret"]["secretName"]]["stringData"]
    ]
    assert keys == [variable["value"]]


def test_attendees_with_machines_of_their_own_get_addresses_of_the_cluster() -> None:
    here = portables.of_kind("sqlite")
    lan = portables.seat(stacks.environment("seat-01", bind="0.0.0.0", host="192.168.1.5"))

    assert helm.values(here)["service"]["public"]["type"] == "ClusterIP"
    assert len(kubernetes.forwarding(here)) == 3
    assert helm.values(lan)["service"]["public"]["type"] == "LoadBalancer"
    assert objects(lan)["Service", "ui"]["spec"]["type"] == "LoadBalancer"
    assert kubernetes.forwarding(lan) == []


@EVERY_KIND
def test_the_chart_itself_takes_them(kind: str, tmp_path: Path) -> None:
    chart = os.environ.get("KRATOSCTL_TEST_HELM_CHART")
    if not chart or not shutil.which("helm"):
        pytest.skip("KRATOSCTL_TEST_HELM_CHART names no copy of Ory's chart, or there is no helm")
    for file in kubernetes.render(portables.of_kind(kind)):
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).write_text(file.text, encoding="utf-8")
    values = ["--values", str(tmp_path / "values.yaml"), "--values", str(tmp_path / "secrets" / "values.yaml")]

    for words in (["lint", chart], ["template", "kratos", chart]):
        done = subprocess.run(["helm", *words, *values], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert "WARNING" not in done.stdout

"""The image with the configuration in it: what it is made of, and when it is made anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from kratosctl.commands.image_build import show
from kratosctl.console import Console
from kratosctl.engine import client, program
from kratosctl.engine.objects import Image
from kratosctl.environment import Environment, from_answers
from kratosctl.errors import ConfigDirectoryMissing, ConfigurationInvalid
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.kratos import config_dir
from kratosctl.stack.custom_image import CONTENT_LABEL, NAME_LABEL, CustomImage, custom_image, warnings
from kratosctl.stages import assemble, images
from kratosctl.stages.build_image import make

FILES = {"kratos.yml": b"identity: {}\n", "identity.schema.json": b"{}"}


def environment(**answers: Any) -> Environment:
    return from_answers("dev", {"config": "image", "ui": False, "mail": False, **answers})


def image(files: dict[str, bytes] | None = None, lock: dict[str, str] | None = None, **answers: Any) -> CustomImage:
    return custom_image(environment(**answers), "app-dev-1", lock or {}, "kratos.yml", files or FILES)


def test_the_dockerfile() -> None:
    assert image().dockerfile.splitlines()[1:] == [
        "FROM oryd/kratos:v26.2.0",
        "COPY kratos/ /etc/config/kratos/",
        'CMD ["serve", "-c", "/etc/config/kratos/kratos.yml"]',
    ]


def test_the_tag_names_project_release_and_variant() -> None:
    assert image(release="v1.1.0").reference == "kratosctl/app-dev-1:v1.1.0"
    distroless = image(variant="distroless", database="postgres")
    assert distroless.reference == "kratosctl/app-dev-1:v26.2.0-distroless"
    assert distroless.base == "oryd/kratos:v26.2.0-distroless"


def test_a_platform_and_a_locked_digest_are_in_the_dockerfile() -> None:
    lock = {"id": "sha256:1", "digest": "oryd/kratos@sha256:2"}
    made = image(lock=lock, release="v26.2", platform="linux/arm64")
    assert "FROM --platform=linux/arm64 oryd/kratos@sha256:2" in made.dockerfile


def test_the_content_changes_with_what_it_is_made_from_and_with_nothing_else() -> None:
    same = image()
    assert image(dict(reversed(FILES.items()))).content == same.content
    assert image(database="postgres").content == same.content
    others = [
        image({**FILES, "kratos.yml": b"identity: {} \n"}),
        image({**FILES, "more.jsonnet": b""}),
        image(release="v1.3.1"),
        image(platform="linux/arm64"),
        image(lock={"id": "sha256:1"}),
    ]
    assert len({made.content for made in (same, *others)}) == len(others) + 1


HEADER = {"type": "api_key", "config": {"name": "X-Key", "value": "hunter2", "in": "header"}}


def test_secrets_in_a_configuration_are_named_and_not_shown() -> None:
    configuration = {
        "dsn": "postgres://me:hunter2@host/db",
        "secrets": {"cookie": ["hunter2"]},
        "selfservice": {
            "methods": {
                "password": {"enabled": True},
                "Password": {"enabled": True},
                "oidc": {"config": {"providers": [{"id": "a", "client_secret": "hunter2"}]}},
            },
            "flows": {
                "login": {
                    "after": {
                        "password": {
                            "hooks": [
                                {"hook": "web_hook", "config": {"url": "https://app", "auth": HEADER}},
                                {"hook": "web_hook", "config": {"headers": {"Authorization": "Bearer hunter2"}}},
                                {"hook": "web_hook", "config": {"headers": {"X-Api-Key": "hunter2", "X-App": "shop"}}},
                            ]
                        }
                    }
                }
            },
        },
        "session": {
            "whoami": {
                "tokenizer": {
                    "templates": {
                        "ours": {"jwks_url": "file:///etc/config/kratos/hunter2.json"},
                        "theirs": {"jwks_url": "https://keys.example.org/jwks.json"},
                    }
                }
            }
        },
        "courier": {"smtp": {"connection_uri": "smtps://me:hunter2@mail:465/", "from_address": "me@example.org"}},
    }
    found = warnings("kratos.yml", configuration)

    assert [line.split(" ")[0] for line in found] == [
        "dsn",
        "secrets",
        "selfservice.methods.oidc.config.providers.0.client_secret",
        "selfservice.flows.login.after.password.hooks.0.config.auth",
        "selfservice.flows.login.after.password.hooks.1.config.headers.Authorization",
        "selfservice.flows.login.after.password.hooks.2.config.headers.X-Api-Key",
        "session.whoami.tokenizer.templates.ours.jwks_url",
        "courier.smtp.connection_uri",
    ]
    assert "hunter2" not in "\n".join(found)
    assert warnings("kratos.yml", None) == []


def test_files_of_a_directory_but_no_hidden_ones(tmp_path: Path) -> None:
    for name in ("kratos.yml", ".env", "mappers/google.jsonnet", ".git/config"):
        (tmp_path / "kratos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "kratos" / name).write_text(name)

    found = config_dir.files(tmp_path, "kratos")

    assert found == {"kratos.yml": b"kratos.yml", "mappers/google.jsonnet": b"mappers/google.jsonnet"}


def test_a_link_to_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "kratos.yml").symlink_to("nowhere")
    with pytest.raises(ConfigurationInvalid, match=r"kratos\.yml cannot be read"):
        config_dir.files(tmp_path, ".")


def test_print_shows_the_dockerfile_of_a_preset_without_an_engine(tmp_path: Path) -> None:
    result = show(environment(), Workspace(tmp_path, "dev"))

    assert result.text().startswith("# Made by kratosctl")
    assert result.data["files"] == ["identity.schema.json", "kratos.yml"]
    assert list(tmp_path.iterdir()) == []


def test_a_missing_configuration_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigDirectoryMissing):
        show(environment(config_dir="kratos"), Workspace(tmp_path, "dev"))


def test_the_build_context_holds_the_configuration_readable_for_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, Any] = {}

    def build(context: Path, tags: Sequence[str], labels: dict[str, str]) -> None:
        files = [path for path in context.rglob("*") if path.is_file()]
        seen.update(
            tags=tags, labels=labels, files={str(path.relative_to(context)): path.read_text() for path in files}
        )
        seen["modes"] = {oct(path.stat().st_mode & 0o777) for path in files if path.name != "Dockerfile"}
        seen["context"] = context

    monkeypatch.setattr(client, "build", build)
    monkeypatch.setattr(program, "docker", lambda *_words, **_how: CompletedProcess([], 0, "", ""))
    made = image({"kratos.yml": b"a", "mappers/x.jsonnet": b"b"})
    make(made, ["mine:1"], Console(quiet=True))

    assert seen["files"] == {"Dockerfile": made.dockerfile, "kratos/kratos.yml": "a", "kratos/mappers/x.jsonnet": "b"}
    assert seen["labels"] == {CONTENT_LABEL: made.content, NAME_LABEL: "kratosctl/app-dev-1"}
    assert seen["modes"] == {"0o644"}
    assert not seen["context"].exists()


def test_the_stack_runs_it_without_a_mount_and_is_made_anew_when_it_changes(tmp_path: Path) -> None:
    (tmp_path / "kratos").mkdir()
    (tmp_path / "kratos" / "kratos.yml").write_text("identity: {}\n")
    asked = environment(config_dir="kratos")

    def stack(asked: Environment) -> assemble.Stack:
        state = State(project="app-dev-1", ports={"public": 4433})
        return assemble.assemble(asked, Workspace(tmp_path, "dev"), state, None, {4433}, {})

    before, mounted = stack(asked), stack(replace(asked, config="mount"))
    compose = next(file.text for file in before.files if file.path == "compose.yaml")

    assert compose.count("image: kratosctl/app-dev-1:v26.2.0\n") == 2
    assert "target: /etc/config/kratos\n" not in compose
    assert before.kratos_image == "oryd/kratos:v26.2.0"
    assert mounted.revisions["kratos"] != before.revisions["kratos"]
    assert stack(asked).revisions == before.revisions
    (tmp_path / "kratos" / "kratos.yml").write_text("identity: {}\n# changed\n")
    assert stack(asked).revisions["kratos"] != before.revisions["kratos"]
    # a mounted one is reloaded by Kratos itself
    assert stack(replace(asked, config="mount")).revisions == mounted.revisions


@pytest.mark.parametrize(
    ("platform", "here"), [(None, True), ("linux/amd64", True), ("linux/arm64", False), ("linux/arm/v7", False)]
)
def test_an_image_for_another_platform_is_not_here(platform: str | None, here: bool) -> None:
    found = Image("sha256:1", "linux/amd64", (), ())
    assert images.is_here(found, platform) == here
    assert not images.is_here(None, platform)

"""Images before rendering: what is needed, what floating tags are locked to, which PostgreSQL it is."""

from __future__ import annotations

from typing import Any

import pytest

from kratosctl.console import Console
from kratosctl.engine.objects import Engine, Image
from kratosctl.environment import from_answers
from kratosctl.errors import ChoiceImpossible, ImageMissing
from kratosctl.files.state import State
from kratosctl.stages import apply, images
from tests.unit import stacks

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def image(identity: str = OLD, **changes: Any) -> Image:
    return Image(**({"id": identity, "platform": "linux/amd64", "digests": (), "environment": ()} | changes))


def engine(platform: str = "linux/amd64") -> Engine:
    return Engine("28.0.0", platform, local=True, rootless=False, endpoint="local")


class TestNeeding:
    def test_only_what_runs_is_needed(self) -> None:
        asked = stacks.environment(ui=False, mail=False, platform="linux/arm64")
        assert images.needed(asked) == {"oryd/kratos:v26.2.0": "linux/arm64"}
        assert len(images.needed(stacks.environment(database="postgres"))) == 4

    @pytest.mark.parametrize(("platform", "here"), [(None, True), ("linux/amd64", True), ("linux/arm64", False)])
    def test_an_image_for_another_platform_is_not_the_one_that_is_needed(
        self, platform: str | None, here: bool
    ) -> None:
        assert images.is_here(image(), platform) is here
        assert not images.is_here(None, platform)


FLOATING: dict[str, Any] = {"release": "v26", "ui_image": "acme/ui:1", "mail_image": "acme/mail:1"}


class TestLocking:
    def test_exact_tags_are_not_locked(self) -> None:
        asked = stacks.environment(ui_image="acme/ui:1", mail_image="acme/mail:1")
        assert images.floating(asked) == []

    @pytest.mark.parametrize("tag", ["v26", "v26.2", "v26-distroless", "latest", "latest-distroless"])
    def test_floating_tags_are_locked(self, tag: str) -> None:
        asked = stacks.environment(
            **(FLOATING | {"release": None}),
            kratos_image=f"oryd/kratos:{tag}", allow_floating_tag=True, database="postgres",
        )  # fmt: skip
        assert images.floating(asked) == [f"oryd/kratos:{tag}"]

    def lock(self, state: State, found: Image | None, renew: bool = False) -> tuple[State, list[str], list[str]]:
        return images.lock(stacks.environment(**FLOATING), state, lambda reference: found, renew)

    def test_a_tag_is_locked_to_what_it_means_now(self) -> None:
        state, notes, missing = self.lock(State(), image(OLD))
        assert state.images == {"oryd/kratos:v26": {"id": OLD}}
        assert (notes, missing) == ([], [])

    def test_a_digest_of_the_same_repository_is_remembered(self) -> None:
        digests = ("mirror.example/oryd/kratos@sha256:aa", "oryd/kratos@sha256:bb")
        state, _, _ = self.lock(State(), image(OLD, digests=digests))
        assert state.images["oryd/kratos:v26"] == {"id": OLD, "digest": "oryd/kratos@sha256:bb"}

    def test_a_tag_that_moved_is_said_and_the_lock_stays(self) -> None:
        held = self.lock(State(), image(OLD))[0]
        state, notes, _ = self.lock(held, image(NEW))
        assert state == held
        assert notes == [
            "oryd/kratos:v26 now means 222222222222; this environment stays on 111111111111"
            " (take the new one with --pull)"
        ]

    def test_a_renewed_lock_says_from_what_to_what(self) -> None:
        held = self.lock(State(), image(OLD))[0]
        state, notes, _ = self.lock(held, image(NEW), renew=True)
        assert state.images["oryd/kratos:v26"]["id"] == NEW
        assert notes == ["oryd/kratos:v26 moved: 111111111111 -> 222222222222"]
        assert self.lock(state, image(NEW), renew=True) == (state, [], [])

    def test_what_is_not_here_has_to_be_pulled_unless_it_is_locked(self) -> None:
        assert self.lock(State(), None) == (State(), [], ["oryd/kratos:v26"])
        held = self.lock(State(), image(OLD))[0]
        assert self.lock(held, None) == (held, [], [])

    def test_what_runs_and_is_pulled_again_is_the_digest_whatever_the_tag_means_by_now(self) -> None:
        state = State(images={"oryd/kratos:v26": {"id": OLD, "digest": "oryd/kratos@sha256:bb"}})
        asked = images.as_locked(stacks.environment(**FLOATING), state)
        assert list(images.needed(asked)) == ["oryd/kratos@sha256:bb", "acme/mail:1", "acme/ui:1"]
        images.check_locks(stacks.environment(**FLOATING), state, ["oryd/kratos@sha256:bb"])

    def test_one_that_is_gone_and_in_no_registry_is_said_with_a_way_out(self) -> None:
        held = self.lock(State(), image(OLD))[0]
        with pytest.raises(ImageMissing, match="oryd/kratos:v26 is locked to is gone") as caught:
            images.check_locks(stacks.environment(**FLOATING), held, [OLD])
        assert "--pull" in caught.value.fix
        assert "--kratos-image" in caught.value.fix
        images.check_locks(stacks.environment(), held, [OLD])

    def test_locks_of_other_references_are_left(self) -> None:
        state = State(images={"oryd/kratos:v1": {"id": NEW}})
        assert self.lock(state, image(OLD))[0].images["oryd/kratos:v1"] == {"id": NEW}


class TestPostgres:
    def test_the_tag_counts_before_the_image(self) -> None:
        asked = stacks.environment(database="postgres", postgres_image="postgres:16")
        assert images.postgres_major(asked, image(environment=("PG_MAJOR=17",))) == 16

    @pytest.mark.parametrize(("variables", "major"), [(("PG_MAJOR=17",), 17), (("PG_MAJOR=x",), None), ((), None)])
    def test_an_image_without_a_version_in_its_tag_is_asked(
        self, variables: tuple[str, ...], major: int | None
    ) -> None:
        asked = stacks.environment(database="postgres", postgres_image="acme/db:prod")
        assert images.postgres_major(asked, image(environment=(*variables, "PATH=/bin", "ODD"))) == major
        assert images.postgres_major(asked, None) is None

    def test_data_of_another_major_version_is_not_opened(self) -> None:
        with pytest.raises(ChoiceImpossible) as caught:
            images.check_postgres(17, State(postgres_major=15), "postgres:17")
        assert "postgres:15" in caught.value.fix
        assert "down --volumes" in caught.value.fix
        assert images.check_postgres(17, State(postgres_major=17), "x") == 17
        assert images.check_postgres(17, State(), "x") == 17

    def test_a_version_that_cannot_be_told_is_asked_for(self) -> None:
        with pytest.raises(ChoiceImpossible, match="cannot tell which PostgreSQL acme/db:prod is"):
            images.check_postgres(None, State(), "acme/db:prod")


class TestPlatforms:
    def test_the_engines_own_platform_is_not_worth_a_word(self) -> None:
        assert images.platform_notes(stacks.environment(), engine(), image()) == []
        assert images.platform_notes(stacks.environment(), engine(), None) == []
        assert images.platform_notes(stacks.environment(platform="linux/amd64"), engine(), None) == []

    def test_emulation_is_said_aloud(self) -> None:
        (note,) = images.platform_notes(stacks.environment(platform="linux/arm64"), engine(), None)
        assert "linux/arm64 is emulated on this linux/amd64 engine" in note
        (note,) = images.platform_notes(stacks.environment(), engine(), image(platform="linux/arm64"))
        assert "emulated" in note

    @pytest.mark.parametrize("platform", ["linux/arm/v6", "linux/arm/v7"])
    def test_a_64_bit_arm_engine_runs_32_bit_programs_itself(self, platform: str) -> None:
        assert images.platform_notes(stacks.environment(platform=platform), engine("linux/arm64"), None) == []

    def test_windows_containers_cannot_run_kratos(self) -> None:
        with pytest.raises(ChoiceImpossible, match="windows/amd64"):
            images.platform_notes(stacks.environment(), engine("windows/amd64"), None)


@pytest.mark.parametrize("key", ["kratos_image", "postgres_image", "ui_image", "mail_image"])
def test_an_image_that_is_not_to_be_had_names_the_option_for_another(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import python_on_whales

    class NoRegistry:
        image = property(lambda self: self)

        def pull(self, reference: str, **_: object) -> None:
            raise python_on_whales.DockerException(["docker", "pull"], 1, stderr=b"manifest unknown")

    monkeypatch.setattr(python_on_whales, "DockerClient", NoRegistry)
    asked = from_answers("dev", {"database": "postgres", key: "example.org/mine:v1.2.3"})
    with pytest.raises(ImageMissing) as caught:
        apply.pull({}, ["example.org/mine:v1.2.3"], Console(quiet=True), images.options(asked))
    assert caught.value.fix.endswith("--" + key.replace("_", "-"))

"""Whose a Compose project is, in real directories that are moved, copied and linked."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from kratosctl import ownership
from kratosctl.engine.objects import Container
from kratosctl.errors import NotOurs
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from tests.unit import stacks


def up(directory: Path, name: str = "dev") -> State:
    """What `up` does about identity: makes the generated directory, settles, and remembers."""
    workspace = Workspace(directory.resolve(), name)
    workspace.home.mkdir(parents=True, exist_ok=True)
    state = ownership.settled_state(workspace)
    workspace.save_state(state)
    return state


def look(directory: Path, name: str = "dev") -> State:
    """What every other command does: settles, and remembers nothing."""
    return ownership.settled_state(Workspace(directory.resolve(), name))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A directory with an environment that has data."""
    directory = tmp_path / "shop"
    directory.mkdir()
    up(directory)
    state = replace(
        up(directory), ports={"public": 4433}, postgres_major=17, migrated={"image": "x"}, releases={"sqlite": "v1.1.0"}
    )
    Workspace(directory, "dev").save_state(state)
    return directory


def container(state: State, made_in: Path | str, service: str = "kratos") -> Container:
    labels = {"directory": str(made_in)} if made_in else {}
    return Container("1", f"c-{service}", service, state.project, "running", "Up", "", None, "x", {}, labels)


class TestSettling:
    def test_a_project_remembers_where_it_was_allotted(self, shop: Path) -> None:
        assert look(shop).origin == str(shop)
        copy = Path(shutil.copytree(shop, shop.with_name("copy")))
        assert look(copy).origin == str(copy)
        assert look(shop.rename(shop.with_name("moved"))).origin == str(shop)

    def test_a_directory_keeps_its_project(self, shop: Path) -> None:
        assert look(shop) == up(shop) == look(shop)

    def test_a_moved_directory_keeps_its_project_and_all_that_is_allotted(self, shop: Path) -> None:
        before = look(shop)
        moved = shop.rename(shop.with_name("elsewhere"))
        assert look(moved) == up(moved) == replace(before, directory=str(moved))

    def test_a_copy_becomes_a_project_of_its_own(self, shop: Path) -> None:
        copy = Path(shutil.copytree(shop, shop.with_name("copy")))
        assert look(copy).project != look(shop).project
        assert (look(copy).ports, look(copy).migrated, look(copy).postgres_major) == ({}, {}, 0)
        assert look(shop).ports == {"public": 4433}

    def test_a_copy_remembers_which_release_its_copied_data_knows(self, shop: Path) -> None:
        assert look(Path(shutil.copytree(shop, shop.with_name("copy")))).releases == {"sqlite": "v1.1.0"}

    def test_a_copy_of_a_moved_directory_does_not_get_its_project(self, shop: Path) -> None:
        """Both bring a state that names a directory which is gone; only one of them was that directory."""
        before = look(shop)
        moved = shop.rename(shop.with_name("moved"))
        copy = Path(shutil.copytree(moved, shop.with_name("copy")))
        for _ in range(2):
            assert look(copy).project != before.project
            assert look(moved).project == before.project
        up(copy)
        assert up(moved).project == before.project != up(copy).project

    def test_a_copy_does_not_get_the_project_of_an_original_that_is_deleted(self, shop: Path) -> None:
        before = look(shop)
        copy = Path(shutil.copytree(shop, shop.with_name("copy")))
        other = Path(shutil.copytree(shop, shop.with_name("other")))
        shutil.rmtree(shop)
        assert len({before.project, look(copy).project, look(other).project}) == 3

    def test_what_takes_a_moved_directorys_place_does_not_get_its_project(self, shop: Path) -> None:
        before = look(shop)
        moved = shop.rename(shop.with_name("moved"))
        shop.mkdir()
        assert up(shop).project != before.project
        assert up(moved).project == before.project

    def test_a_copy_put_in_a_moved_directorys_place_is_not_two_owners(self, shop: Path) -> None:
        moved = shop.rename(shop.with_name("moved"))
        shutil.copytree(moved, shop)
        assert up(shop).project != up(moved).project

    def test_a_directory_is_the_same_through_a_symbolic_link(self, shop: Path) -> None:
        link = shop.with_name("link")
        link.symlink_to(shop)
        assert look(link) == look(shop) == up(link)

    def test_state_that_was_lost_is_found_again_in_the_same_directory(self, shop: Path) -> None:
        before = look(shop)
        shutil.rmtree(shop / ".kratosctl")
        assert up(shop).project == before.project

    def test_a_directory_moved_twice_keeps_its_project(self, shop: Path) -> None:
        before = look(shop)
        moved = shop.rename(shop.with_name("one")).rename(shop.with_name("two"))
        assert up(moved).project == before.project
        assert up(moved.rename(shop.with_name("three"))).project == before.project

    def test_an_original_that_cannot_be_read_is_taken_to_be_there(self, shop: Path) -> None:
        """Damaged or forbidden: whether it still holds the project cannot be told, so nobody else gets it."""
        before = look(shop)
        state = Workspace(shop, "dev").state()
        (shop / ".kratosctl/dev/state.json").write_text("{", encoding="utf-8")
        elsewhere = shop.with_name("elsewhere")
        workspace = Workspace(elsewhere, "dev")
        workspace.home.mkdir(parents=True)
        workspace.save_state(replace(state, home=str(workspace.home.stat().st_ino)))
        assert look(elsewhere).project != before.project

    def test_two_environments_of_a_directory_are_two_projects(self, shop: Path) -> None:
        assert up(shop, "ci").project != look(shop).project

    def test_the_labels_of_volumes_outlive_a_move(self, shop: Path) -> None:
        """Compose deletes a volume whose labels change, if it may."""
        asked = stacks.environment(database="postgres")

        def volume(state: State) -> object:
            place = stacks.place(
                asked, project=state.project, directory=Path(state.directory), origin=Path(state.origin)
            )
            model = stacks.compose(asked, place)
            return model["volumes"], model["networks"]

        before = volume(look(shop))
        assert volume(up(shop.rename(shop.with_name("moved")))) == before


@given(stacks.DIRECTORIES, stacks.NAMES)
def test_a_projects_name_is_one_compose_takes(directory: Path, name: str) -> None:
    project = ownership.project_name(directory, name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", project)
    # a host name of 63 characters is the longest that resolves
    assert len(project) <= 63
    assert f"-{name}-" in project


def test_a_projects_name_tells_people_which_directory_it_is_of() -> None:
    assert ownership.project_name(Path("/home/ada/My Shop!"), "dev").startswith("my-shop-dev-")


def test_names_that_read_the_same_are_not_the_same_project() -> None:
    names = {
        ownership.project_name(Path(path), "dev") for path in ("/a/shop", "/b/shop", "/a/Shop", "/a/shop/", "/a/shöp")
    }
    assert len(names) == 4, "only the slash at the end is no difference"


class TestOwnership:
    def test_containers_made_here_are_ours(self, shop: Path) -> None:
        state = look(shop)
        ownership.check_ours(str(shop), "dev", (container(state, shop), container(state, "", "theirs-of-override")))

    def test_nothing_at_all_is_ours(self, shop: Path) -> None:
        ownership.check_ours(str(shop), "dev", ())
        ownership.check_volumes_ours(str(shop), "dev", "x", {})

    def test_a_project_that_kratosctl_did_not_make_is_not_touched(self, shop: Path) -> None:
        with pytest.raises(NotOurs, match="belongs to somebody else") as caught:
            ownership.check_ours(str(shop), "dev", (container(look(shop), ""),))
        assert "without kratosctl" in caught.value.why

    def test_what_another_directory_made_and_still_holds_is_not_touched(self, shop: Path, tmp_path: Path) -> None:
        state, thief = look(shop), tmp_path / "thief"
        with pytest.raises(NotOurs) as caught:
            ownership.check_ours(str(thief), "dev", (container(state, shop),))
        assert str(shop) in caught.value.why
        with pytest.raises(NotOurs, match="volume v"):
            ownership.check_volumes_ours(str(thief), "dev", state.project, {"v": str(shop)})

    def test_what_a_directory_made_before_it_was_moved_is_its_own(self, shop: Path) -> None:
        moved = shop.rename(shop.with_name("moved"))
        state = look(moved)
        ownership.check_ours(str(moved), "dev", (container(state, shop),))
        ownership.check_volumes_ours(str(moved), "dev", state.project, {"v": str(shop), "of-override": ""})

    def test_it_is_its_own_also_when_another_environment_took_the_old_place(self, shop: Path) -> None:
        moved = shop.rename(shop.with_name("moved"))
        shop.mkdir()
        up(shop)
        state = look(moved)
        ownership.check_ours(str(moved), "dev", (container(state, shop),))
        ownership.check_volumes_ours(str(moved), "dev", state.project, {"v": str(shop)})

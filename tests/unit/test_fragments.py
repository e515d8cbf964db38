"""The YAML that ships with kratosctl: merged by Compose's rules, its variables filled in as Compose does."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl import fragments
from kratosctl.stack import compose
from kratosctl.workshop import proxy_files
from tests.unit import stacks

NAMES = sorted(path.stem for path in fragments.data_directory("compose").glob("*.yaml"))
VALUES = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(["$", "$$", "${X:-y}", "${", "}", "$$$"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab$", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


class TestFiles:
    def test_the_fragments_people_read_about_are_there(self) -> None:
        assert {"kratos", "migrate", "sqlite", "postgres", "mail", "ui"} <= set(NAMES)

    @pytest.mark.parametrize("name", NAMES)
    def test_each_says_at_its_top_what_it_is_for(self, name: str) -> None:
        text = (fragments.data_directory("compose") / f"{name}.yaml").read_text(encoding="utf-8")
        assert re.match(r"# [A-Z].{20,}", text)

    @pytest.mark.parametrize("name", NAMES)
    def test_each_holds_only_what_compose_knows(self, name: str) -> None:
        assert set(fragments.compose_fragment(name)) <= {"services", "volumes", "configs", "secrets"}

    @pytest.mark.parametrize("name", NAMES)
    def test_every_variable_has_a_default_so_that_it_can_be_run_by_hand(self, name: str) -> None:
        text = (fragments.data_directory("compose") / f"{name}.yaml").read_text(encoding="utf-8")
        code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        for found in re.findall(r"\$\$|\$\{[^}]*\}|\$\w+", code):
            assert found == "$$" or re.fullmatch(r"\$\{\w+:-[^}]*\}", found), found

    def test_every_variable_is_filled_in_by_kratosctl(self) -> None:
        used = set()
        for name in NAMES:
            used |= set(re.findall(r"\$\{(\w+):-", str(fragments.compose_fragment(name))))
        asked = stacks.environment(database="postgres", admin_port=4434, postgres_port=5432)
        proxy = proxy_files.variables("caddy:2", "1000:1000", Path("/class"))
        assert used == {*compose.variables(asked, stacks.place(asked)), *proxy}

    def test_a_fragment_is_not_changed_by_those_who_use_it(self) -> None:
        fragments.compose_fragment("kratos")["services"].clear()
        fragments.presets()["presets"].clear()
        fragments.preset_configuration("oidc").clear()
        assert fragments.compose_fragment("kratos")["services"]
        assert fragments.presets()["presets"]
        assert fragments.preset_configuration("oidc")["selfservice"]

    def test_rendering_twice_gives_the_same(self) -> None:
        asked = stacks.environment(database="postgres")
        assert stacks.files(asked, stacks.place(asked)) == stacks.files(asked, stacks.place(asked))

    def test_presets_are_read_as_they_lie_there(self) -> None:
        for preset in fragments.presets()["presets"]:
            directory = fragments.data_directory("configs") / preset
            expected = {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir()}
            assert fragments.preset_files(preset) == expected

    def test_what_a_file_manager_leaves_beside_a_preset_is_no_part_of_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        preset = tmp_path / "totp"
        preset.mkdir()
        (preset / "kratos.yml").write_text("a: 1\n")
        (preset / ".DS_Store").write_bytes(b"\0\0\0\1Bud1\xff")
        monkeypatch.setattr(fragments, "data_directory", lambda name: tmp_path)
        assert fragments.preset_files("totp") == {"kratos.yml": "a: 1\n"}


class TestMerging:
    def test_mappings_are_merged_deeply_and_the_rest_replaced(self) -> None:
        base = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
        assert fragments.merge(base, {"a": {"c": [3]}, "e": 2}) == {"a": {"b": 1, "c": [3]}, "d": 1, "e": 2}

    def test_ports_follow_each_other(self) -> None:
        assert fragments.merge({"ports": ["1:1"]}, {"ports": ["2:2"]}) == {"ports": ["1:1", "2:2"]}

    def test_a_volume_replaces_the_one_on_its_target(self) -> None:
        base = {"volumes": [{"type": "tmpfs", "target": "/a"}, {"type": "tmpfs", "target": "/b"}]}
        over: dict[str, Any] = {"volumes": ["data:/a"]}
        assert fragments.merge(base, over) == {"volumes": [{"type": "tmpfs", "target": "/b"}, "data:/a"]}
        assert fragments.merge(over, {"volumes": ["other:/a:ro"]}) == {"volumes": ["other:/a:ro"]}

    def test_volumes_of_the_project_are_a_mapping(self) -> None:
        assert fragments.merge({"volumes": {"a": {}}}, {"volumes": {"b": {}}}) == {"volumes": {"a": {}, "b": {}}}

    @given(JSON, JSON)
    def test_nothing_that_is_merged_is_changed(self, base: Any, over: Any) -> None:
        before = copy.deepcopy((base, over))
        fragments.merge(base, over)
        assert (base, over) == before

    @given(JSON)
    def test_merging_nothing_changes_nothing(self, data: Any) -> None:
        assert fragments.merge({"x": data}, {}) == fragments.merge({}, {"x": data}) == {"x": data}


class TestInterpolating:
    def as_compose(self, text: str) -> str:
        """What Compose makes of a text without variables."""
        assert "$" not in text.replace("$$", "")
        return text.replace("$$", "$")

    def test_a_variable_is_filled_in_or_takes_its_default(self) -> None:
        data = {"a": ["${X:-x}/${Y:-y}"], "n": 1, "${X:-key}": None}
        assert fragments.interpolate(data, {"X": "1"}) == {"a": ["1/y"], "n": 1, "${X:-key}": None}

    def test_an_escaped_dollar_sign_stays_one(self) -> None:
        assert fragments.interpolate("a $$b ${X:-c}", {"X": "d"}) == "a $$b d"

    @given(VALUES, VALUES)
    def test_any_value_reaches_compose_as_it_is(self, one: str, other: str) -> None:
        found = fragments.interpolate("<${A:-}|${B:-}>", {"A": one, "B": other})
        assert self.as_compose(found) == f"<{one}|{other}>"

    @given(st.text(st.characters(codec="utf-8", exclude_characters="}"), max_size=10))
    def test_a_default_reaches_compose_as_it_is(self, default: str) -> None:
        assert self.as_compose(fragments.interpolate("${A:-" + default + "}", {})) == default


def test_the_data_lies_beside_the_package_in_a_checkout() -> None:
    root = Path(__file__).parents[2]
    assert fragments.data_directory("compose") in (root / "compose", root / "kratosctl/_data/compose")

"""kratosctl.yaml: read with exact positions, and added to without harm to anything people wrote in it."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from kratosctl import questions
from kratosctl.answers.configuration_file import FILE_NAME, add, load, parse, save
from kratosctl.errors import ConfigurationInvalid, KratosctlError, NameInvalid, UnknownKey
from tests.unit import stacks

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "release": st.sampled_from(["v26.2.0", "v1.1.0", "v26", "v1.3"]),
    "variant": st.sampled_from(["default", "distroless"]),
    "database": st.sampled_from(questions.DATABASES),
    "preset": st.sampled_from(questions.PRESETS),
    "ui": st.booleans(),
    "mail": st.booleans(),
    "public_port": st.integers(1, 65535),
    "config_dir": stacks.NAMES_OF_FILES,
    "kratos_image": st.sampled_from(["oryd/kratos:v1.1.0", "registry.example:5000/a/b@sha256:" + "0" * 64]),
    "host": st.sampled_from(["localhost", "auth.example"]),
}
ANSWERS = st.fixed_dictionaries({}, optional=VALUES)
ENVIRONMENTS = st.dictionaries(stacks.NAMES, ANSWERS, max_size=4)
REMARKS = (
    "# a comment",
    "# {not: yaml",
    "# 'neither",
    "# mine",
    "# first",
    "# second",
    "# below",
    "# between",
    "# at the edge",
    "# the end",
)
COMMENTS = st.sampled_from(["", "  # a comment", "  # {not: yaml", " # 'neither"])


def scalar(value: Any) -> str:
    text: str = yaml.safe_dump([value], default_flow_style=True, width=1_000_000, allow_unicode=True)
    return text.strip()[1:-1]


def flow(answers: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {scalar(value)}" for key, value in answers.items()) + "}"


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A kratosctl.yaml as people write one: block or flow, indented this far or that, with comments in every place."""
    found = draw(ENVIRONMENTS)
    lines = draw(st.sampled_from([[], ["# mine"], ["%YAML 1.1", "---"], ["---"], ["", "# first", "", "# second"]]))
    indent = " " * draw(st.integers(1, 5))
    style = (
        draw(st.sampled_from(["block", "flow", "absent"])) if not found else draw(st.sampled_from(["block", "flow"]))
    )
    if style == "flow":
        inner = ", ".join(f"{name}: {flow(answers)}" for name, answers in found.items())
        lines = [*lines, "environments: {" + inner + "}" + draw(COMMENTS)]
    elif style == "block":
        lines = [*lines, "environments:" + draw(COMMENTS)]
        for name, answers in found.items():
            key = draw(st.sampled_from([name, f"'{name}'", f'"{name}"']))
            written = draw(st.sampled_from(["flow", "block"] if answers else ["flow", "nothing"]))
            if written == "flow":
                lines.append(f"{indent}{key}: {flow(answers)}{draw(COMMENTS)}")
            else:
                lines.append(f"{indent}{key}:{draw(COMMENTS)}")
                further = indent + " " * draw(st.integers(1, 4))
                for answer, value in answers.items():
                    lines.append(f"{further}{answer}: {scalar(value)}{draw(COMMENTS)}")
                    lines += draw(st.sampled_from([[], [""], [f"{further}# below"]]))
            lines += draw(st.sampled_from([[], [""], [f"{indent}# between"], ["# at the edge"]]))
    lines += draw(st.sampled_from([[], ["# the end"], ["", ""]]))
    text = draw(st.sampled_from(["\n", "\r\n"])).join(lines)
    return draw(st.sampled_from(["", "\ufeff"])) + text + draw(st.sampled_from(["", "\n", "\r\n"]))


Addition = tuple[str, str, dict[str, Any]]


@st.composite
def additions(draw: st.DrawFn) -> Addition:
    """A text, the name of an environment that is in it or not, and answers to put there."""
    text = draw(texts())
    return text, draw(st.sampled_from([*parse(text), draw(stacks.NAMES)])), draw(ANSWERS)


def message(text: str) -> str:
    with pytest.raises(KratosctlError) as caught:
        parse(textwrap.dedent(text))
    return caught.value.what


class TestReading:
    def test_every_style_says_the_same(self) -> None:
        expected = {"dev": {"release": "v26.2.0", "ui": True}, "ci": {}}
        for text in (
            "environments: {dev: {release: v26.2.0, ui: true}, ci: {}}",
            "environments:\n  dev:\n    release: v26.2.0\n    ui: yes\n  ci:\n",
            "environments:\r\n  dev: {release: 'v26.2.0', ui: on}\r\n  ci: ~\r\n",
            '\ufeffenvironments:\n "dev": {"release": "v26.2.0",\n   "ui": True}\n "ci": null\n',
            "%YAML 1.1\n--- # here\nenvironments: &all\n  dev: &d {release: !!str v26.2.0, ui: true}\n  ci: {}\n...\n",
        ):
            assert parse(text) == expected

    @pytest.mark.parametrize(
        "text", ["", "\n\n", "# only a comment", "---\n", "~", "environments:", "environments: {}"]
    )
    def test_nothing_is_no_environment(self, text: str) -> None:
        assert parse(text) == {}

    def test_an_alias_is_followed(self) -> None:
        found = parse("environments:\n  dev: &d {ui: false, release: &r v1.1.0}\n  ci: *d\n  x: {release: *r}\n")
        assert found["ci"] == found["dev"] == {"ui": False, "release": "v1.1.0"}
        assert found["x"] == {"release": "v1.1.0"}

    def test_a_port_is_decimal_whatever_yaml_makes_of_it(self) -> None:
        """YAML 1.1 reads 04433 as octal and 22:22 as 1342."""
        assert parse("environments: {dev: {public_port: 04433}}")["dev"]["public_port"] == 4433
        assert "found '22:22'" in message("environments: {dev: {public_port: 22:22}}")

    def test_an_absent_file_is_no_environment(self, tmp_path: Path) -> None:
        assert load(tmp_path) == {}

    @pytest.mark.parametrize(
        ("text", "place", "said"),
        [
            ("just text", "1:1", "expected a mapping with `environments:`, found 'just text'"),
            ("- a\n- b\n", "1:1", "expected a mapping with `environments:`, found a list"),
            ("environments: [dev]", "1:15", "expected a mapping of names to environments, found a list"),
            ("environments:\n  dev: 5\n", "2:8", "expected a mapping of keys to values, found '5'"),
            ("# c\n\nenvironments:\n  dev:\n    ui: maybe\n", "5:9", "ui: expected true or false, found 'maybe'"),
            ("environments:\n  dev: {database: oracle}\n", "2:19", "database: expected one of sqlite, postgres"),
            ("environments:\n  dev: {public_port: 0}\n", "2:22", "public_port: expected a port number"),
            ("environments:\n  dev: {public_port: }\n", "2:22", "found nothing"),
            ("environments:\n  dev: {release: [v1]}\n", "2:18", "found a list"),
            ("environments:\n  dev: {release: {a: b}}\n", "2:18", "found a mapping"),
            ("environments:\n  dev: {release: !mine v1.1.0}\n", "2:18", "found a value tagged !mine"),
            ("environments:\n  dev: {release: 2024-99-99}\n", "2:18", "'2024-99-99' is not a Kratos release"),
            ("environments:\n  dev: {ui: true, ui: false}\n", "2:19", "'ui' stands here a second time"),
            ("environments:\n  dev: {}\n  dev: {}\n", "3:3", "'dev' stands here a second time"),
            ("environments: {}\nenvironments: {}\n", "2:1", "'environments' stands here a second time"),
            ("environments:\n  dev:\n    <<: {ui: true}\n", "3:5", "merge keys (<<) are not read here"),
            ("environments:\n  ? [a, b]\n  : {}\n", "2:5", "expected a name, found a list"),
            ("environments:\n\tdev: {}\n", "2:1", "not valid YAML: found character that cannot start any token"),
            ("environments: {dev: {}", "2:1", "not valid YAML: did not find expected ',' or '}'"),
            ("environments: {}\n---\nenvironments: {}\n", "2:1", "not valid YAML: but found another document"),
            ("environments: *nobody\n", "1:15", "not valid YAML: found undefined alias"),
            ("a: b: c\n", "1:5", "not valid YAML: mapping values are not allowed in this context"),
            ("environments: {}\n# \0\n", "2:3", "not valid YAML: U+0000 cannot stand in a text"),
        ],
    )
    def test_a_mistake_is_told_with_its_place(self, text: str, place: str, said: str) -> None:
        assert message(text).startswith(f"kratosctl.yaml:{place}: ")
        assert said in message(text)

    def test_a_mistake_behind_a_byte_order_mark_or_crlf_has_the_place_editors_show(self) -> None:
        assert message("\ufeffenvironments: 5").startswith("kratosctl.yaml:1:15: ")
        assert message("environments:\r\n  dev:\r\n    uii: 1\r\n").startswith("kratosctl.yaml:3:5: ")

    def test_an_unknown_key_is_told_with_the_one_that_was_meant(self) -> None:
        with pytest.raises(UnknownKey) as caught:
            parse("environments:\n  dev:\n    databse: postgres\n")
        assert caught.value.lines() == ["kratosctl.yaml:3:5: unknown key 'databse'", "did you mean 'database'?"]
        with pytest.raises(UnknownKey) as caught:
            parse("enviroments: {}\n")
        assert caught.value.lines() == ["kratosctl.yaml:1:1: unknown key 'enviroments'", "did you mean 'environments'?"]

    @pytest.mark.parametrize("name", ["../x", "a b", "Dev", "é", "a" * 33, "$HOME", "-a", "a-", "a/b", ".", "a\tb"])
    def test_a_hostile_name_is_told_at_its_own_place(self, name: str) -> None:
        with pytest.raises(NameInvalid) as caught:
            parse(f"environments:\n  dev: {{}}\n  {scalar(name)}: {{}}\n")
        assert caught.value.what.startswith("kratosctl.yaml:3:3: ")
        assert len(caught.value.lines()) == 3

    @pytest.mark.parametrize("key", ["public_port", "host", "release", "ui"])
    def test_a_huge_value_is_refused_and_not_repeated(self, key: str) -> None:
        assert len(message("environments: {dev: {" + key + ": " + "9" * 6000 + "}}")) < 250

    def test_bytes_that_are_not_utf_8_are_told_with_their_place(self, tmp_path: Path) -> None:
        (tmp_path / FILE_NAME).write_bytes("environments:\n  # é ".encode() + b"\xff\n")
        with pytest.raises(ConfigurationInvalid) as caught:
            load(tmp_path)
        assert caught.value.what == "kratosctl.yaml:2:7: not UTF-8 text"

    def test_a_directory_in_its_place_is_told(self, tmp_path: Path) -> None:
        (tmp_path / FILE_NAME).mkdir()
        with pytest.raises(ConfigurationInvalid, match="cannot be read"):
            load(tmp_path)

    @pytest.mark.parametrize("text", ["&a [*a]", "environments: &a {dev: *a}", "environments: {dev: &b {ui: *b}}"])
    def test_a_value_that_holds_itself_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigurationInvalid):
            parse(text)

    def test_a_bomb_of_aliases_is_refused(self) -> None:
        levels = [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 12)]
        with pytest.raises(ConfigurationInvalid, match="aliases"):
            parse("\n".join(["x0: &x0 lol", *levels]))

    @pytest.mark.parametrize("text", ["[" * 200_000, "{a: " * 200_000, "- " * 200_000], ids=["lists", "maps", "dashes"])
    def test_a_nested_file_is_refused_and_does_not_crash(self, text: str) -> None:
        """In a process of its own: the parser's C code overflows its stack, which no test can catch."""
        code = (
            "import sys; from kratosctl.answers.configuration_file import parse\n"
            "from kratosctl.errors import ConfigurationInvalid\n"
            "try: parse(sys.stdin.read())\n"
            "except ConfigurationInvalid as error: print(error.what)"
        )
        done = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "nested more than 100 levels deep" in done.stdout

    def test_a_huge_file_is_read(self) -> None:
        text = "environments:\n" + "".join(f"  env-{n}: {{ui: true}}\n" for n in range(5000))
        assert len(parse(text)) == 5000

    @given(st.text(st.characters(codec="utf-8")) | st.text("{}[]:,&*!|>'\"%@`#-? \n\tabc~<0", max_size=60))
    @example("environments: {dev: {release: !!timestamp x}}")
    @example("environments: {dev: {? {a: b} : c}}")
    @example("!!binary x")
    @example("environments: !!set {dev}")
    def test_any_text_is_read_or_refused_with_its_place(self, text: str) -> None:
        try:
            parse(text)
        except KratosctlError as error:
            refused = error
        else:
            return
        assert re.match(r"kratosctl\.yaml(:\d+:\d+)?: ", refused.what)
        assert 1 <= len(refused.lines()) <= 3
        assert all("\n" not in line for line in refused.lines())

    @given(texts())
    def test_what_people_write_is_read_as_yaml_reads_it(self, text: str) -> None:
        plain = (yaml.safe_load(text) or {}).get("environments") or {}
        # a name is its text: YAML makes a number of 007, and nothing of null
        assert list(parse(text).values()) == [answers or {} for answers in plain.values()]


class TestAdding:
    @given(additions())
    def test_it_adds_what_was_asked_for_and_changes_nothing_else(self, addition: Addition) -> None:
        text, name, answers = addition
        before = parse(text)
        after = parse(add(text, name, answers))
        assert after == before | {name: before.get(name, {}) | answers}
        assert list(after)[: len(before)] == list(before)

    @given(additions())
    def test_a_new_environment_leaves_every_byte_where_it_was(self, addition: Addition) -> None:
        text, name, answers = addition
        if name in parse(text):
            return
        added = add(text, name, answers)
        same = next((n for n, (a, b) in enumerate(zip(text, added, strict=False)) if a != b), len(text))
        inserted = len(added) - len(text)
        assert added[same + inserted :] == text[same:], "more than an insertion"
        assert ("\r\n" in text) or ("\r" not in added)

    @given(additions())
    def test_every_comment_is_still_there(self, addition: Addition) -> None:
        text, name, answers = addition

        def comments(text: str) -> list[str]:
            return re.findall("|".join(REMARKS), text)

        assert comments(add(text, name, answers)) == comments(text)

    @given(additions())
    def test_adding_it_again_changes_nothing(self, addition: Addition) -> None:
        text, name, answers = addition
        once = add(text, name, answers)
        assert add(once, name, answers) == once

    @given(texts())
    def test_what_is_there_already_is_not_written_anew(self, text: str) -> None:
        for name, answers in parse(text).items():
            assert add(text, name, answers) == text

    def test_a_changed_value_is_changed_in_its_place(self) -> None:
        text = (
            "environments:\n  dev:  # mine\n    release: v1.1.0   # old\n    # why\n    ui: yes\n\n"
            "  ci: {ui: on} # its\n"
        )
        assert add(text, "dev", {"release": "v26.2.0", "ui": True, "mail": False}) == (
            "environments:\n  dev:  # mine\n    release: v26.2.0   # old\n    # why\n    ui: yes\n    mail: false\n\n"
            "  ci: {ui: on} # its\n"
        )
        assert add(text, "ci", {"ui": False, "mail": True}).endswith("  ci: {ui: false, mail: true} # its\n")

    @pytest.mark.parametrize(
        "text",
        [
            "environments:\n  dev: &d {ui: true}\n  ci: *d\n",
            "environments:\n  dev: {ui: &u true, mail: *u}\n",
            "environments:\n  ci: &d {ui: true}\n  dev: *d\n",
            "{}\n",
        ],
    )
    def test_what_it_cannot_change_without_harm_is_said_and_left(self, text: str) -> None:
        with pytest.raises(ConfigurationInvalid) as caught:
            add(text, "dev", {"ui": False})
        assert caught.value.lines()[-1] == "put this in yourself: dev: {ui: false}"

    def test_a_file_that_is_wrong_is_not_added_to(self) -> None:
        with pytest.raises(UnknownKey):
            add("environments: {dev: {uii: 1}}\n", "ci", {"ui": True})


class TestSaving:
    def test_the_file_is_made_with_a_head_and_one_line_an_environment(self, tmp_path: Path) -> None:
        save(tmp_path, "dev", {"release": "v26.2.0", "ui": True})
        save(tmp_path, "ci", {"release": "v1.1.0"})
        lines = (tmp_path / FILE_NAME).read_text(encoding="utf-8").splitlines()
        assert lines[1:] == ["environments:", "  dev: {release: v26.2.0, ui: true}", "  ci: {release: v1.1.0}"]
        assert lines[0].startswith("# ")

    def test_line_ends_and_byte_order_mark_are_kept(self, tmp_path: Path) -> None:
        (tmp_path / FILE_NAME).write_bytes("\ufeffenvironments:\r\n  dev: {} # é\r\n".encode())
        save(tmp_path, "ci", {"ui": True})
        expected = "\ufeffenvironments:\r\n  dev: {} # é\r\n  ci: {ui: true}\r\n"
        assert (tmp_path / FILE_NAME).read_bytes() == expected.encode()

    def test_its_mode_and_the_link_it_is_are_kept(self, tmp_path: Path) -> None:
        real = tmp_path / "elsewhere.yaml"
        real.write_text("environments: {}\n", encoding="utf-8")
        real.chmod(0o600)
        (tmp_path / FILE_NAME).symlink_to(real)
        save(tmp_path, "dev", {"ui": True})
        assert (tmp_path / FILE_NAME).is_symlink()
        assert real.read_text(encoding="utf-8") == "environments: {dev: {ui: true}}\n"
        assert real.stat().st_mode & 0o777 == 0o600

    def test_what_a_killed_writer_left_is_swept(self, tmp_path: Path) -> None:
        (tmp_path / ".kratosctl.yaml.4711.tmp").write_text("half", encoding="utf-8")
        save(tmp_path, "dev", {"ui": True})
        assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]

    def test_a_file_that_says_it_already_is_not_touched(self, tmp_path: Path) -> None:
        save(tmp_path, "dev", {"ui": True})
        before = (tmp_path / FILE_NAME).stat()
        save(tmp_path, "dev", {"ui": True})
        assert (tmp_path / FILE_NAME).stat().st_ino == before.st_ino

    def test_many_who_write_at_once_do_not_undo_each_other(self, tmp_path: Path) -> None:
        code = (
            "import sys; from pathlib import Path; from kratosctl.answers.configuration_file import save\n"
            "for n in range(5): save(Path(sys.argv[1]), f'env-{sys.argv[2]}-{n}', {'ui': True})"
        )
        writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(n)]) for n in range(6)]
        assert [writer.wait() for writer in writers] == [0] * 6
        assert len(load(tmp_path)) == 30
        assert sorted(path.name for path in tmp_path.iterdir()) == [FILE_NAME]

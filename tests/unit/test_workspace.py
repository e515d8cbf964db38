"""The files of an environment: whole whatever happens, private where they are secret, one writer at a time."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.errors import (
    ConfigurationInvalid,
    DirectoryReadOnly,
    DiskFull,
    EnvironmentBusy,
    GeneratedFileEdited,
    KratosctlError,
)
from kratosctl.files.atomic import write_atomically, write_directory
from kratosctl.files.state import State
from kratosctl.files.workspace import LESSON_NOTE, Workspace
from kratosctl.stack import secrets
from kratosctl.stack.files import File
from kratosctl.stack.render import kratos_secrets
from kratosctl.stack.secrets import Secrets
from tests.unit import stacks

FILES = (
    File("compose.yaml", "a: 1\n"),
    File("kratos/kratos.yml", "b: 2\n"),
    File("secrets/kratos.yml", "c", secret=True),
)
ROOT = os.getuid() == 0


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "dev")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def program(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Runs Python in a process of its own, which can be killed."""
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class TestWriting:
    def test_secrets_are_the_owners_alone_and_the_rest_can_be_read(self, workspace: Workspace) -> None:
        before = os.umask(0)
        try:
            workspace.write_all(FILES, State())
        finally:
            os.umask(before)
        assert mode(workspace.home / "secrets") == 0o700
        assert mode(workspace.home / "secrets/kratos.yml") == 0o600
        assert mode(workspace.home / "compose.yaml") == mode(workspace.home / "kratos/kratos.yml") == 0o644

    def test_containers_can_read_what_they_mount_whatever_the_umask(self, workspace: Workspace) -> None:
        before = os.umask(0o077)
        try:
            workspace.write("kratos/kratos.yml", "x")
        finally:
            os.umask(before)
        assert mode(workspace.home / "kratos/kratos.yml") == 0o644

    def test_secrets_that_a_backup_opened_are_closed_again(self, workspace: Workspace) -> None:
        workspace.write_all(FILES, State())
        (workspace.home / "secrets").chmod(0o755)
        (workspace.home / "secrets/kratos.yml").chmod(0o644)
        workspace.write_all(FILES, workspace.state())
        assert mode(workspace.home / "secrets") == 0o700
        assert mode(workspace.home / "secrets/kratos.yml") == 0o600

    def test_a_users_file_keeps_its_mode_and_a_new_one_has_the_umasks(self, tmp_path: Path) -> None:
        path = tmp_path / "kratosctl.yaml"
        before = os.umask(0o027)
        try:
            write_atomically(path, "a")
        finally:
            os.umask(before)
        assert mode(path) == 0o640
        path.chmod(0o604)
        write_atomically(path, "b")
        assert (mode(path), path.read_text(encoding="utf-8")) == (0o604, "b")

    def test_a_symbolic_link_stays_one(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
        write_atomically(tmp_path / "link", "a")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "there/file").read_text(encoding="utf-8") == "a"

    @given(st.text(st.characters(codec="utf-8")))
    def test_what_is_written_is_what_was_meant(self, text: str) -> None:
        path = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp", f"kratosctl-test-{os.getpid()}")
        try:
            write_atomically(path, text)
            assert path.read_bytes() == text.encode()
        finally:
            path.unlink(missing_ok=True)

    def test_threads_that_write_the_same_file_do_not_disturb_each_other(self, tmp_path: Path) -> None:
        texts = [str(number) * 1000 for number in range(16)]
        with ThreadPoolExecutor(16) as writers:
            list(writers.map(lambda text: write_atomically(tmp_path / "file", text), texts * 4))
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        assert (tmp_path / "file").read_text(encoding="utf-8") in texts

    def test_nothing_is_left_beside_it(self, workspace: Workspace) -> None:
        workspace.write_all(FILES, State())
        found = sorted(str(path.relative_to(workspace.home)) for path in workspace.home.rglob("*") if path.is_file())
        assert found == ["compose.yaml", "kratos/kratos.yml", "secrets/kratos.yml", "state.json"]

    def test_what_is_there_already_is_not_written(self, workspace: Workspace) -> None:
        state = workspace.write_all(FILES, State(project="x"))
        before = {path: path.stat().st_ino for path in workspace.home.rglob("*")}
        assert workspace.write_all(FILES, state) == state
        assert {path: path.stat().st_ino for path in workspace.home.rglob("*")} == before


class TestKilled:
    def test_a_file_is_whole_wherever_its_writer_is_killed(self, tmp_path: Path) -> None:
        code = (
            "import sys, itertools; from pathlib import Path; from kratosctl.files.atomic import write_atomically\n"
            "for letter in itertools.cycle('ab'): write_atomically(Path(sys.argv[1]), letter * 300_000, 0o600)"
        )
        path = tmp_path / "file"
        for _ in range(12):
            with program(code, path) as writer:
                self.kill_after_a_while(writer, path.exists)
            text = path.read_text(encoding="utf-8")
            assert text in ("a" * 300_000, "b" * 300_000)
            assert mode(path) == 0o600

    def test_kratosctls_own_files_are_known_as_its_own_wherever_it_is_killed(self, workspace: Workspace) -> None:
        """Else the next `up` would stop, and say that the user edited them."""
        code = (
            "import sys, itertools; from pathlib import Path; from kratosctl.stack.files import File\n"
            "from kratosctl.files.workspace import Workspace; workspace = Workspace(Path(sys.argv[1]), 'dev')\n"
            "for n in itertools.count(int(sys.argv[2])):\n"
            "    files = [File(f'f{i}', f'{n} {i}') for i in range(4)]\n"
            "    workspace.write_all(files, workspace.state())"
        )
        next_files = [File(f"f{i}", f"another {i}") for i in range(4)]
        for start in range(12):
            with program(code, workspace.directory, start * 1000) as writer:
                self.kill_after_a_while(writer, (workspace.home / "f3").exists)
            state = workspace.state()
            assert workspace.edited(next_files, state) == []
            if start % 3 == 2:
                workspace.write_all(next_files, state)

    def test_what_killed_writers_left_is_swept_by_the_next_holder_of_the_lock(self, workspace: Workspace) -> None:
        workspace.write_all(FILES, State())
        for name in ("", "kratos/", "secrets/"):
            (workspace.home / f"{name}.x.yml.4711.tmp").write_text("half", encoding="utf-8")
        with workspace.locked("up", 1, print):
            assert list(workspace.home.rglob("*.tmp")) == []
        assert workspace.changed(FILES) == []

    def kill_after_a_while(self, writer: subprocess.Popen[str], began: Callable[[], bool]) -> None:
        while not began():
            assert writer.poll() is None
            time.sleep(0.01)
        time.sleep(0.2 + random.random() / 20)
        writer.send_signal(signal.SIGKILL)
        writer.wait()


class TestRefusedByTheSystem:
    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        """A file system of 64 KiB."""
        disk = tmp_path / "disk"
        disk.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs", str(disk)]
        if not ROOT or subprocess.run(words, capture_output=True, check=False).returncode != 0:
            pytest.skip("only root may mount a small file system")
        yield disk
        subprocess.run(["umount", str(disk)], check=True)

    def test_a_full_disk_is_said_and_nothing_is_half_written(self, small_disk: Path) -> None:
        path = small_disk / "file"
        write_atomically(path, "old")
        with pytest.raises(DiskFull, match="no space left"):
            write_atomically(path, "x" * 100_000)
        assert path.read_text(encoding="utf-8") == "old"
        assert [entry.name for entry in small_disk.iterdir()] == ["file"]

    def test_a_full_disk_leaves_a_directory_whole_or_absent(self, small_disk: Path) -> None:
        with pytest.raises(DiskFull):
            write_directory(small_disk / "kratos", {"a": "x", "b": "x" * 100_000})
        assert list(small_disk.iterdir()) == []

    def test_a_directory_one_may_not_write_to_is_said(self, tmp_path: Path) -> None:
        for directory in (tmp_path, *tmp_path.parents[:-2]):
            directory.chmod(directory.stat().st_mode | 0o055)
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o555)
        code = (
            "import os, sys; from pathlib import Path\nfrom kratosctl.errors import DirectoryReadOnly\n"
            "from kratosctl.files.atomic import write_atomically; from kratosctl.files.workspace import Workspace\n"
            "def lock(directory):\n    with Workspace(directory, 'dev').locked('up', 0, print): pass\n"
            "lock(Path(sys.argv[1]))\n"  # which imports what is needed, as long as that can be read
            "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "for attempt in (lock, lambda directory: write_atomically(directory / 'x', 'y')):\n"
            "    try: attempt(Path(sys.argv[2]))\n"
            "    except DirectoryReadOnly as error: print(*error.lines(), sep='|')\n"
        )
        with program(code, tmp_path, locked) as process:
            said, _ = process.communicate(timeout=60)
        assert [line.split("|")[1:] for line in said.splitlines()] == [
            ["Permission denied", "use a directory you may write to: --directory DIR"]
        ] * 2

    @pytest.mark.parametrize("name", ["x" * 300, "file/below"])
    def test_a_path_that_cannot_be_is_said_in_short_lines(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").write_text("", encoding="utf-8")
        with pytest.raises(DirectoryReadOnly) as caught:
            write_atomically(tmp_path / name, "text")
        assert max(map(len, caught.value.lines())) < 260

    @pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "a\udcffb", "a\u2028b"])
    def test_a_directory_no_compose_file_can_name_is_refused(self, name: str) -> None:
        with pytest.raises(ConfigurationInvalid, match="cannot be used") as caught:
            Workspace(Path("/home/ada", name), "dev")
        assert all(line.isprintable() for line in caught.value.lines())


class TestEdits:
    def test_an_edited_file_is_noticed_and_named_with_the_ways_out(self, workspace: Workspace) -> None:
        state = workspace.write_all(FILES, State())
        (workspace.home / "compose.yaml").write_text("mine", encoding="utf-8")
        newer = [File("compose.yaml", "a: 2\n"), *FILES[1:]]
        for files in (FILES, newer):
            with pytest.raises(GeneratedFileEdited) as caught:
                workspace.refuse_edited(files, state)
            assert caught.value.what == "you edited .kratosctl/dev/compose.yaml"
            assert "compose.override.yaml" in caught.value.fix
            assert caught.value.fix.endswith(": kratosctl up --overwrite")

    def test_an_edit_that_is_what_would_be_written_is_none(self, workspace: Workspace) -> None:
        state = workspace.write_all(FILES, State())
        (workspace.home / "compose.yaml").write_text("a: 2\n", encoding="utf-8")
        assert workspace.edited([File("compose.yaml", "a: 2\n")], state) == []

    def test_files_nobody_edited_can_be_rendered_anew(self, workspace: Workspace) -> None:
        state = workspace.write_all(FILES, State())
        newer = [File("compose.yaml", "a: 2\n"), *FILES[1:]]
        workspace.refuse_edited(newer, state)
        assert [file.path for file in workspace.changed(newer)] == ["compose.yaml"]
        workspace.write_all(newer, state)
        assert workspace.changed(newer) == []
        assert workspace.edited(FILES, workspace.state()) == []

    def test_a_removed_file_is_no_edit(self, workspace: Workspace) -> None:
        state = workspace.write_all(FILES, State())
        (workspace.home / "compose.yaml").unlink()
        assert workspace.edited(FILES, state) == []
        assert [file.path for file in workspace.changed(FILES)] == ["compose.yaml"]

    def test_secrets_may_be_edited(self, workspace: Workspace) -> None:
        state = workspace.write_all(FILES, State())
        (workspace.home / "secrets/kratos.yml").write_text("mine", encoding="utf-8")
        assert workspace.edited(FILES, state) == []

    def test_an_edited_configuration_says_how_to_keep_it(self, workspace: Workspace) -> None:
        state = workspace.write_all(FILES, State())
        (workspace.home / "kratos/kratos.yml").write_text("mine", encoding="utf-8")
        with pytest.raises(GeneratedFileEdited) as caught:
            workspace.refuse_edited(FILES, state)
        assert "config_dir" in caught.value.fix

    def test_an_edit_survives_two_interrupted_writes(self, workspace: Workspace) -> None:
        """What is on disk may be any of the texts that were about to be written."""
        state = workspace.write_all([File("f", "0")], State())
        for text in ("1", "2"):
            both = replace(state, generated={"f": [*state.generated["f"], *workspace_digest(workspace, text)]})
            workspace.save_state(both)
            state = workspace.state()
            assert workspace.edited([File("f", "3")], state) == []


def workspace_digest(workspace: Workspace, text: str) -> list[str]:
    """What write_all notes of a text before it writes it."""
    scratch = Workspace(workspace.directory, "scratch")
    return scratch.write_all([File("f", text)], State()).generated["f"]


class TestState:
    def test_nothing_yet_is_an_empty_state(self, workspace: Workspace) -> None:
        assert workspace.state() == State()

    def test_it_is_read_as_it_was_saved(self, workspace: Workspace) -> None:
        state = State(
            project="shop-dev-1", directory="/a $b é", origin="/a", home="17", ports={"public": 4433},
            images={"a:v1": {"id": "sha256:1", "digest": "a@sha256:2"}}, secrets_generation=3, secrets_given="1a",
            migrated={"image": "x", "database": "y"}, releases={"sqlite": "v1.1.0"}, postgres_major=17,
            generated={"f": ["1", "2"]},
        )  # fmt: skip
        workspace.save_state(state)
        assert workspace.state() == state

    @pytest.mark.parametrize(
        "text",
        [
            "", "{", "[]", "null", '"text"', '{"project": 5}', '{"project": null}', '{"ports": []}',
            '{"ports": {"public": "4433"}}', '{"ports": {"public": 0}}', '{"ports": {"public": 99999}}',
            '{"ports": {"public": true}}', '{"images": {"a": "b"}}', '{"images": {"a": {"id": 5}}}',
            '{"secrets_generation": "1"}', '{"generated": {"f": "abc"}}', '{"generated": {"f": [1]}}',
            '{"migrated": {"image": 1}}', '{"releases": "v1.3.1"}', '{"unknown": 1}', '{"project": "a"',
            "[" * 100_000, "\0",
        ],
    )  # fmt: skip
    def test_a_damaged_state_is_said_with_a_way_out(self, workspace: Workspace, text: str) -> None:
        workspace.write("state.json", text)
        with pytest.raises(ConfigurationInvalid, match="is not readable as kratosctl's state") as caught:
            workspace.state()
        assert "move" in caught.value.fix
        assert max(map(len, caught.value.lines()[1:])) < 300

    def test_bytes_that_are_no_text_are_a_damaged_state(self, workspace: Workspace) -> None:
        workspace.write("state.json", "")
        (workspace.home / "state.json").write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigurationInvalid):
            workspace.state()

    @given(st.dictionaries(st.sampled_from([*asdict(State()), "x"]), st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    )))  # fmt: skip
    def test_any_state_is_sound_or_refused(self, data: dict[str, Any]) -> None:
        path = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp", f"kratosctl-state-{os.getpid()}")
        workspace = Workspace(path, "dev")
        try:
            workspace.write("state.json", json.dumps(data))
            state = workspace.state()
        except KratosctlError:
            return
        finally:
            shutil.rmtree(path, ignore_errors=True)
        assert all(isinstance(port, int) and 1 <= port <= 65535 for port in state.ports.values())
        assert asdict(state) == asdict(State()) | data


class TestNotes:
    @pytest.mark.parametrize("text", ["{", "\0" * 20, "[]", '"text"', "7", "[" * 100_000])
    def test_a_damaged_note_is_said_with_a_way_out(self, workspace: Workspace, text: str) -> None:
        workspace.write("restore.json", text)
        with pytest.raises(ConfigurationInvalid, match=r"restore\.json is damaged") as caught:
            workspace.note("restore.json")
        assert "remove it" in caught.value.fix

    def test_whoever_only_asks_for_the_lesson_is_not_stopped_by_a_damaged_note(self, workspace: Workspace) -> None:
        workspace.write(LESSON_NOTE, "{")
        assert workspace.lesson == ""


class TestSecrets:
    def written(self, workspace: Workspace, database: str = "postgres", kept: Secrets = stacks.SECRETS) -> Workspace:
        asked = stacks.environment(database=database, bind="0.0.0.0")
        for file in stacks.files(asked, stacks.place(asked)).values():
            workspace.write(file.path, file.text)
        return workspace

    def test_nothing_yet_is_empty(self, workspace: Workspace) -> None:
        assert workspace.secrets() == Secrets()

    def test_they_are_read_as_they_were_written(self, workspace: Workspace) -> None:
        assert self.written(workspace).secrets() == replace(stacks.SECRETS, external_dsn="")
        assert self.written(workspace, "external").secrets() == stacks.SECRETS

    @given(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=16), min_size=1, max_size=3)
    )
    def test_any_secret_is_kept_as_it_is(self, values: list[str]) -> None:
        path = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp", f"kratosctl-secrets-{os.getpid()}")
        workspace = Workspace(path, "dev")
        try:
            workspace.write(
                "secrets/kratos.yml", kratos_secrets({"dsn": "memory", "secrets": {"default": values}}).text
            )
            assert workspace.secrets().default == tuple(values)
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def test_the_address_of_our_own_postgresql_is_not_the_users(self, workspace: Workspace) -> None:
        assert self.written(workspace, "postgres").secrets().external_dsn == ""
        assert self.written(workspace, "sqlite").secrets().external_dsn == ""
        workspace.write("secrets/kratos.yml", 'dsn: "postgres://ada:x@postgres:5432/kratos"\n')
        assert workspace.secrets().external_dsn == "postgres://ada:x@postgres:5432/kratos"

    def test_where_no_address_was_given_the_secrets_are_kept_and_one_can_be_given(self, workspace: Workspace) -> None:
        workspace.write("secrets/kratos.yml", "dsn: ''\nsecrets: {default: [a-secret-of-16-ch]}\n")
        assert workspace.secrets() == Secrets(default=("a-secret-of-16-ch",))

    def test_a_password_an_editor_ended_with_a_line_is_the_same(self, workspace: Workspace) -> None:
        workspace.write("secrets/postgres-password", "pass word\n")
        assert workspace.secrets().postgres_password == "pass word"

    @pytest.mark.parametrize(
        "text",
        [
            "", "\n", "# only a comment\n", "hunter2", "- hunter2\n", "dsn: memory\nsecrets: hunter2\n",
            "dsn: memory\nsecrets: {default: hunter2-hunter2-hunter2}\n",
            "dsn: memory\nsecrets: {default: [1234567890]}\n",
            "dsn: memory\nsecrets: {default: [hunter2, null]}\n", "dsn: memory\nsecrets: {default: ['']}\n",
            "dsn: memory\nsecrets: {default: {hunter2: 1}}\n", "dsn: memory\nsecrets: {default: [hunter2",
            "dsn: [hunter2]\n", "secrets: {default: [hunter2-hunter2-hunter2]}\n", "dsn: !!timestamp hunter2\n",
            "dsn: !hunter2 x\n", "[" * 5000, "dsn: memory\nsecrets: {default: [2024-99-99]}\n", "dsn: null\n",
        ],
    )  # fmt: skip
    def test_a_damaged_file_is_an_error_that_quotes_nothing_of_it(self, workspace: Workspace, text: str) -> None:
        """Made anew, the secrets would log everybody out."""
        workspace.write("secrets/kratos.yml", text)
        with pytest.raises(ConfigurationInvalid, match="is damaged") as caught:
            workspace.secrets()
        assert "hunter2" not in "".join(caught.value.lines())
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        assert "backup" in caught.value.fix

    @pytest.mark.parametrize("name", ["kratos.yml", "postgres-password", "ui.env", "mail-password"])
    def test_bytes_that_are_no_text_are_damage(self, workspace: Workspace, name: str) -> None:
        workspace.write(f"secrets/{name}", "")
        (workspace.home / "secrets" / name).write_bytes(b"hunter2\xff")
        with pytest.raises(ConfigurationInvalid, match="is damaged") as caught:
            workspace.secrets()
        assert "hunter2" not in "".join(caught.value.lines())

    def test_an_empty_password_is_damage(self, workspace: Workspace) -> None:
        workspace.write("secrets/postgres-password", "\n")
        with pytest.raises(ConfigurationInvalid, match="postgres-password is damaged"):
            workspace.secrets()

    def test_what_is_kept_is_completed_and_written_back_the_same(self, workspace: Workspace) -> None:
        kept = self.written(workspace).secrets()
        assert secrets.complete(kept, {}) == kept


def enter(workspace: Workspace) -> None:
    with workspace.locked("up dev", 0, lambda said: None):
        pass


class TestLock:
    HOLD = (
        "import sys; from pathlib import Path; from kratosctl.files.workspace import Workspace\n"
        "with Workspace(Path(sys.argv[1]), 'dev').locked('up dev', 60, print):\n"
        "    print('inside', flush=True); sys.stdin.read()"
    )

    @pytest.fixture
    def holder(self, workspace: Workspace) -> Iterator[subprocess.Popen[str]]:
        with program(self.HOLD, workspace.directory) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "inside\n"
            yield process
            process.kill()

    def test_the_second_is_told_who_holds_it(self, workspace: Workspace, holder: subprocess.Popen[str]) -> None:
        said: list[str] = []
        with pytest.raises(EnvironmentBusy) as caught, workspace.locked("up dev", 0.2, said.append):
            pytest.fail("two are inside")
        assert f"`kratosctl up dev` (process {holder.pid}, since " in caught.value.what
        assert said == [f"waiting for {caught.value.what.partition('held by ')[2]}, which holds environment dev"]

    def test_whoever_waits_is_told_that_it_was_deleted(
        self, workspace: Workspace, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # while it waits, as `down --volumes` of what kratosctl.yaml no longer names
        monkeypatch.setattr(time, "sleep", lambda _: shutil.rmtree(workspace.home))

        with pytest.raises(EnvironmentBusy) as caught, workspace.locked("up dev", 60, lambda _: None):
            pytest.fail("it is inside of what is gone")
        assert caught.value.what == "environment dev was deleted meanwhile"
        assert "up dev" in caught.value.why

    def test_whoever_it_is_said_to_be_in_no_text_is_waited_for_all_the_same(
        self, workspace: Workspace, holder: subprocess.Popen[str]
    ) -> None:
        (workspace.home / "lock-holder").write_bytes(b"\xff\xfe")
        with pytest.raises(EnvironmentBusy):
            enter(workspace)
        assert holder.poll() is None

    def test_another_environment_is_not_held(self, workspace: Workspace, holder: subprocess.Popen[str]) -> None:
        with Workspace(workspace.directory, "ci").locked("up ci", 0, pytest.fail):
            assert holder.poll() is None

    def test_it_is_free_again_when_the_holder_is_done(
        self, workspace: Workspace, holder: subprocess.Popen[str]
    ) -> None:
        holder.communicate("", timeout=60)
        with workspace.locked("up dev", 0, pytest.fail):
            assert "process" in (workspace.home / "lock-holder").read_text(encoding="utf-8")

    def test_it_is_free_again_when_the_holder_is_killed(
        self, workspace: Workspace, holder: subprocess.Popen[str]
    ) -> None:
        holder.kill()
        holder.wait()
        with workspace.locked("up dev", 0, pytest.fail):
            pass
        assert not (workspace.home / "lock-holder").exists()

    def test_whoever_has_it_does_not_wait_for_himself_and_keeps_it(self, workspace: Workspace) -> None:
        with workspace.locked("reset dev", 0, pytest.fail):
            with Workspace(workspace.directory, "dev").locked("settle", 0, pytest.fail):
                pass
            assert "kratosctl reset dev" in (workspace.home / "lock-holder").read_text(encoding="utf-8")
            with ThreadPoolExecutor() as pool, pytest.raises(EnvironmentBusy):
                pool.submit(enter, workspace).result()
        enter(workspace)

    def test_it_is_free_again_after_an_error(self, workspace: Workspace) -> None:
        with pytest.raises(KeyError), workspace.locked("up dev", 0, pytest.fail):
            raise KeyError
        with workspace.locked("up dev", 0, pytest.fail):
            pass

    def test_of_twenty_only_one_is_inside_at_a_time_and_all_come_in(self, workspace: Workspace) -> None:
        code = (
            "import os, sys; from pathlib import Path; from kratosctl.files.workspace import Workspace\n"
            "directory = Path(sys.argv[1])\n"
            "for _ in range(3):\n"
            "    with Workspace(directory, 'dev').locked('up dev', 120, lambda line: None):\n"
            "        os.close(os.open(directory / 'inside', os.O_CREAT | os.O_EXCL))\n"
            "        count = directory / 'count'\n"
            "        count.write_text(str(int(count.read_text()) + 1))\n"
            "        os.unlink(directory / 'inside')\n"
        )
        (workspace.directory / "count").write_text("0", encoding="utf-8")
        processes = [program(code, workspace.directory) for _ in range(20)]
        for process in processes:
            process.communicate()
        assert [process.returncode for process in processes] == [0] * 20
        assert (workspace.directory / "count").read_text(encoding="utf-8") == "60"

    def test_git_never_sees_the_generated_directory(self, workspace: Workspace) -> None:
        with workspace.locked("up dev", 0, pytest.fail):
            assert (workspace.directory / ".kratosctl/.gitignore").read_text(encoding="utf-8") == "*\n"

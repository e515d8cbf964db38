"""A snapshot that comes in as a file: what was not packed by kratosctl is refused before anything is written."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kratosctl.errors import ConfigurationInvalid, KratosctlError, SnapshotDamaged, SnapshotForeign, SnapshotMissing
from kratosctl.snapshots import dump, package
from kratosctl.snapshots.facts import Facts
from kratosctl.snapshots.package import Manifest
from kratosctl.snapshots.store import Snapshot

CONTENT = b"the database" * 1000
CONFIGURATION = {"kratos.yml": b"log: {}\n", "schemas/person.json": b"{}"}


def snapshot(**changed: Any) -> Snapshot:
    facts: dict[str, Any] = {
        "name": "two",
        "engine": "sqlite",
        "release": "v26.2.0",
        "migrations": 686,
        "network": "n",
        "identities": 2,
        "created": "2026-01-01T00:00:00Z",
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
    }
    return Snapshot(**{**facts, **changed})


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A package as kratosctl writes it."""
    database = tmp_path / "database"
    database.write_bytes(CONTENT)
    target = tmp_path / "two.kratos.zip"
    package.write(target, Manifest("dev", {"release": "v26.2.0"}, snapshot()), database, CONFIGURATION)
    return target


def taken(path: Path, target: Path) -> Manifest:
    """Reads all of a package."""
    with package.opened(path) as opened:
        opened.copy_database(target)
        opened.configuration()
        return opened.manifest


def repacked(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Packs anew what a package holds, with a change, as somebody could who means harm."""
    with zipfile.ZipFile(path) as old:
        entries = {entry: old.read(entry) for entry in old.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in entries.items():
            new.writestr(name, content)


def with_manifest(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    def apply(entries: dict[str, bytes]) -> None:
        manifest = json.loads(entries["manifest.json"])
        change(manifest)
        entries["manifest.json"] = json.dumps(manifest).encode()

    repacked(path, apply)


def assert_refused(path: Path, kind: type[KratosctlError] = SnapshotDamaged) -> str:
    with pytest.raises(kind) as caught:
        taken(path, path.with_name("out"))
    lines = caught.value.lines()
    assert len(lines) <= 3
    assert all(len(line) < 300 and line.isprintable() for line in lines), lines
    return " ".join(lines)


def test_what_was_packed_comes_back(packed: Path, tmp_path: Path) -> None:
    with package.opened(packed) as opened:
        opened.copy_database(tmp_path / "out")
        assert opened.configuration() == CONFIGURATION
        assert opened.manifest.snapshot == snapshot()
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert packed.stat().st_mode & 0o777 == 0o600


def test_it_is_on_the_disk_before_it_has_its_name(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut leaves what was there, or all of the new one."""
    before, synced = packed.stat().st_ino, []
    was = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, packed.stat().st_ino))
        was(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    package.write(packed, Manifest("dev", {}, snapshot()), packed.with_name("database"), {})

    after = packed.stat().st_ino
    assert synced == [(after, before), (packed.parent.stat().st_ino, after)]


def test_nobody_reads_it_who_made_a_file_where_it_is_written(packed: Path) -> None:
    theirs = packed.with_name(f".{packed.name}.making")
    theirs.touch(mode=0o666)
    packed.unlink()
    with theirs.open("rb") as file:
        package.write(packed, Manifest("dev", {}, snapshot()), packed.with_name("database"), {})
        assert file.read() == b""
    assert packed.stat().st_mode & 0o777 == 0o600


def test_names_and_notes_in_any_language_come_back(tmp_path: Path) -> None:
    (tmp_path / "database").write_bytes(CONTENT)
    target = tmp_path / "two.kratos.zip"
    configuration = {"größe.jsonnet": b"{}", "a+b (1).jsonnet": b"{}", "logo/名前.png": b"\x89PNG\xff"}
    package.write(target, Manifest("dev", {}, snapshot(note="before\tlunch")), tmp_path / "database", configuration)
    with package.opened(target) as opened:
        assert opened.configuration() == configuration
        assert opened.manifest.snapshot.note == "before lunch"


@pytest.mark.parametrize("name", ["a:b.json", "-rf", "a\nb", "x" * 101])
def test_what_nobody_could_take_in_is_not_packed(tmp_path: Path, name: str) -> None:
    (tmp_path / "database").write_bytes(CONTENT)
    target = tmp_path / "two.kratos.zip"
    with pytest.raises(ConfigurationInvalid, match="cannot be handed on"):
        package.write(target, Manifest("dev", {}, snapshot()), tmp_path / "database", {name: b""})
    assert not target.exists()


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    assert "No such file" in assert_refused(tmp_path / "nowhere.zip", SnapshotMissing)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_one_is_refused(packed: Path, part: float) -> None:
    whole = packed.read_bytes()
    packed.write_bytes(whole[: int(len(whole) * part)])
    assert "is no snapshot that kratosctl can take" in assert_refused(packed)


def test_each_changed_byte_is_noticed_or_means_nothing(packed: Path, tmp_path: Path) -> None:
    whole = packed.read_bytes()
    for place in range(0, len(whole), 3):
        packed.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            taken(packed, tmp_path / "out")
        except (SnapshotDamaged, SnapshotForeign):
            continue
        assert (tmp_path / "out").read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x1f\x8b" + b"\0" * 100])
def test_what_is_no_package_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "it.zip"
    path.write_bytes(content)
    assert_refused(path)


@pytest.mark.parametrize(
    "name", ["../up", "/etc/passwd", "configuration/../../up", "configuration/.ssh/authorized_keys", "a\\b", "more"]
)
def test_an_entry_that_the_manifest_does_not_name_is_refused(packed: Path, name: str) -> None:
    repacked(packed, lambda entries: entries.update({name: b"x"}))
    assert "does not hold what its manifest says" in assert_refused(packed)


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../b", ".env", "a//b", "a\\b", "", "a\nb", "-rf"])
def test_a_manifest_that_names_a_path_is_refused(packed: Path, name: str) -> None:
    def change(entries: dict[str, bytes]) -> None:
        manifest = json.loads(entries["manifest.json"])
        manifest["files"] = {name: hashlib.sha256(b"x").hexdigest()}
        entries.clear()
        entries |= {"manifest.json": json.dumps(manifest).encode(), "database": CONTENT, f"configuration/{name}": b"x"}

    repacked(packed, change)
    assert "cannot name a file" in assert_refused(packed)


def test_a_link_is_only_ever_its_text(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed) as old:
        entries = {entry: old.read(entry) for entry in old.namelist()}
    with zipfile.ZipFile(packed, "w") as new:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o120777 << 16
            new.writestr(entry, content)
    taken(packed, tmp_path / "out")
    assert not (tmp_path / "out").is_symlink()
    assert (tmp_path / "out").read_bytes() == CONTENT


def test_one_that_would_fill_the_disk_is_refused_unread(packed: Path) -> None:
    def change(entries: dict[str, bytes]) -> None:
        bomb = bytes(100_000_000)
        manifest = json.loads(entries["manifest.json"])
        manifest["snapshot"] |= {"size": len(bomb), "sha256": hashlib.sha256(bomb).hexdigest()}
        entries |= {"manifest.json": json.dumps(manifest).encode(), "database": bomb}

    repacked(packed, change)
    assert "no snapshot is packed so tightly" in assert_refused(packed)
    assert not packed.with_name("out").exists()


def test_one_that_is_larger_than_it_says_is_not_read_to_its_end(packed: Path) -> None:
    repacked(packed, lambda entries: entries.update({"database": CONTENT + bytes(50_000_000)}))
    assert "checksum" in assert_refused(packed)
    assert packed.with_name("out").stat().st_size <= len(CONTENT)


def test_another_database_than_was_packed_is_refused(packed: Path) -> None:
    repacked(packed, lambda entries: entries.update({"database": CONTENT[:-1] + b"x"}))
    assert "checksum" in assert_refused(packed)


def test_another_configuration_than_was_packed_is_refused(packed: Path) -> None:
    repacked(packed, lambda entries: entries.update({"configuration/kratos.yml": b"other"}))
    assert "checksum" in assert_refused(packed)


def test_a_newer_format_is_told_from_a_broken_one(packed: Path) -> None:
    with_manifest(packed, lambda manifest: manifest.update(format=2))
    assert "a newer kratosctl" in assert_refused(packed, SnapshotForeign)


@pytest.mark.parametrize(
    "changed",
    [
        {"format": 0},
        {"format": "1"},
        {"snapshot": None},
        {"snapshot": {"name": "x"}},
        {"files": []},
        {"answers": "yes"},
        {"environment": 1},
        {"environment": "a\x1b[2Jb"},
        {"secrets": {"else": ["x"]}},
        {"secrets": {"default": "x"}},
        {"secrets": {"default": [1]}},
    ],
    ids=str,
)
def test_a_manifest_of_another_shape_is_refused(packed: Path, changed: dict[str, Any]) -> None:
    with_manifest(packed, lambda manifest: manifest.update(changed))
    assert_refused(packed)


@pytest.mark.parametrize(
    "changed",
    [{"name": "../up"}, {"engine": "mysql"}, {"release": "latest"}, {"size": -1}, {"size": 1.5}, {"identities": True}],
    ids=str,
)
def test_facts_that_cannot_be_are_refused(packed: Path, changed: dict[str, Any]) -> None:
    with_manifest(packed, lambda manifest: manifest["snapshot"].update(changed))
    with pytest.raises(KratosctlError):
        taken(packed, packed.with_name("out"))


END = "--\n-- PostgreSQL database dump complete\n--\n\n"
DUMP = (
    "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET statement_timeout = 0;\n"
    "SELECT pg_catalog.set_config('search_path', '', false);\n"
    "CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;\n"
    "CREATE TABLE public.identities (\n    id uuid NOT NULL,\n    state text DEFAULT 'active'::text,\n"
    "    since timestamp without time zone DEFAULT '2000-01-01 00:00:00'::timestamp without time zone NOT NULL,\n"
    "    CONSTRAINT c CHECK (((state IS NULL) OR ((state)::text <> ''::text)))\n);\n"
    'COPY public.identities (id, "state") FROM stdin;\n1\tDO \\N PROGRAM\n\\.\n\n'
    "ALTER TABLE ONLY public.identities\n    ADD CONSTRAINT p PRIMARY KEY (id);\n"
    "ALTER TABLE ONLY public.identities\n"
    "    ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES public.identities(id) ON UPDATE RESTRICT ON DELETE CASCADE;\n"
    "CREATE UNIQUE INDEX i ON public.identities USING btree (id DESC, state) WHERE (state IS NOT NULL);\n"
    "CREATE INDEX g ON public.identities USING gin (id, state public.gin_trgm_ops);\n\\unrestrict abc\n"
)


# what pg_dump sets, of PostgreSQL 17 too
SETTINGS = (
    "SET statement_timeout = 0;\nSET lock_timeout = 0;\nSET idle_in_transaction_session_timeout = 0;\n"
    "SET transaction_timeout = 0;\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n"
    "SET check_function_bodies = false;\nSET xmloption = content;\nSET client_min_messages = warning;\n"
    "SET row_security = off;\nSET default_tablespace = '';\nSET default_table_access_method = heap;\n"
)


def check_dump(path: Path, text: str | bytes) -> None:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    dump.check(path)


@pytest.mark.parametrize("without", ["", "\\restrict abc\n", "\\unrestrict abc\n"])
def test_a_dump_of_tables_is_taken(tmp_path: Path, without: str) -> None:
    check_dump(tmp_path / "dump", SETTINGS + DUMP.replace(without, "") + END)


def test_a_schema_of_ones_own_beside_kratos_is_put_back_in_place_of_what_is_there(tmp_path: Path) -> None:
    """Such as Hasura's: else an upgrade could be neither undone nor taken back."""
    own = 'CREATE SCHEMA "the app";\n\nCREATE TABLE "the app".a (\n    b text\n);\n'
    rows = 'COPY "the app".a (b) FROM stdin;\nCREATE SCHEMA x;\n\\.\n\n'
    (tmp_path / "dump").write_text(own + rows + END)

    dump.write_plain(tmp_path / "dump", tmp_path / "plain")

    written = (tmp_path / "plain").read_text()
    assert written.endswith('DROP SCHEMA IF EXISTS "the app" CASCADE;\n' + own + rows + END)


def test_of_a_dump_is_believed_what_it_holds(tmp_path: Path) -> None:
    rows = "COPY public.{} (id, created_at) FROM stdin;\n{}\\.\n\n"
    text = DUMP + rows.format("networks", "a-network\t2026-01-01\nanother\t2026-01-02\n")
    text += rows.format("schema_migration", "COPY public.identities \t0\n2\t0\n") + rows.format("sessions", "1\t0\n")
    check_dump(tmp_path / "dump", text + END)

    assert dump.facts_of(tmp_path / "dump") == Facts(2, 1, "a-network")


def test_a_dump_of_people_of_any_language_is_taken(tmp_path: Path) -> None:
    check_dump(tmp_path / "dump", DUMP + "COPY public.identities (id) FROM stdin;\nZoë 名前 🦊\n\\.\n" + END)


@pytest.mark.parametrize(
    "line",
    [
        "\\! touch /tmp/x",
        "SET a = 1 \\! touch /tmp/x",
        "   \\! touch /tmp/x",
        "COPY public.identities FROM PROGRAM 'sh';",
        "   COPY public.identities (id) FROM PROGRAM 'sh';",
        "SET a = 1; COPY x FROM PROGRAM 'sh';",
        "DO $$ BEGIN END $$;",
        "CREATE FUNCTION f() RETURNS int AS 'x' LANGUAGE c;",
        "SELECT pg_read_file('/etc/passwd');",
        "COPY public.identities (id) FROM '/etc/passwd';",
        "DROP TABLE identities;",
        "ALTER SYSTEM SET archive_command = 'sh';",
        "COMMIT;",
        " ALTER SYSTEM SET archive_command = 'sh';",
        " COPY public.identities (id) FROM '/etc/passwd';",
        # psql takes this for the end of the rows
        "COPY public.identities (id) FROM stdin;\n1\n\\.\r\n\\! touch /tmp/x\n\\.",
        "CREATE TABLE public.a (\n    b text DEFAULT pg_read_file('/etc/passwd'::text)\n);",
        "CREATE TABLE public.a (\n    b text,\n    CONSTRAINT c CHECK ((query_to_xml ('x'::text) IS NULL))\n);",
        "CREATE TABLE public.a (\n    b text,\n    CONSTRAINT c CHECK ((\"pg_read_file\"('x'::text) IS NULL))\n);",
        "CREATE TABLE public.a (\n    b text DEFAULT :variable\n);",
        "CREATE INDEX a ON public.identities USING btree (lower(b));",
        "CREATE INDEX a ON public.identities USING btree (b) WHERE (pg_sleep(1) IS NULL);",
        "CREATE EXTENSION IF NOT EXISTS dblink WITH SCHEMA public;",
        "ALTER TABLE ONLY public.identities\n    OWNER TO postgres;",
        "DROP TABLE identities;\n    ADD CONSTRAINT p PRIMARY KEY (id);",
    ],
)
def test_a_dump_that_would_do_anything_else_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(SnapshotDamaged):
        check_dump(tmp_path / "dump", DUMP + line + "\n" + END)


@pytest.mark.parametrize(
    "lines",
    [
        # psql drops what follows a NUL, here the end of the text
        b"COMMENT ON SCHEMA public IS 'x\0';\n-- ' \\! touch /tmp/x\n",
        b"-- x\0\n",
        # a text that ends in half a character of GBK takes its quote along
        b"SET client_encoding = 'GBK';\n",
        b"COMMENT ON SCHEMA public IS 'x\xbf';\n-- ' \\! touch /tmp/x\n",
        # psql counts up to the NUL, and so takes the end of its buffer for the beginning of a line
        b"COPY public.identities (id) FROM stdin;\n\0" + b"a" * 8187 + b"\\.\n\\! touch /tmp/x\n\\.\n",
        b"COPY public.identities (id) FROM stdin;\n\xff\n\\.\n",
        # a line may end at either, and the rows at a backslash and a dot
        b"COPY public.identities (id) FROM stdin;\n1\r2\n\\.\n",
        b"COPY public.identities (id) FROM stdin;\n\\.1\n\\.\n",
        b"SET standard_conforming_strings = off;\n",
        b"SET row_security = on;\n",
    ],
)
def test_a_dump_that_psql_could_read_otherwise_than_we_do_is_refused(tmp_path: Path, lines: bytes) -> None:
    with pytest.raises(SnapshotDamaged):
        check_dump(tmp_path / "dump", DUMP.encode() + lines + END.encode())


def test_a_dump_that_ends_within_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotDamaged):
        check_dump(tmp_path / "dump", DUMP + "COPY public.identities (id) FROM stdin;\n1\n" + END)

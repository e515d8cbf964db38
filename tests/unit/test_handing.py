"""A snapshot handed on, as far as no engine is needed for that."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kratosctl import running
from kratosctl.answers import configuration_file
from kratosctl.console import Console
from kratosctl.database import templates
from kratosctl.errors import DiskFull
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.main import main
from kratosctl.running import Found
from kratosctl.snapshots import handing, package, saving, store
from kratosctl.snapshots.package import Manifest
from kratosctl.snapshots.subject import Subject
from tests.unit import stacks
from tests.unit.test_package import with_manifest
from tests.unit.test_snapshot_store import save
from tests.unit.test_snapshots_sqlite import database

QUIET = Console(quiet=True)


def exported(directory: Path, kratos_yml: str) -> list[str]:
    """What a person is told who hands on an environment with a configuration of her own."""
    (directory / "kratos").mkdir()
    (directory / "kratos" / "kratos.yml").write_text(kratos_yml)
    workspace = Workspace(directory, "dev")
    save(workspace, "one")
    environment = stacks.environment(config_dir="kratos")
    return list(handing.export(workspace, environment, "one", directory / "it.zip", False, False).warnings)


def test_whoever_hands_on_secrets_of_her_configuration_is_told_which(tmp_path: Path) -> None:
    warnings = exported(
        tmp_path, "courier: {smtp: {connection_uri: 'smtp://me:hunter2@mail'}}\nsecrets: {cookie: [a]}\n"
    )

    assert warnings[0].startswith("it holds password hashes and sessions, but not the environment's own secrets")
    assert warnings[1:] == ["kratos/kratos.yml is in it, with secrets of its own: courier.smtp.connection_uri, secrets"]


def test_a_configuration_without_secrets_is_handed_on_without_a_word(tmp_path: Path) -> None:
    assert len(exported(tmp_path, "selfservice: {methods: {password: {enabled: true}}}\n")) == 1


def test_a_configuration_that_cannot_be_read_keeps_nobody_from_the_data(tmp_path: Path) -> None:
    assert "cannot be told: kratos/kratos.yml" in exported(tmp_path, "a: [")[1]


@pytest.mark.parametrize(
    ("image", "release", "handed_on"),
    [
        ("acme/login:v3", "v26.2.0", "acme/login:v3"),
        ("acme/login@sha256:0123", "v26.2.0", "acme/login@sha256:0123"),
        ("acme/kratos:v26.2.0-acme", "v26.2.0", "acme/kratos:v26.2.0-acme"),
        # the environment has gone on since
        ("acme/kratos:v26.2.0-acme", "v1.1.0", "acme/kratos:v1.1.0-acme"),
    ],
)
def test_a_colleague_runs_the_image_that_made_the_data(
    tmp_path: Path, image: str, release: str, handed_on: str
) -> None:
    workspace = Workspace(tmp_path, "dev")
    save(workspace, "one", release=release)
    answers = {"kratos_image": image, "release": "v26.2.0"}
    configuration_file.save(tmp_path, "dev", answers)

    handing.export(workspace, stacks.environment(**answers), "one", tmp_path / "it.zip", False, False)

    with package.opened(tmp_path / "it.zip") as opened:
        assert opened.manifest.answers["kratos_image"] == handed_on


def test_an_image_that_does_not_say_its_release_is_left_out_where_the_data_is_of_another(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "dev")
    save(workspace, "one", release="v1.1.0")
    answers = {"kratos_image": "acme/login:v3", "release": "v26.2.0"}
    configuration_file.save(tmp_path, "dev", answers)

    said = handing.export(workspace, stacks.environment(**answers), "one", tmp_path / "it.zip", False, False)

    with package.opened(tmp_path / "it.zip") as opened:
        assert "kratos_image" not in opened.manifest.answers
    assert "acme/login:v3 is not in it: the data is of Kratos v1.1.0" in said.warnings


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with an environment that has a snapshot `one`, and no engine to ask about it; we are beside it."""
    workspace = Workspace(tmp_path / "ours", "dev")
    (workspace.home / "database").mkdir(parents=True)
    database(workspace.home / "database" / "db.sqlite", 3)
    configuration_file.save(workspace.directory, "dev", {"database": "sqlite"})
    found = Found(workspace, State(), ())
    monkeypatch.setattr(running, "find", lambda directory, name: found)
    saving.save(Subject(found, stacks.environment()), "one", "", False, QUIET)
    (tmp_path / "theirs").mkdir()
    monkeypatch.chdir(tmp_path)
    return workspace.directory


@pytest.mark.parametrize(
    ("words", "file"), [((), "ours/one.kratos.zip"), (("it.zip",), "ours/it.zip"), (("../it.zip",), "it.zip")]
)
def test_files_are_named_as_if_one_were_in_the_directory(
    ours: Path, words: tuple[str, ...], file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["snapshot", "export", "one", *words, "-C", "ours"]) == 0
    assert [path.name for path in ours.parent.rglob("*.zip")] == [Path(file).name]
    assert Path(file).is_file()

    assert main(["snapshot", "import", f"../{file}", "-C", "theirs"]) == 0
    assert "took one in" in capsys.readouterr().out


def test_an_import_that_failed_can_be_repeated_and_leaves_nothing_beside_it(
    ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration_file.save(ours, "dev", {"config_dir": "kratos"})
    (ours / "kratos" / "schemas").mkdir(parents=True)
    for name in ("kratos.yml", "schemas/person.json"):
        (ours / "kratos" / name).write_text("{}")
    assert main(["snapshot", "export", "one", "-C", "ours"]) == 0

    def full(*asked: object) -> None:
        raise DiskFull("no space left")

    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(templates, "copy", full)
            assert main(["snapshot", "import", "../ours/one.kratos.zip", "-C", "theirs"]) == 20
    # cut short before the last file
    (ours.parent / "theirs" / "kratos" / "schemas" / "person.json").unlink()
    for name in ("dev", "other"):
        assert main(["snapshot", "import", "../ours/one.kratos.zip", name, "-C", "theirs"]) == 0

    directories = {name: answers["config_dir"] for name, answers in configuration_file.load(Path("theirs")).items()}
    assert directories == {"dev": "./kratos", "other": "./kratos-other"}
    assert sorted(path.name for path in Path("theirs").glob("kratos*")) == ["kratos", "kratos-other", "kratosctl.yaml"]
    assert (ours.parent / "theirs" / "kratos" / "schemas" / "person.json").read_text() == "{}"


def test_a_configuration_that_is_taken_in_is_for_its_owner_alone(ours: Path) -> None:
    """The secret of an OpenID Connect client may be in it."""
    configuration_file.save(ours, "dev", {"config_dir": "kratos"})
    (ours / "kratos").mkdir()
    (ours / "kratos" / "kratos.yml").write_text("{}")
    (ours / "kratos" / "kratos.yml").chmod(0o600)
    assert main(["snapshot", "export", "one", "-C", "ours"]) == 0

    assert main(["snapshot", "import", "../ours/one.kratos.zip", "-C", "theirs"]) == 0

    assert (ours.parent / "theirs" / "kratos" / "kratos.yml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("major", "code"), [(0, 0), (15, 63)])
def test_an_environment_that_was_taken_out_of_kratosctl_yaml_runs_on_what_it_ran_on(
    ours: Path, major: int, code: int
) -> None:
    assert main(["snapshot", "export", "one", "-C", "ours"]) == 0
    Workspace(ours.parent / "theirs", "dev").save_state(State(postgres_major=major))

    assert main(["snapshot", "import", "../ours/one.kratos.zip", "-C", "theirs"]) == code


def with_configuration(ours: Path) -> None:
    """Makes a file of an environment with a configuration of its own."""
    configuration_file.save(ours, "dev", {"config_dir": "kratos"})
    (ours / "kratos").mkdir()
    (ours / "kratos" / "kratos.yml").write_text("{}")
    assert main(["snapshot", "export", "one", "-C", "ours"]) == 0


def checkout(kratos: Path) -> None:
    (kratos / "kratos.yml").write_text("{}")
    with (kratos / "main.go").open("wb") as file:
        file.truncate(1 << 40)


def big(kratos: Path) -> None:
    with (kratos / "kratos.yml").open("wb") as file:
        file.truncate(1 << 40)


def dangling(kratos: Path) -> None:
    (kratos / "kratos.yml").symlink_to("nowhere")


def elsewhere(kratos: Path) -> None:
    (kratos / "schemas").symlink_to("/tmp")


def hidden(kratos: Path) -> None:
    (kratos / ".env").write_text("SECRET=1")


@pytest.mark.parametrize("theirs", [checkout, big, dangling, elsewhere, hidden])
def test_whatever_lies_in_kratos_is_left_alone_and_hinders_no_import(
    ours: Path, theirs: Callable[[Path], None]
) -> None:
    with_configuration(ours)
    (ours.parent / "theirs" / "kratos").mkdir()
    theirs(ours.parent / "theirs" / "kratos")

    assert main(["snapshot", "import", "../ours/one.kratos.zip", "-C", "theirs"]) == 0

    assert configuration_file.load(ours.parent / "theirs")["dev"]["config_dir"] == "./kratos-dev"


def test_of_two_that_import_the_same_environment_at_once_one_makes_it(
    ours: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["snapshot", "export", "one", "-C", "ours"]) == 0
    words = ["snapshot", "import", "../ours/one.kratos.zip", "-C", "theirs"]
    check = handing._check_answers
    made = ours.parent / "theirs" / ".kratosctl" / "dev" / "database" / "db.sqlite"

    def overtaken(name: str, manifest: Manifest) -> None:
        check(name, manifest)
        monkeypatch.setattr(handing, "_check_answers", check)
        assert main(words) == 0
        made.write_text("people signed up since")

    monkeypatch.setattr(handing, "_check_answers", overtaken)

    assert main(words) == 23
    assert "was made meanwhile" in capsys.readouterr().err
    assert made.read_text() == "people signed up since"


def test_a_safety_snapshot_of_somebody_else_is_taken_in_under_another_name_only(
    ours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else `snapshot restore --undo` would put theirs in place of one's own data."""
    own = saving.save_safety(Subject(running.find(ours, "dev"), stacks.environment()), "reset").name
    assert main(["snapshot", "export", own, "it.zip", "-C", "ours"]) == 0

    assert main(["snapshot", "import", "../ours/it.zip", "-C", "theirs"]) == 32
    assert "--as NAME" in capsys.readouterr().err
    assert not list((ours.parent / "theirs").iterdir())

    assert main(["snapshot", "import", "../ours/it.zip", "-C", "theirs", "--as", "of-ada"]) == 0


def test_what_a_snapshot_holds_is_looked_at_and_not_believed(ours: Path) -> None:
    """A restore goes by it: whether Kratos has to stop for other tables, and to start for another network."""
    assert main(["snapshot", "export", "one", "-C", "ours"]) == 0
    lies = {"migrations": 999, "identities": 999, "network": "another"}
    with_manifest(ours / "one.kratos.zip", lambda manifest: manifest["snapshot"].update(lies))

    assert main(["snapshot", "import", "../ours/one.kratos.zip", "-C", "theirs"]) == 0

    (made,) = store.listing(Workspace(Path("theirs"), "dev"))
    assert made == store.load(Workspace(ours, "dev"), "one")


@pytest.mark.parametrize(
    "added",
    [
        "CREATE TRIGGER t AFTER INSERT ON identities BEGIN INSERT INTO networks VALUES (new.id); END;",
        "ALTER TABLE identities RENAME TO people; CREATE VIEW identities AS"
        " WITH RECURSIVE endless(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM endless) SELECT id FROM endless;",
    ],
    ids=["a trigger, which would stay across a reset", "a view that never ends"],
)
def test_a_database_from_elsewhere_that_would_do_something_by_itself_is_not_taken_in(
    ours: Path, capsys: pytest.CaptureFixture[str], added: str
) -> None:
    theirs = database(ours.parent / "database")
    with closing(sqlite3.connect(theirs)) as connection:
        connection.executescript(added)
    snapshot = store.load(Workspace(ours, "dev"), "one")
    facts = replace(snapshot, size=theirs.stat().st_size, sha256=store.digest(theirs))
    answers = {"release": snapshot.release, "database": "sqlite"}
    package.write(ours.parent / "it.zip", Manifest("dev", answers, facts), theirs, {})

    assert main(["snapshot", "import", "../it.zip", "-C", "theirs"]) == 62
    assert "more than tables and indexes" in capsys.readouterr().err
    assert not (ours.parent / "theirs" / "kratosctl.yaml").exists()


@pytest.mark.parametrize("secrets", [(), ("--with-secrets",)])
def test_whoever_takes_in_secrets_that_others_know_is_told_what_those_can_do(
    ours: Path, capsys: pytest.CaptureFixture[str], secrets: tuple[str, ...]
) -> None:
    Workspace(ours, "dev").write("secrets/kratos.yml", f"dsn: memory\nsecrets: {{cookie: [{'c' * 32}]}}\n", 0o600)
    assert main(["snapshot", "export", "one", "-C", "ours", *secrets]) == 0
    capsys.readouterr()

    assert main(["snapshot", "import", "../ours/one.kratos.zip", "-C", "theirs"]) == 0

    said = capsys.readouterr().err
    assert ("it has new secrets" in said, "whoever has the file can sign its session cookies" in said) == (
        not secrets,
        bool(secrets),
    )

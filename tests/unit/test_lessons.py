"""The pure parts of lessons: what they break, what they say, what is kept of them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from kratosctl import fragments, running
from kratosctl.answers import configuration_file, selection, workshop_file
from kratosctl.answers.selection import Selection
from kratosctl.answers.workshop_file import Workshop
from kratosctl.cli import COMMANDS
from kratosctl.commands import init
from kratosctl.commands.verify import Person, Step, Target
from kratosctl.console import Console
from kratosctl.doctor.facts import EnvironmentFacts, Facts, KratosFacts
from kratosctl.doctor.rules import diagnose
from kratosctl.engine.objects import Container
from kratosctl.environment import Environment
from kratosctl.errors import (
    ChoiceImpossible,
    ConfigurationInvalid,
    LessonMissing,
    LessonRunning,
    NotRunning,
    UsageError,
)
from kratosctl.files.state import State
from kratosctl.files.workspace import Workspace
from kratosctl.kratos import readiness
from kratosctl.lessons import breaking, catalogue, check, fix, notes, start, telling
from kratosctl.lessons.catalogue import LESSONS, find
from kratosctl.lessons.ground import _reason_against, take_over
from kratosctl.lessons.lesson import Broken, Ground, Lesson, Unfit
from kratosctl.lessons.notes import Note
from kratosctl.limits import Limits
from kratosctl.questions import PRESETS
from kratosctl.running import Found
from kratosctl.stack.files import SECRETS_FILE

PUBLIC, UI = "http://localhost:4433", "http://localhost:4455"
SECRETS = "dsn: memory\nsecrets:\n  default: [one-of-sixteen-or-more]\n  cookie: [an-old-one-of-sixteen]\n"
NOTHING: Mapping[str, Any] = {}
TARGET = Target("dev", PUBLIC, "", "", browser=True)
QUIET = Console(quiet=True)

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)


def ground(preset: str = "email-password", **changed: str) -> Ground:
    """A preset's configuration, as a lesson sees it."""
    texts = {**fragments.preset_files(preset), **changed}
    kept = {name: texts[name] for name in ("kratos.yml", "identity.schema.json")}
    identity = json.loads(kept["identity.schema.json"])
    configuration = yaml.safe_load(kept["kratos.yml"])
    return Ground("kratos.yml", kept, configuration, "identity.schema.json", identity, PUBLIC, UI, SECRETS)


def findings(before: Ground, broken: Mapping[str, str]) -> set[str]:
    """The rules of doctor that find something in a configuration."""
    texts = {**before.texts, **broken}
    schemas = {"identity.schema.json": json.loads(texts["identity.schema.json"])}
    kratos = KratosFacts("kratos.yml", yaml.safe_load(texts["kratos.yml"]), schemas, "localhost", PUBLIC, UI, True)
    facts = Facts(Path("/app"), environments=(EnvironmentFacts("dev", kratos=kratos),))
    return {finding.rule for finding in diagnose(facts) if finding.level != "ok"}


class TestEach:
    def test_there_are_ten_or_more_and_each_has_a_name_of_its_own(self) -> None:
        names = [lesson.name for lesson in LESSONS]
        assert len(set(names)) == len(names) >= 10
        assert all(re.fullmatch("[a-z]+(-[a-z]+)+", name) for name in names)

    @each_lesson
    def test_it_tells_what_is_seen_and_not_why(self, lesson: Lesson) -> None:
        keys = set(re.findall(r"[a-z_]+\.[a-z_.]+[a-z]", lesson.hints[2])) - {"kratos.yml", "kratos.yml.old"}
        first = " ".join((lesson.title, lesson.symptom, lesson.look, lesson.hints[0]))
        assert not [key for key in keys if key in first]
        assert lesson.teaches[0].islower()
        assert lesson.solution.endswith(".")
        assert 0 < lesson.minutes <= 30

    @each_lesson
    def test_what_it_says_fits_the_terminal(
        self, lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(telling, "terminal_width", lambda: 80)
        found = Found(Workspace(tmp_path, "dev"), State(), ())
        solved = telling.checked(lesson, "dev", "", [])
        given_up = telling.fixed(telling.solution(lesson, "dev"), "dev", "", "")
        shown = [telling.started(lesson, found, "./kratos").text(), solved, given_up]
        assert [line for line in "\n".join(shown).splitlines() if len(line) > 80] == []

    @each_lesson
    def test_every_command_it_names_is_one_for_the_environment(self, lesson: Lesson) -> None:
        said = (lesson.symptom, lesson.look, *lesson.hints, telling.solution(lesson, "{env}"))
        named = [found for text in said for found in re.finditer(r"kratosctl (\w+)(.*)", text) if found[1] in COMMANDS]
        assert [found[0] for found in named if not re.match(r"( rotate)? \{env\}", found[2])] == []
        assert "{env}" not in telling.solution(lesson, "seat-07")

    @pytest.mark.parametrize(
        ("lesson", "preset"),
        [
            pytest.param(lesson, preset, id=f"{lesson.name} {preset}")
            for lesson in LESSONS
            for preset in PRESETS
            if preset not in lesson.not_with
        ],
    )
    def test_it_breaks_every_preset_it_claims_in_one_place(self, lesson: Lesson, preset: str) -> None:
        before = ground(preset)
        broken = lesson.breaks(before)
        changed = {**broken.configuration, **broken.generated}
        assert bool(changed) != bool(lesson.rolls_back)
        assert set(broken.configuration) <= set(before.texts)
        for name, text in broken.configuration.items():
            assert text != before.texts[name]
            # comments stay, but for those within a list that is replaced
            kept = [line for line in before.texts[name].splitlines() if line in text.splitlines()]
            assert len(kept) >= len(before.texts[name].splitlines()) - 5

    @each_lesson
    def test_the_rules_it_names_are_those_of_doctor_that_find_it(self, lesson: Lesson) -> None:
        before = ground()
        assert findings(before, {}) == set()
        if "kratos-ready" not in lesson.rules:
            assert findings(before, lesson.breaks(before).configuration) == set(lesson.rules)


class TestWhatCannotBeBroken:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("signed-up-not-in", "selfservice: {}\n"),
            ("no-mail", "courier: {smtp: {connection_uri: 'smtps://me:secret@smtp.example.org:465'}}\n"),
        ],
    )
    def test_a_configuration_without_what_is_broken(self, name: str, text: str) -> None:
        with pytest.raises(Unfit) as raised:
            find(name).breaks(ground(**{"kratos.yml": text}))
        assert "secret" not in str(raised.value)

    @pytest.mark.parametrize("name", ["sign-up-refused", "nothing-to-sign-in-with"])
    @pytest.mark.parametrize("traits", [{}, {"properties": {}}, {"required": []}, []])
    def test_an_identity_schema_without_it(self, name: str, traits: Any) -> None:
        schema = json.dumps({"properties": {"traits": traits}})
        with pytest.raises((Unfit, ConfigurationInvalid)):
            find(name).breaks(ground(**{"identity.schema.json": schema}))

    def test_cookie_secrets_that_are_somebody_elses(self) -> None:
        theirs = Ground("kratos.yml", {}, {}, secrets="dsn: memory\n")
        with pytest.raises(Unfit):
            find("everybody-signed-out").breaks(theirs)

    def test_a_text_that_cannot_be_changed_in_one_place(self) -> None:
        with pytest.raises(ConfigurationInvalid):
            find("forms-rejected").breaks(ground(**{"kratos.yml": "cookies: &c {path: /}\nlog: *c\n"}))


def test_the_old_cookie_secret_is_not_lost_and_the_new_one_is_another() -> None:
    broken = find("everybody-signed-out").breaks(ground())
    assert broken.generated[SECRETS_FILE + ".old"] == SECRETS
    (new,) = yaml.safe_load(broken.generated[SECRETS_FILE])["secrets"]["cookie"]
    assert new not in SECRETS
    assert "an-old-one" not in repr(broken)


class TestFinding:
    def test_by_name_and_by_number(self) -> None:
        assert find("1") is LESSONS[0] is find(LESSONS[0].name)

    @pytest.mark.parametrize("name", ["0", "99", "", "-1", "x"])
    def test_what_is_not_there(self, name: str) -> None:
        with pytest.raises(UsageError):
            find(name)


class TestNotes:
    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        workspace = Workspace(tmp_path, "dev")
        person = Person(TARGET)
        person.identity = {"id": "1"}
        tried = (Step("sign up", True, "with a password", seconds=0.2),)
        note = Note(
            "no-mail", "running", "./kratos", {"a": "ü\r\n"}, {"b": None}, "", tried, notes.describe(person), "x@y", 2
        )
        notes.save(workspace, note)
        assert notes.running(workspace) == note
        assert (tmp_path / ".kratosctl/dev/secrets/lesson.json").stat().st_mode & 0o777 == 0o600
        again = notes.person_of(note.witness, TARGET)
        assert (again.email, again.password, again.identity) == (person.email, person.password, {"id": "1"})
        assert person.password not in repr(note)

    @pytest.mark.parametrize("phase", ["preparing", "breaking"])
    def test_a_start_that_was_cut_short_is_no_lesson_that_runs(self, tmp_path: Path, phase: notes.Phase) -> None:
        workspace = Workspace(tmp_path, "dev")
        with pytest.raises(LessonMissing):
            notes.running(workspace)
        notes.save(workspace, Note("no-mail", phase))
        with pytest.raises(LessonMissing, match="interrupted"):
            notes.running(workspace)

    def test_what_was_solved_is_remembered_and_shown(self, tmp_path: Path) -> None:
        workspace = Workspace(tmp_path, "dev")
        notes.add_solved(workspace, "no-mail")
        notes.add_solved(workspace, "forms-rejected")
        rows = telling.listing(workspace).data["lessons"]
        assert {row["lesson"] for row in rows if row["solved"]} == {"no-mail", "forms-rejected"}
        assert telling.listing(None).text().count("solved") == 0


class TestHints:
    def test_they_become_more_exact_and_can_be_read_again(self, tmp_path: Path) -> None:
        found = Found(Workspace(tmp_path, "dev"), State(), ())
        notes.save(found.workspace, Note("signed-out-at-once", "running"))
        with pytest.raises(UsageError, match="no hint was given yet"):
            telling.hint(found, again=True, console=QUIET)
        given = [telling.hint(found, again=False, console=QUIET).data for _ in range(3)]
        assert [hint["given"] for hint in given] == [1, 2, 3]
        assert "session.lifespan" in given[2]["hints"][0]
        with pytest.raises(UsageError, match="all 3 hints"):
            telling.hint(found, again=False, console=QUIET)
        again = telling.hint(found, again=True, console=QUIET)
        assert again.data["hints"] == [hint["hints"][0] for hint in given]
        assert again.text().count("hint ") == 3

    def test_without_a_lesson_there_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(LessonMissing):
            telling.hint(Found(Workspace(tmp_path, "dev"), State(), ()), again=False, console=QUIET)


class TestChecking:
    BEFORE = Step("sign up", True, "with a password", seconds=0.3)

    @pytest.mark.parametrize(
        ("step", "said"),
        [
            (Step("sign up", True, "with a password", seconds=0.4), ""),
            (Step("sign up", False, "Property tenant is missing."), "sign up: Property tenant is missing."),
            (Step("sign up", None, "nothing"), "before the lesson it was: with a password"),
            (Step("sign up", True, "with a code"), "before the lesson it was: with a password"),
            (Step("sign up", True, "with a password", seconds=15.1), "works, and takes 15 s"),
        ],
    )
    def test_all_has_to_be_as_it_was(self, step: Step, said: str) -> None:
        found = check._of_step(step, self.BEFORE)
        assert said in found
        assert bool(found) == bool(said)

    def test_the_outcome_names_what_is_wrong_and_where_help_is(self) -> None:
        lesson = find("forms-rejected")
        said = telling.checked(lesson, "seat-07", "sign up: refused", [])
        assert said.startswith("not yet")
        assert "sign up: refused" in said
        assert "lesson hint seat-07" in said
        assert telling.checked(lesson, "seat-07", "", []).startswith("solved")


@pytest.mark.parametrize("command", ["check", "hint"])
def test_a_lesson_that_is_begun_while_the_one_before_is_looked_at_can_be_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """By the teacher, from another terminal: a check takes long, and what was there before it broke is in its note."""
    found = Found(Workspace(tmp_path, "dev"), State(), ())
    environment = selection.environment_of(Selection("dev", {}, known=True))
    notes.save(found.workspace, Note("no-mail", "running", witness=notes.describe(Person(TARGET))))
    note = Note("no-way-back", "running", "./kratos", {"kratos.yml": "what was there"})

    def begin() -> None:
        with found.workspace.locked("lesson start", 30, lambda _: None):
            notes.save(found.workspace, note)

    teacher = threading.Thread(target=begin)

    def meanwhile(name: str) -> Lesson:
        teacher.start()
        # all the time it would need, if it had not to wait
        teacher.join(0.3)
        return find(name)

    monkeypatch.setattr(catalogue, "find", meanwhile)
    monkeypatch.setattr(running, "find", lambda *_: found)
    monkeypatch.setattr(check, "explained", lambda *_: [])
    monkeypatch.setattr(check, "_wrong", lambda *_: "")
    if command == "check":
        assert check.check(found, environment, QUIET).data["solved"]
    else:
        telling.hint(found, again=False, console=QUIET)
    teacher.join()

    assert notes.running(found.workspace) == note


class TestWhoWaited:
    """For another command on the environment: what that has made is what counts."""

    BEFORE = Container("1", "1", "kratos", "p", "running", "Up", "", None, "i", {"127.0.0.1:4433": 4433})

    def test_a_lesson_is_not_begun_where_a_down_was_waited_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It would bring up again what somebody just took down."""
        (tmp_path / "kratosctl.yaml").write_text("environments:\n  dev: {release: v26.2.0}\n")
        before = Found(Workspace(tmp_path, "dev"), State(), (self.BEFORE,))
        monkeypatch.setattr(running, "find", lambda *_: replace(before, containers=()))

        with pytest.raises(NotRunning):
            start.start(find("no-way-back"), before, Limits(), QUIET, {})

        assert not (tmp_path / "kratos").exists()

    def test_a_check_asks_where_kratos_is_by_now(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As after `up --public-port 4533`: where it was, nothing answers, and a mend that works would not count."""
        before = Found(Workspace(tmp_path, "dev"), State(), (self.BEFORE,))
        moved = replace(self.BEFORE, published={"127.0.0.1:4533": 4433})
        monkeypatch.setattr(running, "find", lambda *_: replace(before, containers=(moved,)))
        notes.save(before.workspace, Note("no-mail", "running", witness=notes.describe(Person(TARGET))))
        asked: list[tuple[str, int] | None] = []

        def not_mended(_lesson: Lesson, _note: Note, found: Found, *_: Any) -> str:
            asked.append(found.public_address())
            return "not mended"

        monkeypatch.setattr(check, "explained", lambda *_: [])
        monkeypatch.setattr(check, "_wrong", not_mended)

        check.check(before, selection.environment_of(Selection("dev", {}, known=True)), QUIET)

        assert asked == [("127.0.0.1", 4533)]


class TestWhatAnswers:
    """A form may be sent anywhere: only what is read from answers may be blamed on them."""

    @pytest.fixture
    def wrong(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
        kratos = Container("1", "1", "kratos", "p", "running", "Up", "", None, "i", {"127.0.0.1:4433": 4433})
        found = Found(Workspace(tmp_path, "dev"), State(), (kratos,))
        environment = selection.environment_of(Selection("dev", {}, known=True))
        note = Note("forms-rejected", "running", witness=notes.describe(Person(TARGET)))
        monkeypatch.setattr(readiness, "http_status", lambda *_: 200)
        monkeypatch.setattr(check, "target_of", lambda *_: TARGET)
        return lambda: check._wrong(find(note.lesson), note, found, environment, [])

    def test_an_answer_that_is_not_kratos_is_said_to_be_none(
        self, wrong: Callable[[], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Person, "prove", lambda _: iter([NOTHING["ui"]]))
        assert wrong().startswith("what answers is not Kratos")

    def test_a_fault_of_our_own_is_not(self, wrong: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(check, "target_of", lambda *_: NOTHING["public"])
        with pytest.raises(KeyError):
            wrong()


class TestWhereItCannotBeGiven:
    """Each with why, and a way out."""

    def refused(self, directory: Path, lesson: str, **answers: Any) -> str:
        found = Found(Workspace(directory, "dev"), State(), ())
        chosen = Selection("dev", answers, known=True)
        reason = _reason_against(find(lesson), found, chosen, selection.environment_of(chosen))
        assert reason is None or all(reason)
        return reason[0] if reason else ""

    @pytest.mark.parametrize(
        ("lesson", "answers", "why"),
        [
            ("no-way-back", {}, ""),
            ("no-way-back", {"ui": False}, "it needs the self-service UI"),
            ("no-mail", {"mail": False}, "it needs the mail inbox"),
            ("forms-rejected", {"preset": "api-only"}, "preset api-only does not show"),
            ("never-ready", {"release": "v1.3.1"}, "it needs Kratos v25.4.0 or newer"),
            ("never-ready", {"database": "postgres"}, ""),
            ("no-mail", {"database": "memory"}, "its database is memory"),
            ("no-mail", {"database": "external"}, "its database is external"),
            ("no-mail", {"config": "image"}, "its configuration is in an image"),
        ],
    )
    def test_what_it_needs(self, tmp_path: Path, lesson: str, answers: dict[str, Any], why: str) -> None:
        found = self.refused(tmp_path, lesson, **answers)
        assert why in found
        assert bool(found) == bool(why)

    def test_a_release_that_was_written_down_and_not_brought_up_yet(self, tmp_path: Path) -> None:
        """The lesson would bring it up, with migrations that cannot be undone."""
        labels = {"release": "v25.4.0", "variant": "default", "database": "sqlite"}
        kratos = Container("1", "1", "kratos", "p", "running", "Up", "healthy", None, "kratos", {}, labels)
        found = Found(Workspace(tmp_path, "dev"), State(), (kratos,))
        chosen = Selection("dev", {"release": "v26.2.0"}, known=True)

        reason = _reason_against(find("no-mail"), found, chosen, selection.environment_of(chosen))

        assert reason == (
            "it runs with release v25.4.0, and is to have release v26.2.0",
            "kratosctl up dev brings that first",
        )

    def test_a_directory_that_another_environment_has_too(self, tmp_path: Path) -> None:
        both = "environments: {dev: {config_dir: ./kratos}, ci: {config_dir: kratos/}}\n"
        (tmp_path / "kratosctl.yaml").write_text(both)
        assert "environment ci has the same" in self.refused(tmp_path, "no-way-back", config_dir="./kratos")

    def test_what_kratosctl_yaml_does_not_hold(self, tmp_path: Path) -> None:
        chosen = Selection("dev", {}, known=False)
        found = Found(Workspace(tmp_path, "dev"), State(), ())
        reason = _reason_against(find("no-mail"), found, chosen, selection.environment_of(chosen))
        assert reason
        assert "not in kratosctl.yaml" in reason[0]


class TestTheConfigurationItTakesOver:
    """What people edit in a lesson is their own."""

    def begin(self, directory: Path, name: str) -> str:
        found, chosen = Found(Workspace(directory, name), State(), ()), selection.select(directory, name, {}, {})
        return take_over(found, chosen, selection.environment_of(chosen), QUIET)

    def test_two_seats_that_begin_at_the_same_moment_get_one_each(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        workshop_file.write(tmp_path, Workshop("class", {}, {"seat-01": "Ada", "seat-02": "Grace"}))
        write, given = init.init, {}

        def while_another_begins(*about: Any) -> Any:
            monkeypatch.setattr(init, "init", write)
            given["seat-02"] = self.begin(tmp_path, "seat-02")
            return write(*about)

        monkeypatch.setattr(init, "init", while_another_begins)
        given["seat-01"] = self.begin(tmp_path, "seat-01")

        assert given == {"seat-01": "./kratos-seat-01", "seat-02": "./kratos-seat-02"}
        assert all((tmp_path / name / "kratos.yml").is_file() for name in given.values())
        kept = configuration_file.load(tmp_path)
        assert {name: kept[name]["config_dir"] for name in given} == given

    @pytest.mark.parametrize("others", ["", ", ci: {}"])
    def test_where_no_name_is_needed_it_is_what_init_writes(self, tmp_path: Path, others: str) -> None:
        (tmp_path / "kratosctl.yaml").write_text(f"environments: {{dev: {{preset: email-password}}{others}}}\n")
        assert self.begin(tmp_path, "dev") == "./kratos"


def test_a_difference_shows_no_password_in_a_url(tmp_path: Path) -> None:
    (tmp_path / "kratos").mkdir()
    (tmp_path / "kratos" / "kratos.yml").write_text("uri: smtp://me:now-secret@x\nsame: smtp://me:kept-secret@x\n")
    then = "uri: 'smtp://me:then-secret@y'\nsame: smtp://me:kept-secret@x\n"
    note = Note("no-mail", "running", "./kratos", {"kratos.yml": then}, {SECRETS_FILE: "never-shown"})
    shown = "".join(fix._differences(Found(Workspace(tmp_path, "dev"), State(), ()), note))
    assert "-uri: smtp://…@x" in shown
    assert "+uri: 'smtp://…@y'" in shown
    assert "secret" not in shown
    assert "never-shown" not in shown


def test_giving_up_makes_no_other_environment_of_one_that_was_taken_out_of_kratosctl_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With config_dir alone it would be one of the newest release, on SQLite: somebody's data would be migrated."""
    brought_up: list[Environment] = []
    monkeypatch.setattr(breaking, "run", lambda found, environment, *_: brought_up.append(environment))
    note = Note("no-way-back", "running", config_dir="./kratos", configuration={"kratos.yml": "log: {}\n"})
    found = Found(Workspace(tmp_path, "dev"), State(), ())

    with pytest.raises(ChoiceImpossible, match=r"dev is not in kratosctl\.yaml any more"):
        breaking.put_back(found, note, Limits(), QUIET, {})

    assert brought_up == []
    assert list(tmp_path.iterdir()) == []


def test_no_edit_is_written_over_where_a_start_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever did not see that it was killed may have mended half of it since."""
    path, found = tmp_path / "kratos" / "kratos.yml", Found(Workspace(tmp_path, "dev"), State(), ())
    path.parent.mkdir()
    was, broken = {"kratos.yml": "log: {}\n"}, {"kratos.yml": "log: {a: 1}\n"}
    begun = Note("no-mail", "breaking", "./kratos", was, broken=broken)
    put_back: list[Note] = []
    monkeypatch.setattr(breaking, "put_back", lambda _, note, *__: put_back.append(note))

    notes.save(found.workspace, begun)
    path.write_text("log: {b: 2}\n")
    with pytest.raises(LessonRunning, match=r"you edited kratos/kratos\.yml since"):
        start._undo_interrupted(found, Limits(), QUIET, {})
    assert put_back == []

    for text in (*begun.configuration.values(), *begun.broken.values()):
        notes.save(found.workspace, begun)
        path.write_text(text)
        start._undo_interrupted(found, Limits(), QUIET, {})
    assert put_back == [begun, begun]


def test_giving_up_shows_no_secret_of_the_configuration(tmp_path: Path) -> None:
    """What is shown may be logged: `--json` is documented to hold none."""
    (tmp_path / "kratos").mkdir()
    (tmp_path / "kratos" / "kratos.yml").write_text("providers: [{id: example, client_secret: now-hidden}]\n")
    then = (
        "log: {level: info}\nsecrets:\n  cookie:\n    - then-hidden-1\nproviders:\n  - client_secret: 'then-hidden-2'\n"
    )
    note = Note("no-mail", "running", "./kratos", {"kratos.yml": then})
    shown = "".join(fix._differences(Found(Workspace(tmp_path, "dev"), State(), ()), note))
    assert "hidden" not in shown
    assert "+log: {level: info}" in shown
    assert "+    - …" in shown
    (tmp_path / "kratos" / "kratos.yml").write_text("client_secret: now-hidden\n: [")
    shown = "".join(fix._differences(Found(Workspace(tmp_path, "dev"), State(), ()), note))
    assert "hidden" not in shown, "what cannot be read is not shown at all"

    note = Note("sign-up-refused", "running", "./kratos", {"identity.schema.json": '{\n\t"title": "then"\n}\n'})
    assert '+\t"title": "then"' in "".join(fix._differences(Found(Workspace(tmp_path, "dev"), State(), ()), note))


def test_what_is_broken_shows_no_text_where_it_is_printed() -> None:
    assert "secret" not in repr(Broken({"a": "secret"}, {"b": "secret"}))
    assert "secret" not in repr(Ground("a", {"a": "secret"}, {"a": "secret"}, secrets="secret"))


def test_the_documentation_lists_them_all_in_their_order() -> None:
    text = (Path(__file__).parents[2] / "docs" / "lessons.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*?) \| (\d+) \| (v[\d.]+) \|", text, re.MULTILINE)
    assert rows == [(each.name, each.teaches, str(each.minutes), each.since) for each in LESSONS]

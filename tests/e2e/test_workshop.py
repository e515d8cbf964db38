"""A classroom: every seat has a Kratos of its own, and what is done to one leaves the others alone."""

from __future__ import annotations

import datetime
import io
import json
import os
import signal
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import engine, images, people
from tests.e2e.program import Directory

pytestmark = pytest.mark.engine

SEATS = ("seat-01", "seat-02", "seat-03")


def make(directory: Directory, *words: str) -> None:
    directory.run("workshop", "init", "--no-ui", "--no-mail", "--yes", *words)


def up(directory: Directory, *words: str, code: int = 0) -> dict[str, Any]:
    """Brings the workshop up, and returns what was told."""
    said = directory.run("workshop", "up", "--json", *words, code=code).envelope
    return dict(said["data"])


def addresses(told: dict[str, Any]) -> dict[str, str]:
    """The public API of every ready seat."""
    return {row["seat"]: row["endpoints"]["public"] for row in told["seats"] if row["ready"]}


@pytest.fixture(scope="module")
def classroom(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Directory]:
    """Three seats that run: Ada, Grace, and one for whoever comes."""
    directory = Directory(tmp_path_factory.mktemp("class"), cache)
    make(directory, "--name", "class", "--seats", "3")
    directory.run("workshop", "add", "Ada", "Grace")
    up(directory)
    yield directory
    directory.run("workshop", "down", "--volumes", "--yes", code=None)
    directory.wipe()


def public(directory: Directory, seat: str) -> str:
    return str(directory.status(seat)["endpoints"]["public"])


def kratos_of(directory: Directory, seat: str) -> str:
    return engine.containers(directory.status(seat)["project"])["kratos"]


class TestSeats:
    def test_who_signs_up_at_one_seat_is_known_at_no_other(self, classroom: Directory) -> None:
        urls = addresses(up(classroom))

        tokens = {seat: people.sign_up_and_ask(url, f"{seat}@example.org") for seat, url in urls.items()}

        assert list(urls) == list(SEATS)
        for seat, url in urls.items():
            for other in SEATS:
                assert (people.whoami(url, tokens[other]) is not None) == (seat == other)
                assert people.sign_in(url, f"{other}@example.org") == (seat == other)

    def test_no_cookie_name_and_no_secret_is_shared(self, classroom: Directory) -> None:
        settings = [(classroom.home(seat) / "environment.yml").read_text() for seat in SEATS]
        secrets = [(classroom.home(seat) / "secrets" / "kratos.yml").read_text() for seat in SEATS]

        names = {line.split()[-1] for text in settings for line in text.splitlines() if "  name:" in line}
        assert len(names) == len(SEATS)
        assert len(set(secrets)) == len(SEATS)

    def test_one_kratos_does_not_reach_the_admin_api_of_another(self, classroom: Directory) -> None:
        one, other = (kratos_of(classroom, seat) for seat in SEATS[:2])
        there = engine.docker(
            "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", other
        ).strip()

        asked = ("busybox", "timeout", "2", "wget", "-q", "-O", "/dev/null")
        assert engine.succeeds("exec", one, *asked, "http://127.0.0.1:4434/admin/health/ready")
        assert not engine.succeeds("exec", one, *asked, f"http://{there}:4434/admin/health/ready")

    def test_other_commands_work_on_a_seat(self, classroom: Directory) -> None:
        assert classroom.status("seat-02")["state"] == "ready"
        assert "kratos-1  | " in classroom.run("logs", "seat-02", "kratos").out
        told = classroom.run("workshop", "logs", "Grace", "--since", "1h", "--matching", "kratos-1").out
        assert told
        assert classroom.run("workshop", "logs", "Grace", "--matching", "nobody logs this").out == ""
        found = classroom.run("list", "--json").data["environments"]
        assert [row["environment"] for row in found if row["directory"] == str(classroom.path)] == list(SEATS)

    def test_run_again_it_changes_nothing(self, classroom: Directory) -> None:
        up(classroom)
        before = [kratos_of(classroom, seat) for seat in SEATS]

        told = up(classroom)

        assert not any(row["changed"] for row in told["seats"])
        assert [kratos_of(classroom, seat) for seat in SEATS] == before

    def test_run_again_it_heals_the_seat_that_died_and_touches_no_other(self, classroom: Directory) -> None:
        up(classroom)
        token = people.sign_up_and_ask(public(classroom, "seat-02"), "healed@example.org")
        engine.docker("rm", "--force", kratos_of(classroom, "seat-02"))

        told = up(classroom)

        assert {row["seat"]: row["changed"] for row in told["seats"]} == {
            "seat-01": False,
            "seat-02": True,
            "seat-03": False,
        }
        assert people.whoami(addresses(told)["seat-02"], token) == "healed@example.org"

    def test_a_seat_is_reset_by_the_name_of_who_sits_there_and_no_other_loses_anything(
        self, classroom: Directory
    ) -> None:
        urls = addresses(up(classroom))
        tokens = {seat: people.sign_up_and_ask(url, "reset@example.org") for seat, url in urls.items()}

        classroom.run("workshop", "reset", "Grace")

        left = {seat for seat, url in urls.items() if people.whoami(url, tokens[seat])}
        assert left == {"seat-01", "seat-03"}
        classroom.run("snapshot", "restore", "--undo", "--env", "seat-02")
        assert people.whoami(urls["seat-02"], tokens["seat-02"]) == "reset@example.org"

    def test_a_lesson_is_seen_and_given_up_by_a_reset(self, classroom: Directory) -> None:
        up(classroom)
        classroom.run("lesson", "start", "signed-out-at-once", "seat-01")
        assert classroom.status("seat-01")["lesson"] == "signed-out-at-once"
        rows = classroom.run("workshop", "status", "--json").data["seats"]
        assert [row["lesson"] for row in rows] == ["signed-out-at-once", None, None]

        assert "lessons given up: signed-out-at-once (seat-01)" in classroom.run("workshop", "reset", "seat-01").out

        assert classroom.status("seat-01")["lesson"] is None
        assert classroom.run("workshop", "reset", "seat-01", "--json").data["seats"][0]["lesson"] is None
        assert not [
            finding for finding in classroom.run("doctor", "--json").data["findings"] if "session" in str(finding)
        ]

    def test_all_are_reset_at_once(self, classroom: Directory) -> None:
        urls = addresses(up(classroom))
        tokens = {seat: people.sign_up_and_ask(url, "all@example.org") for seat, url in urls.items()}

        told = classroom.run("workshop", "reset", "--all", "--json").data

        assert [row["ok"] for row in told["seats"]] == [True, True, True]
        assert not [seat for seat, url in urls.items() if people.whoami(url, tokens[seat])]

    def test_a_seat_that_does_not_run_is_named_and_the_others_are_restarted(self, classroom: Directory) -> None:
        up(classroom)
        engine.docker("stop", "--time", "0", kratos_of(classroom, "seat-01"))

        said = classroom.run("workshop", "restart", "--all", "--json", code=1).envelope["data"]["seats"]

        assert [(row["seat"], row["ok"], row.get("error")) for row in said] == [
            ("seat-01", False, "not-running"),
            ("seat-02", True, None),
            ("seat-03", True, None),
        ]

    def test_handouts_lead_to_the_seats(self, classroom: Directory) -> None:
        urls = addresses(up(classroom))

        classroom.run("workshop", "handout")

        for seat, url in urls.items():
            assert url in (classroom.path / "handouts" / f"{seat}.html").read_text()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("reset",), "which seat?"),
            (("reset", "Linus"), "there is no seat 'Linus' in class"),
            (("remove", "seat-01"), "Remove seat-01 (Ada)"),
            (("init", "--seats", "2", "--yes"), "there is a workshop.yaml already"),
        ],
    )
    def test_what_is_not_clear_is_asked_for(self, classroom: Directory, words: tuple[str, ...], said: str) -> None:
        assert said in classroom.run("workshop", *words, code=None).said


class TestComingAndGoing:
    def test_down_keeps_what_was_made_and_with_volumes_nothing_is_left(self, directory: Directory) -> None:
        make(directory, "--seats", "2")
        before = addresses(up(directory))
        token = people.sign_up_and_ask(before["seat-02"])

        directory.run("workshop", "down")
        assert not engine.of_directory(directory.path).get("container")
        after = addresses(up(directory))

        assert after == before
        assert people.whoami(after["seat-02"], token) == "someone@example.org"
        asked = directory.run("workshop", "down", "--volumes", code=38).said
        assert asked.splitlines()[0].startswith("error: Delete 2 databases with 1 identity?")
        directory.run("workshop", "down", "--volumes", "--yes")
        assert engine.of_directory(directory.path) == {}
        assert people.whoami(addresses(up(directory))["seat-02"], token) is None

    def test_services_of_ones_own_stay_as_they_are_and_go_with_the_class(self, directory: Directory) -> None:
        service = f"image: {images.postgres()}, entrypoint: [sleep, infinity], init: true"
        (directory.path / "compose.override.yaml").write_text(f"services: {{app: {{{service}}}}}\n")
        make(directory, "--seats", "1")
        up(directory)
        project = directory.status("seat-01")["project"]
        assert engine.running(project) == {"kratos", "app"}

        assert [row["changed"] for row in up(directory)["seats"]] == [False]
        assert directory.run("workshop", "status", "--json").data["count"]["ready"] == 1
        directory.run("workshop", "down", "--volumes", "--yes")

        assert engine.running(project) == set()
        assert engine.of_directory(directory.path) == {}

    def test_after_an_interrupted_act_a_class_whose_data_was_deleted_comes_up_new(self, directory: Directory) -> None:
        make(directory, "--seats", "1")
        up(directory)
        (directory.home("seat-01") / "content.json").write_text('{"undo": "before-reset", "act": "reset"}')

        directory.run("workshop", "down", "--volumes", "--yes")

        assert up(directory)["seats"][0]["ready"]

    def test_who_comes_late_gets_a_seat_and_who_leaves_takes_nothing_of_others_along(
        self, directory: Directory
    ) -> None:
        make(directory, "--seats", "1")
        first = addresses(up(directory))
        token = people.sign_up_and_ask(first["seat-01"])
        directory.run("workshop", "add", "Ada", "Grace")
        urls = addresses(up(directory))

        directory.run("workshop", "remove", "Grace", "--yes")

        assert set(urls) == {"seat-01", "seat-02"}
        assert not directory.home("seat-02").exists()
        assert people.whoami(urls["seat-01"], token) == "someone@example.org"
        assert "Ada" in (directory.path / "workshop.yaml").read_text()
        assert "seat-02" not in (directory.path / "workshop.yaml").read_text()

    def test_a_seat_that_fails_is_replaced_by_a_spare_and_named(self, directory: Directory) -> None:
        make(directory, "--seats", "2", "--spares", "1")
        directory.run("workshop", "add", "Ada", "Grace")
        # somebody wrote over what is generated: no seat is made of that unasked
        directory.home("seat-02").mkdir(parents=True)
        (directory.home("seat-02") / "compose.yaml").write_text("services: {}\n")

        said = directory.run("workshop", "up", "--json", code=1).envelope

        assert said["data"]["moved"] == {"seat-02": "spare-01"}
        rows = {row["seat"]: row for row in said["data"]["seats"]}
        assert (rows["spare-01"]["attendee"], rows["spare-01"]["ready"]) == ("Grace", True)
        assert rows["seat-02"]["error"] == "generated-file-edited"
        handouts, moved = said["warnings"]
        assert "kratosctl workshop handout writes it anew" in handouts
        assert moved == "spare-01 (Grace) moved there from seat-02, which did not come up"
        (directory.home("seat-02") / "compose.yaml").unlink()
        assert len(addresses(up(directory))) == 3

    def test_nobody_is_moved_away_from_what_they_made(self, directory: Directory) -> None:
        make(directory, "--seats", "2", "--spares", "1")
        directory.run("workshop", "add", "Ada", "Grace")
        people.sign_up_and_ask(addresses(up(directory))["seat-02"])
        directory.run("down", "seat-02")
        with (directory.home("seat-02") / "compose.yaml").open("a") as file:
            file.write("# mine\n")

        said = up(directory, code=1)

        assert said["moved"] == {}
        assert {row["seat"]: row["ready"] for row in said["seats"]} == {
            "seat-01": True,
            "seat-02": False,
            "spare-01": True,
        }

    @pytest.mark.parametrize("after", [0.6, 1.4])
    def test_one_that_was_killed_on_its_way_is_finished_by_the_next(self, directory: Directory, after: float) -> None:
        make(directory, "--seats", "4")
        process = directory.start("workshop", "up", heard=False)
        time.sleep(after)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

        urls = addresses(up(directory))

        assert len(urls) == 4
        assert len(set(urls.values())) == 4
        for url in urls.values():
            people.sign_up_and_ask(url)

    def test_two_at_once_leave_one_correct_class(self, directory: Directory) -> None:
        make(directory, "--seats", "3")

        both = [directory.start("workshop", "up", "--json") for _ in range(2)]
        said = [json.loads(process.communicate(timeout=150)[0])["data"] for process in both]

        assert [len(addresses(one)) for one in said] == [3, 3]
        assert addresses(said[0]) == addresses(said[1])

    def test_two_classes_beside_each_other_share_no_port_and_no_network(
        self, make_directory: Callable[[str], Directory]
    ) -> None:
        both = [make_directory(name) for name in ("one", "two")]
        for directory in both:
            make(directory, "--seats", "2")

        urls = [url for directory in both for url in addresses(up(directory)).values()]

        subnets = [
            json.loads((directory.home(seat) / "state.json").read_text())["subnet"]
            for directory in both
            for seat in ("seat-01", "seat-02")
        ]
        assert (len(set(urls)), len(set(subnets))) == (4, 4)

    def test_more_seats_than_fit_are_refused_before_anything_starts(self, directory: Directory) -> None:
        make(directory, "--seats", "1000", "--ui", "--mail", "--database", "postgres")

        said = directory.run("workshop", "up", code=25).said

        assert said.splitlines()[0] == "error: 1000 further seats do not fit this host"
        assert engine.of_directory(directory.path) == {}
        assert not directory.environments()

    def test_a_missing_image_is_told_once(self, directory: Directory) -> None:
        make(directory, "--seats", "5", "--kratos-image", "127.0.0.1:9/kratos:v26.2.0")

        done = directory.run("workshop", "up", code=50)

        assert done.err.count("127.0.0.1:9/kratos:v26.2.0 is neither here") == 1


def snapshots(directory: Directory, name: str) -> dict[str, str]:
    """By name what is noted of each snapshot."""
    rows = directory.run("snapshot", "list", "--env", name, "--json").data["snapshots"]
    return {row["name"]: row["note"] for row in rows}


class TestEnd:
    def test_attendees_take_along_what_they_made(
        self, directory: Directory, make_directory: Callable[[str], Directory]
    ) -> None:
        make(directory, "--seats", "2")
        directory.run("workshop", "add", "Ada Lovelace")
        public = addresses(up(directory))["seat-01"]
        directory.run("snapshot", "save", "taken-away", "--env", "seat-01", "--note", "my own")
        people.sign_up_and_ask(public, "ada@example.org")

        told = directory.run("workshop", "down", "--volumes", "--yes", "--export", "homework", "--json").data

        files = [Path(name).name for name in told["exported"]]
        assert files == ["seat-01_ada-lovelace.kratos.zip", "seat-02.kratos.zip"]
        assert engine.of_directory(directory.path) == {}
        home = make_directory("home")
        home.run("snapshot", "import", str(directory.path / "homework" / files[0]), "mine")
        told = home.run("up", "mine", "--yes", "--json").data
        assert people.sign_in(told["endpoints"]["public"], "ada@example.org")
        assert snapshots(home, "mine") == {"taken-away": "the end of the workshop"}
        # what is saved for it is no attendee's own
        assert snapshots(directory, "seat-01")["taken-away"] == "my own"

    def test_what_is_in_postgresql_is_taken_along_after_the_class_has_ended_too(self, directory: Directory) -> None:
        # a range of its own: the network of a seat that is down is free for the next class
        make(directory, "--seats", "2", "--database", "postgres", "--subnets", "10.219.0.0/16")
        urls = addresses(up(directory))
        people.sign_up_and_ask(urls["seat-01"], "ada@example.org")
        # one is down, as all are when `ends` has passed; the other one somebody stopped
        directory.run("down", "seat-01")
        engine.docker("stop", engine.containers(directory.status("seat-02")["project"])["postgres"])

        told = directory.run("workshop", "down", "--export", "homework", "--json").data

        assert [Path(name).name for name in told["exported"]] == ["seat-01.kratos.zip", "seat-02.kratos.zip"]
        assert not engine.of_directory(directory.path).get("container")
        kept = directory.run("snapshot", "show", "before-workshop-down", "--env", "seat-01", "--json").data["snapshot"]
        assert kept["identities"] == 1
        assert addresses(up(directory)) == urls

    def test_what_a_reset_that_was_killed_had_emptied_is_taken_along(self, directory: Directory) -> None:
        make(directory, "--seats", "1")
        people.sign_up_and_ask(addresses(up(directory))["seat-01"], "ada@example.org")
        directory.run("snapshot", "save", "before", "--env", "seat-01")
        directory.run("reset", "seat-01")
        (directory.home("seat-01") / "content.json").write_text('{"doing": "reset", "snapshot": "before"}')

        directory.run("workshop", "down", "--export", "homework")

        kept = directory.run("snapshot", "show", "before-workshop-down", "--env", "seat-01", "--json").data["snapshot"]
        assert kept["identities"] == 1

    def test_at_its_end_the_seats_stop_by_themselves_and_what_was_made_stays(self, directory: Directory) -> None:
        make(directory, "--seats", "1")
        ends = datetime.datetime.now().replace(microsecond=0) + datetime.timedelta(seconds=8)
        with (directory.path / "workshop.yaml").open("a") as file:
            file.write(f"ends: {ends:%Y-%m-%d %H:%M:%S}\n")
        told = up(directory)
        token = people.sign_up_and_ask(addresses(told)["seat-01"])

        engine.until(lambda: not engine.of_directory(directory.path).get("container"), 60)

        assert datetime.datetime.now() >= ends
        assert "ended at" in directory.run("workshop", "up", code=2).said
        lines = (directory.path / "workshop.yaml").read_text().splitlines(keepends=True)
        (directory.path / "workshop.yaml").write_text("".join(lines[:-1]))
        assert people.whoami(addresses(up(directory))["seat-01"], token) == "someone@example.org"


class TestBundle:
    @pytest.fixture
    def bundled(self, make_directory: Callable[[str], Directory]) -> Directory:
        """A class with a configuration of its own, in one file beside it."""
        directory = make_directory("here")
        directory.run("init", "--no-ui", "--no-mail", "--yes")
        make(directory, "--seats", "1", "--config-dir", "./kratos")
        up(directory)
        people.sign_up_and_ask(public(directory, "seat-01"), "stays-here@example.org")
        directory.run("workshop", "bundle", "class.tar")
        return directory

    def test_elsewhere_it_comes_up_from_it_with_nothing_of_anybody(
        self, bundled: Directory, make_directory: Callable[[str], Directory]
    ) -> None:
        there = make_directory("there")

        told = there.run("workshop", "load", str(bundled.path / "class.tar"), "--json").data

        assert told["images"] == [images.kratos(images.NEWEST)]
        assert (there.path / "kratos" / "kratos.yml").read_text() == (
            bundled.path / "kratos" / "kratos.yml"
        ).read_text()
        assert not (there.path / ".kratosctl").exists()
        assert not people.sign_in(addresses(up(there))["seat-01"], "stays-here@example.org")
        secret = (bundled.home("seat-01") / "secrets" / "kratos.yml").read_text().split()[-1]
        assert secret.encode() not in (bundled.path / "class.tar").read_bytes()

    def test_what_is_damaged_or_would_write_over_something_is_refused_and_changes_nothing(
        self, bundled: Directory, make_directory: Callable[[str], Directory]
    ) -> None:
        there, whole = make_directory("there"), (bundled.path / "class.tar").read_bytes()
        at = whole.index(b"seats:")
        damaged = {
            "cut.tar": whole[: len(whole) // 2],
            "turned.tar": whole[:at] + b"SEATS:" + whole[at + 6 :],
            "other.tar": b"PK" + b"0" * 1000,
        }
        for name, content in damaged.items():
            (there.path / name).write_bytes(content)
            assert "is not a whole bundle" in there.run("workshop", "load", name, code=66).said
            (there.path / name).unlink()
        (there.path / "workshop.yaml").write_text("name: mine\n")
        assert (
            "workshop.yaml is there already"
            in there.run("workshop", "load", str(bundled.path / "class.tar"), code=2).said
        )
        assert [path.name for path in there.path.iterdir()] == ["workshop.yaml"]
        assert (there.path / "workshop.yaml").read_text() == "name: mine\n"

    @pytest.mark.parametrize("name", ["/etc/evil", "files/../../evil", "files", "other"])
    def test_no_part_of_a_bundle_leads_out_of_it(self, directory: Directory, name: str) -> None:
        with tarfile.open(directory.path / "evil.tar", "w") as tar:
            entry = tarfile.TarInfo(name)
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"evil"))

        assert "does not belong there" in directory.run("workshop", "load", "evil.tar", code=66).said
        assert [path.name for path in directory.path.iterdir()] == ["evil.tar"]


class TestSeeds:
    @pytest.fixture
    def seeded(self, directory: Directory) -> Directory:
        make(directory, "--seats", "2", "--seed", "people.csv")
        return directory

    def test_rows_that_make_nobody_are_told_once_for_all_seats(self, seeded: Directory) -> None:
        (seeded.path / "people.csv").write_text("email\nada@example.org\nnobody\n")

        told = seeded.run("workshop", "up", "--json", code=1).envelope

        assert all(row["ready"] and row["failed_rows"][0]["line"] == 3 for row in told["data"]["seats"])
        (warning,) = told["warnings"]
        assert warning.startswith("people.csv:3: ")
        assert warning.endswith("(at 2 seats)")

    def test_a_seed_that_is_not_there_is_missed_before_any_seat_starts(self, seeded: Directory) -> None:
        assert "people.csv cannot be read" in seeded.run("workshop", "up", code=30).said
        assert not engine.of_directory(seeded.path)

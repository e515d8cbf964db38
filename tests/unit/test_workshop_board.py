"""What a board is made of, without its server: who is let in, one look for all, and what became of a command."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kratosctl.errors import DaemonDown, PortTaken
from kratosctl.results import Result, error_json
from kratosctl.workshop import board_acts
from kratosctl.workshop.board_acts import Acts, outcome
from kratosctl.workshop.door import Door, is_loopback
from kratosctl.workshop.seen import Picture, Seen
from kratosctl.workshop.watch import Watch


class TestDoor:
    @pytest.mark.parametrize(
        ("host", "ours"),
        [
            ("127.0.0.1:4400", True),
            ("localhost:9000", True),
            ("LOCALHOST", True),
            ("[::1]:4400", True),
            ("", False),
            ("evil.example:4400", False),
            ("127.0.0.1.evil.example", False),
            ("localhost.evil.example:4400", False),
            ("127.0.0.1@evil.example", False),
            ("evil.example/127.0.0.1", False),
            ("[", False),
        ],
    )
    def test_only_names_of_this_host_are_answered(self, host: str, ours: bool) -> None:
        assert is_loopback(host) is ours

    def test_the_key_opens_again_and_a_key_for_once_only_once(self) -> None:
        door = Door(4400)
        once = door.once()

        assert [door.opens(key) for key in (door.key, door.key, once, once, "", "é")] == [
            True, True, True, False, False, False,
        ]  # fmt: skip

    def test_no_two_runs_and_no_two_secrets_of_one_are_the_same(self) -> None:
        doors = [Door(4400), Door(4400)]
        secrets = [secret for door in doors for secret in (door.key, door.token, door.cookie())]

        assert len(set(secrets)) == 6

    def test_a_cookie_of_a_board_on_another_port_is_not_ours(self) -> None:
        door, given = Door(4400), Door(4401).cookie().split(";")[0]
        ours = door.cookie().split(";")[0]

        assert door.knows({"Cookie": f"{given}; {ours}"})
        assert not door.knows({"Cookie": given})
        assert not door.knows({"Cookie": ours.replace("4400", "4401")})
        assert not door.knows({"Cookie": "\x00;=;"})
        assert not door.knows({})

    @pytest.mark.parametrize("other", ['settings={"dark": true}', "said=two words", "flag", "a[b]=1", 'open="', "=x"])
    def test_a_cookie_of_any_other_server_of_this_host_keeps_nobody_out(self, other: str) -> None:
        door = Door(4400)
        ours = door.cookie().split(";")[0]
        assert door.knows({"Cookie": f"{other}; {ours}"})
        assert door.knows({"Cookie": f"{ours}; {other}"})
        assert not door.knows({"Cookie": other})

    @pytest.mark.parametrize("origin", ["", "null", "https://127.0.0.1:4400", "http://127.0.0.1:4401", "http://a@b"])
    def test_no_other_origin_may_act(self, origin: str) -> None:
        door = Door(4400)
        headers = {"Host": "127.0.0.1:4400", "Origin": origin, "X-Kratosctl-Token": door.token}

        assert not door.may_act(headers)
        assert door.may_act({**headers, "Origin": "http://127.0.0.1:4400"})
        assert not door.may_act({**headers, "Origin": "http://127.0.0.1:4400", "X-Kratosctl-Token": door.key})


def picture(state: Any = "ready") -> Picture:
    return Picture("class", None, (Seen("seat-01", "Ada", state),))


def watching(look: Callable[[], Picture], acts: Callable[[], dict[str, Any]] = dict) -> Watch:
    watch = Watch(look, acts, every=0.05)
    watch.start()
    return watch


class TestWatch:
    def test_who_waits_is_woken_by_what_is_new(self) -> None:
        states = iter(["ready"] * 4)
        watch = watching(lambda: picture(next(states, "broken")))
        first = watch.said()

        second = watch.said(first.tag, patience=5)

        told = [json.loads(said.body)["seats"][0]["state"] for said in (first, second)]
        assert told == ["ready", "broken"]

    def test_what_is_to_be_said_beside_the_seats_is_told(self) -> None:
        watch = watching(lambda: replace(picture(), warnings=("the TLS proxy does not run",)))

        assert json.loads(watch.said().body)["warnings"] == ["the TLS proxy does not run"]

    def test_who_waits_in_vain_is_told_the_same(self) -> None:
        watch = watching(picture)
        first = watch.said()

        assert watch.said(first.tag, patience=0.2) == first

    def test_an_act_is_told_at_once(self) -> None:
        acts: dict[str, Any] = {}
        watch = watching(picture, lambda: acts)
        first = watch.said()
        acts["seat-01"] = {"doing": "reset"}

        threading.Timer(0.1, watch.tell).start()

        assert json.loads(watch.said(first.tag, patience=5).body)["seats"][0]["act"] == {"doing": "reset"}

    @pytest.mark.parametrize(
        ("error", "code"), [(DaemonDown("no engine", "why", "start it"), "daemon-down"), (KeyError("State"), "bug")]
    )
    def test_a_look_that_fails_is_told_beside_what_was_seen_last(self, error: Exception, code: str) -> None:
        fails = threading.Event()

        def look() -> Picture:
            if fails.is_set():
                raise error
            return picture()

        watch = watching(look)
        first = watch.said()
        fails.set()
        broken = watch.said(first.tag, patience=5)
        fails.clear()
        healed = watch.said(broken.tag, patience=5)

        assert json.loads(broken.body)["problem"]["code"] == code
        assert json.loads(broken.body)["seats"] == json.loads(first.body)["seats"]
        assert healed.tag == first.tag

    def test_nobody_who_asks_is_no_reason_to_look(self) -> None:
        looks = []

        def look() -> Picture:
            looks.append(1)
            return picture()

        watching(look)
        time.sleep(0.3)

        assert looks == []


class TestActs:
    def test_a_file_beside_workshop_yaml_is_no_part_of_the_program_that_acts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "secrets.py").write_text("raise SystemExit(3)")
        monkeypatch.chdir(tmp_path)
        ended = threading.Event()
        acts = Acts(tmp_path, lambda _, has_ended: ended.set() if has_ended else None)

        acts.begin("seat-01", "reset", whole=True)

        assert ended.wait(30)
        # there is no workshop.yaml either, which the program says itself
        assert acts.data()["seat-01"]["error"]["code"] == "usage-error"

    def test_what_the_shell_of_the_board_says_of_environments_is_said_of_no_seat(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = """if True:
            import json, os
            known = " ".join(sorted({"DSN", "KRATOSCTL_UI", "KRATOSCTL_PUBLIC_PORT", "PATH"} & set(os.environ)))
            print(json.dumps({"error": {"code": "told", "what": known, "why": "", "fix": ""}}))
        """
        monkeypatch.setattr(board_acts, "PROGRAM", (sys.executable, "-c", told))
        for name in ("DSN", "KRATOSCTL_UI", "KRATOSCTL_PUBLIC_PORT"):
            monkeypatch.setenv(name, "memory")
        ended = threading.Event()
        acts = Acts(tmp_path, lambda _, has_ended: ended.set() if has_ended else None)

        acts.begin("seat-01", "restart", whole=False)

        assert ended.wait(30)
        assert acts.data()["seat-01"]["error"]["what"] == "PATH"


class TestOutcomes:
    def test_a_command_that_went_well_met_no_error(self) -> None:
        assert outcome(Result("reset", {}).json(), 0) is None

    def test_the_error_it_met_is_told_whole(self) -> None:
        said = outcome(error_json("up", PortTaken("taken", "by nginx", "stop it")), 21)

        assert said == {"code": "port-taken", "what": "taken", "why": "by nginx", "fix": "stop it"}

    @pytest.mark.parametrize(("said", "code"), [("", -9), ("Traceback", 1), ("[]", 1), ('{"error": null}', 1)])
    def test_one_that_ended_without_a_word_is_an_error(self, said: str, code: int) -> None:
        found = outcome(said, code)

        assert found is not None
        assert str(code) in found["why"]

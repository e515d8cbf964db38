"""Reset after reset while clients go on: from the moment one has returned, nobody is answered from before it.

KRATOSCTL_TEST_RESETS is how many there are in a row.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from kratosctl import running
from kratosctl.answers import selection
from kratosctl.console import Console
from kratosctl.kratos.api import Answer, Client
from kratosctl.snapshots import resetting
from kratosctl.snapshots.subject import Subject
from tests.e2e import people
from tests.e2e.program import Directory
from tests.faults.soundness import assert_sound

pytestmark = pytest.mark.engine

RESETS = int(os.environ.get("KRATOSCTL_TEST_RESETS", "10"))
CLIENTS = 8


@dataclass
class Clients:
    """Eight who make identities and read them back.

    Attributes:
        admin: URL of the admin API.
        begun: how many resets have begun.
        returned: how many have returned.
        answered: for each identity, how many resets had begun when its client was told that it is made.
        quiet: requests that were sent after one reset had returned and answered before the next began.
        crossed: status codes of those that a reset came in between.
        wrong: answers of quiet requests that are not what they must be.
    """

    admin: str
    begun: int = 0
    returned: int = 0
    answered: dict[str, int] = field(default_factory=dict)
    quiet: int = 0
    crossed: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __enter__(self) -> Clients:
        self._stop, self._changed = threading.Event(), threading.Condition()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def reset(self, reset: Callable[[], object]) -> None:
        """Resets, and goes on once the clients have been answered as many times as there are of them."""
        self.begun += 1
        reset()
        self.returned += 1
        with self._changed:
            enough = self.quiet + CLIENTS
            assert self._changed.wait_for(lambda: self.quiet >= enough or bool(self.wrong), 60), "nobody is answered"

    def _run(self, number: int) -> None:
        client = Client(self.admin, browser=False)
        for count in itertools.count():
            if self._stop.is_set() or self.wrong:
                return
            before = self.returned
            email = f"{before}-{number}-{count}@example.org"
            made = client.post(f"{self.admin}/admin/identities", {"schema_id": "default", "traits": {"email": email}})
            self.answered[email] = self.begun
            listed = client.get(f"{self.admin}/admin/identities?page_size=500")
            # sent after a reset had returned, and no other began until it was answered
            if before == self.begun:
                self._judge(before, email, made, listed)
            else:
                self.crossed[f"{made.status}, {listed.status}"] += 1

    def _judge(self, before: int, email: str, made: Answer, listed: Answer) -> None:
        with self._changed:
            if (made.status, listed.status) != (201, 200):
                self.wrong.append(f"after reset {before}: {made} {listed}")
            else:
                found = {identity["traits"]["email"] for identity in listed.body}
                self.wrong += [f"after reset {before}: {email} is lost"] if email not in found else []
                older = [old for old in found if self.answered.get(old, before) < before]
                self.wrong += [f"after reset {before}: {old} is there" for old in older]
            self.quiet += 1
            self._changed.notify_all()


def _people(admin: str) -> list[str]:
    listed = Client(admin, browser=False).get(f"{admin}/admin/identities")
    assert listed.status == 200, listed
    return [identity["traits"]["email"] for identity in listed.body]


@pytest.fixture(params=["sqlite", "postgres"])
def subject(request: pytest.FixtureRequest, directory: Directory) -> tuple[Directory, Subject]:
    """An environment for each database."""
    directory.up(database=request.param)
    found = running.find(directory.path, "dev")
    environment = selection.environment_of(selection.select(directory.path, "dev", {}, {}))
    return directory, Subject(found, environment)


@pytest.mark.timeout(3600)
def test_no_answer_is_lost_or_mixed_after_a_reset_returned(subject: tuple[Directory, Subject]) -> None:
    directory, about = subject
    admin = about.found.admin_url()
    public = directory.status()["endpoints"]["public"]
    token = people.sign_up_and_ask(public, "0-before@example.org")

    def reset() -> None:
        resetting.reset(about, None, "", Console(quiet=True))

    with Clients(admin) as clients:
        for _ in range(RESETS):
            clients.reset(reset)
    assert clients.wrong == []
    assert clients.quiet >= RESETS * CLIENTS
    assert people.whoami(public, token) is None
    reset()
    assert _people(admin) == []
    assert_sound(directory, directory.run("up", "--yes", "--no-ui", "--no-mail", "--json").data)

"""What a lesson can try on a running environment, beyond signing up and in."""

from __future__ import annotations

import http.client
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from kratosctl.commands.verify import Person
from kratosctl.engine import reading
from kratosctl.kratos.api import Client, connect
from kratosctl.running import Found

ELSEWHERE = "https://elsewhere.example.org"


@dataclass(frozen=True)
class Reply:
    """One HTTP answer, or none: then the status is 0."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Trial:
    """
    Attributes:
        found: the environment.
        public: URL of the public API.
        ui: URL of the self-service UI; empty where there is none.
        witness: somebody who signed up before the environment was broken, and is signed in now.
        before: the session that this person has had since then.
    """

    found: Found
    public: str
    ui: str
    witness: Person
    before: Client

    def ask(self, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        """Asks the public API, as a page in a browser does."""
        connection = connect(self.public, 10, self.before.authority)
        try:
            connection.request(method, path, headers=dict(headers))
            answer = connection.getresponse()
            answer.read()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()})
        except (OSError, http.client.HTTPException):
            return Reply(0, {})
        finally:
            connection.close()

    def logs_cookies(self) -> bool:
        """Whether Kratos' log shows the cookie of a request."""
        mark = secrets.token_hex(12)
        self.ask("GET", "/sessions/whoami", {"Cookie": f"x={mark}"})
        # Kratos writes the line before it answers
        return mark in reading.logs(self.found.running("kratos").name, 50)

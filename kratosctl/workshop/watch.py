"""One observer for all who look at a board. It looks every two seconds while somebody does, and else not at all."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kratosctl.errors import KratosctlError
from kratosctl.workshop.seen import Picture

_LINGERING = 10.0  # seconds after the last question in which another one is expected
_FIRST = 10.0  # seconds in which a look has to succeed before what is known is told


@dataclass(frozen=True)
class Said:
    """What a page is told.

    Attributes:
        tag: changes whenever the body does.
        body: JSON.
    """

    tag: str
    body: bytes


class Watch:
    """Looks again and again in a thread of its own, and wakes those who wait for something new."""

    def __init__(
        self,
        look: Callable[[], Picture],
        acts: Callable[[], Mapping[str, Mapping[str, Any]]],
        every: float = 2.0,
    ) -> None:
        """
        Args:
            look: how all seats are now; what it raises is told to those who look.
            acts: what is done to seats, by their names.
            every: seconds between two looks.
        """
        self._look, self._acts, self._every = look, acts, every
        self._something = threading.Condition()
        self._picture: Picture | None = None
        self._problem: dict[str, str] | None = None
        self._said = _said(None, None, {})
        self._looked = self._asked = -1e9
        self._waiting, self._at_once = 0, False

    def start(self) -> None:
        """Begins to look."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    @property
    def picture(self) -> Picture | None:
        """What was seen last."""
        return self._picture

    def said(self, known: str = "", patience: float = 0.0) -> Said:
        """What there is to tell.

        Args:
            known: the tag of what the caller knows.
            patience: seconds to wait for anything else.
        """
        with self._something:
            self._asked = time.monotonic()
            self._waiting += 1
            self._something.notify_all()
            try:
                # what was seen before nobody looked is old
                self._something.wait_for(self._is_fresh, _FIRST)
                self._something.wait_for(lambda: self._said.tag != known, patience)
                return self._said
            finally:
                self._asked = time.monotonic()
                self._waiting -= 1

    def tell(self, look: bool = False) -> None:
        """Something is done to a seat, or was.

        Args:
            look: look at once how it is now.
        """
        with self._something:
            self._at_once = self._at_once or look
            self._publish()

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._looked < 3 * self._every

    def _run(self) -> None:
        while True:
            with self._something:
                while (pause := self._pause()) > 0:
                    self._something.wait(pause)
                self._at_once = False
            picture, problem = self._try()
            with self._something:
                self._picture, self._problem = picture or self._picture, problem
                self._looked = time.monotonic()
                self._publish()

    def _pause(self) -> float:
        """Seconds until the next look; nobody knows how many while nobody is there to see it."""
        now = time.monotonic()
        if self._at_once:
            return 0.0
        if not self._waiting and now - self._asked > _LINGERING:
            return 3600.0
        return self._looked + self._every - now

    def _try(self) -> tuple[Picture | None, dict[str, str] | None]:
        try:
            return self._look(), None
        except KratosctlError as error:
            return None, told(error)
        except Exception as error:
            # whatever it is, the next look may succeed, and the page has to say so
            return None, {
                "code": "bug",
                "what": "the seats could not be looked at",
                "why": f"{type(error).__name__}: {error}"[:300],
                "fix": "it is tried again every 2 s",
            }

    def _publish(self) -> None:
        said = _said(self._picture, self._problem, self._acts())
        if said.tag != self._said.tag:
            self._said = said
        self._something.notify_all()


def told(error: KratosctlError) -> dict[str, str]:
    """An error as a page is told of it."""
    return {"code": error.code, "what": error.what, "why": error.why, "fix": error.fix}


def _said(picture: Picture | None, problem: Mapping[str, str] | None, acts: Mapping[str, Mapping[str, Any]]) -> Said:
    data = picture.data() if picture else {"workshop": "", "ends": None, "count": {}, "seats": []}
    for seat in data["seats"]:
        seat["act"] = acts.get(seat["seat"])
    beside = {"warnings": picture.warnings if picture else (), "problem": problem}
    body = json.dumps({**data, **beside}, ensure_ascii=False, separators=(",", ":")).encode()
    return Said(hashlib.sha256(body).hexdigest()[:24], body)

"""Sends identities to Kratos in batches, some requests at a time, and says of each row what became of it.

A batch that Kratos refuses as a whole is divided until the rows it refuses are found. So does one of an older Kratos,
which creates all of a batch or none, when some of it is there already.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from kratosctl.errors import NotReady
from kratosctl.kratos.api import Admin, Answer
from kratosctl.seeding import reasons
from kratosctl.seeding.identity import Identity
from kratosctl.seeding.rows import Bad

# measured with Kratos v1.1.0 and v26.2.0: two requests at a time take 0.5 to 0.7 x the time of one, more gain nothing;
# a smaller batch costs round trips, a larger one holds a database's locks for long
_AT_A_TIME = 2
_BATCH = 200
# Kratos takes a quarter of a second to hash one
_PLAIN_PASSWORD = 20
_BATCH_BYTES = 1 << 20
_PARTS = 10
_PATIENCE = 300.0
_PAUSES = (0.1, 0.4, 1.0)
# a Kratos that restarts is back by then
_BACK_AGAIN = 30.0

Batch = list[Identity]


@dataclass(frozen=True)
class Outcome:
    """What became of one row.

    Attributes:
        became: created, or there already, or refused.
        bad: of one that was refused: where it stands and why.
    """

    became: Literal["created", "there", "refused"]
    bad: Bad | None = None


class Sender:
    """Sends to one Kratos.

    Args:
        url: where this host reaches its admin API.
        sleep: waits some seconds.
        patience: seconds that Kratos may be silent. The same is not asked again then: it still waits there.
    """

    def __init__(self, url: str, sleep: Callable[[float], None] = time.sleep, patience: float = _PATIENCE) -> None:
        self._url, self._sleep, self._patience = url, sleep, patience
        self._ended = threading.Event()

    def send(self, identities: Iterable[Identity | Bad]) -> Generator[Outcome, None, None]:
        """Sends identities as they come, never holding more than a few batches; outcomes come in about the same order.

        Raises:
            NotReady: Kratos stopped answering.
        """
        with ExitStack() as stack:
            idle = [stack.enter_context(Admin(self._url, self._patience)) for _ in range(_AT_A_TIME)]
            pool = stack.enter_context(ThreadPoolExecutor(_AT_A_TIME))
            # what was not begun is not begun when something fails
            stack.callback(pool.shutdown, wait=True, cancel_futures=True)
            # and what is under way comes to its end, but is not tried again: it may be Ctrl-C that waits for it
            stack.callback(self._ended.set)
            waiting: deque[Future[list[Outcome]]] = deque()

            def work(batch: Batch) -> list[Outcome]:
                admin = idle.pop()
                try:
                    return self._outcomes(admin, batch)
                finally:
                    idle.append(admin)

            for batch in _batches(identities):
                if isinstance(batch, Bad):
                    yield Outcome("refused", batch)
                    continue
                waiting.append(pool.submit(work, batch))
                # one more than run, so that nobody waits for the next to be read
                if len(waiting) > _AT_A_TIME:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()

    def _outcomes(self, admin: Admin, batch: Batch) -> list[Outcome]:
        answer = self._patiently(admin, batch)
        items = answer.body.get("identities") if answer.ok and isinstance(answer.body, dict) else None
        if isinstance(items, list) and len(items) == len(batch):
            return [_outcome(one, item or {}) for one, item in zip(batch, items, strict=True)]
        if len(batch) > 1 and not self._ended.is_set():
            size = 1 if len(batch) <= 2 * _PARTS else -(-len(batch) // _PARTS)
            parts = (batch[at : at + size] for at in range(0, len(batch), size))
            return [outcome for part in parts for outcome in self._outcomes(admin, part)]
        if answer.status >= 500 and not admin.is_ready():
            raise _silent(answer)
        return [_refusal(batch[0], answer)]

    def _patiently(self, admin: Admin, batch: Batch) -> Answer:
        """One request; again where that may help. What was created by one that got no answer is then there already."""
        bodies = [one.body for one in batch]
        waited = 0.0
        for pause in (*_PAUSES, None):
            began, answer = time.monotonic(), admin.create_many(bodies)
            while answer.status == 0 and waited < _BACK_AGAIN and time.monotonic() - began < self._patience:
                if self._ended.is_set():
                    break
                self._sleep(_PAUSES[1])
                waited += _PAUSES[1]
                began, answer = time.monotonic(), admin.create_many(bodies)
            if answer.status == 0:
                raise _silent(answer)
            if answer.status < 500 or pause is None or self._ended.is_set():
                break
            self._sleep(pause)
        return answer


def _batches(identities: Iterable[Identity | Bad]) -> Iterator[Batch | Bad]:
    batch: Batch = []
    weight = size = 0
    for one in identities:
        if isinstance(one, Bad):
            yield one
            continue
        batch.append(one)
        weight += _PLAIN_PASSWORD if one.plain else 1
        size += len(one.body)
        if weight >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, weight, size = [], 0, 0
    if batch:
        yield batch


def _outcome(one: Identity, item: dict[str, object]) -> Outcome:
    error = item.get("error")
    if item.get("action") == "create":
        return Outcome("created")
    if isinstance(error, dict) and error.get("code") == 409:
        return Outcome("there")
    return _refused(one, error)


def _refusal(one: Identity, answer: Answer) -> Outcome:
    """What an answer to a request with one identity says of it."""
    if answer.status == 409:
        return Outcome("there")
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    return _refused(one, error or f"Kratos answered HTTP {answer.status}")


def _refused(one: Identity, error: object) -> Outcome:
    return Outcome("refused", Bad(one.row.file, one.row.line, reasons.in_words(error, one.secrets)))


def _silent(answer: Answer) -> NotReady:
    said = reasons.in_words(answer.body.get("error")) if isinstance(answer.body, dict) else str(answer.body)[:200]
    return NotReady(
        "Kratos stopped answering while it was seeded",
        said,
        "see `kratosctl logs {env} kratos`; running it again creates what is missing, and nothing twice",
    )

"""Group commit: one thread writes, and what arrives while it commits shares the next commit."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from django.db import InterfaceError, OperationalError, connection, connections

from techtrack.core import clock
from techtrack.core.errors import Unavailable
from techtrack.core.turns import go_first
from techtrack.telemetry import services
from techtrack.telemetry.services import Checked

# So many readings at most in one transaction: others wait for the lock that it holds.
MOST_TOGETHER = 50_000
_AWAY = (OperationalError, InterfaceError)
_log = logging.getLogger(__name__)

Outcome = Exception | None


class ShuttingDown(Unavailable):
    """The process ends; another one, or this one in a moment, takes the readings."""

    code = "shutting_down"


@dataclass(slots=True)
class _Request:
    checked: Checked
    size: int
    answer: asyncio.Future[None]


class Writer:
    """Commits what event loops submit; starts its thread with the first of it.

    ``waiting`` is how many readings are submitted and not yet answered.
    """

    def __init__(self, commit: Callable[..., object] = services.commit) -> None:
        self.waiting = 0
        self._commit = commit
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, checked: Checked, size: int) -> asyncio.Future[None]:
        """Return what is done once the readings, ``size`` of them, are committed, or fails with what kept them from it.

        Raises:
            ShuttingDown: nothing is taken any more.
        """
        if self._closed:
            raise ShuttingDown("the server is shutting down; try again", retry_after=1)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ingest writer", daemon=True)
            self._thread.start()
        # Who goes away cancels the answer, not the commit.
        answer = asyncio.get_running_loop().create_future()
        self.waiting += size
        self._queue.put(_Request(checked, size, answer))
        return answer

    def close(self, *, timeout: float = 10) -> None:
        """Commit what was submitted, take nothing more, and end the thread."""
        self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout)

    def _run(self) -> None:
        # Who waits for this thread are hundreds, behind others it is one.
        go_first()
        held: _Request | None = None
        closing = False
        while not closing or held is not None:
            first = held or self._queue.get()
            if first is None:
                break
            group, held, closing = self._gathered(first, closing=closing)
            self._answer(group, self._outcomes(group))
        connections.close_all()

    def _gathered(self, first: _Request, *, closing: bool) -> tuple[list[_Request], _Request | None, bool]:
        """Take all that has arrived, as far as one transaction holds; one too many is held for the next."""
        group, size = [first], first.size
        while True:
            try:
                request = self._queue.get_nowait()
            except Empty:
                return group, None, closing
            if request is None:
                return group, None, True
            size += request.size
            if size > MOST_TOGETHER:
                return group, request, closing
            group.append(request)

    def _outcomes(self, group: Sequence[_Request]) -> list[Outcome]:
        error = self._tried([request.checked for request in group])
        if error is None or len(group) == 1 or isinstance(error, _AWAY):
            return [error] * len(group)
        # One of them is bad in a way that no check foresaw: the others must not suffer for it.
        return [self._tried([request.checked]) for request in group]

    def _tried(self, groups: list[Checked]) -> Outcome:
        try:
            self._commit(groups=groups, now=clock.now())
        except _AWAY as error:
            _log.error("readings could not be committed: %s", error)
            connection.close()
            return error
        except Exception as error:  # noqa: BLE001 - each request is told; the thread must live
            return error
        return None

    def _answer(self, group: Sequence[_Request], outcomes: Sequence[Outcome]) -> None:
        loops = {request.answer.get_loop() for request in group}
        for loop in loops:
            answers = [told for told in zip(group, outcomes, strict=True) if told[0].answer.get_loop() is loop]
            try:
                loop.call_soon_threadsafe(self._settle, answers)
            except RuntimeError:
                # The loop has ended, and with it everybody who could have been told.
                self.waiting -= sum(request.size for request, _ in answers)
                _log.warning("%s requests were committed after their connections had ended", len(answers))

    def _settle(self, answers: Sequence[tuple[_Request, Outcome]]) -> None:
        for request, error in answers:
            self.waiting -= request.size
            if request.answer.done():
                continue
            if error is None:
                request.answer.set_result(None)
            else:
                request.answer.set_exception(error)

"""Work for machines that goes on beside requests: named loops in threads, woken early when there is news."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import close_old_connections, connections

_log = logging.getLogger(__name__)
_running: dict[str, Loop] = {}


class Loop:
    """Calls ``step`` again and again in a thread of its own, at the latest every ``every`` seconds.

    ``step`` returns True when there is more to do, and is then called again at once. Otherwise it rests for ``rest``
    seconds, so that what comes meanwhile shares the next step. An exception is logged and the loop goes on: what
    it works on is rows, so nothing is lost by trying again.
    """

    def __init__(self, name: str, step: Callable[[], bool], *, every: float, rest: float = 0.0) -> None:
        self.name = name
        self._step = step
        self._every = every
        self._rest = rest
        self._news = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; from now on ``wake(name)`` finds this loop."""
        _running[self.name] = self
        self._thread.start()

    def wake(self, *_: object) -> None:
        """Do not wait for the rest of the interval; safe from any thread."""
        self._news.set()

    def stop(self, *, timeout: float = 10) -> None:
        """Finish the step in hand and end; the thread is gone when this returns."""
        self._stopping = True
        _running.pop(self.name, None)
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping:
            self._news.clear()
            if not self._try():
                time.sleep(self._rest)
                self._news.wait(self._every - self._rest)
        connections.close_all()

    def _try(self) -> bool:
        try:
            close_old_connections()
            return self._step()
        except Exception:  # noqa: BLE001
            # The last resort of a thread that must not die: the cause is logged, the rows remain.
            _log.exception("%s: the step failed and will be tried again", self.name)
            return False


def wake(name: str) -> Callable[..., None]:
    """Return a listener that wakes the loop called ``name``, if this process runs it."""

    def listener(*_: object) -> None:
        if loop := _running.get(name):
            loop.wake()

    return listener

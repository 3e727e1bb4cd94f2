"""Work for machines that goes on beside requests: named loops in threads, woken early when there is news."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import close_old_connections, connections

from techtrack.core.acting import Actor, act_as

_log = logging.getLogger(__name__)
# How long (s) a step that fails waits before it is tried again: twice as long each time, up to the longest.
SHORTEST_WAIT, LONGEST_WAIT = 0.1, 5.0
_running: dict[str, Loop] = {}
_here = threading.local()


class Loop:
    """Calls ``step`` again and again in a thread of its own, at the latest every ``every`` seconds.

    ``step`` returns True when there is more to do, and is then called again at once. Otherwise it rests for ``rest``
    seconds, so that what comes meanwhile shares the next step. An exception is logged and the loop goes on: what
    it works on is rows, so nothing is lost by trying again. As long as it fails it waits, whatever news there is.
    ``last`` is called once in the same thread, when it ends.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], bool],
        *,
        every: float,
        rest: float = 0.0,
        last: Callable[[], object] | None = None,
    ) -> None:
        self.name = name
        self._step = step
        self._every = every
        self._rest = rest
        self._last = last
        self._finished = time.monotonic()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._wait = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; from now on ``wake(name)`` finds this loop."""
        _running[self.name] = self
        self._finished = time.monotonic()
        self._thread.start()

    @property
    def since(self) -> float:
        """How many seconds ago it finished a step without failing, or began."""
        return time.monotonic() - self._finished

    def wake(self, *_: object) -> None:
        """Do not wait for the rest of the interval; safe from any thread."""
        self._news.set()

    def stop(self, *, timeout: float = 10) -> None:
        """Finish the step in hand and end; the thread is gone when this returns."""
        self._stopping.set()
        _running.pop(self.name, None)
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        act_as(Actor(via=f"job: {self.name}"))
        _here.stopping = self._stopping
        while not self._stopping.is_set():
            self._news.clear()
            more = self._try()
            if self._wait:
                self._stopping.wait(self._wait)
            elif not more:
                rest(self._rest)
                self._news.wait(self._every - self._rest)
        if self._last is not None:
            self._try(self._last)
        connections.close_all()

    def _try(self, step: Callable[[], object] | None = None) -> bool:
        try:
            close_old_connections()
            more = bool((step or self._step)())
        except Exception:  # noqa: BLE001
            # The last resort of a thread that must not die: the cause is logged, the rows remain.
            self._wait = min(max(SHORTEST_WAIT, 2 * self._wait), LONGEST_WAIT)
            _log.exception("%s: the step failed and will be tried again in %s s", self.name, self._wait)
            # Whatever state they are in.
            connections.close_all()
            return False
        self._wait, self._finished = 0.0, time.monotonic()
        return more


def rest(seconds: float) -> None:
    """Leave the interpreter to others for so long; not so long where the loop that this runs in is to end."""
    stopping: threading.Event | None = getattr(_here, "stopping", None)
    if stopping is None:
        time.sleep(seconds)
    else:
        stopping.wait(seconds)


def wake(name: str) -> Callable[..., None]:
    """Return a listener that wakes the loop called ``name``, if this process runs it."""

    def listener(*_: object) -> None:
        if loop := _running.get(name):
            loop.wake()

    return listener


def running() -> dict[str, float]:
    """Tell of the loops of this process how many seconds ago each finished a step."""
    return {name: loop.since for name, loop in list(_running.items())}

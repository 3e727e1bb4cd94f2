"""How much of the log waits to be folded: beyond a limit no more is taken in, until a compactor has caught up."""

from __future__ import annotations

import threading
import time

from django.conf import settings
from django.db import connection

from techtrack.core.errors import Unavailable
from techtrack.core.reconnecting import reconnecting
from techtrack.telemetry.store import segments
from techtrack.telemetry.store.segments import LANE
from techtrack.telemetry.store.sql import ask

# How often (s) a process looks. In between it goes by what it saw: a second of readings is little beside the limit.
EVERY = 1.0
_ADDED = "SELECT COALESCE(SUM(readings), 0) FROM telemetry_segment WHERE lane = %s AND position > %s AND position <= %s"


class LogIsFull(Unavailable):
    """So much waits to be folded that every process would run out of memory if more came."""

    code = "log_full"


class Backlog:
    """What a process knows of it; each segment is counted once, and again only where folding went on meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0
        self._floor = self._last = self._readings = 0
        self._full = False

    def is_full(self) -> bool:
        """Tell whether more waits than may, as of a second ago at most."""
        # Inside a transaction nobody knows whether what it sees will be true.
        if time.monotonic() >= self._next and not connection.in_atomic_block and self._lock.acquire(blocking=False):
            try:
                self._full = reconnecting(self._look)
                self._next = time.monotonic() + EVERY
            finally:
                self._lock.release()
        return self._full

    def refuse(self) -> None:
        """Let readings pass.

        Raises:
            LogIsFull: not now.
        """
        if self.is_full():
            detail = "too many readings wait to be folded into hours; nothing was stored, try again"
            raise LogIsFull(f"{detail} (the compactor may not be running)")

    def _look(self) -> bool:
        floor, head = segments.watermark(), segments.head()
        if floor != self._floor or head < self._last:
            self._floor, self._last, self._readings = floor, floor, 0
        self._readings += int(ask(_ADDED, LANE, self._last, head)[0][0])
        self._last = max(head, floor)
        return is_too_much(self._last - floor, self._readings)


def is_too_much(count: int, readings: int) -> bool:
    """Tell whether so many segments, or so many readings, are more than may wait."""
    return bool(count > settings.LOG_SEGMENTS or readings > settings.LOG_READINGS)


backlog = Backlog()

"""Taking turns in one process, and among processes: first come, first served, and whoever must not wait goes first.

SQLite has one writer at a time, and lets the others sleep and try again: who comes last may win, again and again.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from pathlib import Path

_mine = threading.local()


class Turns:
    """One may be in; others stand in line. Not bound to threads: a turn may end elsewhere than it began."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._hurried: deque[threading.Lock] = deque()
        self._patient: deque[threading.Lock] = deque()

    def enter(self, *, timeout: float) -> bool:
        """Wait for a turn, ``timeout`` seconds at most; tell whether it came."""
        gate = threading.Lock()
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            line = self._hurried if goes_first() else self._patient
            gate.acquire()
            line.append(gate)
        if gate.acquire(timeout=timeout):
            return True
        with self._guard:
            if gate in line:
                line.remove(gate)
                return False
        # It came at the last moment.
        return True

    def leave(self) -> None:
        """End a turn; the next in line has it from here."""
        with self._guard:
            if line := self._hurried or self._patient:
                line.popleft().release()
            else:
                self._taken = False


class Neighbours:
    """Turns among processes, by a lock on a file: the system wakes who waits, and ends the turn of who dies.

    For one thread of a process at a time.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def enter(self) -> None:
        """Wait for a turn."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def leave(self) -> None:
        """End a turn."""
        fcntl.flock(self._file, fcntl.LOCK_UN)


def go_first() -> None:
    """Let this thread go before others, from now on."""
    _mine.first = True


def goes_first() -> bool:
    """Tell whether this thread goes before others."""
    return getattr(_mine, "first", False)

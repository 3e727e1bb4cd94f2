"""Taking turns in one process, and among processes: first come, first served in each of three lines.

SQLite has one writer at a time, and lets the others sleep and try again: who comes last may win, again and again.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HURRIED, USUAL, PATIENT = range(3)
_mine = threading.local()


class Turns:
    """One may be in; others stand in line. Not bound to threads: a turn may end elsewhere than it began.

    Who is in a hurry goes first. Of the others, who is patient has every other turn, however many of them wait: a crowd
    holds up nobody, and is never kept out.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._lines: tuple[deque[threading.Lock], ...] = (deque(), deque(), deque())
        self._last = PATIENT

    def enter(self, *, timeout: float) -> bool:
        """Wait for a turn, ``timeout`` seconds at most; tell whether it came."""
        gate = threading.Lock()
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            line = self._lines[_rank()]
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
            following = (HURRIED, USUAL, PATIENT) if self._last == PATIENT else (HURRIED, PATIENT, USUAL)
            rank = next((rank for rank in following if self._lines[rank]), None)
            if rank is None:
                self._taken = False
                return
            self._lines[rank].popleft().release()
            if rank != HURRIED:
                self._last = rank


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
    _mine.rank = HURRIED


def be_patient() -> None:
    """Let this thread, one of many that do the same, share every other turn with them, from now on."""
    _mine.rank = PATIENT


@contextmanager
def hurried() -> Iterator[None]:
    """Let this thread go before others for as long as this lasts."""
    before, _mine.rank = _rank(), HURRIED
    try:
        yield
    finally:
        _mine.rank = before


def _rank() -> int:
    return getattr(_mine, "rank", USUAL)

"""That somebody wrote: what was remembered before may no longer be true, in any process behind the same address."""

from __future__ import annotations

import threading
from ctypes import Array, c_ulonglong


class Writes:
    """Counts writes, one number for each process, in memory that all of them see. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: Array[c_ulonglong] = (c_ulonglong * 1)()
        self._mine = 0

    def share(self, numbers: Array[c_ulonglong], mine: int) -> None:
        """From now on count in ``numbers``, which others read; this process raises number ``mine`` alone."""
        self._numbers, self._mine = numbers, mine

    def tell(self) -> None:
        """Say that something may have changed; who looks from now on finds another ``state``."""
        with self._lock:
            self._numbers[self._mine] += 1

    @property
    def state(self) -> bytes:
        """What is different after any write in any of the processes."""
        return bytes(self._numbers)


writes = Writes()

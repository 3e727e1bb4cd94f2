"""Threads of a door's own for what asks the database, so that a flood of readings delays nobody else's work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, connection, connections

from techtrack.core.reconnecting import reconnecting

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A few threads, each with a connection that it keeps: to open one costs SQLite more than most questions."""

    def __init__(self, count: int = 4, *, name: str = "ingest") -> None:
        self._count = count
        # How many are in work or in line.
        self.inside = 0
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work`` in one of the threads and return what it returns."""
        loop = asyncio.get_running_loop()
        self.inside += 1
        try:
            return await loop.run_in_executor(self._pool, _guarded, partial(work, *args, **kwargs))
        finally:
            self.inside -= 1

    def close(self) -> None:
        """Finish what was begun, close the connections, and end the threads."""
        everybody = threading.Barrier(self._count)
        for _ in range(self._count):
            self._pool.submit(_leave, everybody)
        self._pool.shutdown()


def _guarded(work: Callable[[], T]) -> T:
    try:
        # It only asks, so it may ask again.
        return reconnecting(work)
    except DatabaseError:
        # It may be the connection that is broken.
        connection.close()
        raise


def _leave(everybody: threading.Barrier) -> None:
    connections.close_all()
    # Not before the others are here too, or one thread would do this for all of them.
    everybody.wait(timeout=30)

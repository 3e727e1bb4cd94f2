"""From the event loop to the database: blocking work in a thread, which gives its connection back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connections

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``work`` in a thread and return what it returns."""
    return await asyncio.to_thread(_bounded, partial(work, *args, **kwargs))


class OwnThread:
    """One thread whose connection stays open between calls, and which no other work keeps busy."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work`` in the thread and return what it returns."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, _afresh_next_time, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Give the connection back and end, after what is being done."""
        self._pool.submit(connections.close_all)
        self._pool.shutdown(wait=False)


def _afresh_next_time(work: Callable[[], T]) -> T:
    try:
        return work()
    except BaseException:
        # It may have failed because the connection is broken.
        connections.close_all()
        raise


def _bounded(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        # No request ends here that would do it.
        close_old_connections()

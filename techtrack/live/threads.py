"""From the event loop to the database: blocking work in a thread, which gives its connection back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``work`` in a thread and return what it returns."""
    return await asyncio.to_thread(_bounded, partial(work, *args, **kwargs))


def _bounded(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        # No request ends here that would do it.
        close_old_connections()

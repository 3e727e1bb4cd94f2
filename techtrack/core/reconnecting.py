"""Going on after the database server has ended our connections, as it does when it restarts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

T = TypeVar("T")


def reconnecting(work: Callable[[], T], *, is_undone: Callable[[], bool] = lambda: True) -> T:
    """Do ``work``, and once more on a new connection if it failed because the server had ended the old one.

    ``is_undone`` tells, after the failure, whether it is certain that nothing was committed. On SQLite, inside a
    transaction, and where there was no connection before, the failure counts.
    """
    before = connection.connection
    try:
        return work()
    except (OperationalError, InterfaceError):
        if before is None or connection.in_atomic_block or not is_undone():
            raise
        # Django may have left the old one already.
        if connection.connection is before and connection.is_usable():
            raise
    connection.close()
    # The others that the pool has kept ended at the same time.
    if pool := getattr(connection, "pool", None):
        pool.check()
    return work()

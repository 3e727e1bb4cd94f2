"""Going on after the database server has ended our connections, as it does when it restarts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

T = TypeVar("T")


def reconnecting(work: Callable[[], T], *, is_undone: Callable[[], bool] = lambda: True) -> T:
    """Do ``work``, and once more on a new connection if it failed because the server had ended the old one.

    ``is_undone`` tells, after the failure, whether it is certain that nothing was committed. On SQLite, inside a
    transaction, and where no connection was to be had, the failure counts.
    """
    before = connection.connection
    try:
        return work()
    except (OperationalError, InterfaceError):
        after = connection.connection
        used = before or after
        if used is None or connection.in_atomic_block or not is_undone():
            raise
        # Where Django could not even roll back it has left that one already; what it took instead may well live.
        if after is used and connection.is_usable():
            raise
    _leave()
    return work()


def leave_if_ended() -> None:
    """Leave a connection that PostgreSQL has ended while it was idle; for what must not be sent twice."""
    if connection.vendor != "postgresql":
        return
    connection.ensure_connection()
    from techtrack.core.postgresql.base import has_ended  # noqa: PLC0415 - needs psycopg, which SQLite does not

    while has_ended(connection.connection):
        # Or the pool would take it back as a good one.
        connection.connection.close()
        _leave()
        connection.ensure_connection()


def _leave() -> None:
    connection.close()
    # The others that the pool has kept ended at the same time.
    if pool := getattr(connection, "pool", None):
        pool.check()

"""One consistent picture of the database for a read of several statements."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.transaction import TransactionManagementError

# Not atomic(): on SQLite that begins IMMEDIATE here, and readers would queue for the write lock; on PostgreSQL it takes
# two statements to begin, one of which only says what kind of transaction it is.
_BEGIN = {"sqlite": "BEGIN DEFERRED", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"}
# On PostgreSQL by COMMIT, although nothing was written: after ROLLBACK the driver prepares every statement anew.
_END = {"sqlite": "ROLLBACK", "postgresql": "COMMIT"}
_inside = threading.local()


@contextmanager
def snapshot() -> Iterator[None]:
    """Let every statement inside see the same state; inside a transaction that is what the transaction sees.

    Nothing is written inside.

    Raises:
        TransactionManagementError: this thread is in one already, which PostgreSQL would end with the inner one.
    """
    if connection.in_atomic_block:
        yield
        return
    if getattr(_inside, "snapshot", False):
        raise TransactionManagementError("a snapshot inside a snapshot")
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN[connection.vendor])
        _inside.snapshot = True
        try:
            yield
        finally:
            _inside.snapshot = False
            cursor.execute(_END[connection.vendor])

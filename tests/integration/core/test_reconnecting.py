"""Connections that have ended are left: before something is sent that must not be sent twice, else when it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import OperationalError, connection, transaction

from techtrack.core.postgresql.base import has_ended
from techtrack.core.reconnecting import leave_if_ended, reconnecting

pytestmark = pytest.mark.django_db(transaction=True)


def answers() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


def end_ours() -> None:
    """Let the server end this thread's connection; the one that asked for it lives on in the pool."""
    ours = connection.connection.info.backend_pid

    def end() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 30000)", [ours])
            assert cursor.fetchone() == (True,)
        connection.close()

    asking = threading.Thread(target=end)
    asking.start()
    asking.join()


def in_a_transaction(work: Callable[[], bool]) -> bool:
    with transaction.atomic():
        return work()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server that could end a connection")
class TestDoingAgain:
    def test_does_so_where_a_statement_meets_a_dead_connection(self):
        assert answers()
        end_ours()
        assert reconnecting(answers)

    def test_does_so_where_django_has_taken_one_that_lives_in_its_place(self):
        assert answers()
        end_ours()
        # It cannot roll back, closes the connection, and takes that of ``end_ours`` out of the pool.
        assert reconnecting(lambda: in_a_transaction(answers))

    def test_does_not_where_it_may_be_done(self):
        assert answers()
        end_ours()
        with pytest.raises(OperationalError):
            reconnecting(lambda: in_a_transaction(answers), is_undone=lambda: False)

    def test_does_not_where_the_connection_lives(self):
        calls: list[int] = []

        def fail() -> None:
            calls.append(len(calls))
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(10)")

        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 1")
        try:
            with pytest.raises(OperationalError, match="statement timeout"):
                reconnecting(fail)
        finally:
            connection.cursor().execute("RESET statement_timeout")
        assert calls == [0]


class TestLeaving:
    def test_keeps_a_connection_that_lives(self):
        assert answers()
        before = connection.connection
        leave_if_ended()
        assert connection.connection is before

    @pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server that could end a connection")
    def test_leaves_one_that_is_known_to_have_ended(self):
        assert answers()
        connection.connection.close()
        leave_if_ended()
        assert answers()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server that could end a connection")
def test_the_pool_hands_out_no_connection_that_the_server_has_ended_meanwhile():
    others = [connection.copy() for _ in range(3)]
    for other in others:
        other.ensure_connection()
    kept = [other.connection for other in others]
    for other in others:
        other.close()
    with connection.cursor() as cursor:
        pids = [one.info.backend_pid for one in kept]
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY(%s)", [pids])
    deadline = time.monotonic() + 30
    while not all(has_ended(one) for one in kept):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for other in others:
        with other.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
    for other in others:
        other.close()

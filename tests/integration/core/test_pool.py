"""The pool of connections: nobody in a process waits for one because the others are at work."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connection, connections

from tests import servers

# Beside pages and API: the fast door, its writer, quick reads, the hub, loops, senders, what sockets ask for.
BESIDE = 4 + 1 + 4 + 1 + 5 + 8 + 5


@pytest.mark.skipif(not servers.on_postgres(), reason="SQLite has a connection for each thread")
@pytest.mark.django_db(transaction=True)
def test_every_thread_of_a_process_may_ask_at_the_same_time():
    together = threading.Barrier(settings.WEB_CONCURRENCY + BESIDE)

    def ask() -> int:
        try:
            with connection.cursor() as cursor:
                together.wait(20)
                return cursor.execute("SELECT 1").fetchone()[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(together.parties) as threads:
        asked = [threads.submit(ask) for _ in range(together.parties)]
        assert sum(one.result() for one in asked) == together.parties

"""The pool of connections: nobody waits because others are at work, nor for long after the server was away."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connection, connections
from psycopg_pool import ConnectionPool

from tests import servers

# Beside pages and API: the fast door, its writer, quick reads, the hub, loops, senders, what sockets ask for.
BESIDE = 4 + 1 + 4 + 1 + 14 + 8 + 5


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


@pytest.mark.skipif(not servers.on_postgres(), reason="SQLite has no server that could be away")
def test_who_asks_after_an_outage_need_not_wait_for_the_next_try():
    options = settings.DATABASES["default"]["OPTIONS"]["pool"] | {"timeout": 30}
    with ConnectionPool("postgres://nobody@127.0.0.1:1/nothing", **options, open=True) as pool:
        # It gives up: from here on whoever asks is the next try.
        deadline = time.monotonic() + 60
        while pool.get_stats()["pool_size"]:
            assert time.monotonic() < deadline, "it would try on for minutes"
            time.sleep(0.1)
        pool.conninfo = os.environ["DATABASE_URL"]
        with pool.connection() as made:
            assert made.execute("SELECT 1").fetchone() == (1,)

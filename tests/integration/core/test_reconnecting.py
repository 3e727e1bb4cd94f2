"""Connections that have ended are left before something is sent that must not be sent twice."""

from __future__ import annotations

import pytest
from django.db import connection

from techtrack.core.reconnecting import leave_if_ended

pytestmark = pytest.mark.django_db(transaction=True)


def answers() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


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

"""Transactions on SQLite take turns inside a process, and give them back however they end."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection, transaction

from techtrack.core.models import Head
from techtrack.core.turns import Neighbours, go_first
from tests import servers

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(servers.on_postgres(), reason="PostgreSQL has many writers"),
]


def is_free() -> bool:
    """Tell whether nobody is in a transaction that writes."""
    from techtrack.core.sqlite.base import _turns  # noqa: PLC0415 - PostgreSQL's run does not load it

    return not _turns[str(connection.settings_dict["NAME"])]._taken


class TestTurns:
    def test_are_held_in_a_transaction_and_given_back_at_its_end(self):
        with transaction.atomic():
            assert not is_free()
            with transaction.atomic():
                Head.take("a")
        assert is_free()
        with pytest.raises(ValueError, match="planned"), transaction.atomic():
            raise ValueError("planned")
        assert is_free()

    def test_are_given_back_by_a_connection_that_breaks(self):
        connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        assert not is_free()
        connection.close()
        assert is_free()

    def test_put_the_hurried_before_the_patient(self):
        order: list[str] = []

        def write(name: str) -> None:
            if name == "gateway":
                go_first()
            with transaction.atomic():
                Head.take("a")
                order.append(name)
            connection.close()

        threads = [threading.Thread(target=write, args=(name,)) for name in ("judge", "request", "gateway")]
        with transaction.atomic():
            for thread in threads:
                thread.start()
                time.sleep(0.1)
        for thread in threads:
            thread.join()
        assert order == ["gateway", "judge", "request"]


class TestTurnsOfProcesses:
    """Two that opened the same file are as two processes."""

    @pytest.fixture
    def other(self, tmp_path, monkeypatch):
        monkeypatch.setitem(connection.settings_dict, "TURN_FILE", tmp_path / "turn")
        return Neighbours(tmp_path / "turn")

    def test_are_waited_for(self, other):
        order: list[str] = []

        def write() -> None:
            with transaction.atomic():
                Head.take("a")
                order.append("here")
            connection.close()

        other.enter()
        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(0.2)
        order.append("there")
        other.leave()
        thread.join()
        assert order == ["there", "here"]

    def test_are_given_back_however_a_transaction_ends(self, other):
        with transaction.atomic():
            Head.take("a")
        with pytest.raises(ValueError, match="planned"), transaction.atomic():
            raise ValueError("planned")
        connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        connection.close()
        # Else this would wait for ever.
        other.enter()
        assert is_free()
        other.leave()

"""What one process wrote lets the memories of all go."""

from __future__ import annotations

from ctypes import c_ulonglong

from techtrack.accounts.api.remembering import Callers
from techtrack.accounts.domain.access import internal
from techtrack.accounts.models import User
from techtrack.accounts.services import Caller
from techtrack.core.writes import Writes, writes


def neighbours() -> tuple[Writes, Writes]:
    numbers = (c_ulonglong * 2)()
    pair = Writes(), Writes()
    for mine, one in enumerate(pair):
        one.share(numbers, mine)
    return pair


class TestWrites:
    def test_are_seen_by_who_wrote_and_by_neighbours(self):
        one, other = neighbours()
        for writer in (one, other, one):
            before = one.state, other.state
            writer.tell()
            assert one.state == other.state
            assert one.state not in before

    def test_of_strangers_are_not_seen(self):
        one, other = Writes(), Writes()
        before = other.state
        one.tell()
        assert other.state == before

    def test_make_callers_be_asked_for_anew(self):
        asked: list[str] = []

        def ask() -> Caller:
            asked.append("")
            return Caller(User(), internal(), None)

        callers = Callers()
        for _ in range(2):
            callers.caller(b"key", ask)
        assert len(asked) == 1
        writes.tell()
        callers.caller(b"key", ask)
        assert len(asked) == 2

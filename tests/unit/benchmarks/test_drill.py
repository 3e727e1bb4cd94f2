"""How a drill counts: what a retry may excuse, what an outage may, and what nothing does."""

from __future__ import annotations

import pytest

from benchmarks.drill.ledger import Attempt, Call, Ledger, Outage
from benchmarks.drill.verdict import compare


def call(*attempts: tuple[float, int, float | None]) -> Call:
    """A call whose attempts took a second each: when they began, their status, and Retry-After."""
    return Call("readings", tuple(Attempt(began, began + 1, status, after) for began, status, after in attempts))


def faults(*calls: Call, outage: tuple[float, float] | None = None) -> list[str]:
    ledger = Ledger(outages=[Outage(*outage)] if outage else [])
    for one in calls:
        ledger.note(one)
    return ledger.faults()


class TestRetry:
    def test_once_is_enough(self):
        assert faults(call((0, 503, 2.0), (3, 200, None)), call((0, 0, None), (2, 200, None))) == []

    @pytest.mark.parametrize("status", [0, 503])
    def test_twice_is_too_often(self, status):
        found = faults(call((0, status, 1.0), (2, status, 1.0), (4, 200, None)))
        assert found == ["1 requests (readings) failed after one retry"]


class TestOutage:
    def test_excuses_what_is_refused_meanwhile_however_often(self):
        assert faults(call((0, 503, 5.0), (6, 503, 5.0), (12, 503, 5.0), (18, 200, None)), outage=(0.5, 12.5)) == []

    def test_leaves_one_retry_once_it_is_over(self):
        assert faults(call((0, 503, 5.0), (6, 503, 5.0), (12, 200, None)), outage=(0, 2)) == []
        assert faults(call((0, 503, 5.0), (6, 503, 5.0), (12, 503, 5.0), (18, 200, None)), outage=(0, 2))

    def test_excuses_no_broken_connection(self):
        assert faults(call((0, 0, None), (2, 0, None), (4, 200, None)), outage=(0, 4))


class TestStatuses:
    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_other_than_503_are_faults_even_in_an_outage(self, status):
        assert faults(call((0, status, 1.0), (2, 200, None)), outage=(0, 9)) == [f"1 answers were {status}"]

    def test_503_must_say_when_to_come_again(self):
        assert faults(call((0, 503, None), (2, 200, None))) == ["1 answers 503 did not say when to come again"]


class TestCount:
    def test_is_of_what_was_under_way(self):
        ledger = Ledger(outages=[Outage(10, 12)])
        for one in (
            call((0, 200, None)),
            call((9, 200, None)),
            call((10, 503, 5.0), (16, 200, None)),
            call((12.5, 0, None), (14, 200, None)),
            call((30, 503, 5.0), (36, 200, None)),
        ):
            ledger.note(one)
        count = ledger.count(10, 20)
        assert (count.requests, count.refused, count.outage, count.broken) == (3, 1, 1, 1)
        assert (count.retried, count.failed) == (1, 0)
        # Good answers at 10, 15 and 17; then until the end.
        assert (count.gap, count.troubled) == (5, 3.5)


def test_numbers_are_missing_or_there_twice():
    assert compare(5, [0, 1, 1, 3, 4, 9]) == (1, 1)

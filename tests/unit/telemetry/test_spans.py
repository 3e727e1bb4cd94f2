"""Stretches of time as columns, held against sets of instants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.telemetry.store.spans import HOUR, NONE, Spans

REACH = range(-3, 43)
spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


def instants(found):
    return {
        instant
        for start, end in (found.each() if isinstance(found, Spans) else found)
        for instant in REACH
        if start <= instant < end
    }


class TestSpans:
    @given(spans)
    def test_hold_what_they_are_made_of_and_lie_apart(self, given_spans):
        found = Spans.of(given_spans)
        assert instants(found) == instants(given_spans)
        assert (found.starts < found.ends).all()
        assert (found.starts[1:] > found.ends[:-1]).all()

    @given(spans, spans)
    def test_are_joined_and_cut_as_sets_are(self, one, other):
        first, second = Spans.of(one), Spans.of(other)
        assert instants(first | second) == instants(one) | instants(other)
        assert instants(first.within(second)) == instants(one) & instants(other)

    @given(spans, st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=8))
    def test_say_what_they_touch(self, given_spans, others):
        starts = np.array([start for start, _ in others], np.int64)
        ends = starts + np.array([width for _, width in others], np.int64)
        there = instants(given_spans)
        expected = [bool(there & set(range(start, start + width))) for start, width in others]
        assert Spans.of(given_spans).touch(starts, ends).tolist() == expected

    @pytest.mark.parametrize(
        ("hours", "runs"), [([], []), ([7], [(7, 8)]), ([-2, -1, 0, 4, 5, 9], [(-2, 1), (4, 6), (9, 10)])]
    )
    def test_are_made_of_hours(self, hours, runs):
        found = Spans.of_hours(np.array(hours, np.int64))
        assert list(found.each()) == [(first * HOUR, end * HOUR) for first, end in runs]
        assert found.touch_hours(np.arange(-3, 11)).tolist() == [hour in hours for hour in range(-3, 11)]

    def test_of_nothing_touch_nothing(self):
        assert not NONE.touch(np.array([0]), np.array([9])).any()
        assert len(NONE | NONE) == len(NONE.within(Spans.of([(0, 9)]))) == 0

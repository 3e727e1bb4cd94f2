"""Places on the board: between any two there is one, however often people put something there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.tasks.domain.board import STEP, at_the_end, between, relaid
from tests.factories import NOW

PLACES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40).map(sorted)


class TestAtTheEnd:
    def test_is_behind_whatever_was_made_before(self):
        assert at_the_end(NOW) > at_the_end(NOW - timedelta(microseconds=1))


class TestBetween:
    @pytest.mark.parametrize(
        ("low", "high", "place"),
        [
            pytest.param(None, None, 0.0, id="the first of all"),
            pytest.param(None, 10.0, 10.0 - STEP, id="before the first"),
            pytest.param(10.0, None, 10.0 + STEP, id="behind the last"),
            pytest.param(10.0, 20.0, 15.0, id="in the middle"),
            pytest.param(10.0, 10.0, None, id="two at the same place"),
            pytest.param(1.0, 1.0000000000000002, None, id="two floats without another between"),
        ],
    )
    def test_is_a_number_between_or_none(self, low, high, place):
        assert between(low, high) == place

    def test_runs_out_of_numbers_in_the_end(self):
        low, high, halved = 0.0, 1.0, 0
        while (middle := between(low, high)) is not None and halved < 2000:
            low, halved = middle, halved + 1
        assert halved < 100


class TestRelaid:
    def test_moves_the_neighbours_of_a_gap_and_leaves_the_others(self):
        assert relaid([0.0, 100.0, 100.0, 200.0], gap=2) == {1: 50.0, 2: 150.0}

    def test_makes_room_at_both_ends(self):
        assert relaid([5.0], gap=0) == {0: 2 * STEP}
        assert relaid([5.0], gap=1) == {0: STEP}

    def test_reaches_as_far_as_it_must(self):
        crowd = [7.0] * 30
        assert len(relaid([0.0, *crowd, 9.0], gap=16)) > 2

    @given(PLACES, st.integers(0, 40))
    def test_leaves_all_in_order_and_room_in_the_gap(self, places, gap):
        gap = min(gap, len(places))
        new = relaid(places, gap=gap)
        after = [new.get(index, place) for index, place in enumerate(places)]
        moved = sorted(new)
        assert moved == list(range(moved[0], moved[-1] + 1)) if moved else True
        assert all(after[index] < after[index + 1] for index in moved if index + 1 < len(after))
        assert all(after[index - 1] < after[index] for index in moved if index)
        low = after[gap - 1] if gap else None
        high = after[gap] if gap < len(after) else None
        assert between(low, high) is not None

"""When an asset ran, from the values of its running sign."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.tasks.domain.runs import SHORTEST_STOP, holds, joined, runs

MINUTE = 60_000_000
TEN = timedelta(minutes=10)


def ran(minutes, values, *, above=100.0, longest=TEN):
    """The stretches, in minutes."""
    times = np.array(minutes, np.int64) * MINUTE
    return (runs(times, np.array(values, float), above=above, longest=longest) / MINUTE).tolist()


class TestRuns:
    @pytest.mark.parametrize(
        ("minutes", "values", "found"),
        [
            pytest.param([0, 5, 10], [200, 200, 0], [[0, 10]], id="until it stops"),
            pytest.param([0, 5, 10], [0, 200, 200], [[5, 10]], id="what the last value says is not over yet"),
            pytest.param([0, 5, 10, 15], [200, 0, 200, 0], [[0, 5], [10, 15]], id="a stop"),
            pytest.param([0, 5, 6, 11], [200, 0, 200, 0], [[0, 11]], id="a stop of a minute belongs to the run"),
            pytest.param([0, 60], [200, 200], [[0, 10]], id="a silence is not known to be a run"),
            pytest.param([0, 5], [100, 100], [], id="resting on the limit is no run"),
            pytest.param([0], [200], [], id="one reading is no stretch"),
            pytest.param([], [], [], id="nothing"),
        ],
    )
    def test_are_the_stretches_above_the_limit(self, minutes, values, found):
        assert ran(minutes, values) == found

    @given(st.lists(st.tuples(st.integers(0, 10_000), st.booleans()), max_size=60, unique_by=lambda one: one[0]))
    def test_lie_apart_and_ascend(self, points):
        points.sort()
        found = ran([at for at, _ in points], [200.0 if on else 0.0 for _, on in points])
        assert all(start < end for start, end in found)
        stop = SHORTEST_STOP / timedelta(minutes=1)
        assert all(after[0] - before[1] > stop for before, after in pairwise(found))

    @given(st.lists(st.integers(0, 10_000), max_size=60))
    def test_joined_twice_are_joined_once(self, edges):
        edges = sorted(set(edges))
        spans = np.array(list(zip(edges[::2], edges[1::2], strict=False)), np.int64).reshape(-1, 2) * MINUTE
        assert joined(joined(spans)).tolist() == joined(spans).tolist()


class TestHolds:
    @pytest.mark.parametrize(
        ("expected", "longest"),
        [
            pytest.param(None, timedelta(minutes=10), id="nobody says how often it sends"),
            pytest.param(timedelta(seconds=5), timedelta(minutes=1), id="a minute at least"),
            pytest.param(timedelta(minutes=1), timedelta(minutes=3), id="two may be missed"),
        ],
    )
    def test_follows_how_often_it_sends(self, expected, longest):
        assert holds(expected) == longest

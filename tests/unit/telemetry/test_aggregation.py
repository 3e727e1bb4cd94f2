"""Buckets of a series, held against plain Python."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.telemetry.domain.aggregation import bucketed, nice_interval

series = st.dictionaries(st.integers(-1000, 1000), st.floats(-1e9, 1e9), max_size=60)


class TestBucketed:
    @given(series, st.integers(1, 300))
    def test_agrees_with_counting_by_hand(self, readings, width):
        times = np.array(sorted(readings), np.int64)
        values = np.array([readings[time] for time in sorted(readings)])
        expected: dict[int, list[float]] = {}
        for time in sorted(readings):
            expected.setdefault(time // width * width, []).append(readings[time])
        found = bucketed(times, values, width=width)
        assert found.starts.tolist() == list(expected)
        assert found.count.tolist() == [len(bucket) for bucket in expected.values()]
        assert found.minimum.tolist() == [min(bucket) for bucket in expected.values()]
        assert found.maximum.tolist() == [max(bucket) for bucket in expected.values()]
        averages = [sum(bucket) / len(bucket) for bucket in expected.values()]
        assert found.average.tolist() == pytest.approx(averages, rel=1e-9, abs=1e-3)

    def test_averages_values_whose_sum_overflows(self):
        found = bucketed(np.array([1, 2]), np.array([1.7e308, 1.7e308]), width=10)
        assert found.average.tolist() == [1.7e308]


class TestNiceInterval:
    @pytest.mark.parametrize(
        ("span", "points", "interval"),
        [
            pytest.param(timedelta(days=1), 500, timedelta(minutes=5), id="a day in 500 points"),
            pytest.param(timedelta(days=1), 24, timedelta(hours=1), id="exactly an hour"),
            pytest.param(timedelta(seconds=10), 500, timedelta(seconds=1), id="never below a second"),
            pytest.param(timedelta(days=3650), 500, timedelta(days=8), id="ten years"),
        ],
    )
    def test_chooses_what_a_person_would(self, span, points, interval):
        assert nice_interval(span, points=points) == interval

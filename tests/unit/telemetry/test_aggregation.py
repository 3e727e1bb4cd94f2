"""What a bucket says, held against plain Python."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.telemetry.domain.aggregation import BY_NAME, completeness, percentile_of, percentiles, spacing, statistic
from techtrack.telemetry.domain.gaps import Fill, filled
from techtrack.telemetry.domain.statistics import STATISTICS, summarise

values = st.floats(-1e6, 1e6)
EMPTY = np.zeros(1, STATISTICS)
series = st.dictionaries(st.integers(0, 10_000), values, min_size=1, max_size=60)


def weighted(times: list[int], numbers: list[float]) -> float:
    """Each value times how long it held, over all of that time."""
    held = [(b - a) * value for a, b, value in zip(times[:-1], times[1:], numbers[:-1], strict=True)]
    return sum(held) / (times[-1] - times[0]) if len(times) > 1 else numbers[0]


ORACLE = {
    "avg": lambda _, v: statistics.fmean(v),
    "min": lambda _, v: min(v),
    "max": lambda _, v: max(v),
    "sum": lambda _, v: math.fsum(v),
    "first": lambda _, v: v[0],
    "last": lambda _, v: v[-1],
    "delta": lambda _, v: v[-1] - v[0],
    "stddev": lambda _, v: statistics.stdev(v) if len(v) > 1 else math.nan,
    "twa": weighted,
}


class TestStatistic:
    @pytest.mark.parametrize("name", sorted(BY_NAME))
    @given(readings=series)
    def test_agrees_with_plain_python(self, name, readings):
        times = sorted(readings)
        numbers = [readings[time] for time in times]
        found = summarise(np.array(times), np.array(numbers), np.array([0]))
        expected = ORACLE[name](times, numbers)
        assert statistic(name, found)[0] == pytest.approx(expected, rel=1e-7, abs=1e-3, nan_ok=True)

    def test_has_an_oracle_for_each(self):
        assert ORACLE.keys() == BY_NAME.keys()

    def test_of_nothing_is_nothing(self):
        found = np.zeros(1, summarise(np.array([1]), np.array([1.0]), np.array([0])).dtype)
        assert all(np.isnan(statistic(name, found)[0]) for name in BY_NAME)

    def test_that_overflows_is_nothing(self):
        found = summarise(np.array([1, 2]), np.array([1.7e308, 1.7e308]), np.array([0]))
        assert np.isnan(statistic("sum", found)[0])
        assert statistic("max", found)[0] == 1.7e308


class TestPercentiles:
    @given(st.lists(st.lists(values, min_size=1, max_size=20), min_size=1, max_size=5), st.floats(0.01, 0.99))
    def test_agree_with_numpy_bucket_by_bucket(self, buckets, share):
        starts = np.cumsum([0, *(len(bucket) for bucket in buckets)])[:-1]
        [found] = percentiles(np.concatenate(buckets), starts, [share])
        assert found == pytest.approx([np.percentile(bucket, share * 100) for bucket in buckets], rel=1e-9, abs=1e-6)

    @pytest.mark.parametrize(
        ("name", "share"),
        [("p50", 0.5), ("p05", 0.05), ("p5", 0.05), ("p99.9", 0.999), ("p100", None), ("p", None), ("95", None)],
    )
    def test_are_called_by_their_number(self, name, share):
        assert percentile_of(name) == pytest.approx(share)


class TestCompleteness:
    def test_is_the_share_of_what_was_expected(self):
        found = completeness(np.array([30, 60, 90, 0, 1]), np.array([60, 60, 60, 60, 0]) * 60_000_000, 60_000_000)
        assert found[:4].tolist() == [0.5, 1.0, 1.0, 0.0]
        assert np.isnan(found[4])

    def test_is_unknown_where_nothing_is_expected(self):
        assert np.isnan(completeness(np.array([1]), np.array([1]), None)).all()


class TestSpacing:
    @pytest.mark.parametrize(
        ("times", "expected"),
        [
            pytest.param([[0, 10, 30], [100, 110]], [15, 10], id="the mean within"),
            pytest.param([[0], [100], [170]], [0, 100, 70], id="of one, since the one before; of the first, nothing"),
            pytest.param([[0, 10], [], [105]], [10, 0, 95], id="over a gap"),
            pytest.param([[], [7]], [0, 0], id="one value ever"),
        ],
    )
    def test_is_how_far_apart_values_lie(self, times, expected):
        found = [summarise(np.array(one), np.ones(len(one)), np.array([0])) if one else EMPTY for one in times]
        assert spacing(np.concatenate(found)).tolist() == expected


class TestFilling:
    STARTS = np.array([0, 10, 20, 30, 40])
    VALUES = np.array([np.nan, 1.0, np.nan, 3.0, np.nan])

    @pytest.mark.parametrize(
        ("fill", "expected"),
        [
            (Fill.NULL, [None, 1.0, None, 3.0, None]),
            (Fill.PREVIOUS, [None, 1.0, 1.0, 3.0, 3.0]),
            (Fill.LINEAR, [None, 1.0, 2.0, 3.0, None]),
        ],
    )
    def test_tells_of_a_gap_what_was_asked(self, fill, expected):
        found = filled(self.VALUES, self.STARTS, fill).tolist()
        assert [None if math.isnan(value) else value for value in found] == expected

    def test_of_what_comes_round_takes_the_shorter_way(self):
        line = filled(np.array([350.0, np.nan, 20.0, np.nan, 310.0]), self.STARTS, Fill.LINEAR, period=360.0)
        assert line.tolist() == [350.0, 5.0, 20.0, 345.0, 310.0]

    @pytest.mark.parametrize("fill", list(Fill))
    def test_of_nothing_stays_nothing(self, fill):
        assert np.isnan(filled(np.full(3, np.nan), self.STARTS[:3], fill)).all()

"""The quality tests by example, and arriving values against whole stretches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.airquality.arriving import FRESH, Mark, step
from techtrack.airquality.quality import HOUR, Checks, Flag, disagreeing, flagged, moist, unlike_neighbours
from tests.unit.airquality.air import examples

NONE = float("nan")
DUST = Checks(minimum=0, maximum=1000, spike=50, rate=100)


def found(values, checks=DUST, *, every=HOUR):
    """What the tests say of a stretch with a value an hour: flag by flag, the places."""
    times = np.arange(len(values), dtype=np.int64) * every
    marked = flagged(times, np.array(values, float), checks)
    return {flag: np.flatnonzero(places).tolist() for flag, places in marked.items() if places.any()}


class TestFlagged:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            pytest.param([5, 6, 5, 7], {}, id="air"),
            pytest.param([5, -999, 7, NONE], {Flag.SENTINEL: [1]}, id="a sentinel is not out of range as well"),
            pytest.param([5, -3, 1001, 7, 0], {Flag.RANGE: [1, 2]}, id="beyond the sensor"),
            pytest.param([5, 90, 6, 5], {Flag.SPIKE: [1]}, id="a spike up"),
            pytest.param([90, 5, 88, 90], {Flag.SPIKE: [1]}, id="a spike down"),
            pytest.param([5, 90, 91, 90], {}, id="a step is no spike"),
            pytest.param([5, 90, -999, 6, 5], {Flag.SENTINEL: [2], Flag.SPIKE: [1]}, id="a sentinel is no neighbour"),
            pytest.param([5, 106, 180, 182], {Flag.RATE: [1]}, id="faster than air changes"),
            pytest.param([90], {}, id="one value has no neighbours"),
            pytest.param([], {}, id="nothing"),
        ],
    )
    def test_by_code(self, values, expected):
        assert found(values) == expected

    def test_stuck_from_where_it_came_to_rest(self):
        assert found([4.0] + [5.0] * 25 + [6.0]) == {Flag.STUCK: list(range(1, 26))}
        assert found([4.0] + [5.0] * 24 + [6.0]) == {}

    def test_stuck_through_what_is_no_value(self):
        assert found([5.0] * 12 + [NONE] + [5.0] * 12) == {Flag.STUCK: [*range(12), *range(13, 25)]}

    def test_leaves_out_what_is_not_asked_for(self):
        assert found([-5.0, 1e6, *[3.0] * 40], Checks(stuck=None, sentinels=())) == {}

    def test_rate_is_by_the_time_between(self):
        assert found([5, 40, 5], Checks(rate=100), every=HOUR // 4) == {Flag.RATE: [1, 2]}

    def test_changes_no_value(self):
        values = np.array([5.0, -999.0, 5000.0])
        flagged(np.arange(3, dtype=np.int64), values, DUST)
        assert values.tolist() == [5.0, -999.0, 5000.0]


class TestArriving:
    def test_says_at_once_what_can_be_said(self):
        memory, marks = step(FRESH, at=0, value=5.0, checks=DUST)
        assert marks == []
        memory, marks = step(memory, at=HOUR, value=-999.0, checks=DUST)
        assert marks == [Mark(Flag.SENTINEL, HOUR, HOUR)]
        memory, marks = step(memory, at=2 * HOUR, value=90.0, checks=DUST)
        assert marks == []
        memory, marks = step(memory, at=3 * HOUR, value=6.0, checks=DUST)
        assert marks == [Mark(Flag.SPIKE, 2 * HOUR, 2 * HOUR)]

    def test_reaches_back_to_where_a_value_came_to_rest(self):
        memory = FRESH
        for hour in range(25):
            memory, marks = step(memory, at=hour * HOUR, value=5.0, checks=DUST)
        assert marks == [Mark(Flag.STUCK, 0, 24 * HOUR)]

    @examples
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([0.0, 5.0, 5.0, 5.0, 60.0, 120.0, -999.0, -1.0, 2000.0, NONE]),
                st.integers(1, 15 * HOUR),
            ),
            max_size=40,
        )
    )
    def test_finds_what_is_found_in_the_whole(self, arrivals):
        times = np.cumsum([0, *(gap for _, gap in arrivals)])[1:].astype(np.int64)
        values = np.array([value for value, _ in arrivals])
        memory, marks = FRESH, []
        for at, value in zip(times.tolist(), values.tolist(), strict=True):
            memory, more = step(memory, at=at, value=value, checks=DUST)
            marks += more
        usable = ~np.isnan(values) & (values != -999) & (values >= 0) & (values <= 1000)
        for flag, expected in flagged(times, values, DUST).items():
            covered = np.zeros(len(times), bool)
            for mark in marks:
                if mark.flag is flag:
                    covered |= (times >= mark.start) & (times <= mark.end)
            # What is no value lies in a stretch that is stuck, and is not stuck itself.
            covered &= usable if flag is Flag.STUCK else True
            assert covered.tolist() == expected.tolist()


class TestDisagreeing:
    @pytest.mark.parametrize(
        ("one", "other", "expected"),
        [
            pytest.param(10.0, 14.9, False, id="less than 5 apart"),
            pytest.param(4.0, 10.0, True, id="6 apart, 86 % of the mean"),
            pytest.param(100.0, 150.0, False, id="50 apart, 40 % of the mean"),
            pytest.param(100.0, 190.0, True, id="90 apart, 62 % of the mean"),
            pytest.param(100.0, 187.0, False, id="87 apart, 60.6 % of the mean"),
            pytest.param(NONE, 10.0, False, id="nothing to compare with"),
        ],
    )
    def test_by_difference_and_share(self, one, other, expected):
        assert disagreeing(np.array([one]), np.array([other])).tolist() == [expected]

    def test_as_strictly_as_is_wanted(self):
        found = disagreeing(np.array([100.0]), np.array([190.0]), share=0.7)
        assert found.tolist() == [False]


class TestMoist:
    def test_is_above_the_limit(self):
        humidity = np.array([95.0, 95.1, 70.1, NONE])
        assert moist(humidity).tolist() == [False, True, False, False]
        assert moist(humidity, limit=70.0).tolist() == [True, True, True, False]


class TestUnlikeNeighbours:
    @pytest.mark.parametrize(
        ("value", "neighbours", "expected"),
        [
            pytest.param(45.0, [10, 12, 14], True, id="33 from a low mean"),
            pytest.param(41.0, [10, 12, 14], False, id="29 from a low mean"),
            pytest.param(200.0, [90, 100, 110], True, id="ten deviations from a high mean"),
            pytest.param(159.0, [70, 100, 130], False, id="within two deviations"),
            pytest.param(161.0, [70, 100, 130], True, id="just beyond two deviations"),
            pytest.param(104.0, [99, 100, 101], False, id="as near as neighbours in clean air may be"),
            pytest.param(500.0, [10, 12, NONE], False, id="two neighbours are too few"),
            pytest.param(NONE, [10, 12, 14], False, id="no value"),
        ],
    )
    def test_by_their_mean(self, value, neighbours, expected):
        assert unlike_neighbours(np.array([value]), np.array([neighbours], float)).tolist() == [expected]

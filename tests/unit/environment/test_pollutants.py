"""How complete an hour is, and how often a sensor sends that does not say so."""

from __future__ import annotations

import numpy as np
import pytest

from techtrack.environment.domain.pollutants import complete, pace

MINUTE = 60_000_000
HOUR = 60 * MINUTE


def minutes(*spacings):
    return np.array(spacings, np.int64) * MINUTE


def paced(*spacings):
    return (pace(minutes(*spacings)) // MINUTE).tolist()


class TestCompleteHours:
    @pytest.mark.parametrize(
        ("count", "expected", "known"),
        [
            pytest.param(45, 1, True, id="three quarters of sixty"),
            pytest.param(44, 1, False, id="one less"),
            pytest.param(3, 20, True, id="all of three"),
            pytest.param(2, 20, False, id="two of three are less than three quarters"),
            pytest.param(1, 60, True, id="the one of an hour"),
            pytest.param(1, 180, True, id="one of a sensor that sends every three hours"),
            pytest.param(1, 0, False, id="one of a sensor of which nobody knows how often it sends"),
            pytest.param(3600, 0, False, id="however many there are"),
        ],
    )
    def test_have_three_quarters_of_what_is_expected(self, count, expected, known):
        found = complete(np.array([count]), np.array([7.0]), expected=minutes(expected), width=HOUR)
        assert np.isfinite(found).tolist() == [known]

    def test_are_judged_each_by_its_own_interval(self):
        found = complete(np.array([6, 6]), np.array([7.0, 7.0]), expected=minutes(10, 1), width=HOUR)
        assert np.isfinite(found).tolist() == [True, False]

    def test_have_no_wild_mean(self):
        assert np.isnan(complete(np.array([60]), np.array([2e6]), expected=minutes(1), width=HOUR)).all()


class TestPace:
    @pytest.mark.parametrize(
        ("spacings", "expected"),
        [
            pytest.param([0, 0, 0], [0, 0, 0], id="nothing tells it"),
            pytest.param([1, 1, 1], [1, 1, 1], id="steady"),
            pytest.param([0, 0, 10, 10], [10, 10, 10, 10], id="what came later tells of what came first"),
            pytest.param([10, 0, 0, 10], [10, 10, 10, 10], id="a pause does not change it"),
            pytest.param([1, 1, 30, 1], [1, 1, 1, 1], id="nor an hour that lost values"),
            pytest.param([1, 30], [1, 1], id="of two the lower: in doubt more is expected"),
            pytest.param([0, 3 * 24 * 60], [0, 0], id="after a rest of days one value tells nothing"),
            pytest.param([1, *[0] * 30, 3 * 24 * 60], [1] * 32, id="but what it was before"),
            pytest.param([0, 60, 60], [60, 60, 60], id="one value an hour"),
            pytest.param([0, 180, 0, 0, 180], [180] * 5, id="one in three"),
        ],
    )
    def test_is_that_of_most_hours_of_the_day_before(self, spacings, expected):
        assert paced(*spacings) == expected

    @pytest.mark.parametrize(("before", "after"), [(10, 1), (1, 10)], ids=["more often", "less often"])
    def test_follows_within_half_a_day_who_is_set_to_another_interval(self, before, after):
        told = paced(*[before] * 48, *[after] * 48)
        assert told[:48] == [before] * 48
        assert told[60:] == [after] * 36
        # In between it is one of the two.
        assert set(told) == {before, after}

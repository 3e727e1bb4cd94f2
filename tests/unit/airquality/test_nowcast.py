"""The NowCast by hand, and its two forms against each other."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.airquality.hours import MILLION, MISSING, micros
from techtrack.airquality.nowcast import OZONE_HOURS, OzoneMethod, dust, dust_series, ozone, ozone_series
from tests.unit.airquality.air import examples


def decimals(values):
    return [None if one is None else Decimal(str(one)) for one in values]


def whole(values):
    return micros(np.array([np.nan if one is None else float(one) for one in values]))


class TestDust:
    @pytest.mark.parametrize(
        ("hours", "expected"),
        [
            pytest.param([9.1] * 12, "9.1", id="nothing changes"),
            # The weight is 10 / 20: (20 + 0.5 * 10) / 1.5.
            pytest.param([10, 20], "16.666666", id="the weight is a half"),
            # 1/4 would be the ratio, a half is the least weight: (40 + 0.5 * 10) / 1.5.
            pytest.param([10, 40], "30", id="the weight is no less than a half"),
            # 30 / 40 = 0.75: (40 + 0.75 * 30 + 0.5625 * 35) / 2.3125.
            pytest.param([35, 30, 40], "35.540540", id="the weight is between"),
            # A missing hour counts in no sum, and the older one keeps its age: (20 + 0.25 * 10) / 1.25.
            pytest.param([10, None, 20], "18", id="an hour is missing"),
            # AirNow gives a value although the latest hour is missing: (0.5 * 20 + 0.25 * 10) / 0.75.
            pytest.param([10, 20, None], "16.666666", id="the latest is missing"),
            # (9.1 + w * 9.099999) / (1 + w) = 9.0999995: rounded it would be 9.1, the first of the next class.
            pytest.param([9.099999, 9.1], "9.099999", id="it is cut off, not rounded"),
            # 2 / 3 has no end as a decimal: (30 + 2/3 * 20) / (5/3) is 26 nevertheless.
            pytest.param([20, 30], "26", id="a whole number, by a weight that has no end"),
            pytest.param([0, 0, 0], "0", id="nothing but zero"),
            pytest.param([-1, -2, -3], "-2", id="noise below zero has no ratio"),
        ],
    )
    def test_weighs_the_latest_most(self, hours, expected):
        assert dust(decimals(hours)) == Decimal(expected)

    @pytest.mark.parametrize(
        ("recent", "valid"),
        [
            pytest.param([1, 1, 1], True, id="three of three"),
            pytest.param([1, 1, None], True, id="the latest is missing"),
            pytest.param([1, None, 1], True, id="the one before is missing"),
            pytest.param([None, 1, 1], True, id="the third is missing"),
            pytest.param([1, None, None], False, id="one of three, the third"),
            pytest.param([None, None, 1], False, id="one of three, the latest"),
            pytest.param([None, None, None], False, id="none of three"),
        ],
    )
    def test_needs_two_of_the_latest_three(self, recent, valid):
        hours = [5] * 9 + recent
        assert (dust(decimals(hours)) is not None) == valid
        assert (dust_series(whole(hours))[-1] != MISSING) == valid

    def test_looks_at_twelve_hours(self):
        assert dust(decimals([1000] + [10] * 12)) == 10
        assert dust(decimals([1000] + [10] * 11)) > 10

    @examples
    @given(
        st.lists(
            st.one_of(st.none(), st.floats(-3, 900).map(lambda one: round(one, 3)), st.sampled_from([9.1, 9.0, 18.2])),
            min_size=1,
            max_size=40,
        )
    )
    def test_of_a_series_agrees_with_that_of_a_moment(self, hours):
        found = dust_series(whole(hours)).tolist()
        for place, one in enumerate(found):
            expected = dust(decimals(hours)[: place + 1])
            assert one == (MISSING if expected is None else expected * MILLION)

    @examples
    @given(st.lists(st.one_of(st.none(), st.integers(0, 60)), min_size=2, max_size=14))
    def test_of_whole_numbers_is_cut_off_exactly(self, hours):
        # Where floats lie beside a whole number, the series must decide as fractions do.
        for place, one in enumerate(dust_series(whole(hours)).tolist()):
            expected = dust(decimals(hours[: place + 1]))
            assert one == (MISSING if expected is None else expected * MILLION)

    @examples
    @given(st.lists(st.floats(0, 500), min_size=3, max_size=12))
    def test_lies_within_its_hours(self, hours):
        found = dust_series(whole(hours))[-1] / MILLION
        assert min(hours) - 2e-6 <= found <= max(hours) + 1e-6


class TestOzone:
    @pytest.mark.parametrize(
        ("latest", "expected", "method"),
        [
            pytest.param([0.05, 0.06, 0.07], "0.064", OzoneMethod.SURROGATE, id="the hour: 0.85 * 70 + 4.5 ppb"),
            pytest.param([0.05, 0.06, None], "0.0555", OzoneMethod.SURROGATE_OF_PREVIOUS, id="the hour before"),
            pytest.param([0.05, None, None], "0.047", OzoneMethod.SURROGATE_OF_TWO_HOURS_AGO, id="two hours ago"),
            pytest.param([None, None, None], None, OzoneMethod.NONE, id="none of three"),
            pytest.param([0, 0, 0], "0.0045", OzoneMethod.SURROGATE, id="zeros of a short record"),
        ],
    )
    def test_is_the_surrogate_of_the_latest(self, latest, expected, method):
        found = ozone(decimals([0.04, *latest]))
        assert found == (None if expected is None else Decimal(expected), method)

    @pytest.mark.parametrize(
        ("hours", "zero"),
        [
            pytest.param([0] * 336, True, id="all are known"),
            pytest.param([0] * 252, False, id="as many as needed, but the rest is one gap"),
            pytest.param([None, 0, 0, 0] * 84, True, id="three quarters, evenly"),
            pytest.param([None, None, 0, 0] * 84, False, id="a half"),
            pytest.param([0] * 300 + [None] * 7 + [0] * 29, True, id="a gap of seven hours"),
            pytest.param([0] * 300 + [None] * 8 + [0] * 28, False, id="a gap of eight hours"),
            pytest.param([0] * 335 + [0.001], False, id="an hour is not zero"),
            pytest.param([0.001] + [0] * 336, True, id="an hour is not zero, a fortnight ago"),
        ],
    )
    def test_believes_in_zero_when_two_weeks_are_complete(self, hours, zero):
        value, method = ozone(decimals(hours))
        assert (method is OzoneMethod.ZERO, value == 0) == (zero, zero)
        assert (ozone_series(whole(hours))[-1] == 0) == zero

    @examples
    @given(st.lists(st.one_of(st.none(), st.integers(0, 200).map(lambda ppb: ppb / 1000)), min_size=1, max_size=40))
    def test_of_a_series_agrees_with_that_of_a_moment(self, hours):
        for place, one in enumerate(ozone_series(whole(hours)).tolist()):
            expected, _ = ozone([None] * (OZONE_HOURS - place - 1) + decimals(hours)[: place + 1])
            assert one == (MISSING if expected is None else expected * MILLION)

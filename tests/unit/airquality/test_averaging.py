"""Running and daily means and the daily maximum of eight hours in Europe and in the US."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.airquality.averaging import (
    counts,
    daily,
    daily_maximum,
    daily_maximum_8h,
    daily_maximum_8h_us,
    days_of,
    lowest,
    rolling,
    standard_offset,
)
from techtrack.airquality.hours import MILLION, MISSING, Axis, amounts, axis_until, micros
from techtrack.core.errors import Invalid
from tests.unit.airquality.air import HOUR, examples, series

MIDNIGHT = datetime(2025, 1, 1, tzinfo=UTC)
# Hours are labelled by their end: that of the first hour of the day.
ONE = MIDNIGHT + HOUR
NONE = float("nan")


def whole(*values):
    return micros(np.array(values, float))


def day(values, *, of="eu", offset=timedelta(0), first=ONE):
    """The daily maximum of eight hours of each day that ``values`` lie on."""
    days = days_of(first, length=len(values), offset=offset)
    found = (daily_maximum_8h if of == "eu" else daily_maximum_8h_us)(whole(*values), days)
    return amounts(found).tolist()


class TestMicros:
    def test_say_what_binary_fractions_cannot(self):
        # As a float the second is a hair below 1,001,000 millionths, the third above 300,000.
        assert whole(9.1, 1.001, 0.1 + 0.2).tolist() == [9_100_000, 1_001_000, 300_000]

    def test_know_no_nan(self):
        found = whole(1.0, NONE)
        assert found.tolist() == [MILLION, MISSING]
        assert np.isnan(amounts(found)[1])

    @pytest.mark.parametrize("value", [1.1e9, -1e300, float("inf")])
    def test_refuse_what_no_air_holds(self, value):
        with pytest.raises(Invalid, match="larger than 1e"):
            whole(value)


class TestAxis:
    def test_ends_with_the_latest_full_hour(self):
        hours = series([1.0, 2.0, 3.0], last=ONE)
        for at, expected in ((ONE, [2, 3]), (ONE + timedelta(minutes=59), [2, 3]), (ONE + HOUR, [3, None])):
            axis = axis_until(at, [hours], length=2)
            found = axis.lay(hours.values, first=hours.first).tolist()
            assert [None if one != one else one for one in found] == expected  # noqa: PLR0124 - NaN

    @examples
    @given(st.integers(-10, 10), st.integers(0, 6), st.integers(1, 6))
    def test_lays_each_hour_at_its_place(self, shift, length, longer):
        values = np.arange(1.0, length + 1)
        found = Axis(ONE, longer).lay(values, first=ONE + shift * HOUR)
        expected = [place - shift + 1 if 0 <= place - shift < length else None for place in range(longer)]
        assert [None if one != one else one for one in found.tolist()] == expected  # noqa: PLR0124 - NaN


class TestRolling:
    def test_needs_enough_hours(self):
        found = rolling(whole(1, NONE, 3, NONE, NONE), hours=3, least=2)
        assert found.tolist() == [MISSING, MISSING, 2 * MILLION, MISSING, MISSING]
        assert counts(whole(1, NONE, 3, NONE, NONE), hours=3).tolist() == [1, 1, 2, 1, 1]

    @examples
    @given(
        st.lists(st.one_of(st.none(), st.integers(-(10**9), 10**12)), min_size=1, max_size=40),
        st.integers(1, 24),
        st.integers(1, 24),
    )
    def test_is_the_mean_cut_off(self, values, hours, least):
        found = rolling(np.array([MISSING if one is None else one for one in values]), hours=hours, least=least)
        for place, one in enumerate(found.tolist()):
            known = [value for value in values[max(place - hours + 1, 0) : place + 1] if value is not None]
            assert one == (floor(Fraction(sum(known), len(known))) if len(known) >= least else MISSING)


class TestDays:
    def test_close_with_midnight(self):
        days = days_of(MIDNIGHT, length=26, offset=timedelta(0))
        assert days.number.tolist() == [0] + [1] * 24 + [2]
        assert days.hour.tolist() == [23, *range(24), 0]
        assert date.fromordinal(date(1970, 1, 1).toordinal() + days.first) == date(2024, 12, 31)

    @pytest.mark.parametrize(
        ("zone", "hours"),
        [
            pytest.param("Europe/Berlin", 1, id="summer time is left out"),
            pytest.param("Europe/Dublin", 0, id="where winter is the exception by law"),
            pytest.param("Australia/Sydney", 10, id="in the south"),
            pytest.param("Asia/Kolkata", 5.5, id="half an hour"),
            pytest.param("America/New_York", -5, id="behind UTC"),
        ],
    )
    def test_are_those_of_standard_time(self, zone, hours):
        assert standard_offset(ZoneInfo(zone), year=2025) == timedelta(hours=hours)

    def test_begin_half_an_hour_off_where_the_clock_does(self):
        days = days_of(datetime(2025, 1, 1, 18, 30, tzinfo=UTC), length=2, offset=timedelta(hours=5.5))
        assert days.number.tolist() == [0, 1]

    def test_have_means_and_maxima_where_enough_is_known(self):
        values = whole(*[1.0] * 18, *[NONE] * 6, *[2.0] * 17, *[NONE] * 7, *range(24))
        days = days_of(ONE, length=72, offset=timedelta(0))
        assert daily(values, days, least=18).tolist() == [MILLION, MISSING, 11_500_000]
        assert daily_maximum(values, days, least=18).tolist() == [MILLION, MISSING, 23 * MILLION]


class TestDailyMaximumOfEightHours:
    def test_in_europe_belongs_to_the_day_on_which_it_ends(self):
        # From 20:00 to 04:00 it is high: the mean of those eight hours ends on the second day.
        values = [10.0] * 20 + [90.0] * 8 + [10.0] * 20
        assert day(values) == [50.0, 90.0]

    def test_in_the_us_belongs_to_the_day_on_which_it_begins(self):
        values = [10.0] * 20 + [90.0] * 8 + [10.0] * 28
        assert day(values, of="us")[:2] == [90.0, 10.0]

    def test_in_the_us_knows_no_hours_before_seven(self):
        # High from 00:00 to 07:00 alone: no mean that begins at 07:00 or later knows of it.
        assert day([90.0] * 7 + [10.0] * 25, of="us")[0] == 10.0
        assert day([90.0] * 8 + [10.0] * 24, of="us")[0] == 20.0

    def test_follows_the_clock_of_the_site(self):
        values = [10.0] * 24 + [90.0] * 8 + [10.0] * 16
        assert day(values) == [10.0, 90.0]
        # Four hours behind, the high hours are the last of the day before.
        assert day(values, offset=timedelta(hours=-4))[1:] == [50.0, 90.0]

    @pytest.mark.parametrize(
        ("of", "before", "known", "enough"),
        [
            # A mean needs six hours: the first ends with the sixth known one, the last two after the last.
            pytest.param("eu", 0, 21, True, id="18 of 24 means in Europe"),
            pytest.param("eu", 0, 20, False, id="17 of 24 means in Europe"),
            # From 07:00 on: the last mean begins with the last known hour but five.
            pytest.param("us", 7, 18, True, id="13 of 17 means in the US"),
            pytest.param("us", 7, 17, False, id="12 of 17 means in the US"),
        ],
    )
    def test_needs_enough_means(self, of, before, known, enough):
        values = [NONE] * before + [5.0] * known + [NONE] * (48 - before - known)
        assert (day(values, of=of)[0] == 5.0) == enough


class TestLowest:
    @pytest.mark.parametrize(
        ("values", "least", "expected"),
        [
            pytest.param([5, 3, 4, 6], 3, [None, None, 3, 3], id="of three"),
            pytest.param([5, None, 4, 6], 1, [5, 5, 4, 4], id="of those that are known"),
            pytest.param([5, None, 4, 6, 7], 3, [None, None, None, None, 4], id="all three must be known"),
            pytest.param([None, None, None], 1, [None, None, None], id="of nothing"),
            pytest.param([], 1, [], id="of no hours"),
        ],
    )
    def test_is_that_of_the_hours_up_to_each(self, values, least, expected):
        whole = np.array([MISSING if one is None else one for one in values], np.int64)
        found = lowest(whole, hours=3, least=least).tolist()
        assert found == [MISSING if one is None else one for one in expected]

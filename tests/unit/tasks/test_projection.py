"""When a meter will have counted enough: the pace of assets that rest at weekends, were on holiday, or stand still."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.tasks.domain.projection import Pace, Projection, daily_use, pace, projected
from techtrack.tasks.domain.reasons import Reason

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
SHIFT = [8.0] * 5 + [0.0] * 2  # five days of a shift, a weekend


class TestPace:
    @pytest.mark.parametrize(
        ("daily", "expected"),
        [
            pytest.param(SHIFT * 6, 40 / 7, id="one shift, no weekends: the median day alone would say 8"),
            pytest.param([0, 0, 0, 0, 0, 10, 0] * 6, 10 / 7, id="one day a week: the median day alone would say 0"),
            pytest.param(SHIFT * 3 + [0] * 7 + SHIFT * 2, 40 / 7, id="a week of holidays"),
            pytest.param(SHIFT * 5 + [24] * 7, 40 / 7, id="a week round the clock"),
            pytest.param(([0] * 14 + [7] * 7) * 2, 7 / 3, id="runs in every third week: the average"),
            pytest.param([20] * 200 + [2] * 42, 2, id="how it was half a year ago does not count"),
            pytest.param([None, None, 6, 6, 6, 6, None], 6, id="days that are not known are left out"),
            pytest.param([6, 6, 6, 6], 6, id="four days are enough"),
        ],
    )
    def test_is_the_middle_week_s(self, daily, expected):
        assert pace(daily) == Pace(pytest.approx(expected), Reason.PROJECTED)

    @pytest.mark.parametrize(
        ("daily", "reason"),
        [
            pytest.param([], Reason.TOO_LITTLE_HISTORY, id="nothing is known"),
            pytest.param([8, 8, 8], Reason.TOO_LITTLE_HISTORY, id="three days"),
            pytest.param([8, None, None, None, None, None, 8] * 6, Reason.TOO_LITTLE_HISTORY, id="gaps all over"),
            pytest.param([0.0] * 42, Reason.NOT_USED, id="it stands still"),
        ],
    )
    def test_cannot_always_be_told(self, daily, reason):
        assert pace(daily) == Pace(None, reason)

    @given(st.floats(0.1, 24), st.integers(0, 6), st.floats(0, 1e6))
    def test_one_wild_day_does_not_bend_it(self, hours, place, wild):
        daily = [hours] * 42
        daily[place * 6] = wild
        assert pace(daily).per_day == pytest.approx(hours)


class TestDailyUse:
    def test_is_what_was_added_from_day_to_day(self):
        last = date(2026, 11, 22)
        totals = {last - timedelta(days=back): 100.0 - 8 * back for back in range(6)}
        del totals[last - timedelta(days=2)]
        found = daily_use(totals, last=last)
        # On the day without readings nothing was counted; of the first nobody knows.
        assert (len(found), found[-6:]) == (42, [None, 8.0, 8.0, 0.0, 16.0, 8.0])

    def test_ends_with_the_last_day_that_was_counted(self):
        last = date(2026, 11, 22)
        totals = {last - timedelta(days=back): 100.0 - 8 * back for back in (60, 3, 2)}
        assert daily_use(totals, last=last)[-4:] == [456.0, 8.0, None, None]
        assert daily_use({}, last=last) == [None] * 42

    @pytest.mark.parametrize("weekday", range(7))
    def test_of_an_asset_that_is_switched_off_at_weekends_has_days_of_rest(self, weekday):
        """Eight hours on workdays, and nothing is sent on Saturdays and Sundays."""
        last = date(2026, 11, 16) + timedelta(days=weekday)
        days = [last - timedelta(days=back) for back in reversed(range(50))]
        work = [day for day in days if day.weekday() < 5]
        totals = {day: 8.0 * number for number, day in enumerate(work)}
        assert pace(daily_use(totals, last=last)).per_day == pytest.approx(40 / 7)


class TestProjected:
    def test_is_so_many_days_ahead(self):
        found = projected(100, at=Pace(8.0, Reason.PROJECTED), now=NOW)
        assert found == Projection(NOW + timedelta(days=12.5), Reason.PROJECTED)

    def test_is_not_told_where_the_pace_is_not(self):
        assert projected(100, at=Pace(None, Reason.NOT_USED), now=NOW) == Projection(None, Reason.NOT_USED)

    @pytest.mark.parametrize("pace", [0.02, 1e-300])
    def test_is_not_told_ten_years_ahead(self, pace):
        assert projected(100, at=Pace(pace, Reason.PROJECTED), now=NOW) == Projection(None, Reason.TOO_FAR)

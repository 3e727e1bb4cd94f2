"""Years against limits: counts by hand, what is left, what is refused, and where the year ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.airquality.exceedances import exceedances, year_until
from techtrack.airquality.forecasts import of_count, of_mean
from techtrack.airquality.hours import Hours
from techtrack.airquality.limit_sets import EU_2024, EU_2030, GB_3095_2012, LIMIT_SETS, US_NAAQS, WHO_2021
from techtrack.airquality.units import Reference
from techtrack.core.errors import Invalid
from tests.unit.airquality.air import examples

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NONE = float("nan")
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
OVER = datetime(2026, 1, 1, tzinfo=UTC)
AIR = Reference(20.0, 1013.25)


def air(values, unit="ug/m3", *, begin=BEGIN):
    """Hours from the beginning of a year on."""
    return Hours(begin + HOUR, np.array(values, float), unit, reference=AIR)


def days(*runs):
    """Hours of days: pairs of (how many days, their level)."""
    return np.concatenate([np.full(24 * count, float(level)) for count, level in runs])


def report(limits, parameter, hours, *, at=OVER, offset=timedelta(0), year=2025):
    """The findings of one parameter, by key."""
    found = exceedances({parameter: hours}, limits=limits, year=year_until(year, offset=offset, at=at))
    return {one.limit.key: one for one in found}


class TestAYear:
    def test_of_dust_in_the_eu(self):
        found = report(EU_2024, "pm10", air(days((330, 20), (35, 60))))
        assert set(found) == {"pm10_year", "pm10_day", "pm10_information", "pm10_alert"}
        day, year = found["pm10_day"], found["pm10_year"]
        # The 36th highest day is one of the low ones.
        assert (day.value, day.used, day.allowed, day.left, day.exceeded) == (20.0, 35, 35, 0, False)
        assert year.value == pytest.approx((330 * 20 + 35 * 60) / 365, abs=1e-6)
        assert (year.used, year.allowed, year.left, year.exceeded) == (None, None, None, False)
        assert (day.capture, year.capture, day.reason) == (1.0, 1.0, "")

    def test_is_exceeded_by_one_day_more(self):
        found = report(EU_2024, "pm10", air(days((329, 20), (36, 60))))["pm10_day"]
        assert (found.value, found.used, found.left, found.exceeded) == (60.0, 36, 0, True)

    def test_counts_hours_of_nitrogen_dioxide(self):
        values = days((365, 20))
        values[[100, 200, 300, 301]] = 201.0
        values[[400, 401]] = 200.4
        found = report(EU_2030, "no2", air(values))
        assert (found["no2_hour"].used, found["no2_hour"].allowed, found["no2_hour"].exceeded) == (4, 3, True)
        assert report(EU_2024, "no2", air(values))["no2_hour"].left == 14

    def test_takes_eight_hours_over_midnight(self):
        values = days((365, 80))
        # From 20:00 of 30 June to 04:00 of 1 July: the first of July, the EU says.
        noon = (datetime(2025, 6, 30, 20, tzinfo=UTC) - BEGIN) // HOUR
        values[noon : noon + 8] = 200.0
        found = report(EU_2024, "o3", air(values))["o3_8h"]
        # Four hours of 200 and four of 80 end on 30 June: 140. Both days are above 120.
        assert (found.used, found.allowed, found.limit.years) == (2, 25, 3)

    def test_begins_with_the_hour_that_ends_at_one(self):
        values = np.concatenate([[1000.0], days((365, 20))])
        found = report(EU_2024, "no2", air(values, begin=BEGIN - HOUR))["no2_hour"]
        assert found.used == 0
        # Where the clock is an hour ahead of UTC, that hour is the first of the new year.
        ahead = report(EU_2024, "no2", air(values, begin=BEGIN - HOUR), offset=HOUR)["no2_hour"]
        assert ahead.used == 1

    def test_in_the_us_is_the_98th_percentile(self):
        found = report(US_NAAQS, "pm2_5", air(days((357, 10), (8, 50))))
        assert (found["pm2_5_day"].value, found["pm2_5_day"].exceeded) == (50.0, True)
        found = report(US_NAAQS, "pm2_5", air(days((358, 10), (7, 50))))
        assert (found["pm2_5_day"].value, found["pm2_5_day"].exceeded) == (10.0, False)

    def test_in_the_us_is_the_mean_of_its_quarters(self):
        found = report(US_NAAQS, "pm2_5", air(days((90, 1), (91, 3), (92, 5), (92, 7))))
        assert found["pm2_5_year"].value == 4.0

    def test_in_the_us_is_the_fourth_highest_ozone(self):
        for high, exceeded in ((4, True), (3, False)):
            hours = air(days((200, 0.05), (high, 0.071), (165 - high, 0.05)), "[ppm]")
            assert report(US_NAAQS, "o3", hours)["o3_8h"].exceeded == exceeded

    def test_in_the_us_counts_a_day_above_however_little_is_known_of_it(self):
        values = np.full(24 * 365, NONE)
        # Ten days of which twelve hours are known: seven means that begin from 07:00 on.
        for day in range(100, 110):
            values[24 * day + 7 : 24 * day + 19] = 0.09
            values[24 * (day + 30) + 7 : 24 * (day + 30) + 19] = 0.0709
        found = report(US_NAAQS, "o3", air(values, "[ppm]"))["o3_8h"]
        assert (found.used, found.exceeded, found.capture) == (10, True, pytest.approx(10 / 365))

    def test_in_the_us_needs_three_quarters_of_a_day_of_carbon_monoxide(self):
        values = days((365, 5))
        # Eighteen hours of each day make 15 means of eight hours; ozone, of which 17 count, needs 13.
        values.reshape(365, 24)[:, 18:] = NONE
        assert report(US_NAAQS, "co", air(values, "[ppm]"))["co_8h"].capture < 0.01

    def test_in_china_knows_nothing_of_the_evening_before(self):
        values = days((365, 50))
        evening = (datetime(2025, 6, 30, 18, tzinfo=UTC) - BEGIN) // HOUR
        values[evening : evening + 6] = 300.0
        found = report(GB_3095_2012, "o3", air(values))["o3_8h"]
        assert (found.used, found.limit.basis) == (1, "highest 8 h of a day, ended from 08:00 to 24:00")

    def test_in_china_counts_a_day_above_however_little_is_known_of_it(self):
        values = days((365, 50))
        values[24 * 100 : 24 * 101], values[24 * 200 : 24 * 201] = NONE, NONE
        values[24 * 100 + 10 : 24 * 100 + 18], values[24 * 200 + 10 : 24 * 200 + 18] = 300.0, 50.0
        found = report(GB_3095_2012, "o3", air(values))["o3_8h"]
        assert (found.used, found.capture) == (1, pytest.approx(364 / 365))

    @pytest.mark.parametrize(
        ("year", "used"),
        [
            pytest.param(2016, 3, id="at 0 °C: 520 is above 500"),
            pytest.param(2018, 2, id="at 0 °C until the end of August"),
            pytest.param(2019, 0, id="at 25 °C: 520 at 0 °C are 476"),
        ],
    )
    def test_in_china_is_of_the_air_that_was_declared_then(self, year, used):
        begin = datetime(year, 1, 1, tzinfo=UTC)
        values = days((366, 20))
        for month in (2, 8, 9):
            values[(datetime(year, month, 10, tzinfo=UTC) - begin) // HOUR] = 520.0
        cold = replace(air(values, begin=begin), reference=Reference(0.0, 1013.25))
        found = report(GB_3095_2012, "so2", cold, at=datetime(year + 1, 1, 1, tzinfo=UTC), year=year)
        assert found["so2_hour"].used == used

    def test_in_china_is_a_percentile_between_days(self):
        found = report(GB_3095_2012, "pm2_5", air(days((346, 50), (19, 100))))["pm2_5_day"]
        # 1 + 364 * 0.95 = 346.8: eight tenths of the way from the 346th day to the 347th.
        assert found.value == 90.0
        assert (found.used, found.allowed, found.exceeded) == (19, 18, True)

    def test_of_who_has_a_peak_season(self):
        found = report(WHO_2021, "o3", air(days((90, 40), (183, 90), (92, 40))))
        assert 88 < found["o3_season"].value <= 90
        assert (found["o3_season"].used, found["o3_season"].forecast) == (None, None)

    def test_of_a_leap_year_has_a_day_more(self):
        begin = datetime(2024, 1, 1, tzinfo=UTC)
        found = report(EU_2024, "pm10", air(days((366, 60)), begin=begin), year=2024)["pm10_day"]
        assert (found.used, found.capture) == (366, 1.0)

    def test_has_every_limit_of_what_was_measured(self):
        everything = {one: air(days((365, 1))) for one in ("pm2_5", "pm10", "o3", "no2", "so2", "co", "co2")}
        for limits in LIMIT_SETS.values():
            found = exceedances(everything, limits=limits, year=year_until(2025, offset=HOUR, at=OVER))
            assert [one.limit for one in found] == list(limits.limits)


class TestThresholdsOfTheEU:
    @pytest.mark.parametrize(
        ("run", "alerts", "informs"),
        [
            pytest.param([201, 201], 0, 2, id="two hours inform, and do not alert"),
            pytest.param([201, 201, 201], 1, 3, id="three in a row alert"),
            pytest.param([201, 201, 200.4, 201], 0, 4, id="between them one that is rounded to the threshold"),
            pytest.param([201, 201, 201, 201, 201], 3, 5, id="each hour that is the third or a later one"),
            pytest.param([151, 150.4, 160], 0, 2, id="150.4 is 150, which is not above"),
            pytest.param([201, NONE, 201, 201], 0, 3, id="what is not known is no third hour"),
        ],
    )
    def test_of_nitrogen_dioxide(self, run, alerts, informs):
        values = days((365, 20))
        values[1000 : 1000 + len(run)] = run
        found = report(EU_2024, "no2", air(values))
        assert (found["no2_alert"].used, found["no2_information"].used) == (alerts, informs)
        assert found["no2_alert"].exceeded == (alerts > 0)

    def test_a_low_hour_tells_of_three_whatever_is_not_known(self):
        values = days((365, 20))
        values[1::3] = NONE
        found = report(EU_2030, "no2", air(values))
        assert found["no2_information"].capture == pytest.approx(2 / 3)
        assert (found["no2_alert"].capture, found["no2_alert"].exceeded) == (1.0, False)

    def test_of_sulphur_dioxide(self):
        values = days((365, 20))
        values[[100, 101, 102, 500]] = [351, 400, 360, 276]
        found = report(EU_2024, "so2", air(values))
        assert (found["so2_information"].used, found["so2_alert"].used, found["so2_alert"].value) == (4, 1, 351.0)

    @pytest.mark.parametrize(
        ("parameter", "level", "exceeded"),
        [("pm10", 90.4, False), ("pm10", 91, True), ("pm2_5", 50.4, False), ("pm2_5", 51, True)],
    )
    def test_of_dust_are_those_of_a_day(self, parameter, level, exceeded):
        found = report(EU_2030, parameter, air(days((100, 20), (1, level), (264, 20))))
        for kind in ("information", "alert"):
            one = found[f"{parameter}_{kind}"]
            assert (one.exceeded, one.limit.kind) == (exceeded, f"{kind} threshold")


class TestShortMeans:
    def sulphur(self, *high, known=365):
        """A year of 40 with parts of hours that are higher; hours are known, of which parts are not."""
        parts = np.full((24 * 365, 6), 40.0)
        parts[24 * known :] = NONE
        for place, (hour, level) in enumerate(high):
            parts[hour, place % 6] = level
        return replace(air(days((365, 40))), short={6: parts}, reference=Reference(25.0, 1013.25))

    def test_above_the_guideline_are_counted(self):
        found = report(WHO_2021, "so2", self.sulphur((50, 501.0), (50, 600.0), (4000, 500.4)))["so2_10min"]
        assert (found.used, found.value, found.exceeded, found.reason) == (2, 600.0, True, "")

    def test_below_it_the_highest_is_not_told(self):
        found = report(WHO_2021, "so2", self.sulphur((50, 500.0)))["so2_10min"]
        assert (found.used, found.value, found.exceeded) == (0, None, False)
        assert found.reason == "no mean of 10 min is above the limit; which is the highest was not looked for"

    def test_of_a_sensor_that_sends_hours_are_not_known(self):
        found = report(WHO_2021, "so2", replace(air(days((365, 40))), reference=Reference(25.0, 1013.25)))
        one = found["so2_10min"]
        assert (one.value, one.exceeded, one.capture) == (None, None, 0.0)
        assert one.reason == "means of 10 min are not known: values come too seldom"
        assert found["so2_day"].value is not None

    def test_need_as_much_of_the_year_as_others(self):
        found = report(WHO_2021, "so2", self.sulphur(known=200))["so2_10min"]
        assert (found.exceeded, found.reason) == (None, "54% of the periods are known, 75% are needed")
        # What is above stays above.
        assert report(WHO_2021, "so2", self.sulphur((50, 501.0), known=200))["so2_10min"].exceeded is True

    def test_are_those_of_a_quarter_for_carbon_monoxide(self):
        parts = np.full((24 * 365, 4), 1.0)
        parts[7] = [20, 101, 100.4, 20]
        hours = replace(air(days((365, 1)), "mg/m3"), short={4: parts}, reference=Reference(25.0, 1013.25))
        found = report(WHO_2021, "co", hours)["co_15min"]
        assert (found.used, found.value, found.limit.basis) == (1, 101.0, "15 min")


class TestSeveralYears:
    def ozone(self, limits, *highs, level=125.0, low=50.0, unit="ug/m3", known=(365, 365, 365)):
        """Three years with so many high days, the last of them the year that is asked about.

        Their last hours do not lift the day after them above 120.
        """
        years = [year_until(2023 + place, offset=timedelta(0), at=OVER) for place in range(3)]
        hours = {}
        for year, high, there in zip(years, highs, known, strict=True):
            values = days((100, low), (high, level), (year.length - 100 - high, low))
            values[24 * there :] = NONE
            hours[year] = {"o3": air(values, unit, begin=year.begin)}
        last = hours.pop(years[-1])
        found = exceedances(last, limits=limits, year=years[-1], before=hours)
        return {one.limit.key: one for one in found}

    @pytest.mark.parametrize(
        ("highs", "mean", "exceeded"),
        [
            pytest.param((30, 25, 20), 25.0, False, id="the mean rests on what is allowed"),
            pytest.param((30, 26, 20), 76 / 3, True, id="a day more in three years"),
            pytest.param((0, 0, 40), 40 / 3, False, id="this year alone would be above"),
        ],
    )
    def test_of_the_eu_are_the_mean_of_their_days(self, highs, mean, exceeded):
        found = self.ozone(EU_2024, *highs)["o3_8h"]
        assert found.over_years.years == (2023, 2024, 2025)
        assert (found.over_years.mean, found.over_years.exceeded) == (pytest.approx(mean), exceeded)
        assert (found.used, found.exceeded) == (highs[-1], highs[-1] > 25)

    def test_of_the_eu_may_be_fewer(self):
        found = self.ozone(EU_2024, 40, 0, 20, known=(300, 365, 365))["o3_8h"]
        assert (found.over_years.years, found.over_years.mean) == ((2024, 2025), 10.0)

    def test_of_the_us_are_the_mean_of_what_decides_cut_off(self):
        # Fourth highest days of 0.075, 0.070 and 0.0679: their mean of 0.07097 is cut off to 0.070.
        years = [year_until(2023 + place, offset=timedelta(0), at=OVER) for place in range(3)]
        for third, exceeded in ((0.0679, False), (0.068, True)):
            hours = {
                year: {"o3": air(days((100, 0.05), (10, high), (year.length - 110, 0.05)), "[ppm]", begin=year.begin)}
                for year, high in zip(years, (0.075, 0.070, third), strict=True)
            }
            last = hours.pop(years[-1])
            (found,) = exceedances(last, limits=US_NAAQS, year=years[-1], before=hours)
            assert (found.over_years.mean, found.over_years.exceeded) == (
                pytest.approx((0.145 + third) / 3, abs=1e-6),
                exceeded,
            )

    def test_of_the_us_must_be_three(self):
        found = self.ozone(US_NAAQS, 5, 5, 5, level=0.08, low=0.05, unit="[ppm]", known=(200, 365, 365))["o3_8h"]
        assert (found.exceeded, found.over_years) == (True, None)

    def test_are_not_told_of_what_is_of_one_year(self):
        found = self.ozone(EU_2024, 5, 5, 5)["o3_information"]
        assert found.over_years is None
        assert report(EU_2024, "o3", air(days((365, 50))))["o3_8h"].over_years is None


class TestTooLittleData:
    def test_gives_no_value_but_the_reason(self):
        values = days((300, 20), (65, NONE))
        found = report(EU_2024, "pm10", air(values))["pm10_day"]
        assert (found.value, found.exceeded, found.forecast) == (None, None, None)
        assert found.reason == "82% of the periods are known, 85% are needed"
        assert found.capture == pytest.approx(300 / 365)
        # The US is content with three quarters.
        assert report(US_NAAQS, "pm10", air(values))["pm10_day"].value == 20.0

    @pytest.mark.parametrize(
        ("known", "value", "reason"),
        [
            pytest.param(311, 20.0, "", id="311 of 365 days are 85.2 %"),
            pytest.param(310, None, "84% of the periods are known, 85% are needed", id="84.9 % are not 85 %"),
        ],
    )
    def test_begins_below_85_percent_in_the_eu(self, known, value, reason):
        for limits in (EU_2024, EU_2030):
            found = report(limits, "pm10", air(days((known, 20), (365 - known, NONE))))["pm10_day"]
            assert (found.value, found.reason) == (value, reason)

    def test_does_not_undo_what_was_exceeded(self):
        found = report(EU_2024, "pm10", air(days((40, 60), (325, NONE))))["pm10_day"]
        assert (found.value, found.used, found.exceeded) == (None, 40, True)

    def test_of_a_day_leaves_the_day_out(self):
        values = days((365, 20))
        values[:7] = NONE
        found = report(EU_2024, "pm10", air(values))["pm10_day"]
        assert found.capture == pytest.approx(364 / 365)
        # In China a day needs 20 hours.
        values[24:29] = NONE
        assert report(GB_3095_2012, "pm10", air(values))["pm10_day"].capture == pytest.approx(363 / 365)

    @pytest.mark.parametrize(
        ("at", "reason"),
        [
            pytest.param(datetime(2024, 6, 1, tzinfo=UTC), "no day of the year is over", id="a year to come"),
            pytest.param(BEGIN + 23 * HOUR, "no day of the year is over", id="its first day"),
            pytest.param(BEGIN + 30 * DAY, "the year is too young", id="no more days than may be above"),
        ],
    )
    def test_of_a_year_that_has_hardly_begun(self, at, reason):
        found = report(EU_2024, "pm10", air(days((365, 60))), at=at)["pm10_day"]
        assert (found.value, found.exceeded) == (None, None)
        assert found.reason.startswith(reason)

    def test_a_unit_is_missing(self):
        with pytest.raises(Invalid) as raised:
            report(EU_2024, "no2", air(days((365, 20)), ""))
        assert raised.value.faults[0].pointer == "/no2/unit"


class TestTheForecast:
    def test_of_a_year_that_is_over_is_what_happened(self):
        found = report(EU_2024, "pm10", air(days((355, 20), (10, 60))))
        count, mean = found["pm10_day"].forecast, found["pm10_year"].forecast
        assert (count.low, count.expected, count.high) == (10, 10, 10)
        assert mean.low == mean.expected == mean.high == found["pm10_year"].value

    def test_goes_on_as_it_was(self):
        # Every tenth day is high: 18 of 182 days; the rest is 183 days.
        values = np.concatenate([days((9, 20), (1, 60))] * 36 + [days((5, 20))])
        found = report(EU_2024, "pm10", air(values), at=BEGIN + 182 * DAY)["pm10_day"]
        assert found.used == 18
        assert found.forecast.expected == pytest.approx(18 + 183 * 18.5 / 182)
        assert 18 <= found.forecast.low < 36.6 < found.forecast.high < 18 + 183

    def test_does_not_take_none_for_never(self):
        found = of_count(np.zeros(100), rest=265, most=1)
        # Half an exceedance in 100 days.
        assert (found.low, found.expected) == (0.0, pytest.approx(1.325))
        assert found.high > 3

    def test_needs_thirty_days(self):
        assert of_count(np.zeros(29), rest=100, most=1) is None
        assert of_mean(np.append(np.ones(29), NONE), mean=1.0, rest=100) is None
        assert of_mean(np.ones(30), mean=1.0, rest=100) is not None

    def test_is_wider_where_days_resemble_one_another(self):
        calm = np.tile([0.0, 1.0, 0.0, 0.0], 30)
        spells = np.repeat(np.tile([0.0, 1.0, 0.0, 0.0], 5), 6)
        narrow, wide = (of_count(one, rest=200, most=1) for one in (calm, spells))
        assert narrow.expected == wide.expected
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)

    def test_holds_what_then_comes_nine_times_of_ten(self):
        rng = np.random.default_rng(20250101)
        held = 0
        for _ in range(400):
            year = (rng.random(365) < 0.1).astype(float)
            found = of_count(year[:180], rest=185, most=1)
            held += found.low <= year.sum() <= found.high
        assert 0.86 <= held / 400 <= 0.96

    @examples
    @given(st.lists(st.one_of(st.just(NONE), st.integers(0, 24)), min_size=30, max_size=200), st.integers(0, 200))
    def test_never_undoes_an_exceedance(self, by_day, rest):
        found = of_count(np.array(by_day, float), rest=rest, most=24)
        used = np.nansum(by_day)
        if found is not None:
            assert used <= found.low <= found.expected <= found.high <= used + 24 * rest

    @examples
    @given(st.lists(st.floats(0, 500), min_size=30, max_size=200), st.integers(0, 300))
    def test_of_a_mean_holds_it(self, by_day, rest):
        mean = float(np.mean(by_day))
        found = of_mean(np.array(by_day), mean=mean, rest=rest)
        assert 0 <= found.low <= found.expected <= found.high
        assert found.expected == mean

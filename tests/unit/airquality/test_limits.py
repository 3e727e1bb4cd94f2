"""The tables of limit values as they are printed, and the numbers that decide."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.airquality.hours import MILLION, MISSING
from techtrack.airquality.limit_sets import LIMIT_SETS, limit_set
from techtrack.airquality.limits import Allowed, Interpolated, PeakSeason, Periods, QuarterMean, Ranked, YearMean
from techtrack.core.errors import Invalid
from tests.unit.airquality.air import examples

# key=value, then /times that it may be exceeded in a year of 365 days; typed from the sources, not read from the code.
PRINTED = {
    # WHO global air quality guidelines (2021), tables 0.1 (levels and interim targets) and 0.2 (that remain valid)
    "who_2021": """
        pm2_5_year=5 pm2_5_year_it1=35 pm2_5_year_it2=25 pm2_5_year_it3=15 pm2_5_year_it4=10
        pm2_5_day=15/3 pm2_5_day_it1=75/3 pm2_5_day_it2=50/3 pm2_5_day_it3=37.5/3 pm2_5_day_it4=25/3
        pm10_year=15 pm10_year_it1=70 pm10_year_it2=50 pm10_year_it3=30 pm10_year_it4=20
        pm10_day=45/3 pm10_day_it1=150/3 pm10_day_it2=100/3 pm10_day_it3=75/3 pm10_day_it4=50/3
        o3_season=60 o3_season_it1=100 o3_season_it2=70 o3_8h=100/3 o3_8h_it1=160/3 o3_8h_it2=120/3
        no2_year=10 no2_year_it1=40 no2_year_it2=30 no2_year_it3=20 no2_day=25/3 no2_day_it1=120/3 no2_day_it2=50/3
        no2_hour=200/0 so2_day=40/3 so2_day_it1=125/3 so2_day_it2=50/3 so2_10min=500/0
        co_day=4/3 co_day_it1=7/3 co_8h=10/0 co_hour=35/0 co_15min=100/0
    """,
    # Directive (EU) 2024/2881, annex I, tables 2 and 1; thresholds of section 4
    "eu_2024": """
        pm2_5_year=25 pm10_year=40 pm10_day=50/35 no2_year=40 no2_hour=200/18 so2_hour=350/24 so2_day=125/3 co_8h=10/0
        o3_8h=120/25 pm2_5_information=50/0 pm2_5_alert=50/0 pm10_information=90/0 pm10_alert=90/0
        no2_information=150/0 no2_alert=200/0 so2_information=275/0 so2_alert=350/0 o3_information=180/0 o3_alert=240/0
    """,
    "eu_2030": """
        pm2_5_year=10 pm2_5_day=25/18 pm10_year=20 pm10_day=45/18 no2_year=20 no2_day=50/18 no2_hour=200/3
        so2_year=20 so2_day=50/18 so2_hour=350/3 co_8h=10/0 co_day=4/18 o3_8h=120/18
        pm2_5_information=50/0 pm2_5_alert=50/0 pm10_information=90/0 pm10_alert=90/0
        no2_information=150/0 no2_alert=200/0 so2_information=275/0 so2_alert=350/0 o3_information=180/0 o3_alert=240/0
    """,
    # 40 CFR 50: a 98th percentile of 365 days is the eighth highest, a 99th the fourth (appendices N, S and T, table 1)
    "us_naaqs": """
        pm2_5_year=9.0 pm2_5_day=35/7 pm10_day=150/1 o3_8h=0.070/3 no2_year=53 no2_hour=100/7 so2_hour=75/3 co_8h=9/1
        co_hour=35/1
    """,
    # GB 3095-2012, table 1, class 2; percentiles of HJ 663-2013, table 3
    "gb_3095_2012": """
        pm2_5_year=35 pm2_5_day=75/18 pm10_year=70 pm10_day=150/18 no2_year=40 no2_day=80/7 no2_hour=200/0
        so2_year=60 so2_day=150/7 so2_hour=500/0 co_day=4/18 co_hour=10/0 o3_8h=160/36 o3_hour=200/0
    """,
}


def periods(values, *, month=None, months=12):
    """Periods of a year; all of one month unless said."""
    whole = np.array([MISSING if one is None else round(one * MILLION) for one in values], np.int64)
    return Periods(whole, np.zeros(len(values), np.int64) if month is None else np.array(month), months)


def decisive(form, values, **more):
    found = form.decisive(periods(values, **more))
    return None if found is None else found / MILLION


class TestLimitSets:
    @pytest.mark.parametrize("name", PRINTED)
    def test_are_as_printed(self, name):
        found = {}
        for limit in LIMIT_SETS[name].limits:
            allowed = limit.form.allowance(365 * limit.basis.a_day)
            found[limit.key] = str(limit.value) if allowed is None else f"{limit.value}/{allowed}"
        assert found == dict(pair.split("=") for pair in PRINTED[name].split())

    def test_are_all_tested(self):
        assert set(LIMIT_SETS) == set(PRINTED)

    @pytest.mark.parametrize("name", PRINTED)
    def test_name_each_limit_by_its_parameter(self, name):
        for limit in LIMIT_SETS[name].limits:
            assert limit.key.startswith(f"{limit.parameter}_")

    @pytest.mark.parametrize(
        ("name", "share", "source"),
        [
            pytest.param("eu_2024", 0.85, "2024/2881, annex V", id="the 90 % were those of 2008/50/EC"),
            pytest.param("eu_2030", 0.85, "2024/2881, annex V", id="the same directive"),
            pytest.param("us_naaqs", 0.75, "40 CFR 50", id="three quarters"),
            pytest.param("gb_3095_2012", 324 / 365, "table 4", id="324 days"),
            pytest.param("who_2021", 0.75, "name no share", id="not of the guidelines"),
        ],
    )
    def test_say_how_much_of_a_year_they_need_and_whence(self, name, share, source):
        assert LIMIT_SETS[name].capture == share
        assert source in LIMIT_SETS[name].capture_source

    @pytest.mark.parametrize(
        ("name", "three"),
        [("eu_2024", {"no2_alert", "so2_alert"}), ("eu_2030", {"no2_alert", "so2_alert"}), ("who_2021", set())],
    )
    def test_ask_for_three_hours_in_a_row_where_gases_alert(self, name, three):
        assert {one.key for one in LIMIT_SETS[name].limits if one.basis == "3 h in a row"} == three

    def test_that_are_unknown_are_told_which_there_are(self):
        with pytest.raises(Invalid, match="who_2021, eu_2024, eu_2030, us_naaqs, gb_3095_2012") as raised:
            limit_set("eu_2008")
        assert raised.value.faults[0].pointer == "/standard"
        assert limit_set("eu_2030").name == "eu_2030"


class TestForms:
    @pytest.mark.parametrize(
        ("form", "values", "expected"),
        [
            pytest.param(Allowed(0), [1, 3, 2], 3, id="none allowed: the highest"),
            pytest.param(Allowed(2), [1, 3, None, 2], 1, id="two allowed: the third highest"),
            pytest.param(Allowed(3), [1, 3, 2], None, id="no more periods than are allowed"),
            pytest.param(YearMean(), [1, 2, None, 3], 2, id="the mean of what is known"),
            # 40 CFR 50 appendix N, table 1: 1 to 50 days the highest, 51 to 100 the second highest
            pytest.param(Ranked(Fraction(98, 100)), range(50), 49, id="98th of 50: the highest"),
            pytest.param(Ranked(Fraction(98, 100)), range(51), 49, id="98th of 51: the second highest"),
            pytest.param(Ranked(Fraction(98, 100)), range(350), 343, id="98th of 350: the seventh highest"),
            pytest.param(Ranked(Fraction(98, 100)), range(351), 343, id="98th of 351: the eighth highest"),
            # appendix T: 1 to 100 days the highest, 301 to 366 the fourth highest
            pytest.param(Ranked(Fraction(99, 100)), range(100), 99, id="99th of 100: the highest"),
            pytest.param(Ranked(Fraction(99, 100)), range(301), 297, id="99th of 301: the fourth highest"),
            # HJ 663-2013, annex A: place 1 + (n - 1) p
            pytest.param(Interpolated(Fraction(95, 100)), range(101), 95, id="95th of 101: a value"),
            pytest.param(Interpolated(Fraction(95, 100)), range(12), 10.45, id="95th of 12: between two"),
        ],
    )
    def test_decide_by(self, form, values, expected):
        assert decisive(form, list(values)) == expected

    def test_mean_of_quarters_weighs_each_the_same(self):
        # The first quarter has three days, the second one.
        assert decisive(QuarterMean(), [1, 1, 1, 5], month=[0, 1, 2, 3]) == 3

    @examples
    @given(
        st.lists(st.integers(0, 500), min_size=1, max_size=400), st.sampled_from([90, 95, 98, 99]), st.integers(0, 500)
    )
    def test_count_and_percentile_say_the_same(self, values, share, limit):
        above = sum(value > limit for value in values)
        for form in (Ranked(Fraction(share, 100)), Interpolated(Fraction(share, 100)), Allowed(3)):
            allowed = form.allowance(len(values))
            if above <= allowed:
                assert (decisive(form, values) or 0) <= limit
            if above > allowed + 1:
                assert decisive(form, values) > limit


def year_of(*means, missing=()):
    """A year of ten days a month; ``missing`` are places that are not known."""
    values = [None if place in missing else mean for place, mean in enumerate(np.repeat(means, 10).tolist())]
    return {"values": values, "month": np.repeat(np.arange(len(means)), 10), "months": len(means)}


class TestPeakSeason:
    def test_is_the_highest_of_six_months_in_a_row(self):
        assert decisive(PeakSeason(), **year_of(10, 10, 10, 70, 80, 90, 90, 80, 70, 10, 10, 10)) == 80

    def test_waits_for_six_months(self):
        assert decisive(PeakSeason(), **year_of(70, 80, 90, 90, 80)) is None

    def test_does_not_count_the_month_that_is_not_over(self):
        year = year_of(10, 10, 10, 10, 10, 10, 200)
        assert decisive(PeakSeason(), **{**year, "months": 6}) == 10

    def test_needs_three_quarters_of_each_month(self):
        known = year_of(10, 10, 10, 70, 80, 90, 90, 80, 70, 10, 10, 10, missing={40, 41})
        assert decisive(PeakSeason(), **known) == pytest.approx(80, abs=0.1)
        lacking = year_of(10, 10, 10, 70, 80, 90, 90, 80, 70, 10, 10, 10, missing={40, 41, 42})
        # The best season without May.
        assert decisive(PeakSeason(), **lacking) == pytest.approx((90 + 90 + 80 + 70 + 10 + 10) / 6)


class TestRounding:
    @pytest.mark.parametrize(
        ("name", "key", "value", "expected"),
        [
            pytest.param("eu_2024", "pm10_day", "50.49", False, id="50.49 is 50 in the EU"),
            pytest.param("eu_2024", "pm10_day", "50.5", True, id="50.5 is 51"),
            pytest.param("us_naaqs", "pm2_5_year", "9.04", False, id="9.04 is 9.0"),
            pytest.param("us_naaqs", "pm2_5_year", "9.05", True, id="9.05 is 9.1"),
            pytest.param("us_naaqs", "pm10_day", "154.9", False, id="154.9 is 150 in the US"),
            pytest.param("us_naaqs", "pm10_day", "155", True, id="155 is 160"),
            pytest.param("us_naaqs", "o3_8h", "0.0709", False, id="0.0709 is truncated to 0.070"),
            pytest.param("us_naaqs", "o3_8h", "0.071", True, id="0.071 stays"),
            pytest.param("who_2021", "pm2_5_day_it3", "37.54", False, id="37.54 is 37.5"),
        ],
    )
    def test_comes_just_before_the_comparison(self, name, key, value, expected):
        (limit,) = (one for one in LIMIT_SETS[name].limits if one.key == key)
        whole = np.array([int(Decimal(value) * MILLION), MISSING])
        brought, missing = limit.brought(whole).tolist()
        assert (brought > limit.value * MILLION) == expected
        assert missing == MISSING

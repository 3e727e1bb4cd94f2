"""The Air Quality Index of the US where its tables are not the whole of it, and where others went wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from techtrack.airquality.standard import standards
from tests.unit.airquality.air import AT, series, sub_index, verdict

US = standards.get("us_epa")


def of(parameter, hours, *, method="average"):
    (found,) = US.judge({parameter: hours}, at=AT, method=method).pollutants
    return found


class TestConcentrations:
    @pytest.mark.parametrize(
        ("parameter", "value", "index"),
        [
            pytest.param("pm2_5", "9.09", 50, id="pyairnow rounds it to 9.1, which is 51"),
            pytest.param("pm2_5", "9.05", 50, id="AirGradient's map does not truncate and shows 50.9"),
            pytest.param("pm2_5", "35.49", 100, id="truncated to 35.4"),
            pytest.param("pm10", "54.99", 50, id="truncated to 54"),
            pytest.param("o3", "0.0709", 100, id="truncated to 0.070"),
            pytest.param("co", "4.49", 50, id="truncated to 4.4"),
            pytest.param("no2", "53.99", 50, id="truncated to 53"),
            pytest.param("so2", "35.99", 50, id="truncated to 35"),
            pytest.param("pm2_5", "12.0", 56, id="50 before 2024"),
            pytest.param("pm2_5", "-0.4", 0, id="noise around zero is no negative index"),
        ],
    )
    def test_are_truncated(self, parameter, value, index):
        assert sub_index("us_epa", parameter, value, method="average") == index

    @pytest.mark.parametrize(
        ("parameter", "value", "index"),
        [
            pytest.param("pm2_5", "425.4", 699, id="pm2_5: 301 + (425.4 - 225.5) * 199 / 99.9"),
            pytest.param("pm10", "704", 611, id="pm10: 301 + (704 - 425) * 199 / 179"),
            pytest.param("no2", "3000", 737, id="no2: 301 + (3000 - 1250) * 199 / 799"),
        ],
    )
    def test_beyond_500_go_on_with_the_slope(self, parameter, value, index):
        assert sub_index("us_epa", parameter, value, method="average") == index

    def test_are_shown_as_they_were_looked_up(self):
        (found,) = verdict("us_epa", method="average", pm2_5="35.49").pollutants
        assert (str(found.concentration), found.unit, found.averaging, found.completeness) == (
            "35.4",
            "ug/m3",
            "24 h",
            1,
        )


class TestOzone:
    def test_of_one_hour_says_nothing_below_0125(self):
        hours = series([None] * 7 + [0.1249], "[ppm]")
        found = of("o3", hours)
        assert found.index is None
        told = "1 of 8 h are known, 6 are needed; a mean of 1 h as low as this says nothing alone"
        assert (found.reason, str(found.concentration)) == (told, "0.124")

    @pytest.mark.parametrize(
        ("hour", "index"),
        [
            pytest.param(0.125, 101, id="its first breakpoint"),
            pytest.param(0.164, 150, id="the end of its first band"),
            pytest.param(0.165, 151, id="its second band"),
            pytest.param(0.204, 200, id="the end of its second band"),
            pytest.param(0.205, 201, id="its third band"),
            pytest.param(0.404, 300, id="the end of its third band"),
            pytest.param(0.405, 301, id="hazardous, which eight hours cannot say"),
            pytest.param(0.604, 500, id="the end of the table"),
        ],
    )
    def test_of_one_hour_counts_alone_from_there(self, hour, index):
        assert of("o3", series([None] * 7 + [hour], "[ppm]")).index == index

    def test_takes_the_higher_of_both(self):
        # Eight hours of 0.069 are 97; the hour of 0.130 is 101 + 5 * 49 / 39 = 107.
        found = of("o3", series([0.060] * 7 + [0.130], "[ppm]"))
        assert (found.averaging, found.index) == ("1 h", 107)
        found = of("o3", series([0.080] * 7 + [0.120], "[ppm]"))
        assert (found.averaging, str(found.concentration), found.index) == ("8 h", "0.085", 150)

    def test_of_eight_hours_says_nothing_above_300(self):
        # pyairnow goes on with eight hours up to 0.604.
        assert of("o3", series([0.25] * 8, "[ppm]")).index == 300


class TestSulphurDioxide:
    @pytest.mark.parametrize(
        ("hours", "index"),
        [
            pytest.param([10] * 23 + [304], 200, id="304 in the hour"),
            pytest.param([10] * 23 + [305], 200, id="305 in the hour, the day below"),
            pytest.param([10] * 23 + [900], 200, id="900 in the hour, the day below"),
            pytest.param([305] * 24, 201, id="the day as high"),
            pytest.param([304] * 12 + [306] * 12, 201, id="the day just as high"),
            pytest.param([400] * 23 + [20], 227, id="the hour is low again and the day is not"),
            pytest.param([None] * 23 + [900], 200, id="no day is known"),
        ],
    )
    def test_above_304_is_200_unless_the_day_is_as_high(self, hours, index):
        assert of("so2", series(hours, "[ppb]")).index == index

    def test_of_a_low_day_without_its_hour_says_nothing(self):
        found = of("so2", series([10] * 23 + [None], "[ppb]"))
        assert found.index is None
        assert found.reason == "0 of 1 h are known, 1 are needed; a mean of 24 h as low as this says nothing alone"


class TestEditions:
    @pytest.mark.parametrize(
        ("at", "edition", "index"),
        [
            pytest.param(datetime(2010, 1, 1, tzinfo=UTC), "2012 edition", 50, id="before any: the first"),
            pytest.param(datetime(2015, 12, 28, tzinfo=UTC), "2012 edition", 50, id="the last hour of the first"),
            pytest.param(datetime(2015, 12, 28, 1, tzinfo=UTC), "2015 edition", 50, id="the first hour of the second"),
            pytest.param(datetime(2024, 5, 6, tzinfo=UTC), "2015 edition", 50, id="the last hour of the second"),
            pytest.param(datetime(2024, 5, 6, 1, tzinfo=UTC), "2024 edition", 56, id="the first hour of the newest"),
        ],
    )
    def test_are_chosen_by_the_day(self, at, edition, index):
        found = verdict("us_epa", at=at, method="average", pm2_5="12.0")
        assert (found.edition, found.index) == (edition, index)

    def test_change_within_a_history(self):
        last = datetime(2024, 5, 6, 3, tzinfo=UTC)
        found = US.history({"pm2_5": series([12.0] * 48, last=last)}, method="average")
        assert found.index[-5:].tolist() == [50, 50, 56, 56, 56]
        assert found.first + timedelta(hours=47) == last


class TestNowCast:
    def test_is_how_it_averages_unless_asked(self):
        hours = {"pm2_5": series([10.0] * 9 + [50.0, 60.0, 61.97])}
        assert US.judge(hours, at=AT).method == "nowcast"
        # The weight is a half: (61.97 + 30 + 12.5 + 10 * (1/8 + ... + 1/2048)) / (2 - 1/2048) = 53.48.
        (found,) = US.judge(hours, at=AT).pollutants
        assert (str(found.concentration), found.averaging) == ("53.4", "NowCast of 12 h")

    def test_of_ozone_is_the_surrogate(self):
        found = of("o3", series([None] * 7 + [70.0], "[ppb]"), method="nowcast")
        # 0.85 * 70 + 4.5 = 64.0 ppb
        assert (str(found.concentration), found.index) == ("0.064", 80)

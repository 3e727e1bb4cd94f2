"""What all standards have in common: methods, completeness, quorum, what dominates, and what they refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from techtrack.airquality.standard import standards
from techtrack.airquality.tables import NONE
from techtrack.airquality.units import Reference
from techtrack.core.errors import Invalid
from tests.unit.airquality.air import (
    AT,
    EU_AIR,
    HOUR,
    WARM_AIR,
    reference_of,
    series,
    still,
    sub_index,
    unit_of,
    verdict,
)


def judged(name, hours, method=None):
    return standards.get(name).judge(hours, at=AT, method=method)


class TestCompleteness:
    @pytest.mark.parametrize(
        ("name", "parameter", "hours", "least"),
        [
            pytest.param("us_epa", "pm2_5", 24, 18, id="us_epa pm2_5: 18 of 24"),
            pytest.param("us_epa", "co", 8, 6, id="us_epa co: 6 of 8"),
            pytest.param("uk_daqi", "pm10", 24, 18, id="uk_daqi pm10: 18 of 24"),
            pytest.param("uk_daqi", "o3", 8, 6, id="uk_daqi o3: 6 of 8"),
            pytest.param("in_naqi", "pm10", 24, 16, id="in_naqi pm10: 16 of 24, less than anybody else"),
            pytest.param("cn_hj633", "pm10", 24, 20, id="cn_hj633 pm10: 20 of 24 (GB 3095-2012, table 4)"),
            pytest.param("eu_eaqi", "pm10", 1, 1, id="eu_eaqi pm10: the hour"),
        ],
    )
    def test_is_enough_with_as_many_hours_and_not_with_one_less(self, name, parameter, hours, least):
        for known in (least, least - 1):
            values = [None] * (hours - known) + [20.0] * known
            air = {parameter: series(values, unit_of(name, parameter), reference=reference_of(name))}
            (found,) = judged(name, air, "average").pollutants
            assert found.completeness == known / hours
            assert (found.index is not None) == (known == least)
        assert found.reason == f"{least - 1} of {hours} h are known, {least} are needed"

    def test_of_nothing_gives_no_index_but_the_reason(self):
        found = judged("us_epa", {"pm2_5": series([None] * 24)})
        assert (found.index, found.category, found.dominant) == (None, None, None)
        assert found.reason == "one pollutant is needed with an index of its own, 0 have one"
        assert "0 of 3 h are known, 2 are needed" in found.explanation

    def test_of_no_parameter_that_is_known(self):
        found = judged("eu_eaqi", {"co2": still(420.0, "[ppm]")})
        assert (found.index, found.pollutants) == (None, ())

    def test_of_hours_that_ended_long_ago(self):
        found = standards.get("eu_eaqi").judge({"pm2_5": still(9.0)}, at=AT + HOUR)
        assert found.index is None

    def test_looks_at_full_hours_alone(self):
        found = standards.get("eu_eaqi").judge({"pm2_5": still(9.0)}, at=AT + timedelta(minutes=59))
        assert found.index == 2

    def test_does_not_look_at_what_comes_after(self):
        found = standards.get("eu_eaqi").judge({"pm2_5": series([9.0, 500.0])}, at=AT - HOUR)
        assert found.index == 2


class TestQuorum:
    def test_of_india_is_three(self):
        found = verdict("in_naqi", pm2_5="90", no2="20")
        assert (found.index, found.dominant) == (None, None)
        assert found.reason == "3 pollutants are needed with an index of its own, 2 have one"
        assert [one.index for one in found.pollutants] == [200, 25]

    def test_of_india_includes_dust(self):
        found = verdict("in_naqi", so2="10", co="1", no2="20")
        assert (found.index, found.reason) == (None, "one of pm2_5, pm10 is needed")

    def test_of_canada_is_all_three(self):
        assert verdict("ca_aqhi", o3="30", pm2_5="12").reason == "the sum lacks no2"

    def test_of_others_is_one(self):
        assert verdict("eu_eaqi", so2="30").index == 2


class TestWhatDominates:
    def test_is_the_highest(self):
        found = verdict("us_epa", method="average", pm2_5="9.0", o3="0.071", no2="20")
        assert (found.index, found.dominant, found.category.name) == (101, "o3", "Unhealthy for Sensitive Groups")

    def test_is_of_equal_ones_the_first_of_the_standard(self):
        assert verdict("eu_eaqi", so2="10", pm10="5").dominant == "pm10"

    def test_is_nothing_on_an_excellent_day_in_china(self):
        assert verdict("cn_hj633", pm2_5="35", no2="20").dominant is None
        assert verdict("cn_hj633", pm2_5="35.1", no2="20").dominant == "pm2_5"

    def test_is_in_canada_what_adds_most(self):
        assert verdict("ca_aqhi", o3="30", no2="20", pm2_5="12").dominant == "no2"


class TestIndia:
    @pytest.mark.parametrize(
        ("value", "index"),
        [
            pytest.param("78", 160, id="the table with gaps gives 159"),
            pytest.param("45", 75, id="within the first band but one"),
            pytest.param("300", 438, id="severe goes on with the slope before"),
        ],
    )
    def test_joins_its_bands(self, value, index):
        assert sub_index("in_naqi", "pm2_5", value) == index

    def test_takes_the_hour_of_ozone_above_208(self):
        air = {"o3": series([100.0] * 7 + [478.0], reference=WARM_AIR)}
        (found,) = judged("in_naqi", air).pollutants
        assert (found.averaging, found.index) == ("1 h", 350)


class TestUnitedKingdom:
    @pytest.mark.parametrize(
        ("value", "index"),
        [
            pytest.param("11.49", 1, id="rounded down"),
            pytest.param("11.5", 2, id="a half is rounded up"),
            pytest.param("23.499999", 2, id="nearly a half is not"),
        ],
    )
    def test_rounds_first(self, value, index):
        assert sub_index("uk_daqi", "pm2_5", value) == index

    def test_does_not_round_the_hours_of_a_mean(self):
        # Rounded to 11 each they would make 1; their mean is 11.5.
        air = {"pm2_5": series([11.49, 11.51] * 12)}
        assert judged("uk_daqi", air).index == 2

    def test_looks_at_the_highest_quarter_of_sulphur_dioxide(self):
        quarters = np.array([[20.0, 300.0, np.nan, 40.0]])
        found = judged("uk_daqi", {"so2": series([120.0], quarters=quarters, reference=EU_AIR)})
        assert (found.index, found.pollutants[0].averaging) == (4, "15 min")

    def test_cannot_tell_quarters_from_hours(self):
        (found,) = judged("uk_daqi", {"so2": series([120.0], reference=EU_AIR)}).pollutants
        assert (found.index, found.reason) == (None, "no mean of 15 minutes is known of the latest hour")


class TestCanada:
    def test_is_one_sum(self):
        # (1000 / 10.4) * (e^(0.000871 * 20) + e^(0.000537 * 30) + e^(0.000487 * 12) - 3) = 3.81
        found = verdict("ca_aqhi", o3="30", no2="20", pm2_5="12")
        assert (found.index, found.category.name) == (4, "Moderate")
        assert [one.reason[:9] for one in found.pollutants] == ["adds 1.69", "adds 1.56", "adds 0.56"]

    def test_begins_at_one_and_ends_nowhere(self):
        assert verdict("ca_aqhi", o3="0", no2="0", pm2_5="0").index == 1
        found = verdict("ca_aqhi", o3="80", no2="60", pm2_5="300")
        assert (found.index, found.category.name) == (25, "Very High")

    @pytest.mark.parametrize("known", [pytest.param(2, id="two hours do"), pytest.param(1, id="one does not")])
    def test_needs_two_of_three_hours(self, known):
        hours = [None] * (3 - known) + [20.0] * known
        air = {"o3": series(hours, "[ppb]"), "no2": series(hours, "[ppb]"), "pm2_5": series(hours)}
        assert (judged("ca_aqhi", air).index is not None) == (known == 2)


class TestChina:
    def test_looks_at_the_day_of_sulphur_dioxide_above_800_in_an_hour(self):
        air = {"so2": series([100.0] * 23 + [900.0], reference=WARM_AIR)}
        (found,) = judged("cn_hj633", air, "hourly").pollutants
        assert (found.averaging, found.index) == ("1 h", 200)
        air = {"so2": series([1700.0] * 24, reference=WARM_AIR)}
        (found,) = judged("cn_hj633", air, "hourly").pollutants
        assert (found.averaging, found.index) == ("24 h", 320)

    @pytest.mark.parametrize(
        ("at", "concentration", "edition"),
        [
            pytest.param(datetime(2018, 8, 31, tzinfo=UTC), "520", "2012 edition", id="at 0 °C"),
            pytest.param(datetime(2018, 9, 2, tzinfo=UTC), "476.397786", "2012 edition, amended 2018", id="at 25 °C"),
            pytest.param(
                datetime(2026, 4, 1, tzinfo=UTC),
                "476.397786",
                "2012 edition, which HJ 633-2026 has replaced",
                id="which no longer holds",
            ),
        ],
    )
    def test_takes_the_air_that_was_declared_then(self, at, concentration, edition):
        air = {"so2": series([520.0] * 24, reference=Reference(0.0, 1013.25), last=at)}
        found = standards.get("cn_hj633").judge(air, at=at, method="hourly")
        assert float(found.pollutants[0].concentration) == pytest.approx(float(concentration), abs=1e-3)
        assert found.edition == edition

    def test_rounds_up(self):
        # 50 + (36 - 35) * 50 / 40 = 51.25
        assert sub_index("cn_hj633", "pm2_5", "36") == 52


class TestRefusals:
    def test_an_unknown_standard_is_told_which_there_are(self):
        with pytest.raises(Invalid, match="ca_aqhi, cn_hj633, eu_eaqi, in_naqi, uk_daqi, us_epa"):
            standards.get("aqi")

    @pytest.mark.parametrize("name", [one for one in standards.names() if one != "us_epa"])
    def test_a_method_that_the_standard_does_not_have(self, name):
        for ask in (standards.get(name).history, lambda hours, method: judged(name, hours, method)):
            with pytest.raises(Invalid) as raised:
                ask({"pm2_5": still(9.0)}, method="nowcast")
            assert [fault.pointer for fault in raised.value.faults] == ["/method"]

    def test_a_mass_of_gas_without_its_reference_where_a_ratio_is_needed(self):
        air = {"no2": still(40.0), "o3": still(60.0), "pm2_5": still(9.0)}
        for ask in (lambda: judged("us_epa", air), lambda: standards.get("us_epa").history(air)):
            with pytest.raises(Invalid, match="reference temperature of o3 is not declared") as raised:
                ask()
            assert [(one.pointer, one.code) for one in raised.value.faults] == [
                ("/o3/reference_temperature", "undeclared"),
                ("/no2/reference_temperature", "undeclared"),
            ]

    @pytest.mark.parametrize("name", ["eu_eaqi", "uk_daqi", "in_naqi", "cn_hj633"])
    def test_a_mass_of_gas_without_its_reference_where_the_standard_has_another_perhaps(self, name):
        air = {"no2": still(40.0), "pm2_5": still(9.0)}
        for ask in (lambda: judged(name, air), lambda: standards.get(name).history(air)):
            with pytest.raises(Invalid) as raised:
                ask()
            assert [one.pointer for one in raised.value.faults] == ["/no2/reference_temperature"]
        assert judged(name, air | {"no2": still(21.0, "ppb")}).pollutants

    def test_a_parameter_without_unit(self):
        with pytest.raises(Invalid) as raised:
            judged("eu_eaqi", {"pm2_5": still(9.0, "")})
        assert [fault.pointer for fault in raised.value.faults] == ["/pm2_5/unit"]


class TestUnits:
    def test_of_a_reference_are_converted_to_those_of_the_table(self):
        # 1 ppb of NO2 is 1.9125 µg/m³ at 20 °C: 101.4 µg/m³ are 53.02 ppb.
        assert judged("us_epa", {"no2": still(101.4, reference=EU_AIR)}).index == 50
        assert judged("us_epa", {"no2": still(103.3, reference=EU_AIR)}).index == 51

    def test_of_a_ratio_are_taken_at_the_reference_of_the_standard(self):
        # 13.0 ppb are 24.86 µg/m³ at 20 °C, 13.1 are 25.05.
        assert judged("eu_eaqi", {"no2": still(13.0, "ppb")}).index == 2
        assert judged("eu_eaqi", {"no2": still(13.1, "ppb")}).index == 3


class TestHistory:
    def test_of_nothing_is_empty(self):
        for name in standards.names():
            found = standards.get(name).history({})
            assert (len(found.index), len(found.dominant)) == (0, 0)

    def test_spans_all_parameters(self):
        air = {"pm2_5": series([9.0, 9.0], last=AT), "no2": series([26.0], last=AT + 2 * HOUR, reference=EU_AIR)}
        found = standards.get("eu_eaqi").history(air)
        assert found.first == AT - HOUR
        assert found.index.tolist() == [2, 2, NONE, 3]
        assert found.dominant.tolist() == [0, 0, NONE, 1]

    def test_tells_classes(self):
        standard = standards.get("eu_eaqi")
        found = standard.history({"pm2_5": series([5.0, None, 200.0])})
        assert found.categories(standard.categories).tolist() == [0, NONE, 5]

    def test_refuses_hours_that_begin_at_different_minutes(self):
        air = {"pm2_5": series([9.0]), "pm10": series([9.0], last=AT + timedelta(minutes=30))}
        with pytest.raises(Invalid, match="begin at the same minute"):
            standards.get("eu_eaqi").history(air)


class TestTheExplanation:
    def test_says_how_it_came_about(self):
        found = verdict("us_epa", method="average", pm2_5="35.5", no2="20")
        assert found.explanation == (
            "us_epa, 2024 edition, method average: 101, Unhealthy for Sensitive Groups. "
            "pm2_5 35.5 ug/m3 (24 h, 100% of the hours): index 101. no2 20 ppb (1 h, 100% of the hours): index 19."
        )

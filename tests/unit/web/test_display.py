"""How numbers, units and ages are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from techtrack.assets.domain.units import sign
from techtrack.web.domain.display import Measure, age, in_words, natural, patience

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


class TestMeasure:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            pytest.param(1480.4, "1480", id="thousands need no decimals"),
            pytest.param(-101.32, "-101.3", id="a sign does not count"),
            pytest.param(71.3, "71.30", id="about four figures"),
            pytest.param(0.0724, "0.072", id="below one three decimals"),
            pytest.param(None, "\N{EN DASH}", id="no value"),
            pytest.param(float("nan"), "\N{EN DASH}", id="not a number"),
        ],
    )
    def test_shows_about_four_figures(self, value, text):
        assert Measure("x", "X").show(value) == text

    def test_keeps_the_precision_of_its_parameter(self):
        assert Measure("co2", "CO2", precision=0).show(614.4) == "614"

    def test_names_the_values_of_a_state(self):
        measure = Measure("running", "Running", labels={"1": "on", "0": "off"})
        assert [measure.show(value) for value in (1.0, 0.0, 2.0)] == ["on", "off", "2.00"]


class TestSign:
    @pytest.mark.parametrize(
        ("unit", "shown"),
        [
            ("Cel", "°C"),
            ("ug/m3", "µg/m³"),
            ("[ppm]", "ppm"),
            ("{rpm}", "rpm"),
            ("m/s2", "m/s²"),
            ("mm/s", "mm/s"),
            ("um", "µm"),
            ("1", ""),
            ("", ""),
            ("lux", "lux"),
        ],
    )
    def test_writes_units_as_people_do(self, unit, shown):
        assert sign(unit) == shown


class TestPatience:
    def test_is_thirty_seconds_at_least(self):
        assert patience(None) == patience(timedelta(seconds=1)) == timedelta(seconds=30)

    def test_is_three_intervals_of_an_asset_that_reports_rarely(self):
        assert patience(timedelta(minutes=10)) == timedelta(minutes=30)


class TestAge:
    def test_is_never_negative(self):
        assert age(NOW + timedelta(seconds=5), NOW) == 0

    def test_is_unknown_where_nothing_came(self):
        assert age(None, NOW) is None

    @pytest.mark.parametrize(
        ("seconds", "words"), [(59, "59 s"), (60, "1 min"), (7_199, "1 h"), (100_000, "27 h"), (172_800, "2 days")]
    )
    def test_is_told_in_its_largest_unit(self, seconds, words):
        assert in_words(seconds) == words


class TestNatural:
    def test_sorts_names_as_people_count(self):
        names = ["Machine 10", "machine 2", "Machine 1", "Press", "2 west", ""]
        assert sorted(names, key=natural) == ["", "2 west", "Machine 1", "machine 2", "Machine 10", "Press"]

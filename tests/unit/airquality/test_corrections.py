"""Corrections of low-cost sensors against numbers by hand, and against a well-known mistake."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.airquality.correction import corrections
from tests.unit.airquality.air import examples


def corrected(name, value, humidity, parameter="pm2_5"):
    found = corrections.get(name).corrected(np.array([value]), parameter=parameter, humidity=np.array([humidity]))
    return float(found[0])


@pytest.mark.parametrize("name", corrections.names())
class TestEveryCorrection:
    def test_says_what_it_is_for_and_whence(self, name):
        one = corrections.get(name)
        assert one.title
        assert one.source
        assert set(one.parameters) <= {"pm2_5", "pm10"}

    def test_ends_its_sources_with_the_parameter_itself(self, name):
        for parameter in corrections.get(name).parameters:
            assert corrections.get(name).sources(parameter)[-1] == parameter

    def test_of_what_is_not_known_is_not_known(self, name):
        for parameter in corrections.get(name).parameters:
            assert np.isnan(corrected(name, float("nan"), 50.0, parameter))
            for value in (20.0, 300.0):
                assert np.isnan(corrected(name, value, float("nan"), parameter))

    @examples
    @given(value=st.floats(0, 1000))
    def test_takes_impossible_humidity_for_the_nearest_that_is(self, name, value):
        for parameter in corrections.get(name).parameters:
            assert corrected(name, value, 130.0, parameter) == corrected(name, value, 100.0, parameter)
            assert corrected(name, value, -5.0, parameter) == corrected(name, value, 0.0, parameter)

    def test_does_not_touch_the_raw_value(self, name):
        for parameter in corrections.get(name).parameters:
            raw = np.array([12.5, 400.0])
            corrections.get(name).corrected(raw, parameter=parameter, humidity=np.array([50.0, 50.0]))
            assert raw.tolist() == [12.5, 400.0]


@pytest.mark.parametrize(
    ("name", "sources"),
    [
        ("barkjohn_2021", ("pm2_5_standard", "pm2_5")),
        ("epa_2021", ("pm2_5_standard", "pm2_5")),
        ("hackair", ("pm2_5",)),
    ],
)
def test_those_of_plantowers_prefer_the_factorys_dust(name, sources):
    assert corrections.get(name).sources("pm2_5") == sources


class TestBarkjohn:
    @pytest.mark.parametrize(
        ("value", "humidity", "expected"),
        [
            # 0.524 * 40 - 0.0862 * 50 + 5.75
            pytest.param(40, 50, 22.4, id="as published; the preprint's 0.0852 and 5.72 make 22.42"),
            pytest.param(0, 100, -2.87, id="below zero it stays"),
        ],
    )
    def test_is_the_published_line(self, value, humidity, expected):
        assert corrected("barkjohn_2021", value, humidity) == pytest.approx(expected)


class TestFiveSegments:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            pytest.param(0, 1.44, id="zero is corrected too"),
            pytest.param(20, 11.92, id="first: 0.524 * 20 - 4.31 + 5.75"),
            pytest.param(40, 27.64, id="second: 3 / 2 as whole numbers gives 32.88"),
            pytest.param(100, 80.04, id="third: 0.786 * 100 - 4.31 + 5.75"),
            # g = 0.5: (0.345 + 0.393) * 235 + 0.5 * 1.44 + 1.483 + 8.84e-4 * 235^2 * 0.5
            pytest.param(235, 200.04245, id="fourth"),
            # 2.966 + 207 + 79.56
            pytest.param(300, 289.526, id="fifth, where humidity counts no more"),
        ],
    )
    def test_are_these(self, value, expected):
        assert corrected("epa_2021", value, 50.0) == pytest.approx(expected)

    @pytest.mark.parametrize("edge", [30.0, 50.0, 210.0, 260.0])
    @examples
    @given(humidity=st.floats(0, 100))
    def test_join(self, edge, humidity):
        below, above = (corrected("epa_2021", edge + by, humidity) for by in (-1e-7, 1e-7))
        assert below == pytest.approx(above, abs=1e-5)

    def test_never_go_below_zero(self):
        assert corrected("epa_2021", 0.0, 100.0) == 0.0


class TestHackAir:
    @pytest.mark.parametrize(
        ("parameter", "humidity", "expected"),
        [
            pytest.param("pm10", 0.0, 100.0, id="dry air"),
            pytest.param("pm10", 100.0, 55.07852, id="100 / 1.81559"),
            pytest.param("pm2_5", 100.0, 67.22418, id="100 / 1.48756"),
            # 0.7^5.83411 = 0.12482
            pytest.param("pm10", 70.0, 90.76038, id="the limit of the specification"),
        ],
    )
    def test_takes_the_water_away(self, parameter, humidity, expected):
        assert corrected("hackair", 100.0, humidity, parameter) == pytest.approx(expected, rel=1e-4)

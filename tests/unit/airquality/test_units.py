"""Conversion of amounts: the factors that others print, and what is refused instead of guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.airquality.units import MOLAR_MASSES, Amount, Reference, factor, mass_of_ppb
from techtrack.core.errors import Invalid
from tests.unit.airquality.air import examples

COLD, EU, WARM = (Reference(temperature, 1013.25) for temperature in (0.0, 20.0, 25.0))


class TestMassOfPpb:
    # Derived from M · P / (R · T); Defra prints 1.9125 and 1.1642 (20 °C), NSW 20.5 and 18.8 µg/m³ per pphm of NO2.
    @pytest.mark.parametrize(
        ("gas", "cold", "eu", "warm"),
        [
            pytest.param("no2", 2.0525, 1.9125, 1.8804, id="no2"),
            pytest.param("o3", 2.1414, 1.9953, 1.9619, id="o3"),
            pytest.param("so2", 2.8582, 2.6632, 2.6186, id="so2"),
            pytest.param("co", 1.2497, 1.1644, 1.1449, id="co"),
            pytest.param("no", 1.3387, 1.2474, 1.2265, id="no"),
        ],
    )
    def test_is_what_is_printed(self, gas, cold, eu, warm):
        found = [mass_of_ppb(gas, at=air) for air in (COLD, EU, WARM)]
        assert found == pytest.approx([cold, eu, warm], abs=6e-5)

    def test_falls_with_height(self):
        assert mass_of_ppb("o3", at=Reference(20.0, 506.625)) == pytest.approx(mass_of_ppb("o3", at=EU) / 2)

    @pytest.mark.parametrize(
        ("gas", "air", "pointer"),
        [
            pytest.param("o3", Reference(None, 1013.25), "/reference_temperature", id="no temperature"),
            pytest.param("o3", Reference(20.0, None), "/reference_pressure", id="no pressure"),
            pytest.param("o3", Reference(-300.0, 1013.25), "/reference", id="colder than can be"),
            pytest.param("o3", Reference(20.0, 0.0), "/reference", id="no air"),
            pytest.param("pm10", EU, "/unit", id="dust"),
        ],
    )
    def test_refuses_what_it_cannot_know(self, gas, air, pointer):
        with pytest.raises(Invalid) as raised:
            mass_of_ppb(gas, at=air)
        assert raised.value.faults[0].pointer == pointer


class TestFactor:
    @pytest.mark.parametrize(
        ("parameter", "measured", "wanted", "expected"),
        [
            pytest.param("pm10", Amount("µg/m³"), Amount("ug/m3"), 1.0, id="another spelling"),
            pytest.param("pm10", Amount("μg/m³"), Amount("ug/m3"), 1.0, id="the Greek letter"),
            pytest.param("co", Amount("mg/m3"), Amount("ug/m3"), 1000.0, id="between masses"),
            pytest.param("co", Amount("ppb"), Amount("[ppm]"), 0.001, id="between ratios, whatever the air"),
            pytest.param("no2", Amount("[ppb]"), Amount("ug/m3", EU), 1.91250, id="ratio to mass: the air of the mass"),
            pytest.param("no2", Amount("[ppb]", WARM), Amount("ug/m3", EU), 1.91250, id="not the air of the ratio"),
            pytest.param("no2", Amount("ug/m3", EU), Amount("[ppb]"), 1 / 1.91250, id="mass to ratio"),
            pytest.param("co", Amount("[ppm]"), Amount("mg/m3", WARM), 1.1449, id="ppm to mg/m3"),
            pytest.param(
                "no2", Amount("ug/m3", EU), Amount("ug/m3", WARM), 293.15 / 298.15, id="from one air to another"
            ),
            pytest.param("no2", Amount("ug/m3"), Amount("mg/m3"), 0.001, id="masses of whatever air"),
            pytest.param("pm10", Amount("ug/m3", EU), Amount("ug/m3", WARM), 1.0, id="dust is never restated"),
        ],
    )
    def test_converts(self, parameter, measured, wanted, expected):
        assert factor(parameter, measured=measured, wanted=wanted) == pytest.approx(expected, rel=2e-5)

    @pytest.mark.parametrize(
        ("parameter", "measured", "wanted", "pointer", "code"),
        [
            pytest.param("o3", Amount(""), Amount("[ppm]"), "/o3/unit", "undeclared", id="no unit"),
            pytest.param("o3", Amount("DU"), Amount("[ppm]"), "/o3/unit", "invalid", id="another unit"),
            pytest.param(
                "o3", Amount("ug/m3"), Amount("[ppm]"), "/o3/reference_temperature", "undeclared", id="no reference"
            ),
            pytest.param(
                "o3",
                Amount("[ppm]"),
                Amount("ug/m3"),
                "/o3/reference_temperature",
                "undeclared",
                id="none of the other",
            ),
            pytest.param(
                "o3",
                Amount("ug/m3"),
                Amount("ug/m3", EU),
                "/o3/reference_temperature",
                "undeclared",
                id="a mass of some air where that of another is wanted",
            ),
            pytest.param(
                "o3",
                Amount("ug/m3", Reference(20.0, None)),
                Amount("ug/m3", EU),
                "/o3/reference_pressure",
                "undeclared",
                id="a mass of some pressure",
            ),
            pytest.param("pm10", Amount("[ppb]"), Amount("ug/m3"), "/pm10/unit", "invalid", id="dust has no ratio"),
        ],
    )
    def test_names_what_is_missing(self, parameter, measured, wanted, pointer, code):
        with pytest.raises(Invalid) as raised:
            factor(parameter, measured=measured, wanted=wanted)
        assert [(one.pointer, one.code) for one in raised.value.faults] == [(pointer, code)]

    @examples
    @given(
        st.sampled_from(sorted(MOLAR_MASSES)),
        st.sampled_from(["ug/m3", "mg/m3", "ppb", "ppm"]),
        st.sampled_from(["ug/m3", "mg/m3", "ppb", "ppm"]),
        st.floats(-40, 50),
        st.floats(500, 1100),
    )
    def test_there_and_back_is_the_same(self, gas, one, other, temperature, pressure):
        air = Reference(temperature, pressure)
        there = factor(gas, measured=Amount(one, air), wanted=Amount(other, air))
        back = factor(gas, measured=Amount(other, air), wanted=Amount(one, air))
        assert there * back == pytest.approx(1.0)

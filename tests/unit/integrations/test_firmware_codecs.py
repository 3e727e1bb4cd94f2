"""Bodies of firmwares, captured from real units, become values by parameter with their units."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from techtrack.integrations.codecs import airgradient, sensor_community
from techtrack.integrations.domain.pushing import BadBody, converted
from techtrack.integrations.domain.settings import BadSettings, check_settings

CAPTURED = Path(__file__).resolve().parents[2] / "golden" / "firmwares"


def captured(name: str):
    """A captured body, decoded."""
    raw = (CAPTURED / name).read_bytes()
    return json.loads(raw.rpartition(b"\r\n\r\n")[2])


COMMUNITY = [
    pytest.param(
        "sensor_community_custom_2017.http",
        {"pm10": 4.3, "pm2_5": 3.53, "temperature": 20.8, "humidity": 52.3, "signal": -82},
        "esp8266-3394227",
        id="P1 is PM10 and P2 is PM2.5; what the loop tells of itself is left out",
    ),
    pytest.param(
        "sensor_community_custom_2020.json",
        {"pm10": 1.1, "pm2_5": 1.0, "signal": -79},
        "esp8266-16659171",
        id="a unit with dust alone",
    ),
    pytest.param(
        "sensor_community_bme280_2020.json",
        {"temperature": 25.2, "pressure": 1010.8106, "humidity": 47.67, "signal": -36},
        "esp8266-6389717",
        id="pressure comes in Pa",
    ),
    pytest.param(
        "sensor_community_bmp180_2017.json",
        {
            "pm10": 4.37,
            "pm2_5": 2.23,
            "temperature": 25.1,
            "humidity": 51.0,
            "pressure": 1023.72,
            "bmp_temperature": 25.61,
            "signal": -73,
        },
        "esp8266-1844542",
        id="a second part that measures the same keeps its name",
    ),
    pytest.param(
        "sensor_community_dht_2016.json",
        {"temperature": 26.5, "humidity": 52.9},
        "",
        id="one part of a unit, which its header names",
    ),
]
AIRGRADIENT = [
    pytest.param(
        "airgradient_one_3_0_8.json",
        {"signal": -52, "co2": 778, "pm1": 22, "pm2_5": 34, "pm10": 41, "count_0_3": 270, "voc_index": 99}
        | {"voc_raw": 31792, "nox_index": 1, "nox_raw": 16931, "temperature": 27.96, "humidity": 48, "boot": 28},
        "84fce612f5b8",
        id="pm02 is PM2.5; texts and modes are left out",
    ),
    pytest.param(
        "airgradient_one_3_1_21.json",
        {"pm1": 0, "pm2_5": 2, "pm10": 2, "pm1_standard": 0, "pm2_5_standard": 2, "pm10_standard": 2}
        | {"count_0_3": 256, "count_0_5": 216.17, "count_1": 0, "count_2_5": 0, "count_5": 0, "count_10": 0}
        | {"temperature": 20.35, "temperature_compensated": 20.35, "humidity": 32.51, "humidity_compensated": 32.51}
        | {"pm2_5_compensated": 6.83, "co2": 566, "voc_index": 138, "voc_raw": 33774.83, "nox_index": 1}
        | {"nox_raw": 15568.08, "boot": 309, "signal": -40},
        "aaaaaaaaaa",
        id="what is compensated stands beside what was measured",
    ),
    pytest.param(
        "airgradient_after_boot.json",
        {"signal": -59, "boot": 0},
        "84fce612f5b8",
        id="just after boot nothing is measured",
    ),
    pytest.param(
        "airgradient_channels.json",
        {"signal": -61, "pm1": 3.5, "pm2_5": 8.25, "pm10": 9.5, "count_0_3": 701.5, "temperature": 15.55}
        | {"humidity": 61.5, "boot": 912, "pm1_a": 3, "pm2_5_a": 7.9, "pm10_a": 9, "count_0_3_a": 688}
        | {"temperature_a": 15.5, "humidity_a": 61, "pm1_b": 4, "pm2_5_b": 8.6, "pm10_b": 10, "count_0_3_b": 715}
        | {"temperature_b": 15.6, "humidity_b": 62},
        "",
        id="two channels are a and b",
    ),
]


class TestSensorCommunity:
    @pytest.mark.parametrize(("name", "values", "unit"), COMMUNITY)
    def test_reads_a_captured_body(self, name, values, unit):
        found = sensor_community.decode(captured(name))
        assert found.values == values
        assert found.unit_id == unit
        assert found.time is None

    def test_says_in_which_unit_each_value_is(self):
        found = sensor_community.decode(captured("sensor_community_bmp180_2017.json"))
        units = {"pm10": "ug/m3", "pm2_5": "ug/m3", "temperature": "Cel", "humidity": "%", "pressure": "hPa"}
        assert found.units == units | {"bmp_temperature": "Cel", "signal": "dB[mW]"}

    def test_keeps_a_type_that_it_does_not_know_under_its_name(self):
        body = {"sensordatavalues": [{"value_type": "SPS30_Sparkle", "value": 3}]}
        assert sensor_community.decode(body).values == {"sps30_sparkle": 3}

    def test_reads_a_time_with_an_offset_as_the_reference_server_takes_it(self):
        listed = [{"value_type": "P1", "value": 10}, {"value_type": "P2", "value": 99}]
        body = {"sampling_rate": "15000", "timestamp": "2015-04-05 22:10:10+02:00", "sensordatavalues": listed}
        assert sensor_community.decode(body).time == 1_428_264_610_000_000

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param([], "", id="no object"),
            pytest.param({}, "/sensordatavalues", id="no list"),
            pytest.param({"sensordatavalues": []}, "/sensordatavalues", id="an empty list"),
            pytest.param({"sensordatavalues": [{}] * 201}, "/sensordatavalues", id="an endless list"),
            pytest.param({"sensordatavalues": [7]}, "/sensordatavalues/0/value_type", id="no object inside"),
            pytest.param({"sensordatavalues": [{"value": "1"}]}, "/sensordatavalues/0/value_type", id="no type"),
            pytest.param({"sensordatavalues": [{"value_type": "P1"}]}, "/sensordatavalues/0/value", id="no value"),
            pytest.param(
                {"sensordatavalues": [{"value_type": "P1", "value": "nan"}]}, "/sensordatavalues/0/value", id="nan"
            ),
            pytest.param(
                {"sensordatavalues": [{"value_type": "P1", "value": True}]}, "/sensordatavalues/0/value", id="true"
            ),
            pytest.param(
                {"sensordatavalues": [{"value_type": "P1", "value": 10**400}]}, "/sensordatavalues/0/value", id="huge"
            ),
            pytest.param(
                {"sensordatavalues": [{"value_type": "P1", "value": 1}], "timestamp": "2026-11-21T10:00:00"},
                "/timestamp",
                id="a time that could be any of 27 hours",
            ),
        ],
    )
    def test_names_the_place_of_what_is_wrong(self, body, pointer):
        with pytest.raises(BadBody) as refused:
            sensor_community.decode(body)
        assert refused.value.faults[0].pointer == pointer


class TestAirGradient:
    @pytest.mark.parametrize(("name", "values", "unit"), AIRGRADIENT)
    def test_reads_a_body(self, name, values, unit):
        found = airgradient.decode(captured(name))
        assert found.values == values
        assert found.unit_id == unit

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param([], "", id="no object"),
            pytest.param({"pm02": "much"}, "/pm02", id="a measure that is no number"),
            pytest.param({"pm02": True}, "/pm02", id="true"),
            pytest.param({"channels": []}, "/channels", id="channels that are none"),
            pytest.param({"channels": {"1": 7}}, "/channels/1", id="a channel that is none"),
            pytest.param({"channels": {"2": {"atmp": "x"}}}, "/channels/2/atmp", id="wrong in a channel"),
        ],
    )
    def test_names_the_place_of_what_is_wrong(self, body, pointer):
        with pytest.raises(BadBody) as refused:
            airgradient.decode(body)
        assert refused.value.faults[0].pointer == pointer

    @pytest.mark.parametrize(
        "settings",
        [
            pytest.param({}, id="none"),
            pytest.param({"country": "TH", "abcDays": 8, "ledBarMode": "off", "temperatureUnit": "c"}, id="several"),
        ],
    )
    def test_takes_settings_that_its_firmware_takes(self, settings):
        check_settings(settings)

    @pytest.mark.parametrize(
        ("settings", "pointer"),
        [
            pytest.param({"colour": "red"}, "/settings/colour", id="unknown"),
            pytest.param({"httpDomain": "evil.example"}, "/settings/httpDomain", id="one that would lead it elsewhere"),
            pytest.param({"abcDays": 201}, "/settings/abcDays", id="too many"),
            pytest.param({"abcDays": True}, "/settings/abcDays", id="true for a number"),
            pytest.param({"country": "THA"}, "/settings/country", id="three letters"),
        ],
    )
    def test_refuses_settings_that_its_firmware_would_not_take(self, settings, pointer):
        with pytest.raises(BadSettings) as refused:
            check_settings(settings)
        assert [fault.pointer for fault in refused.value.faults] == [pointer]


@pytest.mark.parametrize(
    ("value", "have", "want", "expected"),
    [
        pytest.param(1013.25, "hPa", "Pa", 101_325.0, id="hPa to Pa"),
        pytest.param(1013.25, "hPa", "kPa", 101.325, id="hPa to kPa"),
        pytest.param(21.5, "Cel", "[degF]", 70.7, id="degrees"),
        pytest.param(0.0, "Cel", "K", 273.15, id="kelvin"),
        pytest.param(415.0, "[ppm]", "[ppb]", 415_000.0, id="ppm to ppb"),
        pytest.param(35.0, "ug/m3", "mg/m3", 0.035, id="micrograms to milligrams"),
        pytest.param(415.0, "[ppm]", "mg/m3", None, id="a mass is no ratio: that needs a reference"),
        pytest.param(50.0, "%", "Cel", None, id="something else"),
    ],
)
def test_a_value_is_converted_where_both_units_measure_the_same(value, have, want, expected):
    found = converted(value, have=have, want=want)
    assert found == (None if expected is None else pytest.approx(expected))

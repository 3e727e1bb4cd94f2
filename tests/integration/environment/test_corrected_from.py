"""Of what dust is corrected: of the factory's dust where a sensor sends it, else of the parameter itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts.domain.access import Role
from techtrack.accounts.queries import access_of
from techtrack.core.clock import to_micros
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.services import Saying, mark_quality
from tests import factories
from tests.factories import NOW
from tests.integration.environment.stations import HOUR, pass_all, send, settle

LAST = NOW - timedelta(minutes=1)
DAY = 24
UNITS = {"pm2_5": "ug/m3", "pm2_5_standard": "ug/m3", "humidity": "%"}


def make_plantower(site, **units):
    """A sensor that says of PM2.5 what it is in the atmosphere, and by the factory's calibration."""
    parameters = [{"code": code, "unit": unit} for code, unit in (UNITS | units).items()]
    return factories.make_sensor("Plantower", site=site, type=factories.make_type("plantower", parameters=parameters))


@pytest.fixture
def unit(plant):
    sensor = make_plantower(plant)
    settle(sensor, corrections={"pm2_5": "epa_2021"})
    return sensor


@pytest.fixture
def ask(api, vera):
    def get(sensor, path="air-quality/", **query):
        query = {"at": NOW.isoformat()} | query if path == "air-quality/" else query
        found = api(vera).get(f"/api/sensors/{sensor.pk}/{path}", query)
        assert found.status_code == 200, found.content
        return found.json()

    return get


def dust(told):
    (one,) = told["pollutants"]
    return one


class TestTheIndex:
    def test_is_of_the_factorys_dust_where_there_is_some(self, ask, unit):
        send(unit, last=LAST, pm2_5=[33.0] * DAY, pm2_5_standard=[40.0] * DAY, humidity=[50.0] * DAY)
        one = dust(ask(unit))
        # (0.786 * 0.5 + 0.524 * 0.5) * 40 - 0.0862 * 50 + 5.75 = 27.64
        assert (one["concentration"], one["corrected_by"]) == (27.6, "epa_2021")
        assert one["corrected_from"] == ["pm2_5_standard"]

    def test_is_of_the_parameter_itself_where_there_is_none(self, ask, unit):
        send(unit, last=LAST, pm2_5=[40.0] * DAY, humidity=[50.0] * DAY)
        one = dust(ask(unit))
        assert (one["concentration"], one["corrected_from"]) == (27.6, ["pm2_5"])

    def test_tells_of_both_where_the_firmware_changed(self, ask, unit):
        new = [None] * (DAY - 3) + [40.0] * 3
        send(unit, last=LAST, pm2_5=[40.0] * DAY, pm2_5_standard=new, humidity=[50.0] * DAY)
        one = dust(ask(unit))
        assert (one["concentration"], one["corrected_from"]) == (27.6, ["pm2_5_standard", "pm2_5"])

    def test_converts_the_unit_of_the_source(self, ask, plant):
        sensor = make_plantower(plant, pm2_5_standard="mg/m3")
        settle(sensor, corrections={"pm2_5": "epa_2021"})
        send(sensor, last=LAST, pm2_5=[33.0] * DAY, pm2_5_standard=[0.04] * DAY, humidity=[50.0] * DAY)
        assert dust(ask(sensor))["concentration"] == 27.6

    def test_does_not_take_a_source_whose_unit_is_not_declared(self, ask, plant):
        sensor = make_plantower(plant, pm2_5_standard="")
        settle(sensor, corrections={"pm2_5": "epa_2021"})
        send(sensor, last=LAST, pm2_5=[40.0] * DAY, pm2_5_standard=[80.0] * DAY, humidity=[50.0] * DAY)
        one = dust(ask(sensor))
        assert (one["concentration"], one["corrected_from"]) == (27.6, ["pm2_5"])

    def test_says_nothing_of_sources_where_nothing_is_corrected(self, ask, plant):
        sensor = make_plantower(plant)
        send(sensor, last=LAST, pm2_5=[33.0] * DAY, pm2_5_standard=[40.0] * DAY, humidity=[50.0] * DAY)
        one = dust(ask(sensor))
        assert (one["concentration"], one["corrected_by"], one["corrected_from"]) == (33.0, None, None)

    def test_does_not_bring_back_what_an_engineer_took_out(self, ask, unit, plant):
        erika = factories.make_user("erika", role=Role.ENGINEER, site=plant)
        send(unit, last=LAST, pm2_5=[33.0] * DAY, pm2_5_standard=[40.0] * DAY, humidity=[50.0] * DAY)
        said = Saying("pm2_5", (to_micros(NOW - 30 * HOUR), to_micros(NOW)), Quality.BAD, "smoke test")
        mark_quality(asset=unit, said=said, by=access_of(erika), now=NOW)
        assert dust(ask(unit))["index"] is None

    def test_is_not_of_flagged_values_of_the_source(self, ask, unit, control):
        standard = [40.0 + hour % 2 / 10 for hour in range(DAY)]
        standard[-1] = -999.0
        send(unit, last=LAST, pm2_5=[40.0] * DAY, pm2_5_standard=standard, humidity=[50.0] * DAY)
        pass_all(control)
        one = dust(ask(unit))
        assert one["corrected_from"] == ["pm2_5_standard", "pm2_5"]
        assert 27 < one["concentration"] < 28


class TestTheDoor:
    def test_keeps_the_raw_value_beside(self, ask, unit):
        send(unit, last=LAST, pm2_5=[33.0] * DAY, pm2_5_standard=[40.0] * DAY, humidity=[50.0] * DAY)
        span = {"from": (NOW - 6 * HOUR).isoformat(), "to": NOW.isoformat()}
        told = ask(unit, "corrected/", correction="barkjohn_2021", **span)
        # 0.524 * 40 - 0.0862 * 50 + 5.75
        assert [row[1:] for row in told["rows"]] == [[33.0, pytest.approx(22.4)]] * 6
        assert (told["corrected_from"], told["mean_raw"]) == (["pm2_5_standard"], 33.0)
        assert ask(unit, "corrected/", correction="hackair", **span)["corrected_from"] == ["pm2_5"]

    def test_lists_the_sources_of_each(self, api, vera):
        told = api(vera).get("/api/air-quality/corrections/").json()["results"]
        assert {one["name"]: one["sources"]["pm2_5"] for one in told} == {
            "barkjohn_2021": ["pm2_5_standard", "pm2_5"],
            "epa_2021": ["pm2_5_standard", "pm2_5"],
            "hackair": ["pm2_5"],
        }

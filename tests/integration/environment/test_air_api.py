"""The doors to the air: index, history, exceedances, corrected dust, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from techtrack.airquality.indexing import Indexed
from techtrack.airquality.standard import standards
from techtrack.assets.models import Sensor
from techtrack.environment.queries import air
from techtrack.environment.queries.index import LOOKED_AT
from techtrack.telemetry import queries as telemetry
from tests import factories
from tests.factories import NOW
from tests.integration.environment.stations import HOUR, make_station, pass_all, send, settle

DAY = 24


@pytest.fixture
def sensor(plant):
    return make_station(site=plant)


@pytest.fixture
def ask(api, vera):
    def get(path, **query):
        query = {"at": NOW.isoformat()} | query if path.endswith("air-quality/") else query
        return api(vera).get(path, {name: value for name, value in query.items() if value is not None})

    return get


def index(ask, sensor, **query):
    found = ask(f"/api/sensors/{sensor.pk}/air-quality/", **query)
    assert found.status_code == 200, found.content
    return found.json()


class TestIndexNow:
    def test_is_what_the_standard_says(self, ask, sensor):
        # Readings before the moment count: the last one comes a minute before it.
        send(sensor, last=NOW - timedelta(minutes=1), pm2_5=[35.9] * DAY)
        told = index(ask, sensor, method="average")
        assert (told["standard"], told["method"], told["at"]) == ("us_epa", "average", "2026-11-21T10:00:00Z")
        assert (told["index"], told["category"], told["colour"]) == (102, "Unhealthy for Sensitive Groups", "#FF7E00")
        assert told["dominant"] == "pm2_5"
        (one,) = told["pollutants"]
        assert one == {
            "parameter": "pm2_5",
            "concentration": 35.9,
            "unit": "ug/m3",
            "averaging": "24 h",
            "completeness": 1.0,
            "index": 102,
            "category": "Unhealthy for Sensitive Groups",
            "corrected_by": None,
            "corrected_from": None,
            "reason": None,
        }
        assert "35.9" in told["explanation"]

    def test_counts_readings_before_the_moment_and_not_at_it(self, ask, sensor):
        send(sensor, last=NOW, pm2_5=[10.0, 10.0, 10.0, 500.0])
        assert index(ask, sensor)["pollutants"][0]["concentration"] == 10.0

    def test_is_null_with_the_reason_where_too_little_is_known(self, ask, sensor):
        send(sensor, last=NOW - timedelta(minutes=1), pm2_5=[20.0] * 17)
        told = index(ask, sensor, method="average")
        assert (told["index"], told["category"], told["dominant"]) == (None, None, None)
        assert told["reason"]
        assert told["pollutants"][0]["reason"] == "17 of 24 h are known, 18 are needed"

    def test_tells_of_what_was_measured_long_ago(self, ask, sensor):
        send(sensor, last=NOW - timedelta(days=30), pm10=[20.0])
        (one,) = index(ask, sensor)["pollutants"]
        assert (one["parameter"], one["index"], one["completeness"]) == ("pm10", None, 0.0)

    def test_is_null_for_a_sensor_that_measured_nothing(self, ask, sensor):
        told = index(ask, sensor)
        assert (told["index"], told["pollutants"]) == (None, [])
        assert told["reason"]

    def test_needs_three_quarters_of_an_hour_where_the_interval_is_known(self, ask, plant):
        minutes = make_station(site=plant, expected_interval=timedelta(minutes=15))
        for hour in range(3):
            last = NOW - hour * HOUR - timedelta(minutes=1)
            send(minutes, last=last, every=timedelta(minutes=15), pm2_5=[20.0] * (3 if hour else 2))
        told = index(ask, minutes)
        assert told["pollutants"][0]["completeness"] == pytest.approx(2 / 12, abs=1e-4)
        assert told["index"] is not None

    def test_takes_zero_ozone_for_true_by_a_fortnight(self, ask, sensor):
        settle(sensor, reference_temperature=25, reference_pressure=1013.25)
        send(sensor, last=NOW - timedelta(minutes=1), o3=[0.0] * 336)
        assert index(ask, sensor)["pollutants"][0]["concentration"] == 0.0

    @pytest.mark.parametrize("standard", ["us_epa", "eu_eaqi", "uk_daqi", "in_naqi", "ca_aqhi", "cn_hj633"])
    def test_speaks_by_every_standard(self, ask, sensor, standard):
        settle(sensor, reference_temperature=20, reference_pressure=1013.25)
        last = NOW - timedelta(minutes=1)
        send(sensor, last=last, **{code: [20.0 + n for n in range(DAY)] for code in ("pm2_5", "pm10", "no2", "o3")})
        told = index(ask, sensor, standard=standard)
        assert told["standard"] == standard
        assert told["index"] is not None

    def test_looks_at_quarters_of_an_hour_where_a_standard_does(self, ask, sensor):
        settle(sensor, reference_temperature=20, reference_pressure=1013.25)
        last = NOW - timedelta(minutes=5)
        # An hour of 100, of which the last quarter has 370: index 5 of 10.
        send(sensor, last=last, every=timedelta(minutes=15), so2=[10.0, 10.0, 10.0, 370.0])
        (one,) = index(ask, sensor, standard="uk_daqi")["pollutants"]
        assert (one["averaging"], one["concentration"], one["index"]) == ("15 min", 370.0, 5)

    def test_is_made_of_corrected_dust_where_a_correction_is_chosen(self, ask, sensor):
        last = NOW - timedelta(minutes=1)
        send(sensor, last=last, pm2_5=[40.0] * DAY, humidity=[50.0] * DAY)
        raw = index(ask, sensor)["pollutants"][0]
        settle(sensor, corrections={"pm2_5": "epa_2021"})
        done = index(ask, sensor)["pollutants"][0]
        assert (raw["concentration"], done["concentration"]) == (40.0, 27.6)
        assert (raw["corrected_by"], done["corrected_by"]) == (None, "epa_2021")

    def test_is_not_made_of_flagged_values(self, ask, sensor, control):
        send(sensor, last=NOW - timedelta(minutes=1), pm2_5=[10.0, 10.0, 10.0, 3000.0])
        pass_all(control)
        assert index(ask, sensor)["pollutants"][0]["concentration"] == 10.0

    def test_does_not_stumble_over_a_wild_number(self, ask, plant):
        unknown = factories.make_sensor(site=plant)
        send(unknown, last=NOW - timedelta(minutes=1), pm2_5=[1e300, 10.0, 10.0])
        assert index(ask, unknown)["pollutants"][0]["concentration"] == 10.0


class TestRefusals:
    def faults(self, found, status=400):
        assert found.status_code == status, found.content
        return {one["pointer"]: one["code"] for one in found.json()["errors"]}

    def test_name_the_unit_that_is_missing(self, ask, plant):
        sensor = factories.make_sensor(site=plant)
        send(sensor, last=NOW - timedelta(minutes=1), no2=[20.0], pm2_5=[10.0])
        found = ask(f"/api/sensors/{sensor.pk}/air-quality/")
        assert self.faults(found) == {"/no2/unit": "undeclared"}
        assert "no2" in found.json()["detail"]

    def test_name_the_reference_that_is_missing(self, ask, sensor):
        send(sensor, last=NOW - timedelta(minutes=1), no2=[20.0], o3=[20.0])
        found = ask(f"/api/sensors/{sensor.pk}/air-quality/")
        assert self.faults(found) == {
            f"/{gas}/reference_{what}": "undeclared" for gas in ("no2", "o3") for what in ("temperature",)
        }
        settle(sensor, reference_temperature=20)
        found = ask(f"/api/sensors/{sensor.pk}/air-quality/")
        assert self.faults(found) == {f"/{gas}/reference_pressure": "undeclared" for gas in ("no2", "o3")}

    def test_do_not_guess_that_a_mass_of_gas_is_at_the_reference_of_the_standard(self, ask, sensor):
        send(sensor, last=NOW - timedelta(minutes=1), no2=[200.0], pm10=[20.0])
        for path, standard in (("air-quality/", "eu_eaqi"), ("exceedances/", "eu_2030")):
            found = ask(f"/api/sensors/{sensor.pk}/{path}", standard=standard)
            assert self.faults(found) == {"/no2/reference_temperature": "undeclared"}

    def test_do_not_ask_for_what_the_standard_does_not_need(self, ask, sensor, plant):
        kind = factories.make_type("in-ppb", parameters=[{"code": "no2", "unit": "[ppb]"}])
        other = factories.make_sensor("In ppb", type=kind, site=plant)
        send(other, last=NOW - timedelta(minutes=1), no2=[20.0, 20.0])
        for standard in ("us_epa", "eu_eaqi"):
            assert index(ask, other, standard=standard)["index"] is not None

    @pytest.mark.parametrize(
        ("path", "query", "pointer"),
        [
            pytest.param("air-quality/", {"standard": "mine"}, "?standard", id="no such standard"),
            pytest.param("air-quality/", {"method": "hourly"}, "?method", id="no method of this standard"),
            pytest.param("air-quality/", {"at": "noon"}, "?at", id="no moment"),
            pytest.param("air-quality/", {"when": "now"}, "?when", id="nobody reads it"),
            pytest.param(
                "air-quality/history/", {"from": NOW.isoformat(), "to": NOW.isoformat()}, "?from", id="nothing"
            ),
            pytest.param(
                "air-quality/history/",
                {"from": "2001-01-01T00:00:00Z", "to": "2020-01-01T00:00:00Z"},
                "?from",
                id="19 years",
            ),
            pytest.param("exceedances/", {"standard": "eu_2099"}, "?standard", id="no such limits"),
            pytest.param("exceedances/", {"year": "1066"}, "?year", id="not of this century"),
            pytest.param("exceedances/", {"year": "2\u066026"}, "?year", id="digits of another script"),
            pytest.param("corrected/", {}, "?correction", id="the sensor has none"),
            pytest.param("corrected/", {"correction": "luck"}, "?correction", id="no such correction"),
            pytest.param(
                "corrected/",
                {"correction": "epa_2021", "parameter": "pm10"},
                "?parameter",
                id="it corrects something else",
            ),
        ],
    )
    def test_name_the_parameter(self, ask, sensor, path, query, pointer):
        assert pointer in self.faults(ask(f"/api/sensors/{sensor.pk}/{path}", **query))

    @pytest.mark.parametrize("path", ["air-quality/", "air-quality/history/", "exceedances/", "corrected/"])
    def test_hide_sensors_from_outsiders_and_equipment_from_all(self, api, sensor, oscar, adam, robot, path):
        assert api(oscar).get(f"/api/sensors/{sensor.pk}/{path}").status_code == 404
        assert api(adam).get(f"/api/sensors/{robot.pk}/{path}").status_code == 404
        assert api(adam).get(f"/api/sensors/{2**70}/{path}").status_code == 404


class TestWithoutHumidity:
    def test_a_correction_says_what_it_lacks(self, ask, sensor):
        settle(sensor, corrections={"pm2_5": "epa_2021"})
        send(sensor, last=NOW - timedelta(minutes=1), pm2_5=[20.0] * 12)
        (found,) = index(ask, sensor)["pollutants"]
        assert found["index"] is None
        assert "12 hours lack the humidity for epa_2021" in found["reason"]
        send(sensor, last=NOW - timedelta(minutes=1), humidity=[50.0] * 12)
        (found,) = index(ask, sensor)["pollutants"]
        assert (found["index"] is not None, found["reason"]) == (True, None)


class TestSite:
    def test_is_as_its_worst_sensor(self, ask, plant, sensor):
        other, mute = make_station("Other", site=plant), make_station("Mute", site=plant)
        undeclared = factories.make_sensor("Undeclared", site=plant)
        last = NOW - timedelta(minutes=1)
        send(sensor, last=last, pm2_5=[20.0] * 12)
        send(other, last=last, pm2_5=[60.0] * 12)
        send(undeclared, last=last, no2=[60.0] * 12)
        found = ask(f"/api/sites/{plant.pk}/air-quality/").json()
        assert (found["sensor"], found["index"], found["dominant"]) == (other.pk, 154, "pm2_5")
        by_id = {one["sensor"]: one for one in found["sensors"]}
        assert by_id.keys() == {sensor.pk, other.pk, mute.pk, undeclared.pk}
        assert by_id[sensor.pk]["index"] == 71
        assert by_id[mute.pk]["index"] is None
        assert "unit of no2" in by_id[undeclared.pk]["reason"]
        assert "Other" in found["explanation"]

    def test_leaves_out_what_measures_something_else_however_many_there_are(self, ask, plant, sensor, monkeypatch):
        monkeypatch.setattr("techtrack.environment.api.index.MOST_SENSORS", 1)
        send(sensor, last=NOW - timedelta(minutes=1), pm2_5=[20.0])
        send(factories.make_sensor("Shaking", site=plant), last=NOW, vibration=[1.0])
        path = f"/api/sites/{plant.pk}/air-quality/"
        assert [one["sensor"] for one in ask(path).json()["sensors"]] == [sensor.pk]
        send(make_station("Second", site=plant), last=NOW, pm2_5=[20.0])
        assert (ask(path).status_code, ask(path).json()["errors"][0]["pointer"]) == (400, "/site")

    def test_has_no_index_without_sensors(self, ask, plant):
        found = ask(f"/api/sites/{plant.pk}/air-quality/").json()
        assert (found["index"], found["sensor"], found["sensors"]) == (None, None, [])

    def test_leaves_out_what_was_retired(self, ask, plant):
        make_station(site=plant, status="retired")
        assert ask(f"/api/sites/{plant.pk}/air-quality/").json()["sensors"] == []

    def test_asks_as_much_for_many_sensors_as_for_few(self, api, plant, vera, django_assert_max_num_queries):
        for number in range(30):
            send(make_station(site=plant), last=NOW - timedelta(minutes=1), pm2_5=[20.0 + number] * 12)
        with django_assert_max_num_queries(16):
            assert api(vera).get(f"/api/sites/{plant.pk}/air-quality/?at={NOW:%Y-%m-%dT%H:%M:%SZ}").status_code == 200


class TestHistory:
    def test_agrees_with_the_index_of_each_hour(self, ask, sensor):
        settle(sensor, reference_temperature=20, reference_pressure=1013.25)
        last = NOW - timedelta(minutes=1)
        send(sensor, last=last, pm2_5=[float(10 + n % 30) for n in range(60)], no2=[float(5 + n) for n in range(60)])
        path = f"/api/sensors/{sensor.pk}/air-quality/"
        told = ask(f"{path}history/", **{"from": (NOW - 5 * HOUR).isoformat(), "to": NOW.isoformat()}).json()
        assert told["columns"] == ["at", "index", "category", "dominant", "pm2_5", "no2"]
        assert len(told["rows"]) == 5
        for at, value, category, dominant, *_ in told["rows"]:
            now = ask(path, at=at).json()
            assert (now["index"], now["category"], now["dominant"]) == (value, category, dominant)

    def test_of_what_is_judged_by_quarters_is_bounded(self, ask, sensor):
        send(sensor, last=NOW - timedelta(minutes=1), pm2_5=[20.0])
        path = f"/api/sensors/{sensor.pk}/air-quality/history/"
        span = {"from": (NOW - 93 * 24 * HOUR).isoformat(), "to": NOW.isoformat(), "standard": "uk_daqi"}
        assert ask(path, **span).status_code == 200
        send(sensor, last=NOW, so2=[20.0])
        found = ask(path, **span)
        assert (found.status_code, found.json()["errors"][0]["pointer"]) == (400, "?from")

    @pytest.mark.parametrize("quarters", [(), ("pm2_5",)])
    def test_off_the_full_hour_is_read_in_pieces(self, ask, sensor, monkeypatch, quarters):
        values = [float(20 + n % 7) for n in range(5 * 24 * 4)]
        send(sensor, last=NOW - timedelta(minutes=5), every=timedelta(minutes=15), pm2_5=values)
        subject = telemetry.subjects(Sensor.objects.filter(pk=sensor.pk))
        stretch = air.Stretch.until(NOW - timedelta(minutes=30), length=5 * 24, quarters=quarters)
        lengths, means = [], telemetry.means

        def noted(ids, *, codes, edges):
            lengths.append(int(edges[-1] - edges[0]))
            return means(ids, codes=codes, edges=edges)

        monkeypatch.setattr(air.telemetry, "means", noted)
        found = air.air_of(subject, codes=("pm2_5",), stretch=stretch)[sensor.pk].hours["pm2_5"]
        assert max(lengths) <= air.PIECE
        _, whole = means([sensor.pk], codes=("pm2_5",), edges=stretch.edges())[sensor.pk, "pm2_5"]
        # It began to send in the middle of the first.
        whole[0] = np.nan
        assert np.array_equal(found.values, whole, equal_nan=True)
        assert np.isfinite(whole).sum() >= 118
        if quarters:
            _, fine = means([sensor.pk], codes=("pm2_5",), edges=stretch.edges(4))[sensor.pk, "pm2_5"]
            assert np.array_equal(found.quarters.reshape(-1), fine, equal_nan=True)

    def test_has_hours_without_an_index(self, ask, sensor):
        found = ask(f"/api/sensors/{sensor.pk}/air-quality/history/", to=NOW.isoformat()).json()
        assert len(found["rows"]) == 7 * 24
        assert {row[1] for row in found["rows"]} == {None}

    def test_takes_the_hours_of_the_sites_clock(self, ask, api, adam):
        india = make_station(site=factories.make_site("Delhi", timezone="Asia/Kolkata"))
        found = api(adam).get(
            f"/api/sensors/{india.pk}/air-quality/history/?from=2026-01-01T00:00:00Z&to=2026-01-01T03:00:00Z"
        )
        assert [row[0][11:16] for row in found.json()["rows"]] == ["00:30", "01:30", "02:30"]


class TestExceedances:
    def test_tell_what_is_used_and_left_of_the_year(self, ask, sensor, monkeypatch):
        now = datetime(2026, 3, 12, tzinfo=UTC)
        monkeypatch.setattr("techtrack.environment.api.exceedances.clock.plant_now", lambda: now)
        # Seventy days, five of which are bad.
        values = [60.0] * 5 * 24 + [20.0] * 65 * 24
        send(sensor, last=datetime(2026, 3, 11, 22, 30, tzinfo=UTC), pm10=values)
        told = ask(f"/api/sensors/{sensor.pk}/exceedances/", standard="eu_2030").json()
        assert (told["year"], told["days"], told["days_left"]) == (2026, 70, 295)
        day = next(one for one in told["findings"] if one["limit"] == "pm10_day")
        assert (day["used"], day["allowed"], day["left"], day["exceeded"]) == (5, 18, 13, False)
        assert day["forecast"]["low"] <= 5 + 5 * 295 / 70 <= day["forecast"]["high"]

    def test_of_a_year_to_come_are_none(self, ask, sensor):
        send(sensor, last=NOW, pm10=[20.0])
        told = ask(f"/api/sensors/{sensor.pk}/exceedances/", year="2030").json()
        assert {one["value"] for one in told["findings"]} == {None}
        assert {one["reason"] for one in told["findings"]} == {"no day of the year is over"}

    def test_name_what_is_not_declared(self, ask, plant):
        sensor = factories.make_sensor(site=plant)
        send(sensor, last=NOW, no2=[20.0])
        found = ask(f"/api/sensors/{sensor.pk}/exceedances/")
        assert found.status_code == 400
        assert found.json()["errors"][0]["pointer"] == "/no2/unit"


def test_standards_and_limits_are_listed(ask):
    told = ask("/api/air-quality/standards/").json()
    assert [one["name"] for one in told["standards"]] == sorted(one["name"] for one in told["standards"])
    by_name = {one["name"]: one for one in told["limits"]}
    assert {"who_2021", "eu_2024", "eu_2030", "us_naaqs", "gb_3095_2012"} == by_name.keys()
    assert {"us_epa", "eu_eaqi", "uk_daqi", "in_naqi", "ca_aqhi", "cn_hj633"} <= {
        one["name"] for one in told["standards"]
    }
    found = ask("/api/air-quality/corrections/").json()["results"]
    assert [one["name"] for one in found] == ["barkjohn_2021", "epa_2021", "hackair"]


def test_no_standard_looks_back_further_than_the_doors_do():
    for name in standards.names():
        standard = standards.get(name)
        for edition in standard.editions if isinstance(standard, Indexed) else ():
            scales = [scale for some in edition.scales.values() for scale in some]
            longest = max(scale.period.hours for scale in scales if scale.parameter != "o3")
            assert longest <= LOOKED_AT

"""The read door of OpenAQ: its shapes, filters, pages and refusals, and nothing that the caller may not see."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts.domain.access import Scope
from techtrack.accounts.queries import access_of
from techtrack.accounts.services import create_key
from techtrack.core.clock import to_micros
from techtrack.integrations.doors.openaq import measurements
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.services import Saying, mark_quality
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
DECLARED = [
    {"code": "pm2_5", "unit": "ug/m3"},
    {"code": "temperature", "unit": "Cel"},
    {"code": "sparkle", "unit": "[ppb]"},
]
MINUTES = timedelta(minutes=15)


@pytest.fixture(autouse=True)
def _at_ten():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def air(plant):
    """A sensor at the plant (Europe/Berlin) that reports every quarter of an hour."""
    kind = factories.make_type("air", parameters=DECLARED, expected_interval=MINUTES, name="Air unit")
    return factories.make_sensor(
        "Roof", site=plant, type=kind, latitude=52.52, longitude=13.405, attributes={"country": "de", "monitor": True}
    )


@pytest.fixture
def measured(air):
    """Its readings of the last two hours, the last one at 09:45: 1, 2, 3 … µg/m³."""
    for number in range(8):
        at = NOW - timedelta(hours=2) + number * MINUTES
        factories.make_reading(air, at=at, pm2_5=float(number + 1), temperature=10.0 + number)
    return air


def get(client: Any, path: str, **query: Any) -> Any:
    """The answer of one question, which has to be good."""
    answer = client.get(f"/v3/{path}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def sensor_of(client: Any, location: int, name: str = "pm25") -> int:
    """The number of a location's series."""
    found = get(client, f"locations/{location}")["results"][0]["sensors"]
    return next(one["id"] for one in found if one["parameter"]["name"] == name)


class TestLocations:
    def test_are_sensors_with_their_series(self, api, vera, measured, plant):
        told = get(api(vera), "locations")
        assert told["meta"] == {"name": "techtrack", "website": "/", "page": 1, "limit": 100, "found": 1}
        (location,) = told["results"]
        series = location.pop("sensors")
        assert location == {
            "id": measured.pk,
            "name": "Roof",
            "locality": "Plant",
            "timezone": "Europe/Berlin",
            "country": {"id": None, "code": "DE", "name": "DE"},
            "owner": {"id": plant.pk, "name": "Plant"},
            "provider": {"id": 1, "name": "TechTrack"},
            "isMobile": False,
            "isMonitor": True,
            "instruments": [{"id": measured.type_id, "name": "Air unit"}],
            "coordinates": {"latitude": 52.52, "longitude": 13.405},
            "licenses": None,
            "bounds": [13.405, 52.52, 13.405, 52.52],
            "distance": None,
            "datetimeFirst": {"utc": "2026-11-21T08:00:00Z", "local": "2026-11-21T09:00:00+01:00"},
            "datetimeLast": {"utc": "2026-11-21T09:45:00Z", "local": "2026-11-21T10:45:00+01:00"},
        }
        assert [(one["name"], one["parameter"]) for one in series] == [
            ("pm25 µg/m³", {"id": 2, "name": "pm25", "units": "µg/m³", "displayName": "PM2.5"}),
            ("temperature c", {"id": 100, "name": "temperature", "units": "c", "displayName": None}),
        ]

    def test_keep_the_numbers_of_their_series(self, api, vera, measured):
        client = api(vera)
        assert sensor_of(client, measured.pk) == sensor_of(client, measured.pk)
        factories.make_reading(measured, at=NOW, sparkle=1.0)
        assert len({sensor_of(client, measured.pk, name) for name in ("pm25", "temperature", "sparkle")}) == 3

    def test_stand_where_their_site_does_unless_they_say_and_may_stand_nowhere(self, api, adam):
        site = factories.make_site("Hill", latitude=1.5, longitude=2.5)
        factories.make_sensor("A", site=site)
        factories.make_sensor("B")
        found = {one["name"]: one for one in get(api(adam), "locations")["results"]}
        assert found["A"]["coordinates"] == {"latitude": 1.5, "longitude": 2.5}
        assert found["B"]["coordinates"] == {"latitude": None, "longitude": None}
        assert found["B"]["timezone"] == "UTC"
        assert found["B"]["sensors"] == []

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            pytest.param({"coordinates": "52.52,13.41", "radius": 1000}, True, id="inside of the circle"),
            pytest.param({"coordinates": "52.60,13.41", "radius": 1000}, False, id="outside of the circle"),
            pytest.param({"bbox": "13,52,14,53"}, True, id="inside of the box"),
            pytest.param({"bbox": "12,52,13,53"}, False, id="outside of the box"),
            pytest.param({"parameters_id": "1,2"}, True, id="a parameter that it has"),
            pytest.param({"parameters_id": "1"}, False, id="a parameter that it has not"),
            pytest.param({"iso": "de"}, True, id="its country"),
            pytest.param({"iso": "FR"}, False, id="another country"),
            pytest.param({"countries_id": "5"}, False, id="a country by OpenAQ's number, of which we know none"),
            pytest.param({"monitor": "true"}, True, id="of reference grade"),
            pytest.param({"monitor": "false"}, False, id="not of reference grade"),
            pytest.param({"mobile": "true"}, False, id="nothing here moves"),
            pytest.param({"mobile": "false"}, True, id="all stand still"),
            pytest.param({"providers_id": "1"}, True, id="our provider"),
            pytest.param({"licenses_id": "1"}, False, id="a licence"),
        ],
    )
    def test_are_found_by_what_openaqs_clients_ask(self, query, found, api, vera, measured):
        assert get(api(vera), "locations", **query)["meta"]["found"] == int(found)

    def test_tell_how_far_they_are_and_come_by_it(self, api, vera, measured, plant):
        factories.make_sensor("Gate", site=plant, latitude=52.53, longitude=13.405)
        told = get(api(vera), "locations", coordinates="52.521,13.405", radius=5000, order_by="distance")["results"]
        assert [one["name"] for one in told] == ["Roof", "Gate"]
        assert told[0]["distance"] == pytest.approx(111.2, abs=0.5)

    def test_come_in_pages(self, api, vera, plant):
        for number in range(5):
            factories.make_sensor(f"S{number}", site=plant)
        told = get(api(vera), "locations", limit=2, page=3)
        assert (told["meta"]["found"], [one["name"] for one in told["results"]]) == (5, ["S4"])
        names = [one["name"] for one in get(api(vera), "locations", sort_order="desc")["results"]]
        assert names == ["S4", "S3", "S2", "S1", "S0"]

    def test_tell_the_newest_values(self, api, vera, measured):
        client = api(vera)
        told = get(client, f"locations/{measured.pk}/latest")["results"]
        assert told[0] == {
            "datetime": {"utc": "2026-11-21T09:45:00Z", "local": "2026-11-21T10:45:00+01:00"},
            "value": 8.0,
            "coordinates": {"latitude": 52.52, "longitude": 13.405},
            "sensorsId": sensor_of(client, measured.pk),
            "locationsId": measured.pk,
        }
        assert get(client, f"locations/{measured.pk}/latest", datetime_min="2026-11-21T09:46:00Z")["results"] == []

    def test_ask_the_database_as_often_for_thirty_as_for_three(self, api, vera, plant, django_assert_max_num_queries):
        kind = factories.make_type("air", parameters=DECLARED)
        for number in range(30):
            factories.make_reading(factories.make_sensor(f"S{number}", site=plant, type=kind), pm2_5=1.0)
        get(api(vera), "locations")
        with django_assert_max_num_queries(14):
            assert get(api(vera), "locations")["meta"]["found"] == 30


class TestSensors:
    def test_tell_of_a_series(self, api, vera, measured):
        client = api(vera)
        number = sensor_of(client, measured.pk)
        (told,) = get(client, f"sensors/{number}")["results"]
        assert told == get(client, f"locations/{measured.pk}/sensors")["results"][0]
        assert told["latest"]["value"] == 8.0
        assert told["datetimeLast"]["utc"] == "2026-11-21T09:45:00Z"
        assert told["coverage"]["observedCount"] == 8

    def test_tell_values_as_they_came_oldest_first(self, api, vera, measured):
        client = api(vera)
        told = get(client, f"sensors/{sensor_of(client, measured.pk)}/measurements")
        assert told["meta"]["found"] == 8
        assert [one["value"] for one in told["results"]] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
        assert told["results"][0] == {
            "value": 1.0,
            "flagInfo": {"hasFlags": False},
            "parameter": {"id": 2, "name": "pm25", "units": "µg/m³", "displayName": "PM2.5"},
            "period": {
                "label": "raw",
                "interval": "00:15:00",
                "datetimeFrom": {"utc": "2026-11-21T07:45:00Z", "local": "2026-11-21T08:45:00+01:00"},
                "datetimeTo": {"utc": "2026-11-21T08:00:00Z", "local": "2026-11-21T09:00:00+01:00"},
            },
            "coordinates": None,
            "summary": None,
            "coverage": {
                "expectedCount": 1,
                "expectedInterval": "00:15:00",
                "observedCount": 1,
                "observedInterval": "00:15:00",
                "percentComplete": 100.0,
                "percentCoverage": 100.0,
                "datetimeFrom": {"utc": "2026-11-21T07:45:00Z", "local": "2026-11-21T08:45:00+01:00"},
                "datetimeTo": {"utc": "2026-11-21T08:00:00Z", "local": "2026-11-21T09:00:00+01:00"},
            },
        }

    def test_tell_a_page_and_that_there_is_more(self, api, vera, measured):
        client = api(vera)
        path = f"sensors/{sensor_of(client, measured.pk)}/measurements"
        told = get(client, path, limit=3, page=2)
        assert ([one["value"] for one in told["results"]], told["meta"]["found"]) == ([4.0, 5.0, 6.0], ">6")
        told = get(client, path, limit=3, page=3)
        assert ([one["value"] for one in told["results"]], told["meta"]["found"]) == ([7.0, 8.0], 8)

    @pytest.mark.parametrize(
        "query",
        [
            pytest.param({"datetime_from": "2026-11-21T09:15:00Z"}, id="with an offset"),
            pytest.param({"datetime_from": "2026-11-21T10:15:00"}, id="by the clocks of the place"),
            pytest.param({"datetime_from": "2026-11-21T10:15:00+01:00", "datetime_to": "2026-11-22"}, id="to a day"),
            pytest.param({"date_from": "2026-11-21", "page": 2, "limit": 5}, id="days"),
        ],
    )
    def test_tell_of_the_time_that_is_asked_for(self, query, api, vera, measured):
        client = api(vera)
        told = get(client, f"sensors/{sensor_of(client, measured.pk)}/measurements", **query)
        assert [one["value"] for one in told["results"]] == [6.0, 7.0, 8.0]

    def test_of_an_hour_the_mean_and_what_describes_it(self, api, vera, measured):
        client = api(vera)
        number = sensor_of(client, measured.pk)
        told = get(client, f"sensors/{number}/hours")
        assert told == get(client, f"sensors/{number}/measurements/hourly")
        first, second = told["results"]
        assert (first["value"], second["value"]) == (2.5, 6.5)
        assert first["summary"] == {
            "min": 1.0,
            "q02": pytest.approx(1.06),
            "q25": 1.75,
            "median": 2.5,
            "q75": 3.25,
            "q98": pytest.approx(3.94),
            "max": 4.0,
            "avg": 2.5,
            "sd": pytest.approx(1.2909944),
        }
        ends = {
            "datetimeFrom": {"utc": "2026-11-21T08:00:00Z", "local": "2026-11-21T09:00:00+01:00"},
            "datetimeTo": {"utc": "2026-11-21T09:00:00Z", "local": "2026-11-21T10:00:00+01:00"},
        }
        assert first["period"] == {"label": "1hour", "interval": "01:00:00"} | ends
        assert (
            first["coverage"]
            == {
                "expectedCount": 4,
                "expectedInterval": "01:00:00",
                "observedCount": 4,
                "observedInterval": "01:00:00",
                "percentComplete": 100.0,
                "percentCoverage": 100.0,
            }
            | ends
        )

    def test_an_hour_that_is_cut_by_the_question_is_left_out(self, api, vera, measured):
        client = api(vera)
        path = f"sensors/{sensor_of(client, measured.pk)}/hours"
        told = get(client, path, datetime_from="2026-11-21T08:30:00Z", datetime_to="2026-11-21T10:00:00Z")
        assert [one["value"] for one in told["results"]] == [6.5]
        assert (
            get(client, path, datetime_from="2026-11-21T08:30:00Z", datetime_to="2026-11-21T08:45:00Z")["results"] == []
        )

    @pytest.mark.parametrize(
        ("way", "label"),
        [
            ("days", "1day"),
            ("hours/daily", "1day"),
            ("measurements/daily", "1day"),
            ("hours/monthly", "1month"),
            ("days/monthly", "1month"),
            ("years", "1year"),
            ("hours/yearly", "1year"),
            ("days/yearly", "1year"),
        ],
    )
    def test_gather_by_the_clocks_of_the_place(self, way, label, api, vera, measured):
        client = api(vera)
        (told,) = get(client, f"sensors/{sensor_of(client, measured.pk)}/{way}")["results"]
        assert (told["value"], told["period"]["label"]) == (4.5, label)
        assert told["period"]["datetimeFrom"]["local"].endswith("T00:00:00+01:00")

    def test_a_day_by_its_dates(self, api, vera, measured):
        client = api(vera)
        path = f"sensors/{sensor_of(client, measured.pk)}/days"
        assert get(client, path, date_from="2026-11-21", date_to="2026-11-21")["meta"]["found"] == 1
        assert get(client, path, date_from="2026-11-22")["meta"]["found"] == 0

    def test_a_series_without_readings_in_that_time_is_empty(self, api, vera, measured):
        client = api(vera)
        number = sensor_of(client, measured.pk)
        for way in ("measurements", "hours", "days"):
            told = get(client, f"sensors/{number}/{way}", datetime_to="2020-01-01T00:00:00Z")
            assert (told["meta"]["found"], told["results"]) == (0, [])


class TestFlags:
    @pytest.fixture
    def doubted(self, measured, erik):
        """The readings of 08:30 and 08:45 are marked as bad."""
        first = to_micros(NOW - timedelta(minutes=90))
        said = Saying("pm2_5", (first, first + 2 * 900_000_000), Quality.BAD, "calibration")
        mark_quality(asset=measured, said=said, by=access_of(erik), now=NOW)
        return measured

    def test_are_on_each_value_that_is_doubted(self, api, vera, doubted):
        client = api(vera)
        told = get(client, f"sensors/{sensor_of(client, doubted.pk)}/measurements")["results"]
        assert [one["flagInfo"]["hasFlags"] for one in told] == [False, False, True, True, *[False] * 4]
        assert told[2]["value"] == 3.0, "flagged, never deleted"

    def test_are_on_each_stretch_with_one_in_it_and_bad_values_are_not_in_its_mean(self, api, vera, doubted):
        client = api(vera)
        first, second = get(client, f"sensors/{sensor_of(client, doubted.pk)}/hours")["results"]
        assert (first["value"], first["flagInfo"]) == (1.5, {"hasFlags": True})
        assert (second["value"], second["flagInfo"]) == (6.5, {"hasFlags": False})
        assert first["coverage"]["percentComplete"] == 50.0

    @pytest.mark.parametrize(
        ("quality", "told"),
        [
            pytest.param(Quality.GOOD, [False, False], id="taken back"),
            pytest.param(Quality.SUSPECT, [True, True], id="and more of it is doubted"),
        ],
    )
    def test_are_by_the_last_word_on_each_part_of_a_stretch(self, quality, told, api, vera, erik, doubted):
        end = to_micros(NOW)
        said = Saying("pm2_5", (end - 2 * 3_600_000_000, end), quality, "looked at")
        mark_quality(asset=doubted, said=said, by=access_of(erik), now=NOW)
        client = api(vera)
        found = get(client, f"sensors/{sensor_of(client, doubted.pk)}/hours")["results"]
        assert [one["flagInfo"]["hasFlags"] for one in found] == told

    @pytest.mark.parametrize("way", ["hours", "days"])
    def test_of_stretches_are_told_without_reading_their_values(self, way, api, vera, doubted, monkeypatch):
        client = api(vera)
        path = f"sensors/{sensor_of(client, doubted.pk)}/{way}"
        monkeypatch.setattr(measurements.telemetry, "walk", None)
        assert get(client, path)["results"][0]["flagInfo"]["hasFlags"] is True

    def test_are_told_of_a_location(self, api, vera, doubted):
        client = api(vera)
        (told,) = get(client, f"locations/{doubted.pk}/flags")["results"]
        assert told["flagType"]["label"] == "bad"
        assert told["flagType"]["level"] == "error"
        assert told["sensorIds"] == [sensor_of(client, doubted.pk)]
        assert told["note"] == "calibration"
        assert told["datetimeFrom"]["utc"] == "2026-11-21T08:30:00Z"

    def test_of_a_location_are_read_page_by_page(self, api, vera, measured, erik):
        client, first = api(vera), to_micros(NOW - timedelta(minutes=90))
        sensor_of(client, measured.pk)
        for number in range(7):
            quality = Quality.GOOD if number == 3 else Quality.BAD
            said = Saying("pm2_5", (first + number, first + number + 1), quality, f"reason {number}")
            mark_quality(asset=measured, said=said, by=access_of(erik), now=NOW)
        seen = []
        for page in (1, 2, 3, 4):
            with CaptureQueriesContext(connection) as captured:
                told = get(client, f"locations/{measured.pk}/flags", limit=2, page=page)
            assert told["meta"]["found"] == 6
            asked = [one["sql"] for one in captured if "telemetry_qualitymark" in one["sql"] and "reason" in one["sql"]]
            assert ["LIMIT 2" in one for one in asked] == [True]
            seen.append([one["note"] for one in told["results"]])
        # What somebody restored is doubted by nobody.
        assert seen == [["reason 6", "reason 5"], ["reason 4", "reason 2"], ["reason 1", "reason 0"], []]

    def test_of_another_parameter_say_nothing_of_this_one(self, api, vera, doubted):
        client = api(vera)
        told = get(client, f"sensors/{sensor_of(client, doubted.pk, 'temperature')}/hours")["results"]
        assert [one["flagInfo"]["hasFlags"] for one in told] == [False, False]


class TestParameters:
    def test_are_what_is_measured(self, api, vera, measured):
        factories.make_reading(measured, at=NOW, sparkle=1.0)
        client = api(vera)
        told = get(client, "parameters")["results"]
        assert [(one["id"] < 1_000_000, one["name"], one["units"]) for one in told] == [
            (True, "pm25", "µg/m³"),
            (True, "temperature", "c"),
            (False, "sparkle", "ppb"),
        ]
        assert [one["name"] for one in get(client, "parameters", parameter_type="meteorological")["results"]] == [
            "temperature"
        ]
        assert get(client, "parameters/2")["results"] == told[:1]

    def test_tell_the_newest_value_of_each_series(self, api, vera, measured, plant):
        other = factories.make_sensor("Gate", site=plant, type=measured.type)
        factories.make_reading(other, at=NOW, pm2_5=99.0)
        told = get(api(vera), "parameters/2/latest")["results"]
        assert [(one["locationsId"], one["value"]) for one in told] == [(measured.pk, 8.0), (other.pk, 99.0)]


class TestWhoSees:
    def paths(self, client, location):
        number = sensor_of(client, location)
        of_location = [f"locations/{location}{tail}" for tail in ("", "/latest", "/sensors", "/flags")]
        of_sensor = [f"sensors/{number}{tail}" for tail in ("", "/measurements", "/hours", "/days", "/years")]
        return [*of_location, *of_sensor, "parameters/2", "parameters/2/latest"]

    def test_nobody_of_another_site_and_no_outsider_learns_anything(self, api, vera, oscar, mallory, measured):
        for path in self.paths(api(vera), measured.pk):
            assert api(vera).get(f"/v3/{path}").status_code == 200, path
            for user in (oscar, mallory):
                answer = api(user).get(f"/v3/{path}")
                assert answer.status_code == 404, path
                assert set(answer.json()) == {"detail"}
        for user in (oscar, mallory):
            for path in ("locations", "parameters"):
                assert get(api(user), path)["meta"]["found"] == 0

    def test_what_is_not_there_and_what_may_not_be_seen_are_answered_alike(self, api, oscar, measured, vera):
        number = sensor_of(api(vera), measured.pk)
        hidden, absent = (api(oscar).get(f"/v3/sensors/{one}") for one in (number, 2_000_000_000))
        assert (hidden.status_code, hidden.content) == (absent.status_code, absent.content)

    def test_a_read_key_reads_and_an_ingest_key_does_not(self, api, vera, olga, measured, client):
        for user, scope, status in ((vera, Scope.READ, 200), (olga, Scope.INGEST, 403)):
            about = {"site": None, "asset_id": None, "expires_at": None, "allowed_addresses": [], "now": NOW}
            key = create_key(by=access_of(user), name="reader", scope=scope, **about)[1]
            assert client.get("/v3/locations", headers={"X-API-Key": key}).status_code == status
            # OpenAQ's own package takes keys of 64 digits alone: ours goes beside it, and is the one that counts.
            both = {"X-API-Key": "0" * 64, "Authorization": f"Api-Key {key}"}
            assert client.get("/v3/locations", headers=both).status_code == status

    def test_nobody_without_credentials(self, client, measured):
        answer = client.get("/v3/locations")
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"]
        assert set(answer.json()) == {"detail"}


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "query"),
        [
            pytest.param("locations", {"limit": 1001}, id="a page too long"),
            pytest.param("locations", {"limit": "many"}, id="a page of a word"),
            pytest.param("locations", {"page": 0}, id="no page"),
            pytest.param("locations", {"coordinates": "52.5,13.4"}, id="a circle without radius"),
            pytest.param("locations", {"radius": 5}, id="a radius of nothing"),
            pytest.param("locations", {"coordinates": "91,13.4", "radius": 5}, id="beyond the pole"),
            pytest.param("locations", {"coordinates": "nan,13.4", "radius": 5}, id="nowhere"),
            pytest.param("locations", {"bbox": "14,52,13,53"}, id="a box inside out"),
            pytest.param("locations", {"bbox": "1,2,3"}, id="a box of three sides"),
            pytest.param("locations", {"iso": "DEU"}, id="three letters"),
            pytest.param("locations", {"monitor": "maybe"}, id="maybe"),
            pytest.param("locations", {"order_by": "password"}, id="another order"),
            pytest.param("locations", {"parameters_id": "1,x"}, id="ids that are none"),
            pytest.param("locations", {"city": "Berlin"}, id="an unknown parameter"),
            pytest.param("measurements", {"datetime_from": "yesterday"}, id="a time that is none"),
            pytest.param(
                "hours",
                {"datetime_from": "2026-11-21T10:00:00Z", "datetime_to": "2026-11-21T09:00:00Z"},
                id="reversed dates",
            ),
            pytest.param("days", {"date_from": "2026-02-30"}, id="a day that never was"),
            pytest.param("days", {"date_from": "2026-11-21", "datetime_from": "2026-11-21T00:00:00Z"}, id="both"),
            pytest.param("measurements", {"page": 99_999, "limit": 1000}, id="too deep"),
        ],
    )
    def test_name_what_is_wrong_with_422(self, path, query, api, vera, measured):
        client = api(vera)
        place = path if path == "locations" else f"sensors/{sensor_of(client, measured.pk)}/{path}"
        answer = client.get(f"/v3/{place}?{urlencode(query)}")
        assert answer.status_code == 422
        assert answer["Content-Type"] == "application/json"
        (wrong,) = answer.json()["detail"]
        assert wrong["loc"][0] == "query"
        # Of two that go together, the one that is missing.
        assert wrong["loc"][1] in {*query, "coordinates", "radius"}
        assert wrong["msg"]

    def test_a_parameter_that_comes_twice_is_refused(self, api, vera):
        assert api(vera).get("/v3/locations?limit=1&limit=2").status_code == 422

    @pytest.mark.parametrize(
        "path", ["locations/0", "sensors/0", f"sensors/{2**40}", f"locations/{2**70}", "parameters/7"]
    )
    def test_what_is_not_there_is_404(self, path, api, vera):
        answer = api(vera).get(f"/v3/{path}")
        assert answer.status_code == 404
        assert isinstance(answer.json()["detail"], str)

    def test_nothing_is_written_here(self, api, adam):
        for method in ("post", "put", "patch", "delete"):
            assert getattr(api(adam), method)("/v3/locations").status_code == 405


class TestLimits:
    def test_are_told_with_every_answer_as_openaqs_client_wants(self, api, vera, settings):
        settings.LIMITS = settings.LIMITS | {"api": 60}
        client = api(vera)
        first, second = client.get("/v3/locations"), client.get("/v3/locations?page=0")
        assert (first["x-ratelimit-limit"], int(first["x-ratelimit-remaining"])) == ("60", 59)
        assert int(second["x-ratelimit-remaining"]) == 58
        assert int(second["x-ratelimit-used"]) == 2
        assert second.status_code == 422

    def test_are_none_where_nothing_is_limited(self, api, vera, settings):
        settings.LIMITS = settings.LIMITS | {"api": 0}
        assert int(api(vera).get("/v3/locations")["x-ratelimit-remaining"]) > 0

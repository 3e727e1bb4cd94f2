"""The hostile list against the doors of firmwares and of OpenAQ's clients: refused in their form, nothing broken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from techtrack.integrations.doors import firmwares
from techtrack.integrations.models import Door, RejectedPush
from techtrack.telemetry.queries import latest
from tests import factories
from tests.campaigns.hostile_inputs import ANY, BODIES, IDS, PARAMETERS, QUERIES, TEXT, TIMES, body_of

pytestmark = pytest.mark.django_db
COMMUNITY = "/v1/push-sensor-data/"
UNIT = {"X-Sensor": "esp8266-3394227"}
MEASURES = "/sensors/airgradient:abc/measures"
BROWSER = Client(raise_request_exception=False)
UNHARMED = {200, 201, 208}


@pytest.fixture(autouse=True)
def _bound(station, settings, monkeypatch):
    """Both firmwares have a unit, and may push as often as this takes."""
    settings.LIMITS = dict.fromkeys(settings.LIMITS, 0)
    monkeypatch.setattr(firmwares, "budgets", type(firmwares.budgets)())
    factories.make_push_unit(station)
    factories.make_push_unit(station, door=Door.AIRGRADIENT, unit_id="abc")


def push(path: str, body: bytes, **headers: str) -> Any:
    """Send one request, whatever it does."""
    return BROWSER.post(path, body, content_type="application/json", headers=headers)


def faults(answer: Any, keys: set[str]) -> bool:
    """Tell whether an answer is no refusal in the firmware's form."""
    return not 400 <= answer.status_code < 500 or not set(answer.json()) & keys


def raw(name: str) -> bytes:
    body = BODIES[name]
    return body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")


class TestBodies:
    def test_are_refused_by_sensor_communitys_door(self, station):
        wrong = {
            name: answer.status_code
            for name in BODIES
            if faults(answer := push(COMMUNITY, raw(name), **UNIT), {"detail", "sensordatavalues"})
        }
        assert wrong == {}
        assert not latest([station.pk])
        counts = dict(RejectedPush.objects.values_list("code", "count"))
        assert sum(counts.values()) == len(BODIES)
        assert set(counts) == {"bad_body", "unreadable", "too_large"}

    def test_are_refused_by_airgradients_door_or_have_no_measure(self, station):
        answers = {name: push(MEASURES, raw(name)) for name in BODIES}
        broken = {name: one.status_code for name, one in answers.items() if one.status_code >= 500}
        assert broken == {}
        refused = {name: one for name, one in answers.items() if one.status_code != 200}
        assert {name: one.status_code for name, one in refused.items() if faults(one, {"statusCode"})} == {}
        assert not latest([station.pk])

    def test_a_planted_breach_is_found(self, monkeypatch):
        monkeypatch.setattr(firmwares, "_parsed", lambda body: (json.loads(body), None))
        assert faults(push(COMMUNITY, raw("cut short in text"), **UNIT), {"detail"})


class TestValues:
    @pytest.mark.parametrize("place", ["value", "value_type", "timestamp"])
    def test_are_taken_or_refused_and_never_break_anything(self, place):
        for name, value in (ANY | TEXT | TIMES).items():
            entry = {"value_type": "P1", "value": "1"}
            body = {"sensordatavalues": [entry | ({place: value} if place != "timestamp" else {})]}
            body |= {"timestamp": value} if place == "timestamp" else {}
            answer = push(COMMUNITY, body_of(body), **UNIT)
            assert answer.status_code in UNHARMED or not faults(answer, {"detail", "sensordatavalues", "timestamp"}), (
                name
            )

    def test_of_measures_are_taken_or_refused(self):
        for name, value in (ANY | TEXT).items():
            for body in ({"rco2": value}, {"channels": value}, {"channels": {"1": value}}, {str(name): value}):
                answer = push(MEASURES, body_of(body))
                assert answer.status_code == 200 or not faults(answer, {"statusCode"}), name

    def test_as_names_of_units_and_pins_are_unknown(self):
        for name, value in TEXT.items():
            # A header is bytes; Django reads them as latin-1.
            text = str(value).replace("\r", "").replace("\n", "").encode("utf-8", "surrogatepass").decode("latin-1")
            for headers in ({"X-Sensor": text}, UNIT | {"X-PIN": text}, UNIT | {"Authorization": f"Basic {text}"}):
                assert push(COMMUNITY, b"{}", **headers).status_code in {400, 403}, name


class TestOpenAq:
    @pytest.fixture
    def client(self, api, vera, station):
        factories.make_reading(station, pm2_5=1.0)
        made = api(vera)
        made.raise_request_exception = False
        return made

    def test_refuses_hostile_queries_in_its_own_form(self, client):
        for name, query in QUERIES.items():
            answer = client.get(f"/v3/locations?{query}")
            # More than a thousand parameters are refused before anybody looks at them.
            assert answer.status_code == (400 if query.count("&") > 1_000 else 422), name
            assert answer.json()["detail"], name

    def test_reads_or_refuses_every_value_of_its_parameters(self, client):
        number = client.get("/v3/locations").json()["results"][0]["sensors"][0]["id"]
        doors = {
            "/v3/locations": ("limit", "page", "coordinates", "radius", "bbox", "parameters_id", "iso", "monitor"),
            f"/v3/sensors/{number}/measurements": ("datetime_from", "datetime_to", "date_from", "date_to"),
            f"/v3/sensors/{number}/hours": ("datetime_from", "date_to"),
        }
        for path, parameters in doors.items():
            for parameter in parameters:
                for name, value in PARAMETERS.items():
                    status = client.get(f"{path}?{parameter}={value}").status_code
                    assert status in {200, 422}, (path, parameter, name, status)

    def test_finds_nothing_under_hostile_ids(self, client):
        for name, value in IDS.items():
            for path in (f"/v3/locations/{value}", f"/v3/sensors/{value}/hours", f"/v3/parameters/{value}"):
                assert client.get(path).status_code == 404, (name, path)

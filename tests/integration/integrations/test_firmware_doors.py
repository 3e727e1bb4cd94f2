"""Units push as their firmware does: captured bodies in, the statuses that it expects out, and readings stored once."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client

from techtrack.accounts.domain.access import Role, Scope
from techtrack.accounts.queries import access_of
from techtrack.accounts.services import create_key
from techtrack.assets.models import Parameter
from techtrack.core.clock import to_micros
from techtrack.integrations import services
from techtrack.integrations.doors import firmwares
from techtrack.integrations.models import Door, RejectedPush
from techtrack.telemetry.queries import latest, older
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
CAPTURED = Path(__file__).resolve().parents[2] / "golden" / "firmwares"
COMMUNITY = "/v1/push-sensor-data/"
SERIAL = "84fce612f5b8"
MEASURES = f"/sensors/airgradient:{SERIAL}/measures"
NODE = {"X-Sensor": "esp8266-3394227", "X-PIN": "1", "User-Agent": "NRZ-2024-135/3394227/a4cf12abcdef"}
DUST = b'{"software_version": "NRZ-2024-135", "sensordatavalues":[{"value_type":"P1","value":"12.30"},{"value_type":"P2","value":"7.85"}]}'  # noqa: E501 - as it is sent
AIR = b'{"software_version": "NRZ-2024-135", "sensordatavalues":[{"value_type":"temperature","value":"21.40"},{"value_type":"pressure","value":"101325.00"},{"value_type":"humidity","value":"48.20"}]}'  # noqa: E501 - as it is sent


@pytest.fixture(autouse=True)
def _at_ten():
    """The moment at which units push; budgets and what was registered are of this test alone."""
    firmwares.budgets = type(firmwares.budgets)()
    services.pushes._registered.clear()
    with time_machine.travel(NOW, tick=False):
        yield


def push(path: str, body: bytes, **headers: str) -> Any:
    """Send one request as a firmware does."""
    return Client(raise_request_exception=False).post(path, body, content_type="application/json", headers=headers)


def captured(name: str) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a captured request."""
    head, separator, body = (CAPTURED / name).read_bytes().partition(b"\r\n\r\n")
    if not separator:
        return {}, head
    lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    return {name: value for name, _, value in lines if name not in {"Host", "Content-Length", "Connection"}}, body


def newest(sensor: Any) -> dict[str, float]:
    """The newest values of a sensor."""
    return {code: found.value for code, found in latest([sensor.pk]).get(sensor.pk, {}).items()}


def count(sensor: Any) -> int:
    """How many readings a sensor has."""
    return len(older(asset_ids=[sensor.pk], span=(0, 2**62), before=None, limit=100))


@pytest.fixture
def unit(station):
    """A sensor.community unit that an administrator has let in without a key."""
    return factories.make_push_unit(station)


@pytest.fixture
def one(station):
    """An AirGradient unit that an administrator has let in."""
    return factories.make_push_unit(station, door=Door.AIRGRADIENT, unit_id=SERIAL)


class TestSensorCommunity:
    def test_stores_what_a_part_of_a_unit_pushes_and_answers_201(self, unit, station):
        answer = push(COMMUNITY, DUST, **NODE)
        assert answer.status_code == 201
        assert answer.json() == {
            "sensor": station.pk,
            "timestamp": "2026-11-21T10:00:00Z",
            "sensordatavalues": [{"value_type": "pm10", "value": "12.3"}, {"value_type": "pm2_5", "value": "7.85"}],
        }
        assert newest(station) == {"pm10": 12.3, "pm2_5": 7.85}

    def test_takes_a_captured_request_of_its_custom_mode_as_it_stands(self, unit, station):
        headers, body = captured("sensor_community_custom_2017.http")
        assert headers["Authorization"] == "Basic", "old firmwares send it empty"
        assert push(COMMUNITY, body, **headers).status_code == 201
        assert newest(station) == {"pm10": 4.3, "pm2_5": 3.53, "temperature": 20.8, "humidity": 52.3, "signal": -82.0}

    @pytest.mark.parametrize("name", sorted(file.name for file in CAPTURED.glob("sensor_community_*.json")))
    def test_takes_every_captured_body(self, name, station):
        factories.make_push_unit(station, unit_id="esp8266-1")
        headers, body = captured(name)
        assert push(COMMUNITY, body, **headers, **{"X-Sensor": "esp8266-1"}).status_code == 201
        assert newest(station)

    @pytest.mark.parametrize("header", ["X-Sensor", "Sensor", "Node"])
    def test_knows_a_unit_by_each_of_the_names_that_firmwares_have_used(self, header, unit):
        assert push(COMMUNITY, DUST, **{header: "esp8266-3394227"}).status_code == 201

    def test_is_found_without_the_slash_that_people_forget(self, unit):
        assert push(COMMUNITY.rstrip("/"), DUST, **NODE).status_code == 201

    def test_knows_a_unit_by_its_body_where_no_header_names_it(self, unit):
        assert push(COMMUNITY, captured("sensor_community_custom_2017.http")[1]).status_code == 201

    def test_registers_parameters_with_their_units(self, unit, station):
        assert push(COMMUNITY, AIR, **NODE).status_code == 201
        units = dict(Parameter.objects.values_list("code", "unit"))
        assert units | {"temperature": "Cel", "pressure": "hPa", "humidity": "%"} == units
        assert newest(station)["pressure"] == 1013.25

    def test_converts_to_the_unit_that_the_sensor_declares(self, plant):
        declared = [{"code": "pressure", "unit": "Pa"}, {"code": "temperature", "unit": "[degF]"}]
        sensor = factories.make_sensor(site=plant, type=factories.make_type("odd", parameters=declared))
        factories.make_push_unit(sensor)
        assert push(COMMUNITY, AIR, **NODE).status_code == 201
        assert newest(sensor) == {"pressure": 101_325.0, "temperature": pytest.approx(70.52), "humidity": 48.2}

    def test_refuses_a_value_in_a_unit_of_something_else_and_names_it(self, plant):
        declared = [{"code": "pm2_5", "unit": "[ppb]"}]
        sensor = factories.make_sensor(site=plant, type=factories.make_type("odd", parameters=declared))
        factories.make_push_unit(sensor)
        answer = push(COMMUNITY, DUST, **NODE)
        assert answer.status_code == 400
        assert RejectedPush.objects.get().code == "unit_mismatch"
        assert not newest(sensor)

    def test_leaves_out_what_a_strict_type_does_not_have(self, plant):
        declared = [{"code": "pm2_5", "unit": "ug/m3"}]
        sensor = factories.make_sensor(site=plant, type=factories.make_type("strict", parameters=declared, strict=True))
        factories.make_push_unit(sensor)
        assert push(COMMUNITY, DUST, **NODE).status_code == 201
        assert newest(sensor) == {"pm2_5": 7.85}

    def test_says_208_where_the_same_comes_again_within_seconds_and_stores_it_once(self, unit, station):
        assert push(COMMUNITY, DUST, **NODE).status_code == 201
        with time_machine.travel(NOW + timedelta(seconds=10), tick=False):
            assert push(COMMUNITY, DUST, **NODE).status_code == 208
        assert count(station) == 1

    def test_takes_the_same_values_of_the_next_measurement_for_new_ones(self, unit, station):
        assert push(COMMUNITY, DUST, **NODE).status_code == 201
        with time_machine.travel(NOW + timedelta(seconds=145), tick=False):
            assert push(COMMUNITY, DUST, **NODE).status_code == 201
        assert count(station) == 2

    def test_says_208_of_a_time_that_it_has_whenever_it_comes_again(self, unit, station):
        body = DUST.replace(b"{", b'{"timestamp": "2026-11-21T09:00:00Z", ', 1)
        assert push(COMMUNITY, body, **NODE).status_code == 201
        with time_machine.travel(NOW + timedelta(hours=5), tick=False):
            assert push(COMMUNITY, body, **NODE).status_code == 208
        assert count(station) == 1
        assert latest([station.pk])[station.pk]["pm10"].time == to_micros(NOW - timedelta(hours=1))

    def test_parts_of_a_unit_go_to_the_sensors_that_their_pins_name(self, plant, station):
        weather = factories.make_sensor("Weather", site=plant)
        factories.make_push_unit(station, pin="1")
        factories.make_push_unit(weather, pin="11")
        assert push(COMMUNITY, DUST, **NODE).status_code == 201
        assert push(COMMUNITY, AIR, **NODE | {"X-PIN": "11"}).status_code == 201
        assert set(newest(station)) == {"pm10", "pm2_5"}
        assert set(newest(weather)) == {"temperature", "pressure", "humidity"}
        answer = push(COMMUNITY, AIR, **NODE | {"X-PIN": "7"})
        assert answer.status_code == 400
        assert "pin" in answer.json()["detail"]

    def test_of_a_single_sensor_the_pin_says_nothing(self, station):
        factories.make_push_unit(station, pin="1")
        assert push(COMMUNITY, AIR, **NODE | {"X-PIN": "11"}).status_code == 201

    def test_a_pin_that_no_row_names_goes_to_the_one_without(self, plant, station):
        factories.make_push_unit(station)
        factories.make_push_unit(factories.make_sensor("Weather", site=plant), pin="11")
        assert push(COMMUNITY, DUST, **NODE).status_code == 201
        assert newest(station)

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            pytest.param(b'{"sensordatavalues": []}', {"sensordatavalues"}, id="no values"),
            pytest.param(b'{"sensordatavalues": [', {"detail"}, id="cut short"),
            pytest.param(b"", {"detail"}, id="empty"),
            pytest.param(b"\xff\xfe", {"detail"}, id="no text"),
            pytest.param(
                b'{"sensordatavalues": [{"value_type": "P1", "value": "NaN"}]}', {"sensordatavalues"}, id="NaN"
            ),
            pytest.param(b'{"sensordatavalues": [{"value_type": "P1", "value": NaN}]}', {"sensordatavalues"}, id="raw"),
        ],
    )
    def test_answers_a_broken_body_in_the_form_of_its_own_server(self, body, told, unit, station):
        answer = push(COMMUNITY, body, **NODE)
        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/json"
        assert set(answer.json()) == told
        assert not newest(station)

    def test_refuses_a_body_of_more_than_16_kb(self, unit):
        assert push(COMMUNITY, b" " * 16_385, **NODE).status_code == 413
        assert RejectedPush.objects.get().size == 16_385

    def test_a_get_is_answered_in_the_same_form(self):
        answer = Client().get(COMMUNITY)
        assert answer.status_code == 405
        assert set(answer.json()) == {"detail"}


class TestAirGradient:
    @pytest.mark.parametrize("name", sorted(file.name for file in CAPTURED.glob("airgradient_*.json")))
    def test_answers_200_to_every_body_since_201_would_be_a_failure(self, name, one, station):
        assert push(MEASURES, captured(name)[1]).status_code == 200
        assert newest(station)

    def test_answers_200_to_a_repeat_and_stores_it_once(self, one, station):
        body = captured("airgradient_one_3_0_8.json")[1]
        assert [push(MEASURES, body).status_code for _ in range(2)] == [200, 200]
        assert count(station) == 1

    def test_answers_200_where_there_is_nothing_to_store(self, one, station):
        assert push(MEASURES, b'{"model": "I-9PSL"}').status_code == 200
        assert not newest(station)

    def test_answers_429_to_who_pushes_too_often_which_its_firmware_takes_for_success(self, one, station, settings):
        settings.LIMITS = settings.LIMITS | {"push": 2}
        bodies = [b'{"rco2": %d}' % number for number in range(4)]
        answers = [push(MEASURES, body) for body in bodies]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        assert answers[2]["Retry-After"]
        assert set(answers[2].json()) == {"statusCode", "message", "error"}
        assert count(station) == 1, "all of one moment"
        assert not RejectedPush.objects.exists(), "nobody has to mend that"

    def test_knows_its_serial_in_capital_letters_too(self, one):
        assert push(MEASURES.replace(SERIAL, SERIAL.upper()), b'{"rco2": 415}').status_code == 200

    def test_a_broken_body_is_refused_in_the_form_of_its_cloud(self, one):
        answer = push(MEASURES, b'{"rco2": "much"}')
        assert answer.status_code == 400
        assert answer.json() == {
            "statusCode": 400,
            "message": "a number is expected",
            "error": "The request cannot be accepted",
        }

    def test_gives_its_settings_to_a_unit_that_asks_for_them(self, station):
        settings = {"ledBarMode": "off", "abcDays": 8}
        factories.make_push_unit(station, door=Door.AIRGRADIENT, unit_id=SERIAL, settings=settings)
        answer = Client().get(f"/sensors/airgradient:{SERIAL}/one/config")
        assert (answer.status_code, answer.json()) == (200, settings)

    def test_tells_a_unit_that_nobody_has_registered_so_with_400_as_its_firmware_wants(self):
        answer = Client().get(f"/sensors/airgradient:{SERIAL}/one/config")
        assert answer.status_code == 400
        assert not RejectedPush.objects.exists() or RejectedPush.objects.get().code == "not_registered"


class TestWhoMayPush:
    def key(self, user, asset=None, scope=Scope.INGEST, **fields):
        """A key of somebody, bound to an asset or not."""
        about = {"asset_id": asset.pk if asset else None, "expires_at": None, "allowed_addresses": [], **fields}
        return create_key(by=access_of(user), name="unit", scope=scope, site=None, now=NOW, **about)[1]

    def shown(self, text, how):
        basic = base64.b64encode(f"unit:{text}".encode()).decode()
        return {
            "basic": {"Authorization": f"Basic {basic}"},
            "user": {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"},
            "key": {"Authorization": f"Api-Key {text}"},
            "header": {"X-API-Key": text},
        }[how]

    def test_nobody_whom_no_one_has_bound(self, station):
        answer = push(COMMUNITY, DUST, **NODE)
        assert answer.status_code == 403
        assert set(answer.json()) == {"detail"}
        assert push(MEASURES, b'{"rco2": 415}').status_code == 403
        assert not newest(station)

    def test_nobody_without_a_key_whom_no_administrator_has_let_in(self, station):
        factories.make_push_unit(station, anonymous=False)
        assert push(COMMUNITY, DUST, **NODE).status_code == 403

    @pytest.mark.parametrize("how", ["basic", "user", "key", "header"])
    def test_a_bound_unit_with_a_key_of_somebody_who_may_enter_readings(self, how, station, olga):
        factories.make_push_unit(station, anonymous=False)
        assert push(COMMUNITY, DUST, **NODE, **self.shown(self.key(olga), how)).status_code == 201

    @pytest.mark.parametrize("how", ["basic", "key"])
    def test_any_unit_with_a_device_key_of_a_sensor(self, how, station, olga):
        shown = self.shown(self.key(olga, station), how)
        assert push(COMMUNITY, DUST, **NODE, **shown).status_code == 201
        assert newest(station)

    def test_not_with_a_key_of_another_sensor(self, station, plant, olga):
        factories.make_push_unit(station, anonymous=False)
        other = factories.make_sensor("Other", site=plant)
        assert push(COMMUNITY, DUST, **NODE, **self.shown(self.key(olga, other), "key")).status_code == 403
        assert not newest(station)
        assert not newest(other)

    @pytest.mark.parametrize("pin", ["", "1"])
    def test_a_unit_with_a_device_key_whatever_another_site_has_bound(self, pin, station, other_site, olga):
        far = factories.make_sensor("Far", site=other_site)
        factories.make_push_unit(far, pin=pin)
        assert push(COMMUNITY, DUST, **NODE, **self.shown(self.key(olga, station), "key")).status_code == 201
        assert newest(station)
        assert not newest(far)

    def test_not_with_a_key_of_another_site(self, station, oscar):
        factories.make_push_unit(station, anonymous=False)
        assert push(COMMUNITY, DUST, **NODE, **self.shown(self.key(oscar), "key")).status_code == 403

    def test_not_with_a_key_that_only_reads(self, station, olga):
        factories.make_push_unit(station, anonymous=False)
        shown = self.shown(self.key(olga, scope=Scope.READ), "key")
        assert push(COMMUNITY, DUST, **NODE, **shown).status_code == 403

    def test_not_with_a_wrong_key_even_where_none_is_needed(self, unit):
        shown = self.shown(f"tt_abcdefgh_{'x' * 43}", "basic")
        assert push(COMMUNITY, DUST, **NODE, **shown).status_code == 403

    @pytest.mark.parametrize(
        ("networks", "status"),
        [
            pytest.param(["127.0.0.0/8"], 201, id="inside"),
            pytest.param(["10.0.0.0/8"], 403, id="outside"),
            pytest.param([], 201, id="from anywhere"),
        ],
    )
    def test_without_a_key_only_from_the_addresses_that_are_named(self, networks, status, station):
        factories.make_push_unit(station, allowed_addresses=networks)
        assert push(COMMUNITY, DUST, **NODE).status_code == status

    def test_a_unit_of_one_firmware_is_none_of_the_other(self, unit):
        assert push("/sensors/airgradient:esp8266-3394227/measures", b'{"rco2": 415}').status_code == 403

    def test_a_maker_who_has_lost_the_role_pushes_no_more(self, station, olga):
        factories.make_push_unit(station, anonymous=False)
        shown = self.shown(self.key(olga), "key")
        olga.memberships.update(role=Role.VIEWER)
        assert push(COMMUNITY, DUST, **NODE, **shown).status_code == 403


class TestWhoTriesOutIds:
    @pytest.fixture(autouse=True)
    def _few(self, settings):
        settings.LIMITS = settings.LIMITS | {"push": 3}

    def test_is_soon_told_nothing_more_even_of_an_id_that_exists(self, unit, station):
        answers = [push(COMMUNITY, DUST, **{"X-Sensor": f"esp8266-{number}"}) for number in range(5)]
        assert [answer.status_code for answer in answers] == [403, 403, 403, 429, 429]
        assert answers[-1]["Retry-After"]
        assert push(COMMUNITY, DUST, **NODE).status_code == 429
        assert not newest(station)

    def test_asks_for_settings_no_more_than_it_pushes(self, one):
        statuses = [Client().get(f"/sensors/airgradient:{number}/one/config").status_code for number in range(4)]
        assert statuses == [400, 400, 400, 429]
        assert Client().get(f"/sensors/airgradient:{SERIAL}/one/config").status_code == 429

    def test_is_kept_apart_from_units_of_other_addresses(self, unit):
        for number in range(4):
            push(COMMUNITY, DUST, **{"X-Sensor": f"esp8266-{number}"})
        elsewhere = Client(REMOTE_ADDR="192.0.2.7")
        answer = elsewhere.post(COMMUNITY, DUST, content_type="application/json", headers=NODE)
        assert answer.status_code == 201

    def test_is_one_whatever_address_of_its_network_it_takes(self):
        statuses = [
            Client(REMOTE_ADDR=f"2001:db8::{number}")
            .post(COMMUNITY, DUST, content_type="application/json", headers={"X-Sensor": f"esp8266-{number}"})
            .status_code
            for number in range(4)
        ]
        assert statuses == [403, 403, 403, 429]

    def test_is_nobody_whose_units_are_known(self, plant):
        for number in range(8):
            factories.make_push_unit(factories.make_sensor(f"Unit {number}", site=plant), unit_id=f"esp8266-{number}")
        statuses = {push(COMMUNITY, DUST, **{"X-Sensor": f"esp8266-{number}"}).status_code for number in range(8)}
        assert statuses == {201}


class TestWhatIsRefused:
    def test_is_counted_and_kept_with_the_newest_body_one_row_for_each_kind(self, unit, station):
        before = services.REJECTED.labels("sensor_community", "bad_body")._value.get()
        for number in range(3):
            push(COMMUNITY, b'{"sensordatavalues": [], "n": %d}' % number, **NODE)
        row = RejectedPush.objects.get()
        assert (row.door, row.unit_id, row.code, row.count) == (Door.SENSOR_COMMUNITY, "esp8266-3394227", "bad_body", 3)
        assert row.payload == '{"sensordatavalues": [], "n": 2}'
        assert row.sensor_id == station.pk
        assert row.address == "127.0.0.1"
        assert services.REJECTED.labels("sensor_community", "bad_body")._value.get() == before + 3

    def test_keeps_of_a_long_body_what_can_be_read(self, unit):
        push(COMMUNITY, b'{"a\x00\xff": "' + b"x" * 10_000, **NODE)
        row = RejectedPush.objects.get()
        assert len(row.payload) == 4_000
        assert row.size == 10_009
        assert "\x00" not in row.payload

    def test_tells_of_units_that_nobody_knows_so_that_somebody_can_bind_them(self):
        push(COMMUNITY, DUST, **NODE)
        row = RejectedPush.objects.get()
        assert (row.unit_id, row.code, row.sensor_id) == ("esp8266-3394227", "unknown_unit", None)

    @pytest.mark.parametrize(
        ("unit", "headers", "code"),
        [
            pytest.param({"anonymous": False}, {}, "unknown_unit", id="shows no key"),
            pytest.param({}, {"Authorization": "Basic eDp5"}, "unknown_unit", id="shows a wrong key"),
            pytest.param({"allowed_addresses": ["10.0.0.0/8"]}, {}, "unknown_unit", id="comes from elsewhere"),
            pytest.param({"pin": "7"}, {}, "unknown_pin", id="has a part that no row names"),
        ],
    )
    def test_of_a_bound_unit_is_told_of_its_sensor_whatever_it_showed(self, unit, headers, code, plant, station):
        factories.make_push_unit(station, **unit)
        if "pin" in unit:
            factories.make_push_unit(factories.make_sensor("Weather", site=plant), pin="11")
        assert push(COMMUNITY, DUST, **NODE, **headers).status_code in {400, 403}
        row = RejectedPush.objects.get()
        assert row.code == code
        assert row.sensor.site_id == plant.pk

    def test_of_a_part_is_told_of_the_sensor_of_its_pin(self, plant, station):
        factories.make_push_unit(factories.make_sensor("Weather", site=plant), anonymous=False)
        factories.make_push_unit(station, pin="1", anonymous=False)
        push(COMMUNITY, DUST, **NODE)
        assert RejectedPush.objects.get().sensor_id == station.pk

    def test_under_the_id_of_a_unit_takes_no_row_from_its_sensor(self, unit, station, other_site, adam):
        push(COMMUNITY, b"{", **NODE)
        far = factories.make_sensor("Far", site=other_site)
        about = {"asset_id": far.pk, "site": None, "expires_at": None, "allowed_addresses": []}
        key = create_key(by=access_of(adam), name="far", scope=Scope.INGEST, now=NOW, **about)[1]
        push(COMMUNITY, b"[", **NODE, Authorization=f"Api-Key {key}")
        told = set(RejectedPush.objects.values_list("sensor_id", "payload", "count"))
        assert told == {(station.pk, "{", 1), (far.pk, "[", 1)}

    def test_keeps_of_an_address_no_more_than_its_budget(self, settings):
        settings.LIMITS = settings.LIMITS | {"push": 3}
        for number in range(10):
            push(COMMUNITY, b"{", **{"X-Sensor": f"esp8266-{number}"})
        assert RejectedPush.objects.count() == 3

    def test_keeps_the_newest_thousand_kinds(self, monkeypatch):
        monkeypatch.setattr(services.pushes, "MOST_REJECTED", 5)
        for number in range(8):
            push(COMMUNITY, DUST, **{"X-Sensor": f"esp8266-{number}"})
        kept = RejectedPush.objects.order_by("pk").values_list("unit_id", flat=True)
        assert list(kept) == [f"esp8266-{number}" for number in range(3, 8)]

    def test_of_made_up_units_pushes_out_nothing_of_a_sensor(self, unit, station, monkeypatch):
        monkeypatch.setattr(services.pushes, "MOST_REJECTED", 5)
        push(COMMUNITY, b"{", **NODE)
        for number in range(8):
            push(COMMUNITY, DUST, **{"X-Sensor": f"esp8266-{number}"})
        assert RejectedPush.objects.filter(sensor=station).count() == 1
        assert RejectedPush.objects.filter(sensor=None).count() == 5

    def test_keeps_so_many_of_one_sensor(self, station, monkeypatch):
        monkeypatch.setattr(services.pushes, "MOST_OF_A_SENSOR", 5)
        for number in range(8):
            factories.make_push_unit(station, unit_id=f"esp8266-{number}")
            push(COMMUNITY, b"{", **{"X-Sensor": f"esp8266-{number}"})
        kept = RejectedPush.objects.order_by("pk").values_list("unit_id", flat=True)
        assert list(kept) == [f"esp8266-{number}" for number in range(3, 8)]

    def test_is_forgotten_after_some_days(self, settings):
        push(COMMUNITY, DUST, **NODE)
        assert services.forget_rejected(now=NOW + timedelta(days=settings.REJECTED_DAYS - 1)) == 0
        assert services.forget_rejected(now=NOW + timedelta(days=settings.REJECTED_DAYS, seconds=1)) == 1

    @pytest.mark.parametrize("name", ["a" * 300, "\u202eabc", "a\tb"])
    def test_takes_any_name_of_a_unit(self, name):
        headers = {"X-Sensor": name.encode("utf-8").decode("latin-1")}
        assert push(COMMUNITY, DUST, **headers).status_code == 403
        assert len(RejectedPush.objects.get().unit_id) <= 100

"""Rules that speak of an index of the air: raised and cleared on a sensor, by the units that are declared of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts.domain.access import internal
from techtrack.alerts import rulebook
from techtrack.alerts.judge import Judge
from techtrack.alerts.models import Alert
from techtrack.alerts.queries import explain
from techtrack.assets import services as assets
from techtrack.assets.models import AssetType, Parameter
from techtrack.core import clock
from techtrack.core.clock import to_micros
from techtrack.core.models import Head
from techtrack.environment.services import settings as air
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from tests import factories
from tests.factories import NOW

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
HALF = 30 * MINUTE
UNHEALTHY = {"kind": "air_quality", "standard": "us_epa", "limit": 150, "severity": "high"}


@pytest.fixture(autouse=True)
def plant_time(monkeypatch):
    """The plant's clock stands at NOW unless a test moves it."""
    moment = {"now": NOW}
    monkeypatch.setattr(clock.plant_now, "_source", lambda: moment["now"])
    return moment


@pytest.fixture
def judge(db):
    """A judge that has begun before the first reading."""
    judge = Judge()
    work(judge)
    return judge


def work(judge):
    while judge.work():
        pass


def make_rule(parameter, **fields):
    rule = factories.make_rule(parameter=parameter, conditions=[{**UNHEALTHY, **fields}])
    rulebook.turn_page()
    return rule


def make_sensor(**units):
    parameters = [{"code": code, "unit": unit} for code, unit in units.items()]
    return factories.make_sensor(type=factories.make_type("measuring-air", parameters=parameters))


def send(sensor, code, *values, begin=0):
    """One reading in the middle of each hour from hour ``begin`` on."""
    times = [NOW + (begin + place) * HOUR + HALF for place in range(len(values))]
    rows = [Row(sensor.pk, to_micros(at), {code: value}) for at, value in zip(times, values, strict=True)]
    telemetry.ingest(batch=Batch.of(rows), by=internal(), now=max(times), origin=Origin.LIVE)


@pytest.mark.django_db
class TestARuleOfAnIndex:
    def test_raises_and_clears(self, judge):
        make_rule("pm2_5")
        sensor = make_sensor(pm2_5="ug/m3")
        send(sensor, "pm2_5", 55.4, 55.49)
        work(judge)
        send(sensor, "pm2_5", 20.0, begin=2)
        work(judge)
        assert not Alert.objects.exists()
        send(sensor, "pm2_5", 120.0, 120.0, begin=3)
        work(judge)
        alert = Alert.objects.get()
        # At the end of the hour of 120: (120 + 20/2 + 55.49/4 + 55.4/8) / (1 + 1/2 + 1/4 + 1/8), truncated.
        assert (alert.raised_at, alert.value, alert.limit, alert.condition) == (
            NOW + 4 * HOUR,
            80.4,
            55.4,
            "air_quality",
        )
        send(sensor, "pm2_5", 10.0, 10.0, 10.0, begin=5)
        work(judge)
        alert.refresh_from_db()
        # With the first hour of 10 it is 54.7.
        assert (alert.active, alert.returned_at) == (False, NOW + 6 * HOUR)

    def test_is_explained_in_plain_words(self, judge):
        make_rule("pm2_5")
        sensor = make_sensor(pm2_5="ug/m3")
        send(sensor, "pm2_5", 90.0, 90.0, 90.0)
        work(judge)
        told = explain(alert=Alert.objects.get(), access=internal(), now=NOW + 3 * HOUR)
        assert told.sentence.startswith(
            "the Air Quality Index (US EPA) of pm2_5 has been above 150 (NowCast of 12 h above 55.4 µg/m³) "
            "since 2026-11-21 12:00 UTC (limit of rule"
        )

    def test_goes_on_after_a_restart_with_the_hours_it_remembers(self, judge):
        make_rule("pm2_5", method="average")
        sensor = make_sensor(pm2_5="ug/m3")
        for place in range(17):
            send(sensor, "pm2_5", 90.0, begin=place)
            work(judge)
        restarted = Judge()
        work(restarted)
        assert not Alert.objects.exists()
        send(sensor, "pm2_5", 90.0, 90.0, begin=17)
        work(restarted)
        # Three quarters of a day, 17 hours of which the judge before it had seen.
        assert Alert.objects.get().raised_at == NOW + 18 * HOUR

    def test_ends_an_hour_by_the_clock_where_nothing_comes(self, judge, plant_time):
        make_rule("pm2_5")
        sensor = make_sensor(pm2_5="ug/m3")
        send(sensor, "pm2_5", 90.0, 90.0)
        work(judge)
        assert not Alert.objects.exists()
        plant_time["now"] = NOW + 3 * HOUR + MINUTE
        work(judge)
        assert Alert.objects.get().raised_at == NOW + 2 * HOUR

    def test_converts_what_the_sensors_type_declares(self, judge):
        make_rule("pm2_5")
        send(make_sensor(pm2_5="mg/m3"), "pm2_5", 0.0554, 0.0554, 0.0554)
        send(dirty := make_sensor(pm2_5="mg/m3"), "pm2_5", 0.0556, 0.0556, 0.0556)
        work(judge)
        alert = Alert.objects.get()
        assert (alert.asset_id, alert.value, alert.limit) == (
            dirty.pk,
            pytest.approx(0.0556),
            pytest.approx(0.0554),
        )

    def test_says_what_is_not_declared_and_judges_once_it_is(self, judge):
        rule = make_rule("no2")
        sensor = make_sensor(no2="ug/m3")
        send(sensor, "no2", 900.0, 900.0)
        work(judge)
        assert judge._book.faults[rule.pk].startswith("the reference temperature of no2 is not declared")
        assert not Alert.objects.exists()
        at_25 = {"sensor": sensor, "reference_temperature": 25.0, "reference_pressure": 1013.25}
        air.create_settings(by=internal(), data=at_25, now=NOW)
        send(sensor, "no2", 900.0, 900.0, begin=2)
        work(judge)
        assert judge._book.faults == {}
        # 360 ppb of NO2 at 25 °C: times 46.0055 · 1013.25 · 0.1 / (8.314462618 · 298.15).
        assert Alert.objects.get().limit == pytest.approx(360 * 1.880445, rel=1e-5)

    def test_judges_a_sensor_that_has_just_come_with_dust(self, judge):
        make_rule("pm2_5")
        # Of dust the unit is obvious, once it is sent.
        sensor = factories.make_sensor()
        work(judge)
        send(sensor, "pm2_5", 90.0, 90.0, 90.0)
        work(judge)
        assert Alert.objects.get().limit == 55.4

    def test_is_tried_on_history_with_the_units_of_each_sensor(self, api, adam):
        sensor = make_sensor(pm2_5="mg/m3")
        send(sensor, "pm2_5", 0.09, 0.09, 0.09, 0.01, 0.01, 0.01, 0.01)
        rule = {"name": "Air", "parameter": "pm2_5", "conditions": [UNHEALTHY]}
        span = {"from": NOW.isoformat(), "to": (NOW + 8 * HOUR).isoformat()}
        answer = api(adam).post("/api/rules/preview/", {"rule": rule, "assets": [sensor.pk], **span}, format="json")
        assert answer.status_code == 200, answer.json()
        (one,) = answer.json()["assets"]
        [episode] = one["episodes"]
        assert (episode["raised_at"], episode["limit"]) == ("2026-11-21T12:00:00Z", pytest.approx(0.0554))

    def test_is_refused_over_the_api_with_the_place_of_the_fault(self, api, adam):
        rule = {"name": "Air", "parameter": "no2", "conditions": [{**UNHEALTHY, "standard": "ca_aqhi"}]}
        answer = api(adam).post("/api/rules/", rule, format="json")
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/conditions/0/standard"]


def turns(change):
    """Whether ``change`` turns the page."""
    before = Head.current(rulebook.HEAD)
    change()
    return Head.current(rulebook.HEAD) > before


def declare_unit(sensor, parameter):
    assets.update_parameter(parameter=parameter, by=internal(), changes={"unit": "mg/m3"}, expected=None, now=NOW)


def rename(sensor, parameter):
    assets.update_parameter(parameter=parameter, by=internal(), changes={"name": "Dust"}, expected=None, now=NOW)


def list_unit(sensor, parameter):
    changes = {"parameters": [{"code": "pm10", "unit": "mg/m3"}]}
    kind = AssetType.objects.get(pk=sensor.type_id)
    assets.update_asset_type(asset_type=kind, by=internal(), changes=changes, expected=None, now=NOW)


def declare_reference(sensor, parameter):
    air.create_settings(by=internal(), data={"sensor": sensor, "reference_temperature": 0.0}, now=NOW)


@pytest.mark.django_db
class TestThePage:
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            pytest.param(declare_unit, True, id="the unit of a parameter"),
            pytest.param(rename, False, id="its name"),
            pytest.param(list_unit, True, id="the unit in a type"),
            pytest.param(declare_reference, True, id="the air of masses of gas"),
        ],
    )
    @pytest.mark.parametrize("asked", [True, False], ids=["an index", "no index"])
    def test_is_turned_where_a_rule_may_look_at_it(self, change, expected, asked):
        factories.make_rule(parameter="pm2_5", **({"conditions": [UNHEALTHY]} if asked else {}))
        sensor = make_sensor(pm2_5="ug/m3")
        parameter, _ = Parameter.objects.get_or_create(code="pm2_5", defaults=factories.STAMPS)
        assert turns(lambda: change(sensor, parameter)) == (expected and asked)

"""Hours of sensors that do not say how often they send."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from techtrack.assets.models import Sensor
from techtrack.environment.queries import air
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.store.compaction import compact
from tests.factories import NOW
from tests.integration.environment.stations import make_station, send

pytestmark = pytest.mark.django_db
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def sensor(plant):
    return make_station(site=plant)


def hours_of(sensor, *, at=NOW, length=1, code="pm2_5", quarters=()):
    subjects = telemetry.subjects(Sensor.objects.filter(pk=sensor.pk))
    stretch = air.Stretch.until(at, length=length, quarters=quarters)
    return air.air_of(subjects, codes=(code,), stretch=stretch)[sensor.pk].hours[code]


def known(sensor, **more):
    return np.isfinite(hours_of(sensor, **more).values).tolist()


@pytest.fixture(params=["log", "chunks"])
def settled(request):
    def settle():
        if request.param == "chunks":
            compact(NOW + timedelta(days=9), force=True)

    return settle


class TestHoursWithoutADeclaredInterval:
    def test_are_not_known_by_a_single_value_ever(self, api, vera, sensor, settled):
        send(sensor, last=NOW - 59 * MINUTE, pm2_5=[300.0])
        settled()
        assert known(sensor) == [False]
        at = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
        told = api(vera).get(f"/api/sensors/{sensor.pk}/air-quality/?standard=eu_eaqi&at={at}").json()
        assert told["index"] is None
        (dust,) = told["pollutants"]
        assert "1 hours are of a sensor that declares no interval" in dust["reason"]

    def test_are_not_known_by_one_value_of_a_sensor_that_sends_every_minute(self, sensor, settled):
        send(sensor, last=NOW - HOUR - MINUTE, every=MINUTE, pm2_5=[20.0] * 180)
        send(sensor, last=NOW - 59 * MINUTE, pm2_5=[300.0])
        settled()
        found = hours_of(sensor, length=4)
        assert np.isfinite(found.values).tolist() == [True, True, True, False]
        # It is known how often it sends: too little came.
        assert found.lacks == ""

    def test_need_three_quarters_of_what_the_day_before_promises(self, sensor, settled):
        send(sensor, last=NOW - HOUR - MINUTE, every=MINUTE, pm2_5=[20.0] * 600)
        for first, count, enough in ((NOW - HOUR, 45, True), (NOW, 44, False)):
            send(sensor, last=first + (count - 1) * MINUTE, every=MINUTE, pm2_5=[20.0] * count)
            settled()
            assert known(sensor, at=first + HOUR) == [enough]

    def test_are_known_of_a_sensor_that_sends_once_an_hour(self, sensor, settled):
        send(sensor, last=NOW - MINUTE, pm2_5=[20.0] * 12)
        settled()
        assert known(sensor, length=13) == [False, *[True] * 12]

    def test_follow_a_sensor_that_is_set_to_another_interval(self, sensor, settled):
        send(sensor, last=NOW - MINUTE, every=10 * MINUTE, pm2_5=[20.0] * 6 * 48)
        send(sensor, last=NOW + 24 * HOUR - MINUTE, every=MINUTE, pm2_5=[20.0] * 60 * 24)
        settled()
        assert known(sensor, at=NOW + 24 * HOUR, length=72) == [True] * 72

    @pytest.mark.parametrize("off", [0, 30, 45], ids=lambda minutes: f"+{minutes} min")
    def test_are_the_same_at_any_minute_of_the_hour(self, sensor, settled, off):
        send(sensor, last=NOW - MINUTE, every=MINUTE, pm2_5=[20.0] * 60 * 6)
        send(sensor, last=NOW + 60 * MINUTE, every=10 * MINUTE, pm2_5=[20.0] * 6)
        settled()
        found = known(sensor, at=NOW + off * MINUTE + HOUR, length=5)
        assert found == [True, True, True, off == 0, False]

    def test_and_quarters_of_them_are_judged_alike(self, sensor, settled):
        send(sensor, last=NOW - HOUR - MINUTE, every=MINUTE, so2=[20.0] * 300)
        send(sensor, last=NOW - 31 * MINUTE, every=MINUTE, so2=[20.0] * 20)
        settled()
        found = hours_of(sensor, code="so2", quarters=("so2",))
        assert np.isfinite(found.quarters[0]).tolist() == [False, True, False, False]

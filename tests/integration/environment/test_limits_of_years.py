"""Limits that look beyond the hours of a year: means of ten minutes, and of several years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from techtrack.environment.queries import short
from techtrack.telemetry import queries as telemetry
from tests import factories
from tests.integration.environment.stations import HOUR, make_station, send, settle

MINUTE = timedelta(minutes=1)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 20
AT = BEGIN + DAYS * 24 * HOUR


@pytest.fixture
def at(monkeypatch):
    """Twenty days of the year are over."""
    monkeypatch.setattr("techtrack.environment.api.exceedances.clock.plant_now", lambda: AT + HOUR)


@pytest.fixture
def site(db):
    """At the clock of UTC."""
    return factories.make_site("Harbour", timezone="UTC")


@pytest.fixture
def findings(api, adam, at):
    def get(sensor, **query):
        found = api(adam).get(f"/api/sensors/{sensor.pk}/exceedances/", query)
        assert found.status_code == 200, found.content
        return {one["limit"]: one for one in found.json()["findings"]}

    return get


def make_monitor(site, every, **fields):
    sensor = make_station(site=site, expected_interval=every, **fields)
    settle(sensor, reference_temperature=25, reference_pressure=1013.25)
    return sensor


def minutes(*high, level=40.0):
    """Minutes of the days, of which some stretches (first minute, how many, their level) are higher."""
    values = np.full(DAYS * 24 * 60, level) + np.arange(DAYS * 24 * 60) % 3
    for first, count, above in high:
        values[first : first + count] = above
    return values


@pytest.fixture
def read(monkeypatch):
    """The stretches that were read value by value."""
    found, means = [], telemetry.means

    def noted(ids, *, codes, edges):
        if edges[1] - edges[0] < short.HOUR:
            found.append(len(edges))
        return means(ids, codes=codes, edges=edges)

    monkeypatch.setattr(short.telemetry, "means", noted)
    return found


class TestTenMinutes:
    def test_above_the_guideline_are_counted(self, findings, site, read):
        sensor = make_monitor(site, MINUTE)
        # Ten minutes, twice ten minutes, and nine that make no mean of ten above 500.
        high = (600, 10, 510.0), (1200, 20, 600.0), (3000, 9, 520.0)
        send(sensor, last=AT - MINUTE / 2, every=MINUTE, so2=minutes(*high))
        one = findings(sensor)["so2_10min"]
        assert (one["used"], one["value"], one["exceeded"], one["periods"]) == (3, 600.0, True, "10 min")
        assert one["capture"] == 1.0
        assert len(read) == 1

    def test_are_not_read_where_no_value_is_above(self, findings, site, read):
        sensor = make_monitor(site, MINUTE)
        send(sensor, last=AT - MINUTE / 2, every=MINUTE, so2=minutes((600, 60, 500.0)))
        one = findings(sensor)["so2_10min"]
        assert (one["used"], one["value"], one["exceeded"], read) == (0, None, False, [])
        assert one["reason"].startswith("no mean of 10 min is above the limit")

    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
    def test_are_the_same_in_every_zone(self, findings, api, adam, at, zone):
        sensor = make_monitor(factories.make_site(zone, timezone=zone), MINUTE)
        # At 10:20 and 10:30 UTC: there is no hour of either clock in which both lie otherwise.
        send(sensor, last=AT - MINUTE / 2, every=MINUTE, so2=minutes((620, 20, 700.0)))
        found = api(adam).get(f"/api/sensors/{sensor.pk}/exceedances/").json()["findings"]
        (one,) = (one for one in found if one["limit"] == "so2_10min")
        assert (one["used"], one["value"]) == (2, 700.0)

    def test_of_an_hourly_sensor_are_null_with_the_reason(self, findings, site, read):
        sensor = make_monitor(site, HOUR)
        send(sensor, last=AT - HOUR / 2, so2=[600.0 + n % 2 for n in range(DAYS * 24)])
        found = findings(sensor)
        one = found["so2_10min"]
        assert (one["value"], one["exceeded"], one["used"]) == (None, None, 0)
        assert one["reason"] == "means of 10 min are not known: values come too seldom"
        assert (found["so2_day"]["exceeded"], read) == (True, [])

    def test_are_read_up_to_a_bound_and_then_not_known(self, findings, site, monkeypatch, read):
        monkeypatch.setattr(short, "MOST_HOURS", 48)
        monkeypatch.setattr(short, "BATCH", 24)
        sensor = make_monitor(site, MINUTE)
        # A value in each hour is above, and no mean is.
        high = [(hour * 60 + 7, 1, 900.0) for hour in range(DAYS * 24)]
        send(sensor, last=AT - MINUTE / 2, every=MINUTE, so2=minutes(*high))
        one = findings(sensor)["so2_10min"]
        assert (one["value"], one["exceeded"], one["capture"]) == (None, None, pytest.approx(0.1))
        assert one["reason"] == "10% of the periods are known, 75% are needed"
        assert len(read) == 2

    def test_of_carbon_monoxide_are_quarters(self, findings, site):
        sensor = make_monitor(site, 5 * MINUTE)
        values = np.full(DAYS * 24 * 12, 1000.0) + np.arange(DAYS * 24 * 12) % 3
        values[120:123] = 101_000.0
        send(sensor, last=AT - MINUTE, every=5 * MINUTE, co=values)
        one = findings(sensor)["co_15min"]
        assert (one["used"], one["value"], one["limit_value"]) == (1, 101.0, 100.0)


class TestSeveralYears:
    def ozone(self, sensor, year, high, days=365):
        """A year of which so many days are high, the last hours of a day being low."""
        values = np.full((days, 24), 50.0) + np.arange(24) % 2
        values[100 : 100 + high, 10:18] = 130.0
        send(sensor, last=datetime(year + 1, 1, 1, tzinfo=UTC) - HOUR / 2, o3=values.reshape(-1))

    def test_are_a_mean_of_days_where_data_is_there(self, api, adam, site, monkeypatch):
        now = datetime(2026, 1, 1, tzinfo=UTC)
        monkeypatch.setattr("techtrack.environment.api.exceedances.clock.plant_now", lambda: now)
        sensor = make_monitor(site, HOUR)

        def told():
            found = api(adam).get(f"/api/sensors/{sensor.pk}/exceedances/?standard=eu_2030&year=2025").json()
            return next(one for one in found["findings"] if one["limit"] == "o3_8h")

        self.ozone(sensor, 2025, 20)
        alone = told()
        assert (alone["used"], alone["exceeded"]) == (20, True)
        assert alone["over_years"] == {"years": [2025], "mean": 20.0, "exceeded": True}
        self.ozone(sensor, 2024, 10, days=366)
        self.ozone(sensor, 2023, 18)
        assert told()["over_years"] == {"years": [2023, 2024, 2025], "mean": 16.0, "exceeded": False}

    def test_are_null_where_nothing_is_averaged(self, findings, site):
        sensor = make_monitor(site, HOUR)
        send(sensor, last=AT - HOUR / 2, pm10=[20.0 + n % 2 for n in range(DAYS * 24)])
        assert {one["over_years"] for one in findings(sensor, standard="eu_2024").values()} == {None}

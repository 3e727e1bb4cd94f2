"""The mean direction of wind through the doors, from the log, from hours and from days."""

from __future__ import annotations

import csv
import io
import random
from datetime import timedelta
from functools import partial
from importlib import import_module

import numpy as np
import pytest
from django.apps import apps

from techtrack.core.clock import isoformat, to_micros
from techtrack.telemetry import queries
from techtrack.telemetry.jobs import run_next
from techtrack.telemetry.models import DayRollup, Rollup, StoreRun
from techtrack.telemetry.store import days
from techtrack.telemetry.store.compaction import compact
from techtrack.telemetry.store.encoding import pack_days, pack_hours, unpack_days, unpack_hours
from tests import factories
from tests.factories import NOW
from tests.integration.telemetry.test_history import fill_in

pytestmark = pytest.mark.django_db
MIGRATION = import_module("techtrack.telemetry.migrations.0006_wind_as_vectors")


def told(client, asset, hours, query=""):
    """The series of the wind's direction in some hours from NOW on."""
    span = f"from={isoformat(NOW)}&to={isoformat(NOW + timedelta(hours=hours))}"
    answer = client.get(f"/api/history/?asset={asset.pk}&parameter=wind_direction&{span}&{query}")
    assert answer.status_code == 200, answer.content
    [series] = answer.json()["series"]
    return series


def near(rows):
    return [[*row[:2], row[2] if row[2] is None else pytest.approx(row[2], abs=1e-4)] for row in rows]


class TestWindDirection:
    """350° and 10° make north, from rollups as from readings."""

    @pytest.fixture(params=["log", "chunks"])
    def stored(self, request):
        def store(asset, *hours):
            for place, values in enumerate(hours):
                fill_in(asset, NOW + timedelta(hours=place), values, code="wind_direction")
            if request.param == "chunks":
                compact(NOW + timedelta(days=9), force=True)

        return store

    def test_is_averaged_as_a_vector(self, api, vera, robot, stored):
        stored(robot, [350.0, 10.0], [80.0, 100.0, 90.0], [0.0, 180.0])
        series = told(api(vera), robot, 3, "interval=PT1H&statistic=avg")
        assert [row[2] for row in series["rows"]] == [0.0, 90.0, None]
        assert series["notes"] == {
            "avg": "1 buckets have none: their directions cancel, or the store is to be rebuilt first"
        }

    def test_has_no_extremes_and_no_spread(self, api, vera, robot, stored):
        stored(robot, [350.0, 10.0])
        series = told(api(vera), robot, 1, "interval=PT1H&statistic=avg,min,max,stddev,twa,p50,first,last")
        assert series["rows"][0][1:] == [2, 0.0, None, None, None, None, None, 350.0, 10.0]
        assert series["notes"]["max"] == "a direction has no max: behind 360 degrees comes 0"
        assert series["notes"].keys() == {"min", "max", "stddev", "twa", "p50"}

    @pytest.mark.parametrize("interval", ["PT10M", "PT1H", "P1D", "P1M"])
    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
    def test_is_the_same_from_readings_hours_and_days(self, api, vera, robot, interval, zone):
        dice = random.Random(f"{interval} {zone}")
        for place in range(60):
            values = [(300 + dice.gauss(0, 60)) % 360 for _ in range(20)]
            fill_in(robot, NOW + timedelta(hours=place), values, code="wind_direction")
        query = f"interval={interval}&timezone={zone}&statistic=avg"
        from_log = told(api(vera), robot, 60, query)["rows"]
        now = NOW + timedelta(days=40)
        while compact(now, force=True) is not None:
            pass
        assert told(api(vera), robot, 60, query)["rows"] == near(from_log)
        while days.build(now):
            pass
        assert told(api(vera), robot, 60, query)["rows"] == near(from_log)

    def test_is_filled_by_the_shorter_way(self, api, vera, robot, stored):
        stored(robot, [350.0])
        fill_in(robot, NOW + timedelta(hours=2), [10.0], code="wind_direction")
        series = told(api(vera), robot, 3, "interval=PT1H&statistic=avg&fill=linear")
        assert [row[2] for row in series["rows"]] == [350.0, 0.0, 10.0]

    def test_goes_on_from_before_the_span(self, api, vera, robot, stored):
        fill_in(robot, NOW - timedelta(hours=3), [350.0, 10.0], code="wind_direction")
        stored(robot)
        series = told(api(vera), robot, 1, "interval=PT1H&statistic=avg,max&fill=previous")
        assert series["rows"][0][2:] == [0.0, None]

    def test_is_no_series_more(self, api, vera, robot, stored):
        stored(robot, [350.0, 10.0])
        span = f"from={isoformat(NOW)}&to={isoformat(NOW + timedelta(hours=1))}"
        body = api(vera).get(f"/api/history/?asset={robot.pk}&{span}&interval=PT1H").json()
        assert [series["parameter"] for series in body["series"]] == ["wind_direction"]

    def test_counts_once(self, robot):
        fill_in(robot, NOW, [350.0, 10.0], code="wind_direction")
        fill_in(robot, NOW, [1.0, 3.0], code="wind_speed")
        compact(NOW + timedelta(days=9), force=True)
        found = queries.figures(NOW)
        assert (found.readings, found.values) == (2, 4)

    def test_has_no_trend(self, api, vera, robot, stored):
        stored(robot, [350.0, 10.0])
        answer = api(vera).get(f"/api/equipment/{robot.pk}/trend/?parameter=wind_direction")
        assert (answer.status_code, answer.json()["code"]) == (400, "goes_round")


class TestHoursRolledUpBefore:
    """As an older version left them: without the parts of directions."""

    def strip(self):
        zero = np.array([0])
        hourly = (Rollup, partial(unpack_hours, hours=zero), partial(pack_hours, hours=zero))
        for model, unpack, pack in (hourly, (DayRollup, unpack_days, pack_days)):
            for row in model.objects.all():
                codes = row.codes.split()
                kept = [place for place, code in enumerate(codes) if "/" not in code]
                found = unpack([bytes(row.payload)], codes=len(codes))[:, kept]
                rows = model.objects.filter(pk=row.pk)
                rows.update(codes=" ".join(codes[place] for place in kept), payload=pack(found)[0])

    def test_have_no_mean_until_the_store_is_rebuilt_which_the_update_asks_for(self, api, vera, robot):
        fill_in(robot, NOW, [350.0, 10.0], code="wind_direction")
        fill_in(robot, NOW, [1.0, 2.0])
        compact(NOW + timedelta(days=9), force=True)
        while days.build(NOW + timedelta(days=9)):
            pass
        day = DayRollup.objects.get()
        edges = np.array([day.start_at, day.end_at])
        self.strip()
        assert told(api(vera), robot, 1, "interval=PT1H&statistic=avg,last")["rows"][0][1:] == [2, None, 10.0]
        assert np.isnan(queries.means([robot.pk], codes=["wind_direction"], edges=edges)[robot.pk, "wind_direction"][1])
        MIGRATION.ask_for_a_rebuild(apps, None)
        assert run_next()
        assert StoreRun.objects.get().state == "done"
        assert told(api(vera), robot, 1, "interval=PT1H&statistic=avg")["rows"][0][1:] == [2, 0.0]
        assert queries.means([robot.pk], codes=["wind_direction"], edges=edges)[robot.pk, "wind_direction"][1] == 0.0

    def test_of_a_plant_without_wind_are_left_alone(self, robot):
        fill_in(robot, NOW, [1.0, 2.0])
        compact(NOW + timedelta(days=9), force=True)
        MIGRATION.ask_for_a_rebuild(apps, None)
        assert not StoreRun.objects.exists()

    def test_are_asked_for_once_and_anew_where_a_run_was_interrupted(self, robot):
        fill_in(robot, NOW, [350.0], code="wind_direction")
        compact(NOW + timedelta(days=9), force=True)
        StoreRun.objects.create(kind="rebuild", state="running", created_at=NOW)
        for _ in range(2):
            MIGRATION.ask_for_a_rebuild(apps, None)
        assert sorted(StoreRun.objects.values_list("state", flat=True)) == ["interrupted", "waiting"]


class TestOtherDoors:
    def test_of_openaq_tells_hours_of_wind(self, api, vera, plant):
        kind = factories.make_type("mast", parameters=[{"code": "wind_direction", "unit": "deg"}])
        mast = factories.make_sensor("Mast", site=plant, type=kind, latitude=52.5, longitude=13.4)
        fill_in(mast, NOW - timedelta(hours=2), [350.0, 10.0], code="wind_direction")
        fill_in(mast, NOW - timedelta(hours=1), [355.0] * 60, code="wind_direction")
        client = api(vera)
        (location,) = client.get("/v3/locations").json()["results"]
        (series,) = location["sensors"]
        assert series["parameter"]["id"] == 22
        hours = client.get(f"/v3/sensors/{series['id']}/hours").json()["results"]
        assert [hour["value"] for hour in hours] == [0.0, 355.0]
        assert {name: one for name, one in hours[0]["summary"].items() if one is not None} == {"avg": 0.0}

    def test_of_files_give_the_same(self, api, vera, robot):
        fill_in(robot, NOW, [350.0, 10.0], code="wind_direction")
        span = f"from={isoformat(NOW)}&to={isoformat(NOW + timedelta(hours=1))}"
        query = f"asset={robot.pk}&{span}&interval=PT1H&statistic=avg,max&format=csv"
        answer = api(vera).get(f"/api/history/?{query}")
        body = b"".join(answer.streaming_content if answer.streaming else [answer.content]).decode("utf-8-sig")
        (row,) = csv.DictReader(io.StringIO(body))
        assert (float(row["avg"]), row["max"]) == (0.0, "")

    def test_of_means_for_periods_of_air_give_the_same(self, robot):
        fill_in(robot, NOW, [350.0, 10.0], code="wind_direction")
        fill_in(robot, NOW, [1.0, 3.0], code="wind_speed")
        edges = to_micros(NOW) + np.array([0, 3_600_000_000])
        found = queries.means([robot.pk], codes=("wind_direction", "wind_speed"), edges=edges)
        assert {code: (counts.tolist(), means.tolist()) for (_, code), (counts, means) in found.items()} == {
            "wind_direction": ([2], [0.0]),
            "wind_speed": ([2], [2.0]),
        }

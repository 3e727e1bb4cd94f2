"""A flipped bit in an hour of readings: the rest is told, and the hour is named wherever it was asked for."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.utils import timezone

from techtrack.core.clock import isoformat, to_micros
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.models import Chunk, Damage
from techtrack.telemetry.store import compaction
from techtrack.telemetry.store.database import store
from tests.integration.telemetry.test_store_care import flipped

HOURS = 5
STEP = timedelta(minutes=10)
FULL = 6


@pytest.fixture
def start():
    return (timezone.now() - timedelta(days=2)).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def damaged(robot, start):
    """Five hours of readings, of which the third cannot be read; gives its beginning and end."""
    rows = [(to_micros(start + STEP * index), {"temperature": float(index)}) for index in range(HOURS * FULL)]
    send(robot, rows, start)
    third = to_micros(start) // 3_600_000_000 + 2
    flipped(Chunk.objects.filter(asset_id=robot.pk, hour=third))
    return isoformat(start + timedelta(hours=2)), isoformat(start + timedelta(hours=3))


def send(asset, rows, now):
    batch = Batch.of(Row(asset.pk, time, values) for time, values in rows)
    store.append(batch, kind=Kind.READINGS, origin=Origin.LIVE, now=now)
    while compaction.compact(timezone.now(), force=True) is not None:
        pass


def named(robot, damaged):
    return [{"asset": robot.pk, "from": damaged[0], "to": damaged[1]}]


def history(client, robot, start, query="interval=PT10M", hours=HOURS):
    end = start + timedelta(hours=hours)
    span = f"from={isoformat(start)}&to={isoformat(end)}"
    return client.get(f"/api/history/?asset={robot.pk}&parameter=temperature&{span}&{query}")


def read(answer):
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


class TestHistory:
    def test_names_the_hour_and_tells_the_rest(self, api, vera, robot, start, damaged):
        body = history(api(vera), robot, start).json()
        assert body["unreadable"] == named(robot, damaged)
        assert len(body["series"][0]["rows"]) == (HOURS - 1) * FULL

    def test_names_it_where_percentiles_lack_it(self, api, vera, robot, start, damaged):
        body = history(api(vera), robot, start, "interval=PT1H&statistic=avg,p95").json()
        assert body["unreadable"] == named(robot, damaged)
        rows = {row[0]: row for row in body["series"][0]["rows"]}
        # The statistics of the hour are kept apart from its readings.
        assert rows[damaged[0]][2:] == [14.5, None]
        assert "p95" in body["series"][0]["notes"]

    def test_names_nothing_where_statistics_hold_all(self, api, vera, robot, start, damaged):
        body = history(api(vera), robot, start, "interval=PT1H").json()
        assert "unreadable" not in body
        assert [row[1] for row in body["series"][0]["rows"]] == [FULL] * HOURS

    def test_names_nothing_outside_the_span(self, api, vera, robot, start, damaged):
        assert "unreadable" not in history(api(vera), robot, start, hours=2).json()

    def test_names_it_for_a_drawing(self, api, vera, robot, start, damaged):
        body = history(api(vera), robot, start, "downsample=lttb").json()
        assert body["unreadable"] == named(robot, damaged)

    def test_names_what_was_set_aside(self, api, vera, robot, start, damaged):
        send(robot, [(to_micros(start + timedelta(hours=2, minutes=5)), {"temperature": 1.0})], start)
        assert Damage.objects.count() == 1
        body = history(api(vera), robot, start, "interval=PT1H").json()
        assert body["unreadable"] == named(robot, damaged)
        assert [row[1] for row in body["series"][0]["rows"]] == [FULL, FULL, 1, FULL, FULL]

    def test_says_it_in_a_file_without_a_number(self, api, vera, robot, start, damaged):
        rows = read(history(api(vera), robot, start, "interval=PT10M&format=csv"))
        assert len(rows) == (HOURS - 1) * FULL + 1
        last = rows[-1]
        assert (last["parameter"], last["start"], last["count"]) == (f"unreadable until {damaged[1]}", damaged[0], "0")


class TestList:
    def test_names_the_hour_on_the_page_that_lacks_it(self, api, vera, robot, start, damaged):
        client = api(vera)
        first = client.get("/api/data/", {"page_size": 10}).json()
        assert "unreadable" not in first
        second = client.get(first["next"]).json()
        assert second["unreadable"] == named(robot, damaged)
        third = client.get(second["next"]).json()
        assert "unreadable" not in third
        assert sum(len(page["results"]) for page in (first, second, third)) == (HOURS - 1) * FULL

    def test_names_neighbours_as_one(self, api, vera, robot, start, damaged):
        flipped(Chunk.objects.filter(asset_id=robot.pk).order_by("-hour"))
        hours = Chunk.objects.filter(asset_id=robot.pk).order_by("hour")
        flipped(Chunk.objects.filter(asset_id=robot.pk, hour=hours[3].hour))
        body = api(vera).get("/api/data/").json()
        assert [(one["from"], one["to"]) for one in body["unreadable"]] == [
            (damaged[0], isoformat(start + timedelta(hours=HOURS)))
        ]


class TestFile:
    def test_has_a_row_for_what_is_lost(self, api, vera, robot, start, damaged):
        rows = read(api(vera).get("/api/data/", {"format": "csv"}))
        assert len(rows) == (HOURS - 1) * FULL + 1
        assert (rows[-1]["timestamp"], rows[-1]["quality"]) == (damaged[0], f"unreadable until {damaged[1]}")
        assert rows[-1]["temperature"] == ""


class TestWhole:
    def test_store_names_nothing(self, api, vera, robot, start):
        send(robot, [(to_micros(start), {"temperature": 1.0})], start)
        client = api(vera)
        assert "unreadable" not in history(client, robot, start).json()
        assert "unreadable" not in client.get("/api/data/").json()
        assert len(read(client.get("/api/data/", {"format": "csv"}))) == 1

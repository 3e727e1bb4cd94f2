"""The history of series through its door, held against plain Python on both databases."""

from __future__ import annotations

import csv
import io
import random
import statistics
import sys
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
import time_machine

from techtrack.accounts.domain.access import internal
from techtrack.core.clock import from_micros, isoformat, to_micros
from techtrack.telemetry import queries
from techtrack.telemetry.domain.gaps import Fill
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.domain.windows import read_interval
from techtrack.telemetry.queries import Question, Subject
from techtrack.telemetry.services import ingest
from techtrack.telemetry.store import database, days
from techtrack.telemetry.store.compaction import compact
from techtrack.telemetry.store.memory import MemoryStore
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def fill_in(asset, start, values, *, every=MINUTE, code="temperature"):
    """Store values at equal distances; returns them by time."""
    moments = [start + every * number for number in range(len(values))]
    rows = [Row(asset.pk, to_micros(at), {code: value}) for at, value in zip(moments, values, strict=True)]
    ingest(batch=Batch.of(rows), by=internal(), now=max(moments[-1], NOW), origin=Origin.IMPORT)
    return dict(zip(moments, values, strict=True))


def ask(client, asset, start, end, query="", status=200):
    """Ask for the history of temperature between two moments."""
    span = f"from={isoformat(start)}&to={isoformat(end)}"
    answer = client.get(f"/api/history/?asset={asset.pk}&parameter=temperature&{span}&{query}")
    assert answer.status_code == status, answer.content
    return answer.json() if answer.get("Content-Type", "").endswith("json") else answer


def table(body):
    """The rows of the only series as dictionaries."""
    [series] = body["series"]
    return [dict(zip(series["columns"], row, strict=True)) for row in series["rows"]]


class TestBuckets:
    @pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-06-01"], ids=["spring", "autumn", "summer"])
    def test_of_local_days_have_23_to_25_hours(self, api, vera, robot, day):
        midnight = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
        start, end = midnight - timedelta(days=1), midnight + timedelta(days=2)
        dice = random.Random(day)
        minutes = (to_micros(end) - to_micros(start)) // 60_000_000
        values = [round(dice.uniform(-50, 50), 2) for _ in range(minutes)]
        kept = fill_in(robot, start.astimezone(factories.NOW.tzinfo), values)
        by_day: dict = {}
        for at, value in kept.items():
            by_day.setdefault(at.astimezone(BERLIN).date(), []).append(value)
        answer = ask(api(vera), robot, start, end, "interval=P1D&statistic=avg,sum,first,last,delta,stddev,p05,p50,p95")
        assert (answer["timezone"], answer["interval"]) == ("Europe/Berlin", "P1D")
        found = table(answer)
        assert [row["count"] for row in found] == [len(values) for values in by_day.values()]
        assert sorted({row["count"] // 60 for row in found}) in ([23, 24], [24, 25], [24])
        for row, values in zip(found, by_day.values(), strict=True):
            assert row["avg"] == pytest.approx(statistics.fmean(values))
            assert row["sum"] == pytest.approx(sum(values))
            assert (row["first"], row["last"]) == (values[0], values[-1])
            assert row["delta"] == pytest.approx(values[-1] - values[0])
            assert row["stddev"] == pytest.approx(statistics.stdev(values))
            cuts = statistics.quantiles(values, n=20, method="inclusive")
            assert [row["p05"], row["p50"], row["p95"]] == pytest.approx([cuts[0], cuts[9], cuts[18]])

    @pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana"])
    def test_of_hours_follow_zones_off_the_hour(self, api, vera, robot, zone):
        start = datetime(2026, 10, 31, 20, tzinfo=NOW.tzinfo)
        kept = fill_in(robot, start, [float(number % 7) for number in range(24 * 60)])
        by_hour: dict = {}
        for at in kept:
            local = at.astimezone(ZoneInfo(zone))
            by_hour[local.date(), local.hour, local.fold] = by_hour.get((local.date(), local.hour, local.fold), 0) + 1
        found = table(ask(api(vera), robot, start, start + timedelta(days=1), f"interval=PT1H&timezone={zone}"))
        assert [row["count"] for row in found] == list(by_hour.values())

    def test_hold_no_more_than_lies_in_the_span(self, api, vera, robot):
        fill_in(robot, NOW, [1.0] * 60 + [3.0] * 60)
        found = table(ask(api(vera), robot, NOW + 30 * MINUTE, NOW + 90 * MINUTE, "interval=PT1H"))
        assert [(row["start"], row["count"]) for row in found] == [
            ("2026-11-21T10:00:00Z", 30),
            ("2026-11-21T11:00:00Z", 30),
        ]

    def test_weigh_values_by_time(self, api, vera, robot):
        for minute, value in [(0, 10.0), (9, 20.0), (10, 20.0)]:
            factories.make_reading(robot, at=NOW + minute * MINUTE, temperature=value)
        [row] = table(ask(api(vera), robot, NOW, NOW + 60 * MINUTE, "interval=PT1H&statistic=avg,twa"))
        assert row["avg"] == pytest.approx(50 / 3)
        assert row["twa"] == pytest.approx(11.0)

    def test_of_one_day_by_ten_seconds_come_whole(self, api, vera, robot):
        start = NOW - timedelta(days=1)
        fill_in(robot, start, [number / 10 for number in range(8640)], every=timedelta(seconds=10))
        found = table(ask(api(vera), robot, start, NOW, "interval=PT10S&statistic=last"))
        assert [row["last"] for row in found] == [number / 10 for number in range(8640)]
        assert found[1]["start"] == isoformat(start + timedelta(seconds=10))

    def test_leave_out_what_is_marked_as_bad(self, api, vera, erik, robot):
        fill_in(robot, NOW, [1.0] * 30 + [1000.0] * 30)
        body = {"asset": robot.pk, "from": isoformat(NOW + 30 * MINUTE), "to": isoformat(NOW + 60 * MINUTE)}
        marked = api(erik).post("/api/data/quality/", body | {"quality": "bad", "reason": "calibration"}, format="json")
        assert marked.status_code == 201, marked.content
        [row] = table(ask(api(vera), robot, NOW, NOW + 60 * MINUTE, "interval=PT1H&statistic=max,p95"))
        assert (row["count"], row["max"], row["p95"]) == (30, 1.0, 1.0)


class TestGaps:
    @pytest.mark.parametrize(
        ("fill", "averages"),
        [
            ("none", [10.0, 40.0]),
            ("null", [None, 10.0, None, None, 40.0, None]),
            ("previous", [None, 10.0, 10.0, 10.0, 40.0, 40.0]),
            ("linear", [None, 10.0, 20.0, 30.0, 40.0, None]),
        ],
    )
    def test_are_told_as_asked(self, api, vera, robot, fill, averages):
        for hour, value in [(1, 10.0), (4, 40.0)]:
            factories.make_reading(robot, at=NOW + timedelta(hours=hour), temperature=value)
        query = f"interval=PT1H&statistic=avg&fill={fill}"
        found = table(ask(api(vera), robot, NOW, NOW + timedelta(hours=6), query))
        assert [row["avg"] for row in found] == averages
        assert sum(row["count"] for row in found) == 2

    def test_begin_with_what_was_before_the_span(self, api, vera, robot):
        for hour, minute, value in [(-100, 0, 1.0), (-50, 10, 10.0), (-50, 20, 30.0), (2, 0, 40.0)]:
            factories.make_reading(robot, at=NOW + timedelta(hours=hour, minutes=minute), temperature=value)
        query = "interval=PT1H&statistic=avg,last,p50,completeness&fill=previous"
        found = table(ask(api(vera), robot, NOW, NOW + timedelta(hours=3), query))
        told = [(row["count"], row["avg"], row["last"], row["p50"]) for row in found]
        assert told == [(0, 20.0, 30.0, 20.0), (0, 20.0, 30.0, 20.0), (1, 40.0, 40.0, 40.0)]

    def test_may_be_all_there_is(self, api, vera, erik, robot):
        """A state that has not changed for a month is still that state."""
        fill_in(robot, NOW - timedelta(days=30), [1.0, 2.0, 1000.0])
        body = {"asset": robot.pk, "from": isoformat(NOW - timedelta(days=30) + 2 * MINUTE), "to": isoformat(NOW)}
        marked = api(erik).post("/api/data/quality/", body | {"quality": "bad", "reason": "test"}, format="json")
        assert marked.status_code == 201, marked.content
        answer = ask(api(vera), robot, NOW, NOW + timedelta(hours=2), "interval=PT1H&statistic=max&fill=previous")
        assert [(row["count"], row["max"]) for row in table(answer)] == [(0, 2.0), (0, 2.0)]
        for fill in ("none", "null", "linear"):
            answer = ask(api(vera), robot, NOW, NOW + timedelta(hours=2), f"interval=PT1H&fill={fill}")
            assert answer["series"] == []

    @pytest.mark.parametrize("interval", ["PT1H", "PT20M", "P1D", "P1W"])
    def test_are_filled_the_same_wherever_the_question_begins(self, robot, plant, monkeypatch, interval):
        """On the twin and on the database, folded and not, with and without days."""
        others = [robot.pk, factories.make_equipment("Seldom", site=plant).pk]
        start, dice, twin = NOW - timedelta(days=120), random.Random(interval), MemoryStore()
        for asset, count in zip(others, (40, 9), strict=True):
            times = [to_micros(start) + dice.randrange(100 * 86_400 * 10**6) for _ in range(count)]
            batch = Batch.of(Row(asset, at, {dice.choice("ab"): dice.random()}) for at in sorted(times))
            for store in (twin, database.store):
                store.append(batch, kind=Kind.READINGS, origin=Origin.LIVE, now=start)
        asked = [Subject(pk, None, "", None, None) for pk in others]
        rows = partial(_filled, asked, read_interval(interval), BERLIN)
        whole = rows(start, NOW)
        for _ in range(3):
            begin = dice.choice([at for at in next(iter(whole.values())) if at > to_micros(start)])
            expected = {key: {at: row for at, row in found.items() if at >= begin} for key, found in whole.items()}
            for place in ("history", "before", "walking"):
                monkeypatch.setattr(sys.modules[f"techtrack.telemetry.queries.{place}"], "store", twin)
            on_the_twin = rows(from_micros(begin), NOW)
            monkeypatch.undo()
            found = rows(from_micros(begin), NOW)
            assert found.keys() == on_the_twin.keys() == whole.keys()
            for key, told in expected.items():
                assert found[key] == pytest.approx(told, nan_ok=True)
                assert on_the_twin[key] == pytest.approx(told, nan_ok=True)
            compact(NOW, force=True)
            while days.build(NOW):
                pass


def _filled(asked, interval, zone, start, end):
    """By series and start of bucket: last, maximum and median with gaps filled."""
    names = ("last", "max", "p50")
    span = (to_micros(start), to_micros(end))
    question = Question(asked, (), span, interval, zone, names, Fill.PREVIOUS, span[1])
    return {
        (one.subject.id, one.code, name): dict(zip(one.starts.tolist(), one.columns[name].tolist(), strict=True))
        for one in queries.history(question)
        for name in names
    }


class TestCompleteness:
    def test_counts_against_the_expected_interval(self, api, vera, plant):
        robot = factories.make_equipment(site=plant, expected_interval=MINUTE)
        fill_in(robot, NOW - timedelta(hours=2), [1.0] * 90)
        with time_machine.travel(NOW, tick=False):
            query = "interval=PT1H&statistic=completeness&fill=null"
            body = ask(api(vera), robot, NOW - timedelta(hours=2), NOW + timedelta(hours=1), query)
        assert [row["completeness"] for row in table(body)] == [1.0, 0.5, None]
        assert body["series"][0]["completeness"] == 0.75

    def test_falls_back_to_the_type_and_is_unknown_without_either(self, api, vera, plant):
        kind = factories.make_type("minutely", expected_interval=timedelta(minutes=2))
        for asset, expected in [
            (factories.make_equipment(site=plant, type=kind), 1.0),
            (factories.make_equipment(site=plant), None),
        ]:
            fill_in(asset, NOW - timedelta(hours=1), [1.0] * 60)
            body = ask(api(vera), asset, NOW - timedelta(hours=1), NOW)
            assert body["series"][0]["completeness"] == expected


class TestEnvelope:
    def test_speaks_of_several_series_in_the_order_asked(self, api, vera, robot, station):
        factories.make_parameter("speed", unit="rpm")
        factories.make_reading(robot, speed=1.0, temperature=2.0)
        factories.make_reading(station, temperature=3.0)
        query = (
            f"asset=station-1,{robot.pk}&parameter=temperature,speed&from=2026-11-21T00:00:00Z&to=2026-11-22T00:00:00Z"
        )
        body = api(vera).get(f"/api/history/?{query}").json()
        listed = [(series["asset"], series["parameter"], series["unit"]) for series in body["series"]]
        assert listed == [(robot.pk, "temperature", ""), (robot.pk, "speed", "rpm"), (station.pk, "temperature", "")]

    def test_takes_the_unit_that_the_type_says(self, api, vera, plant):
        kind = factories.make_type("press", parameters=[{"code": "temperature", "unit": "[degF]"}])
        asset = factories.make_equipment(site=plant, type=kind)
        factories.make_reading(asset, temperature=2.0)
        assert ask(api(vera), asset, NOW, NOW + MINUTE)["series"][0]["unit"] == "[degF]"

    @pytest.mark.parametrize(
        ("sites", "zone"), [((None,), "UTC"), (("Berlin",), "Europe/Berlin"), (("Berlin", "Lima"), "UTC")], ids=str
    )
    def test_defaults_to_the_zone_that_the_assets_share(self, api, adam, sites, zone):
        zones = {"Berlin": "Europe/Berlin", "Lima": "America/Lima"}
        made = {name: factories.make_site(name, timezone=zones[name]) for name in sites if name}
        assets = [factories.make_equipment(site=made.get(name)) for name in sites]
        ids = ",".join(str(asset.pk) for asset in assets)
        assert api(adam).get(f"/api/history/?asset={ids}").json()["timezone"] == zone

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            *[(f"interval={text}", "?interval") for text in ("PT0S", "1h", "P99999D", "P1DT")],
            ("interval=PT1S&from=2020-01-01T00:00:00Z", "?interval"),
            ("points=20001", "?points"),
            ("statistic=median", "?statistic"),
            ("statistic=", "?statistic"),
            ("statistic=p100", "?statistic"),
            ("fill=zero", "?fill"),
            ("timezone=Berlin", "?timezone"),
            ("timezone=../etc/passwd", "?timezone"),
            ("downsample=yes", "?downsample"),
            ("downsample=lttb&interval=PT1H", "?interval"),
            ("downsample=lttb&points=3", "?points"),
            ("format=pdf", "?format"),
            ("colour=red", "?colour"),
        ],
    )
    def test_refuses_what_it_cannot_read(self, api, vera, robot, query, pointer):
        answer = api(vera).get(f"/api/history/?asset={robot.pk}&{query}")
        assert answer.status_code == 400, answer.content
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    def test_refuses_more_numbers_than_anybody_reads(self, api, vera, robot):
        batch = Batch.of([Row(robot.pk, to_micros(NOW), {f"p{number}": 1.0 for number in range(30)})])
        ingest(batch=batch, by=internal(), now=NOW, origin=Origin.LIVE)
        span = f"from={isoformat(NOW - timedelta(days=1))}&to={isoformat(NOW + MINUTE)}"
        answer = api(vera).get(f"/api/history/?asset={robot.pk}&{span}&interval=PT5S")
        assert (answer.status_code, answer.json()["code"]) == (400, "too_much")


class TestCaching:
    @pytest.fixture
    def path(self, robot):
        fill_in(robot, NOW - timedelta(hours=2), [1.0] * 120)
        return f"/api/history/?asset={robot.pk}&from=2026-11-21T08:00:00Z&to=2026-11-21T10:00:00Z&interval=PT1H"

    def test_answers_304_as_long_as_nothing_changed(self, api, vera, path):
        first = api(vera).get(path)
        assert "no-cache" in first["Cache-Control"]
        for tag in (first["ETag"], f"W/{first['ETag']}", f'"x", {first["ETag"]}'):
            again = api(vera).get(path, headers={"If-None-Match": tag})
            assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])

    def test_answers_anew_after_whatever_changes_the_past(self, api, vera, erik, robot, path):
        reading = f"{robot.pk}-{to_micros(NOW - MINUTE)}"
        mark = {"asset": robot.pk, "from": "2026-11-21T09:00:00Z", "to": "2026-11-21T09:30:00Z", "reason": "x"}
        changes = [
            lambda: factories.make_reading(robot, at=NOW - timedelta(seconds=90), temperature=9.0),
            lambda: api(erik).put(f"/api/data/{reading}/", {"values": {"temperature": 5.0}}, format="json"),
            lambda: api(erik).delete(f"/api/data/{reading}/"),
            lambda: api(erik).post("/api/data/quality/", mark | {"quality": "bad"}, format="json"),
            lambda: type(robot.site).objects.filter(pk=robot.site_id).update(timezone="Asia/Kolkata"),
        ]
        tag = api(vera).get(path)["ETag"]
        for number, change in enumerate(changes):
            change()
            answer = api(vera).get(path, headers={"If-None-Match": tag})
            assert answer.status_code == 200, number
            tag = answer["ETag"]

    def test_promises_nothing_of_a_range_that_goes_on(self, api, vera, robot, path):
        with time_machine.travel(NOW - MINUTE):
            assert "ETag" not in api(vera).get(path)
        assert "ETag" not in api(vera).get(f"/api/history/?asset={robot.pk}")


class TestDrawing:
    def test_gives_readings_with_ends_and_extremes(self, api, vera, robot):
        values = [float(number % 50) for number in range(2000)]
        values[777], values[1234] = 500.0, -500.0
        kept = fill_in(robot, NOW - timedelta(minutes=2000), values)
        body = ask(api(vera), robot, NOW - timedelta(days=2), NOW, "downsample=lttb&points=100")
        found = {datetime.fromisoformat(row["time"]): row["value"] for row in table(body)}
        assert len(found) <= 100
        assert found.items() <= kept.items()
        assert {500.0, -500.0} <= set(found.values())
        assert {min(kept), max(kept)} <= found.keys()
        assert body["interval"] is None


class TestFiles:
    def test_give_the_same_numbers_as_the_answer(self, api, vera, robot):
        fill_in(robot, NOW, [float(number) for number in range(120)])
        client, end = api(vera), NOW + timedelta(hours=2)
        rows = table(ask(client, robot, NOW, end, "interval=PT1H&statistic=avg,p95"))
        answer = ask(client, robot, NOW, end, "interval=PT1H&statistic=avg,p95&format=csv")
        assert (
            answer["Content-Disposition"]
            == 'attachment; filename="history-from-20261121T100000Z-to-20261121T120000Z.csv"'
        )
        read = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
        assert [(row["start"], int(row["count"]), float(row["avg"]), float(row["p95"])) for row in read] == [
            (row["start"], row["count"], row["avg"], row["p95"]) for row in rows
        ]
        assert {(row["asset"], row["key"], row["parameter"]) for row in read} == {
            (str(robot.pk), "robot-1", "temperature")
        }


class TestAccess:
    def test_needs_sight_of_every_asset(self, api, vera, oscar, robot, other_site):
        foreign = factories.make_equipment(site=other_site)
        assert api(vera).get(f"/api/history/?asset={robot.pk},{foreign.pk}").status_code == 404
        assert api(oscar).get(f"/api/equipment/{robot.pk}/history/").status_code == 404
        assert api(oscar).get(f"/api/history/?asset={robot.pk}&format=csv").status_code == 404
        assert api(vera).get(f"/api/sensors/{robot.pk}/history/").status_code == 404
